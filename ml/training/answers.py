"""What is written of a prediction: rows of predictions.jsonl, and passes for the ranking. One way a kind of task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ml.acquisition.aggregate import CANDIDATES, ImagePasses
from ml.geometry.affine import invert
from ml.methods.answering import FAINT, MASK_THRESHOLD, MIN_COMPONENT_MM2
from ml.methods.spec import Aim, Prediction
from ml.pixels.components import components
from ml.pixels.resample import resample
from ml.runs.manifest import DENSITY_LABELS, ManifestRow
from ml.training.batches import Item
from ml.training.data import Sample
from ml.training.prediction_rows import Row, box_rows, class_rows, mask_row, region, scalar_row
from ml.training.whereabouts import where_rows

MIN_SCORE, MAX_BOXES = 0.01, 100


@dataclass
class Said:
    """What was gathered over samples: prediction rows, passes per sample, embeddings."""

    rows: list[Row] = field(default_factory=list)
    passes: list[ImagePasses] = field(default_factory=list)
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    embeddings: dict[str, np.ndarray] = field(default_factory=dict)
    members: dict[str, list[tuple[Sample, np.ndarray, np.ndarray | None]]] = field(default_factory=dict)
    values: dict[str, list[Mapping[str, float]]] = field(default_factory=dict)
    joining: tuple[ManifestRow, np.ndarray] | None = None


@dataclass(frozen=True)
class Writing:
    """How it is written: the run's aim, the version that speaks, whether passes are kept, where masks go."""

    aim: Aim
    version: str
    uncertain: bool
    folder: Path


Answer = Callable[[Said, Writing, Sample, Item, Prediction], None]


def classes(said: Said, how: Writing, sample: Sample, item: Item, prediction: Prediction) -> None:
    """Class probabilities of a sample, at the level of its unit.

    Those of an exam are the mean of its samples: of all of them for density, of both view pairs for an asymmetry.
    """
    assert prediction.probabilities is not None
    mean = _all_classes(how.aim, prediction.probabilities.numpy().astype(np.float64))
    drawn = prediction.samples
    samples = None if drawn is None else _all_classes(how.aim, drawn.numpy().astype(np.float64))
    said.members.setdefault(sample.row.exam_id, []).append((sample, mean, samples))
    level, aim = level_of(sample), how.aim
    whole = level == "exam" and aim.task in ("density", "asymmetry")
    if not whole:
        extra = region(sample) if sample.roi is not None else {}
        own = class_rows(sample.row, level, aim.target, written(aim), mean, samples, how.version)
        said.rows += [{**row, **extra} for row in own]
    if whole:
        said.values.setdefault(sample.row.exam_id, []).append(prediction.values)
    else:
        said.rows += _scalars(sample, level, prediction.values, how)
    passes = mean[None] if samples is None else samples
    if aim.task == "density":
        said.passes.append(ImagePasses(sample.row.exam_id, sample.id, density=passes))
    else:
        # One candidate: the class that the task is about.
        said.passes.append(ImagePasses(sample.row.exam_id, sample.id, lesions={part_of(aim): 1 - passes[:, :1]}))
    said.samples[sample.id] = passes[:, None]
    # Unread exams are many, and their masks would only be looked at of those that are read: they get the boxes.
    folder = None if how.uncertain else how.folder
    for where in prediction.where:
        said.rows += where_rows(sample.rows[where.slot], item, where, how.version, folder)


def _all_classes(aim: Aim, p: np.ndarray) -> np.ndarray:
    """(..., C) in the classes that are written: density is always A-D, also where a method knows two of them."""
    if aim.task != "density" or aim.labels == DENSITY_LABELS:
        return p
    whole = np.zeros((*p.shape[:-1], len(DENSITY_LABELS)))
    whole[..., [DENSITY_LABELS.index(label) for label in aim.labels]] = p
    return whole


def written(aim: Aim) -> tuple[str, ...]:
    """The classes that rows are written for."""
    return DENSITY_LABELS if aim.task == "density" else aim.labels


