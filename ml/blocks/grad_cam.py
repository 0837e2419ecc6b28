"""Where a score came from, in a network's last maps. Source: Selvaraju et al. 2017 (Grad-CAM)."""

import torch
from torch import Tensor


def grad_cam(score: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (N,) and the maps (N, C, h, w) that they were computed from to (N, h, w) in [0, 1] and raw maxima (N,).

    ReLU(sum_k mean(dY/dA_k) A_k), divided by its maximum; where nothing speaks for the score the map is all zero and
    the maximum 0. Needs gradients; sample n's score must depend on sample n's maps alone (BatchNorm in eval).
    """
    cam = weighted(maps, torch.autograd.grad(score.sum(), maps)[0]).detach()
    highest = cam.amax((1, 2))
    return cam / highest.clamp(min=torch.finfo(cam.dtype).tiny)[:, None, None], highest


def weighted(maps: Tensor, gradient: Tensor) -> Tensor:
    """Maps (N, C, h, w), weighed by the mean of the score's gradient there, to (N, h, w) >= 0, not yet divided."""
    return torch.relu((gradient.mean((2, 3), keepdim=True) * maps).sum(1))
