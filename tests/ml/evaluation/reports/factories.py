"""The smallest manifest and prediction rows that a report needs, and images that a baseline can look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZE = 96


def a_row(n, split, *, density=None, findings=(), complete=True, image="i", spacing=(1.0, 1.0), **more):
    """Image `image` of exam and patient n. Findings: `(type, box)`, box None for one without a mark."""
    return {
        "image_id": f"{image}{n}",
        "exam_id": f"e{n}",
        "patient_id": f"p{n:03d}",
        "rows": SIZE,
        "cols": SIZE,
        "spacing_mm": list(spacing) if spacing else None,
        "image_kind": "standard",
        "split": split,
        "complete": complete and all(box for _, box in findings),
        "density": {"label": density} if density else None,
        "findings": [
            {
                "finding_id": f"f{k}",
                "type": kind,
                "marks": [{"mark_id": f"m{k}", "kind": "box", "geometry": box}] if box else [],
            }
            for k, (kind, box) in enumerate(findings)
        ],
        **more,
    }


def a_density(row, p, level="exam"):
    """Four rows, one a class."""
    return [
        {
            "level": level,
            "kind": "prob",
            "target": "density",
            "class_index": c,
            "prob": float(v),
            "member": -1,
            "exam_id": row["exam_id"],
            "image_id": row["image_id"] if level == "image" else None,
            "patient_id": row["patient_id"],
            "split": row["split"],
        }
        for c, v in enumerate(p)
    ]


def a_box(row, target, score, box):
    x0, y0, x1, y1 = box
    return {
        "level": "image",
        "kind": "box",
        "target": target,
        "score": score,
        "member": -1,
        "image_id": row["image_id"],
        "exam_id": row["exam_id"],
        "patient_id": row["patient_id"],
        "split": row["split"],
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
    }


@dataclass(frozen=True)
class Shown:
    """What a pixels callable gives: the left half of the frame is breast."""

    x: np.ndarray
    mask: np.ndarray
    affine: np.ndarray


def an_image(x, *, mask=None, affine=None):
    half = np.zeros(x.shape, bool)
    half[:, : x.shape[1] // 2] = True
    inside = half if mask is None else mask
    return Shown(np.where(inside, x, 0.0).astype(np.float32), inside, np.eye(3) if affine is None else affine)
