"""From manifest rows to samples: one image, the views of a breast, of both breasts or of an exam, or regions."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ml.methods.spec import Aim, Inputs, Reads
from ml.pixels.mark_masks import MaskOf
from ml.pixels.rois import BACKGROUND, LESION, Roi, RoiOptions, label_of, rois_of
from ml.pixels.windows import WINDOW_MM, windows_of
from ml.runs.manifest import ManifestRow, Mark
from ml.runs.records import from_dict, to_dict
from ml.training.data import Images, Sample

#: Rows of other kinds than a run asks for are not among its rows.
ALL_KINDS = ("standard", "low_energy", "subtracted", "synthetic_2d")

#: What a region is called by its own names, for a target that has others; the first that fits a finding counts.
REGION_CLASSES: Mapping[str, Mapping[str, str]] = {
    "asymmetry": {"asymmetry": "present", "lesion": "absent", "background": "absent"},
}

#: Tasks whose answer is of an exam: what a reader marked in it must not say where to look.
LOOKED_ALL_OVER = ("asymmetry",)

LeftOut = list[tuple[str, str]]
Warn = Callable[[str, str, str | None], None]


def build_samples(
    rows: Sequence[ManifestRow], reads: Reads, aim: Aim, images: Images, *, seed: int = 0, warn: Warn | None = None,
    windows: bool = False,
) -> tuple[list[Sample], LeftOut]:  # fmt: skip
    """Samples in the order of their ids, and (exam or image, reason) for what could not be one.

    Regions are the marks and the background that `ml.pixels.rois` draws. With `windows` (to be judged, not learned
    from) they are the marks alone, whatever is known of them, and where an image has none, or where exams are judged, a
    grid of squares over the breast.
    """
    if reads.inputs.unit == "roi":
        found = _asked(rows, reads, aim, images, seed, warn) if windows else _taught(rows, reads, aim, images, seed)
        return _numbered(rows, found), []
    area = _Areas(images)
    return grouped(rows, reads.inputs, area, warn)


class _Areas:
    """Breast area of an image in source pixels; prepared only where two images compete for a slot."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __call__(self, row: ManifestRow) -> float:
        picture = self.images.prepared(row)
        return float(picture.mask.sum() / abs(np.linalg.det(np.asarray(picture.affine)[:2, :2])))


def grouped(
    rows: Sequence[ManifestRow], inputs: Inputs, area: Callable[[ManifestRow], float], warn: Warn | None = None
) -> tuple[list[Sample], LeftOut]:
    """Samples of whole images; of two images for one slot the one with more breast, ties by id."""
    ordered = sorted(rows, key=lambda row: (row.exam_id, row.image_id))
    if not inputs.views:
        return [Sample(row.image_id, (row,), (True,)) for row in ordered], []
    key = _KEYS[inputs.unit]
    groups: dict[str, dict[str, list[ManifestRow]]] = defaultdict(lambda: defaultdict(list))
    for row in ordered:
        unit, slot = key(row)
        groups[unit][slot].append(row)
    samples: list[Sample] = []
    left_out: LeftOut = []
    fill = _FILLS[inputs.missing]
    for unit, several in sorted(groups.items()):
        found = {slot: _one(own, area, warn if slot in inputs.views else None) for slot, own in several.items()}
        slots = [found.get(view) for view in inputs.views]
        filled = [row or fill(view, found) for row, view in zip(slots, inputs.views, strict=True)]
        if any(row is None for row in filled):
            missing = [view for view, row in zip(inputs.views, slots, strict=True) if not row]
            left_out.append((unit, "missing " + ", ".join(missing)))
            continue
        rows_of = tuple(row for row in filled if row is not None)
        samples.append(Sample(unit, rows_of, tuple(row is not None for row in slots)))
    return samples, left_out


def _one(rows: Sequence[ManifestRow], area: Callable[[ManifestRow], float], warn: Warn | None) -> ManifestRow:
    if len(rows) == 1:
        return rows[0]
    if warn is not None:
        warn("duplicate_view", "two images of one view: the one with more breast is read", rows[0].exam_id)
    return min(rows, key=lambda row: (-area(row), row.image_id))


_KEYS: dict[str, Callable[[ManifestRow], tuple[str, str]]] = {
    "breast": lambda row: (f"{row.exam_id}/{row.laterality}", str(row.view)),
    "view_pair": lambda row: (f"{row.exam_id}/{row.view}", str(row.laterality)),
    "exam": lambda row: (row.exam_id, f"{row.laterality}-{row.view}"),
}


def _other_breast(view: str, found: dict[str, ManifestRow]) -> ManifestRow | None:
    """The same view of the other breast."""
    side, _, kind = view.partition("-")
    return found.get(f"{'L' if side == 'R' else 'R'}-{kind}")


