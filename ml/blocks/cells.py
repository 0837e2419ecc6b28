"""From a network's cells to the pixels that they cover."""

from torch import Tensor
from torch.nn import functional


def over_pixels(cells: Tensor, side: float, rows: int, cols: int) -> Tensor:
    """Cells (N, h, w) of `side` pixels each to (N, rows, cols), between cells by bilinear interpolation.

    The first cell lies at the upper left; what overhangs is cut, what no cell reaches is 0.
    """
    height, width = (max(1, round(n * side)) for n in cells.shape[1:])
    whole = functional.interpolate(cells[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    whole = whole[:, :rows, :cols]
    return functional.pad(whole, (0, cols - whole.shape[2], 0, rows - whole.shape[1]))
