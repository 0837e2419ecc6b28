"""Feature pyramid: strong features at every scale. Source: Lin et al. 2017, with RetinaNet's P6 and P7."""

from torch import Tensor, nn
from torch.nn import functional


class FPN(nn.Module):
    """C3, C4, C5 (strides 8, 16, 32) to P3..P7 (strides 8..128), all with `channels` maps.

    1x1 laterals, nearest upsampling cut to the finer map's size, 3x3 outputs; P6 = 3x3 stride 2 on C5, P7 the same
    on ReLU(P6).
    """

    def __init__(self, c3: int, c4: int, c5: int, channels: int = 256) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, channels, 1) for c in (c3, c4, c5))
        self.output = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.p6 = nn.Conv2d(c5, channels, 3, 2, 1)
        self.p7 = nn.Conv2d(channels, channels, 3, 2, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> list[Tensor]:
        p5 = self.lateral[2](c5)
        p4 = self.lateral[1](c4) + functional.interpolate(p5, size=c4.shape[-2:], mode="nearest")
        p3 = self.lateral[0](c3) + functional.interpolate(p4, size=c3.shape[-2:], mode="nearest")
        p6 = self.p6(c5)
        p7 = self.p7(functional.relu(p6))
        return [self.output[0](p3), self.output[1](p4), self.output[2](p5), p6, p7]
