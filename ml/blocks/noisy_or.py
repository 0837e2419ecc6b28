"""From the logits of instances to that of their bag: at least one of them is true, each by its own chance."""

import torch
from torch import Tensor
from torch.nn import functional

LEAST_LOGIT = -20.0
"""Of a bag without an instance: its probability is 0, and its logit must stay a number."""


def noisy_or(logits: Tensor, bag: Tensor, count: int) -> Tensor:
    """Logits (count,) of 1 - prod(1 - p_i) over the instances of each bag; logits (M,), bag (M,) indices."""
    alone = functional.logsigmoid(-logits.float())
    survival = alone.new_zeros(count).index_add(0, bag, alone)
    # ln(p / (1 - p)) with ln(1 - p) = survival; a bag without an instance has p = 0.
    return (torch.log(-torch.expm1(survival.clamp(max=-1e-9))) - survival).clamp(min=LEAST_LOGIT)