def _other_side(view: str, found: dict[str, ManifestRow]) -> ManifestRow | None:
    """The same view of the other breast, else the other view of the same breast."""
    side, _, kind = view.partition("-")
    return _other_breast(view, found) or found.get(f"{side}-{'MLO' if kind == 'CC' else 'CC'}")


def _other_view(view: str, found: dict[str, ManifestRow]) -> ManifestRow | None:
    """Whatever there is of the unit; the slot is marked as not present."""
    return found.get("MLO" if view == "CC" else "CC") or next(iter(found.values()), None)


def _none(view: str, found: dict[str, ManifestRow]) -> ManifestRow | None:
    return None


_FILLS: dict[str, Callable[[str, dict[str, ManifestRow]], ManifestRow | None]] = {
    "other_side": _other_side,
    "other_breast": _other_breast,
    "token": _other_view,
    "drop": _none,
    "refuse": _none,
}


def _taught(rows: Sequence[ManifestRow], reads: Reads, aim: Aim, images: Images, seed: int) -> list[Roi]:
    """The regions whose class is known."""
    own = own_names(aim)
    return [replace(roi, label=own[roi.label]) for roi in _drawn(rows, tuple(own), reads, aim, images, seed)]


def _asked(
    rows: Sequence[ManifestRow], reads: Reads, aim: Aim, images: Images, seed: int, warn: Warn | None
) -> list[Roi]:
    """The marks of findings that count, with their class where it is known; a grid over images without such a mark."""
    if aim.task in LOOKED_ALL_OVER:
        return _grid(rows, reads, images)
    own = own_names(aim)
    known = {
        (row.image_id, finding.finding_id): label_of(to_dict(finding), tuple(own))
        for row in rows for finding in row.findings
    }  # fmt: skip
    marked = [
        replace(roi, label=own.get(known[roi.image_id, roi.finding_id or ""] or "", ""))
        for roi in _drawn(rows, (LESION,), reads, aim, images, seed)
    ]
    seen = {roi.image_id for roi in marked}
    unmarked = [row for row in rows if row.image_id not in seen]
    if unmarked and warn is not None and BACKGROUND not in own:
        warn(
            "regions_unmarked",
            f"{len(unmarked)} of {len(rows)} images have no mark to judge: squares all over the breast are asked "
            "about, though only lesions were learned from, so what is said of them is but a hint where to look",
            unmarked[0].image_id,
        )
    return [*marked, *_grid(unmarked, reads, images)]


def _grid(rows: Sequence[ManifestRow], reads: Reads, images: Images) -> list[Roi]:
    side = window_mm_of(reads.roi)
    return [roi for row in rows for roi in windows_of(to_dict(row), images.prepared(row), side)]


def own_names(aim: Aim) -> Mapping[str, str]:
    """What regions are called by `ml.pixels.rois`, to the classes of the run."""
    return REGION_CLASSES.get(aim.target, {label: label for label in aim.labels})


def _drawn(
    rows: Sequence[ManifestRow], labels: Sequence[str], reads: Reads, aim: Aim, images: Images, seed: int
) -> list[Roi]:
    by_id = {row.image_id: row for row in rows}
    return rois_of(
        [to_dict(row) for row in rows], labels, RoiOptions.of(region_options(reads, aim)), seed,
        image=lambda row: images.prepared(by_id[row["image_id"]]), mask_of=mask_reader(rows, images),
    )  # fmt: skip


def _numbered(rows: Sequence[ManifestRow], found: Sequence[Roi]) -> list[Sample]:
    by_id = {row.image_id: row for row in rows}
    count: Counter[str] = Counter()
    samples = []
    for roi in found:
        samples.append(Sample(f"{roi.image_id}:{count[roi.image_id]:03d}", (by_id[roi.image_id],), (True,), roi))
        count[roi.image_id] += 1
    return sorted(samples, key=lambda sample: sample.id)


def mask_reader(rows: Sequence[ManifestRow], images: Images) -> MaskOf:
    """Stored masks of these rows for what speaks of rows and marks as JSON values."""
    by_id = {row.image_id: row for row in rows}
    return lambda row, mark: images.mask_of(by_id[row["image_id"]], from_dict(Mark, dict(mark))) > 0


def region_options(reads: Reads, aim: Aim) -> dict[str, Any]:
    """Which squares are cut, as options of `ml.pixels.rois`: the method's own, and the findings of the run."""
    own = {key: value for key, value in reads.roi.items() if key not in ("size_px", "window_mm")}
    return {"findings": aim.findings, "image_kinds": ALL_KINDS, **own}


def window_mm_of(options: Mapping[str, Any]) -> float:
    """Side of the squares in which an unread image is looked at."""
    return float(options.get("window_mm", WINDOW_MM))
