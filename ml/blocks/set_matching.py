"""Pairing predicted sets with true ones, and the loss of the pairs. Source: Carion et al. 2020.

Boxes here are (cx, cy, w, h) as shares of the image's sides; the last class is "none".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from ml.blocks.boxes import corners_of, giou

CLASS_COST, L1_COST, GIOU_COST = 2.0, 5.0, 2.0
NONE_WEIGHT = 0.1
Target = tuple[Tensor, Tensor]
"""Of an image: labels (G,) long and boxes (G, 4)."""


def matching_cost(logits: Tensor, boxes: Tensor, target: Target) -> Tensor:
    """(Q, G): -2p + 5 L1 + 2(1 - GIoU) of each query with each true box; logits (Q, K+1), boxes (Q, 4)."""
    labels, true = target
    p = torch.softmax(logits.float(), 1)[:, labels]
    far = torch.cdist(boxes.float(), true.float(), p=1)
    overlap = giou(corners_of(boxes.float()), corners_of(true.float()))
    return -CLASS_COST * p + L1_COST * far + GIOU_COST * (1 - overlap)


@torch.no_grad()
def match_sets(logits: Tensor, boxes: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """The one-to-one pairing of least total cost: indices of queries and of true boxes, each (min(Q, G),)."""
    cost = matching_cost(logits, boxes, target).double().cpu().numpy()
    # A diverging network must end in the loop's own check of the loss, not in an error of the assignment.
    queries, marks = linear_sum_assignment(np.nan_to_num(cost, nan=1e6, posinf=1e6, neginf=-1e6))
    return torch.as_tensor(queries, device=logits.device), torch.as_tensor(marks, device=logits.device)


def set_loss(logits: Tensor, boxes: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
    """Weighted parts of the loss of a batch: `classes`, `l1`, `giou`, scalars to be summed.

    logits (N, Q, K+1), boxes (N, Q, 4). Class cross-entropy with "none" weighted 0.1; 5 L1 and 2 (1 - GIoU) over the
    pairs, divided by the number of true boxes in the batch (at least 1).
    """
    none = logits.shape[-1] - 1
    wanted = torch.full(logits.shape[:2], none, device=logits.device)
    l1 = giou_part = logits.new_zeros((), dtype=torch.float32)
    for n, target in enumerate(targets):
        queries, marks = match_sets(logits[n], boxes[n], target)
        wanted[n, queries] = target[0][marks]
        found, true = boxes[n, queries].float(), target[1][marks].float()
        l1 = l1 + (found - true).abs().sum()
        giou_part = giou_part + (1 - giou(corners_of(found), corners_of(true)).diagonal()).sum()
    weights = torch.ones(none + 1, device=logits.device)
    weights[none] = NONE_WEIGHT
    count = max(1, sum(len(labels) for labels, _ in targets))
    return {
        "classes": functional.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), weights),
        "l1": L1_COST * l1 / count,
        "giou": GIOU_COST * giou_part / count,
    }


def deep_set_loss(outputs: Mapping[str, Any], targets: Sequence[Target]) -> dict[str, Tensor]:
    """`set_loss` of the outputs of `DETRLite`; earlier decoder layers, matched on their own, add to each part."""
    total = set_loss(outputs["logits"], outputs["boxes"], targets)
    for logits, boxes in outputs["aux"]:
        part = set_loss(logits, boxes, targets)
        total = {name: total[name] + part[name] for name in total}
    return total
