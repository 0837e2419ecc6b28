"""Features of a box, resampled to a fixed grid. Source: He et al. 2017 (Mask R-CNN), with half-pixel alignment."""

import torch
from torch import Tensor
from torch.nn import functional


def roi_align(
    features: Tensor,
    boxes: Tensor,
    image: Tensor,
    *,
    size: tuple[int, int] = (7, 7),
    stride: float = 1.0,
    samples: int = 2,
) -> Tensor:
    """(M, C, rows, cols) of maps (N, C, H, W): the mean of samples x samples bilinear samples in each bin.

    `boxes` (M, 4) are [x0, y0, x1, y1] in pixels of the image, corner convention; `image` (M,) says to which of the N
    a box belongs; `stride` is image pixels per cell. Samples outside the map read its edge. Computed in float32 at
    least: in half precision a coordinate of some hundred pixels would be off by one.
    """
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    rows, cols = size
    out = features.new_zeros(len(boxes), features.shape[1], rows, cols)
    for n in range(len(features)):
        own = torch.nonzero(image == n)[:, 0]
        if len(own):
            out = out.index_copy(0, own, _align_one(features[n], boxes[own].to(features), size, stride, samples))
    return out


def _align_one(features: Tensor, boxes: Tensor, size: tuple[int, int], stride: float, samples: int) -> Tensor:
    height, width = features.shape[-2:]
    y = _positions(boxes[:, 1], boxes[:, 3], size[0] * samples) / (stride * height)
    x = _positions(boxes[:, 0], boxes[:, 2], size[1] * samples) / (stride * width)
    # In the corner convention 0 and H are the map's outer edges: -1 and 1 of grid_sample without align_corners.
    grid = torch.stack(torch.broadcast_tensors(2 * x[:, None, :] - 1, 2 * y[:, :, None] - 1), -1)
    stacked = grid.reshape(1, -1, grid.shape[2], 2)  # one tall grid: the map is not copied once a box
    sampled = functional.grid_sample(features[None], stacked, padding_mode="border", align_corners=False)[0]
    per_box = sampled.unflatten(1, (len(boxes), -1)).transpose(0, 1)
    return functional.avg_pool2d(per_box, samples)


def _positions(low: Tensor, high: Tensor, count: int) -> Tensor:
    """(M, count) centres of `count` equal parts of each [low, high]."""
    share = (torch.arange(count, device=low.device, dtype=low.dtype) + 0.5) / count
    return low[:, None] + (high - low)[:, None] * share
