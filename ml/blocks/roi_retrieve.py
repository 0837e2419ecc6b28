"""From a saliency map to crops of the full image: where a global network points, a local one looks.

Source: Shen et al. 2021 (GMIC).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class RoiRetrieve(nn.Module):
    """`count` windows of `size` image pixels, greedily by the highest mean of the summed, normalised saliency."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.count, self.size = count, size

    def cells(self, saliency: Tensor, rows: int, cols: int) -> tuple[Tensor, tuple[int, int]]:
        """Top-left cells (N, K, 2) as (row, col), in the order found, and the window's (rows, cols) in cells.

        Each class of `saliency` (N, C, h, w) is min-max normalised and the classes are summed; K times the window with
        the largest mean (ties: first in row-major order) is recorded and set to zero.
        """
        h, w = saliency.shape[-2:]
        window = max(1, min(h, round(self.size * h / rows))), max(1, min(w, round(self.size * w / cols)))
        maps = saliency.detach().float()
        low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
        total = ((maps - low) / (high - low).clamp(min=1e-12)).sum(1)
        found = []
        for _ in range(self.count):
            means = functional.avg_pool2d(total[:, None], window, 1)[:, 0]
            best = means.flatten(1).argmax(1)
            row, col = best // means.shape[2], best % means.shape[2]
            found.append(torch.stack([row, col], 1))
            for n in range(len(total)):
                total[n, row[n] : row[n] + window[0], col[n] : col[n] + window[1]] = 0.0
        return torch.stack(found, 1), window

    def corners(self, saliency: Tensor, rows: int, cols: int) -> Tensor:
        """Top-left pixels (N, K, 2) as (x, y) of the windows, moved so that they lie inside the image."""
        cells, _ = self.cells(saliency, rows, cols)
        h, w = saliency.shape[-2:]
        y = torch.round(cells[..., 0] * (rows / h)).long().clamp(max=rows - self.size)
        x = torch.round(cells[..., 1] * (cols / w)).long().clamp(max=cols - self.size)
        return torch.stack([x, y], -1)

    def forward(self, image: Tensor, saliency: Tensor) -> tuple[Tensor, Tensor]:
        """Crops (N, K, I, size, size) of the image (N, I, H, W) and their corners (N, K, 2) as (x, y), long.

        No gradient reaches the saliency by way of the corners. The image must be at least `size` on each side.
        """
        rows, cols = image.shape[-2:]
        assert min(rows, cols) >= self.size, f"an image of {rows} x {cols} has no window of {self.size} px"
        corners = self.corners(saliency, rows, cols)
        crops = [
            torch.stack([one[:, y : y + self.size, x : x + self.size] for x, y in places])
            for one, places in zip(image, corners.tolist(), strict=True)
        ]
        return torch.stack(crops), corners
