"""From lesion to image to breast to exam: how unsure a model is of one exam, in parts.

A part is one task and finding (`density`, `mass`, ...). Its value is the mutual information over the passes of one
model with dropout; with a single pass there is none, and the entropy stands in (`kind` says which).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ml.acquisition.uncertainty import entropy, mutual_information, two_class

DENSITY = "density"
CANDIDATES = 20
"""Best candidates of a finding in an image that are looked at, whatever their score."""
TOP = 2
Kind = Literal["mutual_information", "entropy"]


@dataclass(frozen=True)
class ImagePasses:
    """What T passes say of one image: `density` (T, C) class probabilities; `lesions` finding -> (T, N).

    N candidates after suppression of overlaps, the same in every pass; N may be 0.
    """

    exam_id: str
    image_id: str
    density: npt.NDArray[np.floating] | None = None
    lesions: Mapping[str, npt.NDArray[np.floating]] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One part of an exam's score. `value` is None where the model gave no usable number: unscored, not certain."""

    value: float | None
    kind: Kind
    images: Mapping[str, float | None]


def exam_parts(images: Iterable[ImagePasses]) -> list[dict[str, Any]]:
    """All parts of all exams as rows of `scores.jsonl`, by exam and part: `{exam_id, part, value, kind, images}`."""
    by_exam: dict[str, list[ImagePasses]] = {}
    for image in images:
        by_exam.setdefault(image.exam_id, []).append(image)
    rows = []
    for exam_id in sorted(by_exam):
        for part, found in sorted(_parts(by_exam[exam_id]).items()):
            rows.append(
                {
                    "exam_id": exam_id,
                    "part": part,
                    "value": found.value,
                    "kind": found.kind,
                    "images": dict(found.images),
                }
            )
    return rows


def density_part(passes: Mapping[str, npt.NDArray[np.floating]]) -> Part:
    """Density of one exam: in each pass the mean class probabilities of its images, then one value over the passes.

    `passes` maps an image to (T, C); the passes share their dropout masks, so pass t is one model for all images.
    """
    exam = np.mean([np.asarray(own, np.float64) for own in passes.values()], axis=0)
    return Part(
        value=_finite(_unsure(exam)),
        kind=_kind(exam),
        images={image: _finite(_unsure(np.asarray(own))) for image, own in passes.items()},
    )


def lesion_part(passes: Mapping[str, npt.NDArray[np.floating]]) -> Part:
    """One finding of one exam: candidate, image (mean of the two most unsure), breast and exam (the highest image).

    `passes` maps an image to (T, N) probabilities of the finding. The maximum over images is that over breasts.
    """
    images = {image: _finite(image_value(np.asarray(own))) for image, own in passes.items()}
    known = [value for value in images.values() if value is not None]
    return Part(
        value=max(known) if len(known) == len(images) else None,
        kind=_kind(next(iter(passes.values()))),
        images=images,
    )


def image_value(passes: npt.NDArray[np.floating]) -> float:
    """One image from the (T, N) probabilities of its candidates: how unsure the two most unsure of the best 20 are."""
    best = np.argsort(-passes.mean(axis=0), kind="stable")[:CANDIDATES]
    return top_mean(np.atleast_1d(_unsure(two_class(passes[:, best]))))


def top_mean(values: npt.NDArray[np.floating] | Sequence[float], k: int = TOP) -> float:
    """Mean of the k highest, zeros where there are fewer: one unsure box beats none, and forty do not beat two."""
    highest = np.sort(np.asarray(values, np.float64))[::-1][:k]
    return float(highest.sum() / k)


def _parts(images: Sequence[ImagePasses]) -> dict[str, Part]:
    parts = {}
    density = {image.image_id: image.density for image in images if image.density is not None}
    if density:
        parts[DENSITY] = density_part(density)
    for finding in sorted({finding for image in images for finding in image.lesions}):
        parts[finding] = lesion_part({i.image_id: i.lesions[finding] for i in images if finding in i.lesions})
    return parts


def _unsure(passes: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """(T, ..., C) to (...): mutual information, or the entropy of a single pass."""
    return mutual_information(passes) if len(passes) > 1 else entropy(passes[0])


def _kind(passes: npt.NDArray[np.floating]) -> Kind:
    return "mutual_information" if len(passes) > 1 else "entropy"


def _finite(value: float | npt.NDArray[np.float64]) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
