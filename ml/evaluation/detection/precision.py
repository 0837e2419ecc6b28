"""Average precision of boxes by the COCO rule, for comparison with other work.

101 recall points, precision made non-increasing, one class at a time, duplicates are false positives, no area ranges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ml.evaluation.detection.matching import Outcomes, Verdict, judge
from ml.evaluation.detection.things import Candidates, Image
from ml.evaluation.undefined import Undefined

COCO_IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
MOST = 100
_RECALLS = np.linspace(0.0, 1.0, 101)


def average_precision(found: Outcomes) -> float:
    """Of one class by one criterion. Raises Undefined (no_marks)."""
    if not found.marks:
        raise Undefined("no_marks")
    counted = found.verdict != Verdict.ABSORBED
    by_score = np.argsort(-found.score[counted], kind="stable")
    true = (found.verdict[counted] == Verdict.TRUE)[by_score]
    tp = np.cumsum(true)
    recall, precision = tp / len(found.marks), tp / np.arange(1, len(tp) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, _RECALLS, "left")
    return (
        float(np.where(at < len(envelope), envelope[np.minimum(at, len(envelope) - 1)], 0.0).mean()) if len(tp) else 0.0
    )


def of_class(
    images: Sequence[Image], found: Mapping[str, Candidates], target: str, ious: tuple[float, ...] = COCO_IOUS
) -> float:
    """Mean average precision of one class over overlaps. Only complete images can tell a false positive."""
    complete = [image for image in images if image.complete]
    each = [average_precision(judge(complete, found, target, f"iou>={iou}", limit=MOST)) for iou in ious]
    return float(np.mean(each))
