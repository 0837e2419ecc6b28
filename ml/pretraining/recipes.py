"""The kinds of pretraining, each a network that knows its trunk, what it makes of a batch, and its loss.

Sources: X. Chen and K. He, "Exploring simple siamese representation learning", CVPR 2021 (simsiam); J.-B. Grill et al.,
"Bootstrap your own latent", NeurIPS 2020 (byol); P. Vincent et al., ICML 2008 (denoising); K. He et al., "Masked
autoencoders are scalable vision learners", CVPR 2022 (masked; here with convolutions); A. van den Oord et al., 2018
(InfoNCE, view_pairs). Sizes, crops and rates are ours.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.methods.spec import Batch
from ml.pretraining.crops import crops, masked_blocks
from ml.pretraining.donee import Trunk

PROJECTED = 256
TEMPERATURE = 0.1
MOMENTUM = 0.99
NOISE, HIDDEN, CORRUPT_BLOCK = 0.1, 0.25, 8
MASKED = 0.6
HALF = 0.5


def projector(width: int, out: int) -> nn.Sequential:
    """Three layers with batch norm, as in SimSiam; the last without an activation."""
    layers: list[nn.Module] = []
    for n, (i, o) in enumerate(((width, out), (out, out), (out, out))):
        layers += [nn.Linear(i, o, bias=False), nn.BatchNorm1d(o, affine=n < 2)]
        layers += [nn.ReLU()] if n < 2 else []
    return nn.Sequential(*layers)


def predictor(width: int) -> nn.Sequential:
    """A bottleneck of a quarter."""
    narrow = max(width // 4, 4)
    return nn.Sequential(
        nn.Linear(width, narrow, bias=False), nn.BatchNorm1d(narrow), nn.ReLU(), nn.Linear(narrow, width)
    )


def spread_of(z: Tensor) -> Tensor:
    """Mean standard deviation of the normed vectors' dimensions, times sqrt(d): 1 where they point everywhere."""
    return functional.normalize(z.detach().float(), dim=1).std(0, unbiased=False).mean() * math.sqrt(z.shape[1])


def apart(p: Tensor, z: Tensor) -> Tensor:
    """Minus the mean cosine; no gradient through z."""
    return -functional.cosine_similarity(p.float(), z.detach().float(), dim=1).mean()


class Siamese(Trunk):
    """Two crops of an image shall be told from each other: no. They shall say the same (SimSiam)."""

    def __init__(self, name: str, size: str, side: int) -> None:
        super().__init__(name, size)
        self.side = side
        width = min(PROJECTED, 4 * self.trunk.feature_width)
        self.projector = projector(self.trunk.feature_width, width)
        self.predictor = predictor(width)

    def project(self, x: Tensor) -> Tensor:
        """Images to (B, D)."""
        z: Tensor = self.projector(self.embed(x))
        return z

    def pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Two varied views of what is one thing, (B, 1, side, side) each."""
        x, breast = batch.x[:, 0], batch.breast[:, 0]
        return crops(x, breast, self.side), crops(x, breast, self.side)

    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch."""
        one, other = (self.project(x) for x in self.pair(batch))
        self.spread.copy_(spread_of(one))
        return (apart(self.predictor(one), other) + apart(self.predictor(other), one)) / 2


class Bootstrap(Siamese):
    """The same against a slow average of the network, whose momentum rises from 0.99 to 1 in `steps` (BYOL)."""

    seen: Tensor

    def __init__(self, name: str, size: str, side: int) -> None:
        super().__init__(name, size, side)
        self.slow = nn.ModuleDict({"trunk": copy.deepcopy(self.trunk), "projector": copy.deepcopy(self.projector)})
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, batch: Batch) -> Tensor:
        if self.training:
            self._follow()
        views = self.pair(batch)
        one, other = (self.project(x) for x in views)
        self.spread.copy_(spread_of(one))
        with torch.no_grad():
            still = [self._slowly(x) for x in views]
        return (apart(self.predictor(one), still[1]) + apart(self.predictor(other), still[0])) / 2

    def _slowly(self, x: Tensor) -> Tensor:
        mean, sd = self.norm
        normed = ((x - mean) / sd).expand(-1, self.trunk.in_channels, -1, -1)
        z: Tensor = self.slow["projector"](self.slow["trunk"](normed)[-1].mean((2, 3)).float())
        return z

    @torch.no_grad()
    def _follow(self) -> None:
        """One step of the average; buffers, which are averages already, are copied."""
        done = min(float(self.seen) / self.steps, 1.0)
        momentum = 1 - (1 - MOMENTUM) * (math.cos(math.pi * done) + 1) / 2
        for name, own in (("trunk", self.trunk), ("projector", self.projector)):
            slow = self.slow[name].state_dict()
            for key, value in own.state_dict().items():
                if value.is_floating_point() and "running_" not in key:
                    slow[key].lerp_(value, 1 - momentum)
                else:
                    slow[key].copy_(value)
        self.seen += 1


