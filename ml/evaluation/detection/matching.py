"""Who gets the credit for a mark: in each image the best candidate that hits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation.detection.hits import Hits, hits, usable
from ml.evaluation.detection.things import ANY, Candidates, Image, Mark


class Verdict(IntEnum):
    """What became of a candidate. A duplicate hits only marks that are taken; an absorbed one a mark to be ignored."""

    FALSE = 0
    TRUE = 1
    DUPLICATE = 2
    ABSORBED = 3


@dataclass(frozen=True)
class Outcomes:
    """All candidates of one target in `images`, by one criterion; `marks` are those that count.

    score (N,), image (N,) and mark (N,) as places in `images` and `marks` (-1: none), verdict (N,).
    """

    images: tuple[Image, ...]
    marks: tuple[Mark, ...]
    score: npt.NDArray[np.float64]
    image: npt.NDArray[np.int64]
    mark: npt.NDArray[np.int64]
    verdict: npt.NDArray[np.int64]
    unusable: int


def judge(
    images: Sequence[Image], found: Mapping[str, Candidates], target: str, criterion: str, *, limit: int | None = None
) -> Outcomes:
    """Match the candidates of one target in every image. `limit` keeps the best so many candidates an image."""
    marks: list[Mark] = []
    rows: list[tuple[npt.NDArray[Any], ...]] = []
    unusable = 0
    for place, image in enumerate(images):
        of_target = [mark for mark in image.marks if target in (ANY, mark.type)]
        counted = tuple(mark for mark in of_target if not mark.ignore and usable(mark, criterion))
        ignored = tuple(mark for mark in of_target if mark.ignore or not usable(mark, criterion))
        unusable += sum(not mark.ignore for mark in ignored)
        own = found.get(image.image_id, Candidates()).of(target)
        own = Candidates(own.boxes[:limit], own.scores[:limit], own.types[:limit])
        verdict, taken = match(hits(own, counted, image, criterion), _absorbing(own, ignored, image, criterion))
        rows.append((own.scores, np.full(len(taken), place), np.where(taken >= 0, taken + len(marks), -1), verdict))
        marks += counted
    score, where, taken_mark, verdicts = (np.concatenate([row[k] for row in rows] or [np.zeros(0)]) for k in range(4))
    return Outcomes(
        images=tuple(images),
        marks=tuple(marks),
        score=score,
        image=where.astype(np.int64),
        mark=taken_mark.astype(np.int64),
        verdict=verdicts.astype(np.int64),
        unusable=unusable,
    )


def match(found: Hits, absorbed: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Verdict (N,) and the mark taken (N,), -1 for none; candidates come best first and take the best free mark."""
    n = len(found.hit)
    verdict, taken = np.full(n, int(Verdict.FALSE)), np.full(n, -1)
    free = np.ones(found.hit.shape[1], bool)
    for i in np.flatnonzero(found.hit.any(axis=1) | absorbed):
        open_to = found.hit[i] & free
        if open_to.any():
            best = int(np.argmax(np.where(open_to, found.merit[i], -np.inf)))
            verdict[i], taken[i], free[best] = Verdict.TRUE, best, False
        else:
            verdict[i] = Verdict.ABSORBED if absorbed[i] else Verdict.DUPLICATE
    return verdict, taken


def _absorbing(own: Candidates, ignored: tuple[Mark, ...], image: Image, criterion: str) -> npt.NDArray[np.bool_]:
    """Candidates on marks that do not count. A point is asked by its reach even where overlap is the criterion."""
    found = np.zeros(len(own.scores), bool)
    for mark in ignored:
        asked = criterion if usable(mark, criterion) else "centre_in_mark"
        found |= hits(own, (mark,), image, asked).hit[:, 0]
    return found
