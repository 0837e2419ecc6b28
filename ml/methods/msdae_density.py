"""Density as the share of dense tissue, told by denoising autoencoders on patches of several scales (row 1).

Source: K. Petersen, K. Chernoff, M. Nielsen, A. Ng, "Breast density scoring with multiscale denoising autoencoders",
MICCAI STMI workshop 2012 (read in its abstract).

As there: tied sigmoid autoencoders learn without labels to undo masking noise in patches about the same point in every
scale; their codes tell tissue at that point apart; the share of dense tissue is the density score.

Ours, all figures: patches 15x15 in a pyramid of 1, 2, 4, 8 at 0.2 mm; a patch is centred, divided by its spread + 0.01,
cut at 3 and put into [0.1, 0.9]; two autoencoders of 200 units a scale, the second on the clean codes of the first; the
softmax {outside or pectoral, fat, dense} of their codes every four pixels, each code centred and divided by its spread
(it differs by a tenth from point to point, about a mean near one half that the softmax would have to unlearn). Each
training step draws new patches, 25 from each of four images, so as many are seen as in 20 epochs of 50,000, but few of
them twice. The mean p(dense) of the breast is the place on a scale with three thresholds (ordinal logistic, whose slope
is learned by its logarithm: it must grow manyfold).

Tissue is taught by outlines, as in the paper, where there are some (the "pixel" head: cross-entropy of the points of
the breast, in which each tissue weighs the same); the scale is then fitted to classes of validation images. Else exams'
classes teach both at once (the "weak" head), and what the map shows is only weakly constrained. Monte-Carlo passes are
the autoencoder's own noise at p = 0.1, held for a pass and scaled as dropout is. Views of an exam are averaged, as by
every density method.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.denoising_autoencoder import DenoisingAutoencoder
from ml.blocks.dropout import HeldDropout
from ml.blocks.losses import soft_cross_entropy
from ml.blocks.patch_pyramid import every, patches_at, pyramid
from ml.methods.answering import classified, over_passes
from ml.methods.densities import NEEDS, density_loss
from ml.methods.spec import (
    Aim,
    Batch,
    Copied,
    Inference,
    Inputs,
    Lesson,
    Loss,
    MethodSpec,
    Modules,
    Optimiser,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
)
from ml.runs import manifest
from ml.runs.manifest import ManifestRow

TISSUES = ("outside", "fat", "dense")
FAT, DENSE = 1, 2
DENSITY_CLASSES = 4
HISTOGRAM_BINS = 16
CLASS_SCALE, CLASS_STEP = 10.0, 0.2
"""Where the ordinal head begins: its slope, and the distance of its thresholds (from the first on)."""
OWN_OF = tuple(TISSUES.index(name) if name in TISSUES else 0 for name in manifest.TISSUES)
"""The tissue of each class of a label map: the muscle counts as outside."""
MIN_OUTLINED = 4
"""Training images with outlined dense tissue from which on it is learned from them."""
MIN_GRADED, GRADING_STEPS, GRADING_PENALTY = 20, 200, 0.01
"""Images with a class that the scale needs, the most steps of its fit, and what keeps unseen classes in place."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """`hidden`: units of a scale's autoencoders, one after another; `stride`: pixels between the points looked at.

    `head`: tissue is learned from outlines ("pixel") or from exams' classes ("weak"); "auto" is settled by the data.
    """

    head: Literal["auto", "pixel", "weak"] = "auto"
    target_spacing_mm: float = 0.2
    patch_px: int = 15
    scales: tuple[int, ...] = (1, 2, 4, 8)
    hidden: tuple[int, ...] = (200, 200)
    corruption: float = 0.25
    noise: float = 0.1
    stride: int = 4
    images: int = 4
    patches: int = 25
    pretrain_steps: int = 10_000
    pretrain_lr: float = 1e-3
    batch: int = 4
    steps: int | None = None
    epochs: float = 20
    lr: float = 1e-3
    encoder_rate: float = 0.1


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "target_spacing_mm": 0.8,
        "patch_px": 9,
        "scales": (1, 4),
        "hidden": (32,),
        "pretrain_steps": 800,
        "pretrain_lr": 1e-2,
        "batch": 8,
        "steps": 240,
        "lr": 2e-2,
    },
    "base": {"scales": (1, 2, 4), "hidden": (120, 120)},
    "large": {},
}


class Layer(nn.Module):
    """One autoencoder a scale, each of `inputs` to `hidden`."""

    def __init__(self, config: Config, inputs: int, hidden: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(DenoisingAutoencoder(inputs, hidden, config.corruption) for _ in config.scales)

    def losses(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        """Of clean inputs (M, I) per scale: how badly they are restored from corrupted ones."""
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        return {f"scale_{n}": self.of(n).loss(x, generator) for n, x in enumerate(inputs)}

    def of(self, scale: int) -> DenoisingAutoencoder:
        """The autoencoder of the n-th scale."""
        found = self.scales[scale]
        assert isinstance(found, DenoisingAutoencoder)
        return found


class MsdaeNet(nn.Module):
    """Images (N, 1, H, W) to tissue probabilities every `stride` pixels, and their share to density classes."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = (config.patch_px**2, *config.hidden)
        self.layers = nn.ModuleList(Layer(config, i, o) for i, o in pairwise(widths))
        self.noise = nn.ModuleList(HeldDropout(widths[0], config.noise) for _ in config.scales)
        self.norm = nn.BatchNorm1d(len(config.scales) * config.hidden[-1], affine=False)
        self.tissue = nn.Conv1d(len(config.scales) * config.hidden[-1], len(TISSUES), 1)
        self.slope = nn.Parameter(torch.tensor(CLASS_SCALE).log())
        self.first = nn.Parameter(torch.tensor(CLASS_STEP))
        self.steps = nn.Parameter(torch.full((DENSITY_CLASSES - 2,), CLASS_STEP).expm1().log())

    def codes(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, D, rows * cols): the codes of all scales at every point."""
        config, size = self.config, self.points(x)
        found = []
        for n, (level, scale) in enumerate(zip(pyramid(x, config.scales), config.scales, strict=True)):
            own = self.noise[n](every(level, scale, config.patch_px, config.stride, size)).mT
            for layer in self.layers:
                assert isinstance(layer, Layer)
                own = layer.of(n)(own)
            found.append(own.mT)
        return torch.cat(found, 1)

    def points(self, x: Tensor) -> tuple[int, int]:
        """Rows and columns of points."""
        rows, cols = x.shape[-2:]
        return -(-rows // self.config.stride), -(-cols // self.config.stride)

    def thresholds(self) -> Tensor:
        """(3,) rising."""
        return torch.cat([self.first[None], self.first + functional.softplus(self.steps).cumsum(0)])

    def classes(self, share: Tensor) -> Tensor:
        """Share of dense tissue (N,) to log probabilities (N, 4): differences of three logistic curves."""
        z = self.slope.exp() * (share.float()[:, None] - self.thresholds())
        above, below = functional.logsigmoid(z), functional.logsigmoid(-z)
        # P(y > k-1) - P(y > k) = s(z_k-1) s(-z_k) (1 - exp(z_k - z_k-1)), which never rounds to 0 as a difference does.
        gap = torch.log(-torch.expm1(z[:, 1:] - z[:, :-1]))
        between = above[:, :-1] + below[:, 1:] + gap
        return torch.cat([below[:, :1], between, above[:, -1:]], 1)

    def forward(self, x: Tensor, breast: Tensor) -> dict[str, Tensor]:
        """x and breast (N, 1, H, W). `tissue` (N, 3, rows, cols) and `told`, its logits; `percent` (N,) 0 to 100,
        `share` (N,), `logits` (N, 4).
        """
        size = self.points(x)
        codes = self.codes(x)
        told = self.tissue(self.norm(codes)).float()
        p = told.softmax(1)
        inside = breast[:, 0, :: self.config.stride, :: self.config.stride].flatten(1).to(p)
        count = inside.sum(1).clamp(min=1)

        def mean(values: Tensor) -> Tensor:
            return (values * inside[:, None]).sum(2) / count[:, None]

        shares = mean(p)
        bins = functional.one_hot((p[:, DENSE] * HISTOGRAM_BINS).long().clamp(max=HISTOGRAM_BINS - 1), HISTOGRAM_BINS)
        return {
            "logits": self.classes(shares[:, DENSE]),
            "percent": 100 * shares[:, DENSE] / (shares[:, FAT] + shares[:, DENSE]).clamp(min=1e-6),
            "share": shares[:, DENSE],
            "tissue": p.unflatten(2, size),
            "told": told.unflatten(2, size),
            "embedding": torch.cat([mean(codes.float()), mean(bins.mT.to(p))], 1),
        }


def drawn_points(breast: Tensor, count: int) -> Tensor:
    """(N, count, 2) (row, column) of pixels inside the breast (N, 1, H, W); anywhere where there is none."""
    flat = breast.flatten(1).float()
    flat = torch.where(flat.any(1, keepdim=True), flat, torch.ones_like(flat))
    place = torch.multinomial(flat, count, replacement=True)
    return torch.stack([place // breast.shape[-1], place % breast.shape[-1]], 2)


def drawn_patches(config: Config, batch: Batch) -> list[Tensor]:
    """(N * patches, side^2) of each scale, about points of the breast that are drawn anew."""
    x, breast = batch.x[:, 0], batch.breast[:, 0]
    points = drawn_points(breast, config.patches)
    levels = zip(pyramid(x, config.scales), config.scales, strict=True)
    return [patches_at(level, scale, points, config.patch_px).flatten(0, 1) for level, scale in levels]


def reads(config: Config, aim: Aim) -> Reads:
    """One image at its own size."""
    return Reads(
        inputs=Inputs(unit="image"),
        pixels={"target_spacing_mm": config.target_spacing_mm, "window": "density", "pectoral": True},
        augment={"flip_y": 0.5},
        targets=("density",),
    )


def autoencoders(config: Config, seen: Reads) -> tuple[Stage, ...]:
    """A stage for each layer, all scales at once; labels are never read."""
    widths = (config.patch_px**2, *config.hidden)

    def stage(n: int) -> Stage:
        def forward(modules: Modules, batch: Batch) -> Outputs:
            inputs = drawn_patches(config, batch)
            with torch.no_grad():
                for below in range(n):
                    layer: Any = modules[f"dae{below + 1}"]
                    inputs = [dae(x) for dae, x in zip(layer.scales, inputs, strict=True)]
            own: Any = modules[f"dae{n + 1}"]
            losses: Outputs = own.losses(inputs)
            return losses

        return Stage(
            name=f"dae{n + 1}",
            build=lambda: Layer(config, widths[n], widths[n + 1]),
            loss=lambda outputs, batch: outputs,
            forward=forward,
            reads=seen,
            optimiser=Optimiser(kind="adam", lr=config.pretrain_lr, schedule="constant"),
            steps=config.pretrain_steps,
            batch=config.images,
            validate="none",
            pretrains=True,
        )

    return tuple(stage(n) for n in range(len(config.hidden)))


def tissue_loss(config: Config) -> Loss:
    """Cross-entropy of the points of the breast, in which each tissue that is there weighs the same."""
    own_of = torch.tensor(OWN_OF)

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        step = config.stride
        truth = own_of.to(batch.x.device)[batch.targets["tissue"][:, ::step, ::step]]
        inside = batch.breast[:, 0, 0, ::step, ::step]
        counts = torch.stack([(inside & (truth == k)).sum() for k in range(len(TISSUES))])
        weights = inside / counts[truth].clamp(min=1)
        told = functional.cross_entropy(outputs["told"], truth, reduction="none")
        return {"tissue": (told * weights).sum() / (counts > 0).sum().clamp(min=1)}

    return loss


def learn_scale(lesson: Lesson) -> None:
    """The network that learned tissue, and thresholds on its share of dense tissue from classes of validation images.

    Where these are too few or of one class, training images are added.
    """
    own: Any = lesson.modules["main"]
    own.load_state_dict(lesson.modules["tissue"].state_dict())
    shares, truth = graded(lesson, own, "val")
    if len(shares) < MIN_GRADED or len(truth.argmax(1).unique()) < 2:
        shares, truth = graded(lesson, own, "train", "val")
    fit_scale(own, shares, truth)


def graded(lesson: Lesson, network: MsdaeNet, *splits: str) -> tuple[Tensor, Tensor]:
    """(N,) shares of dense tissue of images with a class, and what readers said of them (N, 4)."""
    device = network.first.device
    shares, truth = [torch.zeros(0, device=device)], [torch.zeros(0, DENSITY_CLASSES, device=device)]
    for batch in lesson.batches(*splits):
        shares.append(network(batch.x[:, 0], batch.breast[:, 0])["share"])
        truth.append(batch.targets["density"])
    return torch.cat(shares), torch.cat(truth)


def fit_scale(network: MsdaeNet, shares: Tensor, truth: Tensor) -> None:
    """Slope and thresholds by the likelihood of classes (N, 4), and a small penalty on how far they moved."""
    moving = [network.slope, network.first, network.steps]
    began = [parameter.detach().clone() for parameter in moving]
    optimiser = torch.optim.LBFGS(moving, max_iter=GRADING_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        moved = torch.stack([(now - then).square().sum() for now, then in zip(moving, began, strict=True)]).sum()
        loss = soft_cross_entropy(network.classes(shares), truth).mean() + GRADING_PENALTY / len(shares) * moved
        loss.backward()
        return loss

    with torch.enable_grad():
        optimiser.step(closure)
    optimiser.zero_grad()


def plan(config: Config, rows: Sequence[ManifestRow]) -> Config:
    """Tissue is learned from outlines where enough training images have them."""
    if config.head != "auto":
        return config
    return replace(config, head="pixel" if sum(map(outlined, rows)) >= MIN_OUTLINED else "weak")


def outlined(row: ManifestRow) -> bool:
    """Whether a label map of the image names dense tissue."""
    marks = (mark for finding in row.findings for mark in finding.marks)
    return any(mark.kind == "label_map" and "dense" in mark.geometry["classes"] for mark in marks)


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """Autoencoders, layer by layer, then density with all of them; from outlines, tissue comes between."""
    seen = Reads(inputs=Inputs(unit="image"), pixels=reads(config, aim).pixels, augment={"flip_y": 0.5})
    before = autoencoders(config, seen)
    if config.head != "pixel":
        scale = ("slope", "first", "steps")
        main = supervised(config, "main", density_loss(0.0), ("norm.", "tissue.", *scale), ("tissue.", *scale))
        return (*before, replace(main, sampler="class_balanced"))
    tissue = supervised(config, "tissue", tissue_loss(config), ("norm.", "tissue."), ("tissue.",))
    return (
        *before,
        replace(tissue, reads=replace(seen, targets=("tissue",)), validate="loss"),
        Stage(name="main", kind="sklearn", build=lambda: MsdaeNet(config), learn=learn_scale),
    )


def supervised(config: Config, name: str, loss: Loss, moving: tuple[str, ...], head: tuple[str, ...]) -> Stage:
    """All autoencoders with what follows them."""
    layers = range(len(config.hidden))
    # What decodes has no part in telling tissue: it stays as it was learned.
    encoders = tuple(
        f"layers.{n}.scales.{s}.{name}"
        for n in layers
        for s in range(len(config.scales))
        for name in ("weight", "hidden_")
    )

    def forward(modules: Modules, batch: Batch) -> Outputs:
        said: Outputs = modules[name](batch.x[:, 0], batch.breast[:, 0])
        return said

    return Stage(
        name=name,
        build=lambda: MsdaeNet(config),
        loss=loss,
        forward=forward,
        optimiser=Optimiser(kind="adam", lr=config.lr),
        trainable=(*encoders, *moving),
        lr_factors={"layers.": config.encoder_rate},
        starts_from=tuple(Copied(stage=f"dae{n + 1}", to=f"layers.{n}.") for n in layers),
        steps=config.steps,
        epochs=config.epochs,
        batch=config.batch,
        head_prefixes=head,
    )


def heat(modules: Modules, batch: Batch, config: Config) -> Tensor:
    """(B, 1, rows, cols) p(dense) of each point of the breast: the score is their mean."""
    p = modules["main"](batch.x[:, 0], batch.breast[:, 0])["tissue"][:, DENSE]
    found: Tensor = p[:, None] * batch.breast[:, :, 0, :: config.stride, :: config.stride]
    return found


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Classes from the share of dense tissue, and that share in percent (of fat and dense tissue)."""
    network: Any = modules["main"]
    x, breast = batch.x[:, 0], batch.breast[:, 0]
    said = network(x, breast)
    logits = over_passes(network, "main", inference, lambda: network(x, breast)["logits"])
    return classified(logits, said["embedding"], inference, {"percent_density": said["percent"]})


SPEC = MethodSpec(
    name="msdae_density",
    seed_row=1,
    serves=(
        Serves(
            task="density",
            fidelity="reconstruction",
            claim_note="The paper scores dense tissue pixel by pixel and gives a continuous score on 85 mammograms of "
            "a trial, compared with Cumulus and BI-RADS; it is neither a classifier of four classes nor a CNN, and its "
            "last step is supervised. The idea is the paper's; all figures are ours, and so is learning from classes, "
            "which is done where fewer than four training images have outlined dense tissue.",
        ),
    ),
    findings=(),
    inputs=Inputs(unit="image"),
    needs=NEEDS,
    sizes=("tiny", "base", "large"),
    reference="K. Petersen et al., Breast density scoring with multiscale denoising autoencoders, MICCAI workshop on "
    "sparsity techniques in medical imaging, 2012.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    plan=plan,
    heat=heat,
)