class ViewPairs(Siamese):
    """CC and MLO of one breast belong together, those of other patients do not (InfoNCE)."""

    def pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        one, other = (crops(batch.x[:, v], batch.breast[:, v], self.side) for v in (0, 1))
        return one, other

    def forward(self, batch: Batch) -> Tensor:
        one, other = (functional.normalize(self.project(x).float(), dim=1) for x in self.pair(batch))
        self.spread.copy_(spread_of(one))
        likeness = one @ other.T / TEMPERATURE
        # The other breast of the same patient is no stranger, and is left out.
        patients = batch.patients or batch.ids
        kin = torch.tensor([[a == b for b in patients] for a in patients], device=likeness.device)
        kin.fill_diagonal_(False)
        likeness = likeness.masked_fill(kin, -torch.inf)
        truth = torch.arange(len(one), device=likeness.device)
        return (functional.cross_entropy(likeness, truth) + functional.cross_entropy(likeness.T, truth)) / 2


class Denoising(Trunk):
    """A patch is drawn anew from a noisy or torn copy of it, without skips: what the trunk keeps is all there is."""

    def __init__(self, name: str, size: str, side: int) -> None:
        super().__init__(name, size)
        self.side = side
        with torch.no_grad():
            last = self.eval().maps(torch.zeros(1, 1, side, side))
        width, layers = 64, [nn.Conv2d(last.shape[1], 64, 1)]
        parts: list[nn.Module] = list(layers)
        for _ in range(max(1, math.ceil(math.log2(side / last.shape[-1])))):
            parts += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width // 2 if width > 16 else 16, 3, padding=1)]
            width = width // 2 if width > 16 else 16
            parts += [nn.BatchNorm2d(width), nn.ReLU()]
        self.decoder = nn.Sequential(*parts, nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, batch: Batch) -> Tensor:
        x = crops(batch.x[:, 0], batch.breast[:, 0], self.side, toned=False)
        last = self.maps(self.corrupted(x))
        self.spread.copy_(spread_of(last.mean((2, 3))))
        drawn = self.decoder(last).float()
        drawn = functional.interpolate(drawn, x.shape[-2:], mode="bilinear", align_corners=False)
        return functional.mse_loss(drawn, x)

    @staticmethod
    def corrupted(x: Tensor) -> Tensor:
        """Each image with Gaussian noise of sd 0.1, or with a quarter of its blocks black."""
        hidden = masked_blocks(x, CORRUPT_BLOCK, HIDDEN).repeat_interleave(CORRUPT_BLOCK, 2)
        torn = x.clone()
        part = hidden.repeat_interleave(CORRUPT_BLOCK, 3)
        view = torn[..., : part.shape[-2], : part.shape[-1]]
        view.masked_fill_(part, 0.0)
        noisy = x + NOISE * torch.randn_like(x)
        return torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < HALF, noisy, torn)


class Masked(Trunk):
    """Hidden blocks are drawn from what is around them; a light decoder reads the last map block by block."""

    def __init__(self, name: str, size: str, side: int) -> None:
        super().__init__(name, size)
        self.block = 32 if side >= 160 else 16
        self.side = max(side // self.block, 2) * self.block
        width = self.trunk.feature_width
        self.decoder = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, self.block**2, 1))

    def forward(self, batch: Batch) -> Tensor:
        x = crops(batch.x[:, 0], batch.breast[:, 0], self.side, toned=False)
        hidden = masked_blocks(x, self.block, MASKED)
        part = hidden.repeat_interleave(self.block, 2).repeat_interleave(self.block, 3)
        last = self.maps(x.masked_fill(part, 0.0))
        self.spread.copy_(spread_of(last.mean((2, 3))))
        drawn = self.decoder(functional.adaptive_avg_pool2d(last, (hidden.shape[-2], hidden.shape[-1]))).float()
        truth = functional.pixel_unshuffle(x, self.block)  # (B, block², rows, cols)
        mean, sd = truth.mean(1, keepdim=True), truth.std(1, keepdim=True)
        error = (drawn - (truth - mean) / (sd + 0.05)).square().mean(1, keepdim=True)
        return (error * hidden).sum() / hidden.sum()
