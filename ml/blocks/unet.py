"""U-Net: an encoder, a decoder and skips between them. Source: Ronneberger et al. 2015, with same padding."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.block import Block
from ml.blocks.dropout import HeldDropout
from ml.blocks.norm import norm_layer, start_from_scratch


class DoubleConv(Block, nn.Sequential):
    """Two 3x3 convolutions, each with BN (then without bias) or a bias, and ReLU: (N, I, H, W) to (N, O, H, W)."""

    def __init__(self, i: int, o: int, bn: bool = True) -> None:
        layers: list[nn.Module] = []
        for inputs in (i, o):
            layers.append(nn.Conv2d(inputs, o, 3, padding=1, bias=not bn))
            layers += [norm_layer("bn", o)] if bn else []
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class UNet(nn.Module):
    """(N, I, H, W) to logits (N, O, H, W), any H and W: padded with zeros to a multiple of 2^depth, then cut.

    Widths are width*2^k at level k = 0..depth; max-pool 2 down, transposed 2x2 up, skips concatenated. The deepest
    `dropout_levels` levels end in a held dropout of `dropout`. A second input (the posterior of a coarser network) is
    one more of `in_channels`, handed over as `extra`.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        width: int = 64,
        depth: int = 4,
        *,
        bn: bool = True,
        dropout: float = 0.0,
        dropout_levels: int = 0,
    ) -> None:
        super().__init__()
        self.widths = [width * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            DoubleConv(i, o, bn) for i, o in zip([in_channels, *self.widths[:-1]], self.widths, strict=True)
        )
        first = depth + 1 - dropout_levels
        self.dropout = nn.ModuleDict(
            {str(level): HeldDropout(self.widths[level], dropout) for level in range(first, depth + 1)}
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in self.widths[:-1])
        self.merge = nn.ModuleList(DoubleConv(2 * w, w, bn) for w in self.widths[:-1])
        self.out = nn.Conv2d(width, out_channels, 1)
        start_from_scratch(self)

    def encode(self, x: Tensor, extra: Tensor | None = None) -> list[Tensor]:
        """Maps of the levels, finest first, the bottleneck last: level k is (N, width*2^k, H'/2^k, W'/2^k)."""
        x = x if extra is None else torch.cat([x, extra], 1)
        step = 2 ** (len(self.widths) - 1)
        x = functional.pad(x, (0, -x.shape[-1] % step, 0, -x.shape[-2] % step))
        maps: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            if str(level) in self.dropout:
                x = self.dropout[str(level)](x)
            maps.append(x)
        return maps

    def decode(self, maps: Sequence[Tensor]) -> Tensor:
        """The last map (N, width, H', W') of the decoder, of the maps of `encode`."""
        y = maps[-1]
        for level in reversed(range(len(self.up))):
            y = self.merge[level](torch.cat([maps[level], self.up[level](y)], 1))
        return y

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        rows, cols = x.shape[-2:]
        return self.out(self.decode(self.encode(x, extra)))[..., :rows, :cols]