def level_of(sample: Sample) -> str:
    """What a sample is about."""
    if sample.roi is not None:
        return "finding"
    if len(sample.rows) == 1:
        return "image"
    return "exam" if len({row.laterality for row in sample.rows}) > 1 else "breast"


def part_of(aim: Aim) -> str:
    """The name under which a task's uncertainty enters the ranking: its target says what it is unsure of."""
    return {"outcome": "cancer", "presence": "lesion"}.get(aim.target, aim.target)


def lesions(said: Said, how: Writing, sample: Sample, item: Item, prediction: Prediction) -> None:
    """Boxes of an image, what else its detector says of it, and the passes of its best candidates."""
    labels = how.aim.labels if how.aim.task == "lesion_detection" else ("lesion",)
    rows = box_rows(sample.row, prediction, item.affines[0], labels, how.version)
    said.rows += [row for row in rows if row["score"] >= MIN_SCORE][:MAX_BOXES]
    said.rows += _scalars(sample, "image", prediction.values, how)
    if not how.uncertain:
        return
    assert prediction.scores is not None and prediction.labels is not None
    scores = prediction.scores.numpy().astype(np.float64)
    samples = scores[None] if prediction.samples is None else prediction.samples.numpy().astype(np.float64)
    kinds = prediction.labels.numpy()
    own = {label: samples[:, kinds == k] for k, label in enumerate(labels)}
    said.passes.append(ImagePasses(sample.row.exam_id, sample.id, lesions=own))
    padded = np.zeros((len(samples), len(labels), CANDIDATES))
    for k, label in enumerate(labels):
        padded[:, k, : own[label].shape[1]] = own[label][:, :CANDIDATES]
    said.samples[sample.id] = padded


def outlines(said: Said, how: Writing, sample: Sample, item: Item, prediction: Prediction) -> None:
    """A mask in the image's own pixels, its connected parts as boxes, and their passes; or a map of tissues."""
    assert prediction.mask is not None
    if prediction.mask.dim() == 3:
        return _tissues(said, how, sample, item, prediction)
    mask = prediction.mask.numpy().astype(np.float32)
    whole = resample(mask, invert(item.affines[0]), (sample.row.rows, sample.row.cols))
    if sample.roi is None:
        _whole(said, how, sample.row, whole)
        said.rows += _scalars(sample, "image", prediction.values, how)
    else:
        _join(said, how, sample.row, whole)
    mm = item.mm_per_px[0] if item.mm_per_px else 1.0
    found = components(mask, FAINT if how.uncertain else MASK_THRESHOLD, MIN_COMPONENT_MM2 / mm**2)
    passes = None
    if prediction.mask_samples is not None:
        maps = prediction.mask_samples.numpy().astype(np.float64)
        passes = torch.from_numpy(
            np.stack([[m[part].mean() for part in found.parts] for m in maps]).reshape(len(maps), -1)
        )
    boxes = Prediction(
        boxes=torch.from_numpy(found.boxes), scores=torch.from_numpy(found.scores),
        labels=torch.zeros(len(found.scores), dtype=torch.long), samples=passes,
    )  # fmt: skip
    lesions(said, how, sample, item, boxes)


def _whole(said: Said, how: Writing, row: ManifestRow, whole: np.ndarray) -> None:
    """The mask of an image, from its map (rows, cols)."""
    inside = whole > MASK_THRESHOLD
    path = _stored(how.folder, row.image_id, np.where(inside, 255, 0).astype(np.uint8))
    score = float(whole[inside].mean()) if inside.any() else 0.0
    said.rows.append(mask_row(row, "any", path, score, how.version))


def _join(said: Said, how: Writing, row: ManifestRow, whole: np.ndarray) -> None:
    """Regions of one image follow each other; their maps become one by the maximum, and the image before is done."""
    if said.joining is not None and said.joining[0].image_id == row.image_id:
        said.joining = row, np.maximum(said.joining[1], whole)
        return
    close_outlines(said, how)
    said.joining = row, whole


def close_outlines(said: Said, how: Writing) -> None:
    """The mask of the image whose regions came last."""
    if said.joining is not None:
        _whole(said, how, *said.joining)
        said.joining = None


