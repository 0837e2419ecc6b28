"""explanations/ of a run folder: heat maps of the exams that a person will look at first."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.geometry.affine import compose, scale
from ml.pixels.resample import resample
from ml.runs.cancel import StopRequest
from ml.runs.explanations import LONGEST_PX, HeatMap, write_explanations
from ml.training.batches import Item
from ml.training.data import Sample, SampleLoader
from ml.training.device import Machine
from ml.training.heat import Heat, Speech, heat_of

Floats = npt.NDArray[np.float32]
#: Drawing may take so long, in seconds; what is left over then has no map.
BUDGET_SECONDS = 60.0


@dataclass(frozen=True)
class Drawing:
    """Who speaks, from what it is loaded, and where the maps go."""

    speech: Speech
    loader: SampleLoader
    machine: Machine
    folder: Path
    stop: StopRequest
    seconds: float = BUDGET_SECONDS


@dataclass
class Drawn:
    """The maps that were drawn, and how many samples were left because the time was up, or covering too dear."""

    maps: list[HeatMap] = field(default_factory=list)
    late: int = 0
    dear: int = 0


def draw(samples: Sequence[Sample], how: Drawing) -> Drawn:
    """Explain samples in their order and write explanations/."""
    drawn, end = Drawn(), time.monotonic() + how.seconds
    how.folder.mkdir(exist_ok=True)
    for n, sample in enumerate(samples):
        how.stop.check()
        if time.monotonic() > end:
            drawn.late = len(samples) - n
            break
        item = how.loader.item(sample)
        heat = heat_of(how.speech, how.loader.collate([item], how.machine.device))
        if heat is None:
            drawn.dear += 1
        else:
            drawn.maps += _written(sample, item, heat, how, n)
    write_explanations(how.folder, drawn.maps)
    return drawn


def in_order(
    samples: Iterable[Sample], rows: Iterable[Mapping[str, Any]], first: Sequence[str], limit: int
) -> list[Sample]:
    """The samples of `limit` exams: those named `first` in their order, then those of which most is said.

    Of the regions of an image the one that speaks loudest. rows are those of predictions.jsonl.
    """
    loud: dict[str, float] = {}
    regions: dict[tuple[str, float, float], float] = {}
    for row in rows:
        value = row.get("prob") if row["kind"] == "prob" else row.get("score")
        if value is None or (row["kind"] == "prob" and not row.get("class_index")):
            continue  # the first class is the one that nothing is wrong with
        loud[row["exam_id"]] = max(loud.get(row["exam_id"], 0.0), value)
        if row["kind"] == "prob" and "x0" in row:
            key = (row["image_id"], row["x0"], row["y0"])
            regions[key] = max(regions.get(key, 0.0), value)
    place = {exam: n for n, exam in reversed(list(enumerate(first)))}
    exams: dict[str, list[Sample]] = {}
    for sample in samples:
        exams.setdefault(sample.row.exam_id, []).append(sample)
    ranked = sorted(exams, key=lambda exam: (place.get(exam, len(place)), -loud.get(exam, 0.0), exam))
    return [sample for exam in ranked[:limit] for sample in _loudest(exams[exam], regions)]


def _loudest(samples: Sequence[Sample], regions: Mapping[tuple[str, float, float], float]) -> list[Sample]:
    """All samples of an exam, but of regions only one an image."""
    best: dict[str, Sample] = {}
    for sample in samples:
        if sample.roi is None:
            best[sample.id] = sample
        elif sample.row.image_id not in best or _said(sample, regions) > _said(best[sample.row.image_id], regions):
            best[sample.row.image_id] = sample
    return list(best.values())


def _said(sample: Sample, regions: Mapping[tuple[str, float, float], float]) -> float:
    assert sample.roi is not None
    return regions.get((sample.row.image_id, float(sample.roi.box[0]), float(sample.roi.box[1])), 0.0)


def _written(sample: Sample, item: Item, heat: Heat, how: Drawing, number: int) -> list[HeatMap]:
    """A picture for each view that is there, all divided by the sample's maximum."""
    highest = float(heat.maps.max())
    target = how.speech.aim.target
    maps = []
    for view, (row, present) in enumerate(zip(sample.rows, sample.present, strict=True)):
        if not present:
            continue  # a stand-in is another view's image
        rows, cols = item.x[view].shape[-2:]
        values = (heat.maps[view, :rows, :cols] / (highest or 1.0)).numpy()
        picture, affine = _shrunk(values, np.asarray(item.affines[view]))
        name = f"{number:05d}-{view}.png"
        Image.fromarray(np.round(picture.clip(0, 1) * 255).astype(np.uint8)).save(how.folder / name, optimize=True)
        maps.append(
            HeatMap(
                exam_id=row.exam_id, image_id=row.image_id, unit=sample.id, split=row.split, target=target,
                label=heat.label, kind=heat.kind, score=heat.score, path=f"explanations/{name}",
                rows=picture.shape[0], cols=picture.shape[1], affine=tuple(tuple(map(float, r)) for r in affine),
                maximum=highest, empty=not picture.max() > 0, **_region(sample),
            )
        )  # fmt: skip
    return maps


def _region(sample: Sample) -> dict[str, Any]:
    if sample.roi is None:
        return {}
    return {"box": tuple(map(float, sample.roi.box)), "finding_id": sample.roi.finding_id}


def _shrunk(values: Floats, affine: np.ndarray) -> tuple[Floats, np.ndarray]:
    """At most LONGEST_PX a side, with the matrix from stored pixels moved along."""
    k = min(1.0, LONGEST_PX / max(values.shape))
    if k == 1.0:
        return values, affine
    shape = (round(values.shape[0] * k), round(values.shape[1] * k))
    step = scale(shape[1] / values.shape[1], shape[0] / values.shape[0])
    return resample(values, step, shape), compose(affine, step)


def exams_named(worst: Iterable[Mapping[str, Any]]) -> list[str]:
    """The exams of the worst misses, in their order, once each."""
    return list(dict.fromkeys(str(miss["exam_id"]) for miss in worst if miss.get("exam_id")))


def least_sure(scores: Iterable[Mapping[str, Any]]) -> list[str]:
    """Exams by the highest of their scores."""
    best: dict[str, float] = {}
    for row in scores:
        if row["value"] is not None:
            best[row["exam_id"]] = max(best.get(row["exam_id"], 0.0), row["value"])
    return sorted(best, key=lambda exam: (-best[exam], exam))
