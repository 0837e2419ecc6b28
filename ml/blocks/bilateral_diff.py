"""What one breast shows and the other does not, forgiving a small misregistration."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class BilateralDiff(nn.Module):
    """Canonical maps F_R, F_L (N, C, H, W), right mirrored, to (N, 3C, H, W): [F_R, F_L, difference].

    A cell is compared with the maximum of the other side over `shifts` x `shifts` cells around it (odd; 1: the cell
    itself, and the difference is then abs(F_R - F_L)). Exchanging the sides exchanges the first two parts and leaves
    the difference; of equal maps the difference is 0.
    """

    def __init__(self, shifts: int = 5) -> None:
        super().__init__()
        self.shifts = shifts

    def excess(self, own: Tensor, other: Tensor) -> Tensor:
        """ReLU(own - local maximum of the other side), (N, C, H, W)."""
        around = functional.max_pool2d(other, self.shifts, 1, self.shifts // 2)
        return torch.relu(own - around)

    def forward(self, right: Tensor, left: Tensor) -> Tensor:
        difference = self.excess(right, left) + self.excess(left, right)
        return torch.cat([right, left, difference], 1)
