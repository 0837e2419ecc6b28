"""Average precision equals that of pycocotools on random boxes."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ml.evaluation.detection.precision import of_class
from ml.evaluation.detection.things import Image, Mark, candidates


def random_boxes(rng, n):
    corner = rng.uniform(0, 60, (n, 2))
    return np.hstack([corner, corner + rng.uniform(10, 40, (n, 2))])


def theirs(marks, found, iou):
    annotations = [
        {
            "id": k + 1,
            "image_id": i,
            "category_id": 1,
            "bbox": [x, y, u - x, v - y],
            "area": (u - x) * (v - y),
            "iscrowd": 0,
        }
        for k, (i, (x, y, u, v)) in enumerate((i, box) for i, boxes in marks.items() for box in boxes)
    ]
    results = [
        {"image_id": i, "category_id": 1, "bbox": [x, y, u - x, v - y], "score": s}
        for i, (boxes, scores) in found.items()
        for (x, y, u, v), s in zip(boxes, scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": [{"id": i} for i in marks], "annotations": annotations, "categories": [{"id": 1}]}
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.params.iouThrs, run.params.areaRng, run.params.areaRngLbl = np.array([iou]), [[0, 1e10]], ["all"]
        run.evaluate()
        run.accumulate()
    return float(run.eval["precision"][0, :, 0, 0, -1].mean())


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("iou", [0.1, 0.5])
def test_ours_is_theirs(seed, iou):
    rng = np.random.default_rng(seed)
    marks = {i: random_boxes(rng, rng.integers(0, 4)) for i in range(1, 13)}
    marks[1] = random_boxes(rng, 2)
    found = {i: (random_boxes(rng, n := rng.integers(1, 8)), rng.random(n)) for i in marks}
    images = [
        Image(str(i), str(i), str(i), True, not len(boxes), 100, 100, None,
              tuple(Mark(str(i), f"{i}-{k}", "mass", "box", box.tolist()) for k, box in enumerate(boxes)))
        for i, boxes in marks.items()
    ]  # fmt: skip
    ours = of_class(
        images, {str(i): candidates(b, s, ["mass"] * len(s)) for i, (b, s) in found.items()}, "mass", (iou,)
    )
    assert ours == pytest.approx(theirs(marks, found, iou), abs=1e-9)