def _tissues(said: Said, how: Writing, sample: Sample, item: Item, prediction: Prediction) -> None:
    assert prediction.mask is not None
    back, size = invert(item.affines[0]), (sample.row.rows, sample.row.cols)
    maps = np.stack([resample(own, back, size) for own in prediction.mask.numpy().astype(np.float32)])
    chosen = maps.argmax(0).astype(np.uint8)
    path = _stored(how.folder, sample.row.image_id, chosen)
    said.rows.append(mask_row(sample.row, "tissue", path, float(maps.max(0).mean()), how.version))
    said.rows += [
        scalar_row(sample.row, "image", name, value, how.version) for name, value in sorted(prediction.values.items())
    ]
    said.passes.append(ImagePasses(sample.row.exam_id, sample.id, density=_shares(item, prediction)))
    said.samples[sample.id] = _shares(item, prediction)[:, None]


def _shares(item: Item, prediction: Prediction) -> np.ndarray:
    """(T, K) mean probability of each tissue over the breast, per pass."""
    assert prediction.mask is not None
    maps = prediction.mask[None] if prediction.mask_samples is None else prediction.mask_samples
    inside = item.breast[0][0] if item.breast else torch.ones(maps.shape[-2:], dtype=torch.bool)
    shares = maps[:, :, inside].float().mean(-1).numpy().astype(np.float64)
    return np.asarray(shares / shares.sum(1, keepdims=True).clip(1e-12))


def _stored(folder: Path, image_id: str, pixels: np.ndarray) -> str:
    """Write a PNG under masks/; its path relative to the run folder. Names come from ids alone, made safe."""
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in image_id)
    path = folder / "masks" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, optimize=True)
    return f"masks/{name}.png"


def _scalars(sample: Sample, level: str, values: Mapping[str, float], how: Writing) -> list[Row]:
    return [scalar_row(sample.row, level, name, value, how.version) for name, value in sorted(values.items())]


def close_exams(said: Said, how: Writing) -> None:
    """Rows of exams from those of their samples: the mean, also in each pass."""
    for exam, members in said.members.items():
        mean = np.mean([own for _, own, _ in members], axis=0)
        passes = [own for _, _, own in members if own is not None]
        samples = np.mean(passes, axis=0) if passes else None
        row = members[0][0].row
        said.rows += class_rows(row, "exam", how.aim.target, written(how.aim), mean, samples, how.version)
        if given := said.values.get(exam):
            means = {name: float(np.mean([values[name] for values in given])) for name in given[0]}
            said.rows += _scalars(members[0][0], "exam", means, how)


def close_regions(said: Said, how: Writing) -> None:
    """Rows of images from those of their regions: what the region says that speaks most for the class asked about."""
    best: dict[str, tuple[Sample, np.ndarray, np.ndarray | None]] = {}
    for member in (one for members in said.members.values() for one in members if one[0].roi is not None):
        sample, mean, _ = member
        if sample.row.image_id not in best or mean[1] > best[sample.row.image_id][1][1]:
            best[sample.row.image_id] = member
    for sample, mean, samples in best.values():
        said.rows += class_rows(sample.row, "image", how.aim.target, written(how.aim), mean, samples, how.version)


def close_asymmetry(said: Said, how: Writing) -> None:
    """Exams from pairs, or images from regions; images and breasts are combined where they are judged."""
    if any(level_of(members[0][0]) == "exam" for members in said.members.values()):
        close_exams(said, how)
    else:
        close_regions(said, how)


def nothing_more(said: Said, how: Writing) -> None:
    """Other tasks are combined where they are judged (methods.md 5.1)."""


ANSWERS: Mapping[str, tuple[Answer, Callable[[Said, Writing], Any]]] = {
    "density": (classes, close_exams),
    "asymmetry": (classes, close_asymmetry),
    "exam_classification": (classes, nothing_more),
    "lesion_classification": (classes, nothing_more),
    "lesion_detection": (lesions, nothing_more),
    "segmentation": (outlines, close_outlines),
}
