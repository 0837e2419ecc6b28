"""What the stages of a run, and its prediction, see: images prepared their way, and samples of them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ml.methods.spec import Aim, Reads, Stage
from ml.runs.errors import refused
from ml.runs.manifest import ManifestRow
from ml.runs.records import to_dict
from ml.training.context import Run
from ml.training.data import SampleLoader
from ml.training.fit import View
from ml.training.images import MAX_UNREADABLE, StoredImages
from ml.training.samples import build_samples

Told = Callable[[int], None]


def images_for(run: Run, reads: Reads, pixels: Any = None) -> StoredImages:
    """Images as `reads` wants them, with the request's options on top; `pixels` replaces what is read of old."""
    root = run.folder.path / run.meta.pixels_root
    cache = run.folder.path / (run.request.cache_dir or "pixels")
    options = {**reads.pixels, **run.request.pixel_overrides} if pixels is None else pixels
    return StoredImages.of(root, cache, options, reads.augment, run.warn)


def stored_pixels(run: Run, reads: Reads) -> dict[str, Any]:
    """The options that a model's spec keeps, for its own prediction."""
    return {**to_dict(dict(reads.pixels)), **run.request.pixel_overrides}


def readable(
    run: Run, images: StoredImages, rows: Sequence[ManifestRow], told: Told, most: float = MAX_UNREADABLE
) -> list[ManifestRow]:
    """Prepare every image once, before anything is learned: a bad file is known now, not in the middle of the night."""
    run.watch.heartbeat.stage = "prepare"

    def each(done: int) -> None:
        run.watch.stop.check()
        told(done)

    return images.readable(rows, each, most, run.machine.workers, run.flagged.note)


def view_of(run: Run, reads: Reads, aim: Aim, config: Any, images: StoredImages, *, windows: bool = False,
            rows: Sequence[ManifestRow] | None = None) -> View:  # fmt: skip
    """Samples of the run's rows, or of these. Raises RunRefused (exit 3, `no_samples`)."""
    used = run.rows if rows is None else rows
    samples, left_out = build_samples(used, reads, aim, images, seed=run.request.seed, warn=run.warn, windows=windows)
    for exam, reason in left_out:
        run.warn("views_missing", f"left out: {reason}", exam)
    if not samples and used:
        why = f": {left_out[0][1]}" if left_out else ""
        raise refused("no_samples", f"no image can be read by this method{why}")
    return View(samples, SampleLoader(images, reads, aim, config, defers=run.machine.cuda))


def all_views(
    run: Run, config: Any, aim: Aim, stages: Iterable[Stage], reads: Reads, told: Callable[[int], Told]
) -> dict[int, View]:
    """A view for each of the reads of a method, by identity; images of one preparation are shared."""
    wanted = {id(own): own for own in [reads, *(stage.reads for stage in stages if stage.reads is not None)]}
    images: dict[str, StoredImages] = {}
    for own in wanted.values():
        key = repr(sorted(own.pixels.items()))
        if key not in images:
            images[key] = images_for(run, own)
            run.rows[:] = readable(run, images[key], run.rows, told(len(run.rows)))
    return {
        ident: view_of(run, own, aim, config, images[repr(sorted(own.pixels.items()))].with_variation(own.augment))
        for ident, own in wanted.items()
    }
