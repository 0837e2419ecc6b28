"""Deep belief nets over the patches of an image pyramid: is the pixel in the middle part of a mass?

Source: N. Dhungel et al., DICTA 2015 (multi-scale deep belief net), figures by methods-17.md 3.13a.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.dbn import DBN

PATCHES_AT_ONCE = 16384


class PatchDBN(nn.Module):
    """Patches (M, side*side) in [0, 1] to logits (M, 2) of tissue and mass."""

    def __init__(self, side: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.side = side
        self.dbn = DBN((side * side, *hidden))
        self.head = nn.Linear(hidden[-1], 2)

    def forward(self, patches: Tensor) -> Tensor:
        return self.head(self.dbn(patches))

    def patches(self, image: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        """(M, side*side) around pixels of an image (H, W); 0 outside."""
        half = self.side // 2
        padded = functional.pad(image, (half, half, half, half))
        step = torch.arange(self.side, device=image.device)
        return padded[rows[:, None, None] + step[:, None], cols[:, None, None] + step].flatten(1)

    def at(self, image: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        """(M,) probability of mass at pixels of an image (H, W)."""
        parts = zip(rows.split(PATCHES_AT_ONCE), cols.split(PATCHES_AT_ONCE), strict=True)
        said = [self(self.patches(image, r, c)).float().softmax(1)[:, 1] for r, c in parts]
        return torch.cat(said) if said else image.new_zeros(0)


class PyramidDBN(nn.Module):
    """One `PatchDBN` a level, the finest first; level k sees the image shrunk by 2^k."""

    def __init__(self, levels: int, side: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(PatchDBN(side, hidden) for _ in range(levels))

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Images (N, H, W) of every level."""
        shrunk = [x]
        for _ in range(len(self.levels) - 1):
            shrunk.append(functional.avg_pool2d(shrunk[-1][:, None], 2, ceil_mode=True)[:, 0])
        return shrunk

    def maps(self, x: Tensor, breast: Tensor, gates: Sequence[float]) -> tuple[list[Tensor], float]:
        """Probability maps of one image (H, W), finest first, and the share of pixels that was looked at.

        From coarse to fine: a pixel is looked at where the coarser level says more than its gate; elsewhere it is 0.
        """
        images = [own[0] for own in self.pyramid(x[None])]
        inside = [own[0] > 0 for own in self.pyramid(breast[None].float())]
        found: list[Tensor] = []
        looked, all_pixels = 0, 0
        for level in reversed(range(len(images))):
            wanted = inside[level]
            if found:
                coarse = functional.interpolate(found[-1][None, None], scale_factor=2, mode="nearest")[0, 0]
                wanted = wanted & (coarse[: wanted.shape[0], : wanted.shape[1]] > gates[level])
            rows, cols = torch.nonzero(wanted, as_tuple=True)
            network = self.levels[level]
            assert isinstance(network, PatchDBN)
            own = torch.zeros_like(images[level])
            own[rows, cols] = network.at(images[level], rows, cols).to(own)
            found.append(own)
            looked, all_pixels = looked + len(rows), all_pixels + int(inside[level].sum())
        return found[::-1], looked / max(1, all_pixels)
