"""The learning checks: for each method what phantoms need its distinctive part, and what it is without that part.

One record a check. A phantom is changed until the check is accepted (`calibrate.py`), never its threshold; what could
not be accepted stays here with its figures, as a check of properties only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from bench.methods.stubs import (
    Change,
    Passed,
    both,
    each_gate,
    only_view,
    seeing,
    shuffled,
    unchanged,
    with_networks,
    with_stages,
    without_phases,
)
from bench.methods.worlds import Phantoms
from ml.blocks.channel_gate import ChannelGate
from ml.methods import gan_augmentation
from ml.methods.dbn_parts import FEATURES
from ml.methods.spec import Batch, Inference, Lesson, MethodSpec, Modules, Prediction, Stage
from ml.runs.request import TargetKind


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is compared. metric, level and row name a row of metrics.json; a `row` of None is the only target there is.
    A metric of `measures.MEASURES` is measured on the run itself.

    The stub is trained with config and stub_config, the true method with config alone. baseline: a key of
    `trivial.BASELINES`, else the best of those that `evaluate` reports. chance: of an accuracy.
    """

    method: str
    phantoms: Phantoms
    metric: str
    level: str
    stub_is: str
    baseline: str = "six statistics"
    suffix: str = ""
    task: str | None = None
    target: TargetKind | None = None
    row: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    stub_config: Mapping[str, Any] = field(default_factory=dict)
    chance: float | None = None
    true: Change = unchanged
    stub: Change = unchanged
    seeds: tuple[int, ...] = (0, 1, 2)

    @property
    def name(self) -> str:
        """That of its file."""
        return f"{self.method}{self.suffix}"


def half_open(network: Any) -> None:
    """Every gate says one half, whatever it is shown; its weights stay, and are moved by nothing."""
    for _, _, gate in each_gate(network, ChannelGate):
        gate.gate_of = lambda summary, width=gate.excite.out_features: torch.full(
            (len(summary), width), 0.5, dtype=summary.dtype
        )


def sides_alone(network: Any) -> None:
    """Nothing is compared: each side is judged by what it shows, not by what the other does not."""

    def excess(maps: Tensor) -> Tensor:
        return torch.relu(maps)

    network.excess = excess


def no_difference(network: Any) -> None:
    """Gates and features lose the difference of the sides; what is left is their sum, in the same number of numbers."""
    from ml.methods.se_asymmetry import PairGate

    for _, _, gate in each_gate(network, PairGate):
        gate.use_difference = False
    embed = network.embed

    def summed(x: Tensor) -> Tensor:
        both, apart = embed(x).chunk(2, 1)
        return torch.cat([both, torch.zeros_like(apart)], 1)

    network.embed = summed


def without_graph(network: Any) -> None:
    """The graph learner says nothing, in as many numbers."""
    channels = network.cgl.channels
    network.cgl.forward = lambda image, mask: image.new_zeros(len(image), channels)


def same_crops(network: Any) -> None:
    """Crops that do not depend on the saliency: the first from the upper left corner, and so on."""

    def corners(saliency: Tensor, rows: int, cols: int) -> Tensor:
        retrieve = network.retrieve
        step = torch.arange(retrieve.count)[:, None] * torch.tensor([[0, retrieve.size]])
        most = torch.tensor([cols - retrieve.size, rows - retrieve.size])
        return torch.minimum(step, most).expand(len(saliency), -1, -1)

    network.retrieve.corners = corners


def bilinear_only(network: Any) -> None:
    """No dense map is added to the skip, and no gate weighs anything."""
    for block in network.up:
        block.dense = Nothing()
        block.gate = torch.nn.Identity()


class Nothing(torch.nn.Module):
    """Zeros in the shape of the dense map: 2C channels, which the shuffle makes C/2 of twice the side."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x).repeat(1, 2, 1, 1)


def average_of_tiles(network: Any) -> None:
    """Every tile of breast weighs the same."""
    for member in network.members:
        member.attention.attention = lambda h, mask: mask / mask.sum(1, keepdim=True).clamp(min=1)


def one_level(network: Any) -> None:
    """The finest map in the place of every level, at that level's size: no level has features of its own."""
    pyramid = network.pyramid

    def same(x: Tensor) -> list[Tensor]:
        levels = pyramid(x)
        return [torch.nn.functional.adaptive_avg_pool2d(levels[1], level.shape[-2:]) for level in levels]

    network.pyramid = same


def last_map(network: Any) -> None:
    """The trunk's last map (P5) in the place of every level, at that level's size: what a detector has without one."""
    pyramid = network.pyramid

    def same(x: Tensor) -> list[Tensor]:
        levels = pyramid(x)
        return [torch.nn.functional.adaptive_avg_pool2d(levels[2], level.shape[-2:]) for level in levels]

    network.pyramid = same


def copied_guide(network: Any) -> None:
    """The second network hands on what it was told."""
    encode = network.encode
    network.out = told = Told(network.out)

    def listened(x: Tensor, guide: Tensor) -> list[Tensor]:
        told.guide = guide
        found: list[Tensor] = encode(x, guide)
        return found

    network.encode = listened


class Told(torch.nn.Module):
    """The logits of the guide; the layer in whose place it stands is kept, and moved by nothing."""

    def __init__(self, out: torch.nn.Module) -> None:
        super().__init__()
        self.out, self.guide = out, torch.zeros(0)

    def forward(self, maps: Tensor) -> Tensor:
        rows, cols = self.guide.shape[-2:]
        return torch.logit(self.guide.clamp(1e-4, 1 - 1e-4)) + 0.0 * self.out(maps)[..., :rows, :cols]


def averaged(network: Any) -> None:
    """The mean of all windows in place of the strongest."""
    network.embed = lambda x, valid: network.windows(x).mean((2, 3))


def everywhere(network: Any) -> None:
    """The outline of the breast is the whole film; what was learned is kept, and counts for nothing."""
    outline = network.forward

    def whole(x: Tensor) -> Tensor:
        return 10.0 + 0.0 * outline(x)

    network.forward = whole


def grid_of_boxes(network: Any) -> None:
    """Squares of a grid in place of what the belief nets find: as many as are looked at, and certain of each."""
    maps = network.maps

    def squares(x: Tensor, breast: Tensor, gates: Sequence[float]) -> tuple[list[Tensor], float]:
        found, share = maps(x, breast, gates)
        rows, cols = ((torch.arange(side) - GRID_FROM_PX) % GRID_PITCH_PX < GRID_SIDE_PX for side in breast.shape)
        grid = (rows[:, None] & cols[None]).to(found[0]) * (breast > 0)
        return [grid, *found[1:]], share

    network.maps = squares


def belief_alone(step: Any) -> None:
    """The forest sees what the belief nets say of a candidate, and zeros in the place of all else."""
    forest = step.est
    fit, checked = forest.fit, forest.checked
    forest.fit = lambda x, y, seed: fit(believed(torch.as_tensor(x)).numpy(), y, seed=seed)
    forest.checked = lambda x: checked(believed(x))


def believed(rows: Tensor) -> Tensor:
    """Rows (M, 2 * FEATURES + 2 + 74) of which the two numbers of the nets are left."""
    kept = torch.zeros_like(rows)
    kept[:, BELIEF] = rows[:, BELIEF]
    return kept


def breast_alone(method: MethodSpec) -> MethodSpec:
    """The breast model's score in the place of the other models' too."""
    name = "score_breast"

    def predict(modules: Modules, batch: Batch, config: Any, inference: Inference) -> list[Prediction]:
        return [alone(own) for own in method.predict(modules, batch, config, inference)]

    def alone(own: Prediction) -> Prediction:
        said = torch.tensor(own.values[name])
        two = torch.stack([1 - said, said])
        return replace(own, probabilities=two, logits=two.clamp(min=1e-9).log(), samples=None)

    return replace(method, predict=predict)


def noise_for_made(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Noise of the same grey values in the place of made regions."""

    def generate(lesson: Lesson) -> None:
        gan_augmentation.generate(NoiseKept(lesson))

    return tuple(replace(stage, learn=generate) if stage.name == "generate" else stage for stage in stages)


class NoiseKept(Passed):
    """A lesson that keeps the pixels of made regions in a drawn order, each region's its own."""

    def keep(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """As the lesson's own, shuffled."""
        x = tensors["x"]
        flat = x.flatten(-2)
        order = torch.rand(flat.shape, generator=torch.Generator().manual_seed(0)).argsort(-1)
        self.lesson.keep(name, {**tensors, "x": flat.gather(-1, order).reshape(x.shape)})


def from_random(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The trunk of the transfer starts as it was drawn; the source is learned all the same, for nobody."""
    return tuple(replace(stage, starts_from=()) if stage.name == "transfer_head" else stage for stage in stages)


def no_patches(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """No scan starts from what patches taught; patches are learned all the same, for nobody."""
    return tuple(replace(stage, starts_from=(), lr_factors={}) for stage in stages)


def only_the_head(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """The trunk stays as it was drawn."""
    return tuple(replace(stage, trainable=("head.",)) if stage.name == "transfer" else stage for stage in stages)


GRID_FROM_PX, GRID_PITCH_PX, GRID_SIDE_PX = 14, 54, 26
"""Of the boxes of `grid_of_boxes`: about eight in a breast of 160 pixels, each as large as a mass of middle size."""
BELIEF = slice(2 * FEATURES, 2 * FEATURES + 2)
"""Where the forests of `dbn_forest` find what the belief nets said, after the features of two CNNs."""
COUNT = (240, 0, 200)
"""Without validation: the number of steps is fixed, and no checkpoint is chosen."""
PAIRS = Phantoms(family="mirrored_pair", layout="pair", answer="asymmetry", count=COUNT, size=48, spacing_mm=2.0)
ONE_VIEW = Phantoms(
    family="density_one_view",
    layout="exam",
    answer="density",
    count=(400, 0, 200),
    size=64,
    classes=(0, 3),
    letters="AD",
)
MASSES = Phantoms(family="mass_sizes", layout="image", answer="boxes", count=COUNT, size=96, spacing_mm=1.6)

CHECKS: tuple[Check, ...] = (
    Check(
        method="texture_ensemble", metric="auc", level="finding", row="pathology", target="pathology",
        config={"steps": 1},
        phantoms=Phantoms(
            family="equal_histogram", layout="region", answer="pathology", count=(80, 0, 200), spacing_mm=0.2
        ),
        stub_is="the same features of shuffled pixels, which are a histogram (the CNN is left untrained in both)",
        stub=seeing(shuffled),
    ),
    Check(
        method="wavelet_scattering", metric="auc", level="finding", row="pathology", target="pathology",
        config={"steps": 60},
        phantoms=Phantoms(
            family="equal_spectrum", layout="region", answer="pathology", count=(120, 0, 200), spacing_mm=0.2
        ),
        stub_is="the same of what the power spectrum says", stub=seeing(without_phases),
    ),
    Check(
        method="dualcorenet", metric="auc", level="finding", row="pathology", target="pathology",
        config={"lpl_steps": 60, "steps": 120},
        phantoms=Phantoms(
            family="mass_shapes", layout="region", answer="pathology", count=(160, 0, 200), size=48, spacing_mm=0.2,
            classes=(0, 2),
        ),
        stub_is="the first path alone: zeros in place of what the graph learner says",
        stub=with_networks(joint=without_graph),
    ),
    Check(
        method="alexnet_birads", metric="accuracy", level="exam", chance=0.5,
        phantoms=Phantoms(
            family="graded_density", layout="image", answer="density", count=(240, 0, 800), size=76, classes=(1, 2),
            letters="BC",
        ),
        config={"classes": ("B", "C"), "source": "none", "steps": 500},
        stub_is="a frozen random network under the last layer", stub=with_stages(only_the_head),
    ),
    Check(
        method="multiview_density", phantoms=ONE_VIEW, metric="accuracy", level="exam", chance=0.5,
        config={"input_px": (64, 64), "norm": "bn", "lr": 3e-3, "batch": 16, "steps": 200},
        stub_is="the L-CC view in the place of all four", stub=seeing(only_view(0)),
    ),
    Check(
        method="convnext_breast", metric="auc", level="exam", target="outcome",
        config={"rows_px": 64, "cols_px": 64},
        phantoms=Phantoms(
            family="mass_one_of_two_views", layout="breast", answer="outcome", count=(400, 0, 200), spacing_mm=1.6,
            options={"radius": 0.16},
        ),
        stub_is="the CC view in the place of both", stub=seeing(only_view(0)),
    ),
    Check(
        method="gmic", metric="auc", level="exam", target="outcome",
        phantoms=Phantoms(
            family="small_lesion_large_image", layout="image", answer="outcome", count=COUNT, size=96, spacing_mm=1.6
        ),
        config={"rows_px": 96, "cols_px": 96}, stub_config={"top_share": 1.0},
        stub_is="the average of all cells, and crops that are always the same corner",
        stub=with_networks(main=same_crops),
    ),
    Check(
        method="aunet", metric="dice", level="image", baseline="of evaluate",
        phantoms=replace(MASSES, answer="mask", size=64, count=(200, 0, 200)),
        config={"input_px": 64, "steps": 200},
        stub_is="bilinear upsampling alone: no dense map, every gate open", stub=with_networks(main=bilinear_only),
    ),
    Check(
        method="detr_lesion", metric="froc_sens@1", level="finding", row="mass", baseline="of evaluate",
        phantoms=Phantoms(
            family="two_lesions", layout="image", answer="boxes", count=(400, 0, 600), size=64, spacing_mm=1.6
        ),
        config={"side_px": 64, "steps": 800}, stub_config={"queries": 1}, stub_is="one query",
    ),
    Check(
        method="bilateral_asymmetry", phantoms=PAIRS, metric="auc", level="exam",
        config={"input_px": (48, 48)},
        stub_is="each side's own maps in place of what it shows beyond the other", stub=with_networks(main=sides_alone),
    ),
    Check(
        method="se_asymmetry", phantoms=PAIRS, metric="auc", level="exam",
        config={"input_px": 64, "target_spacing_mm": 1.5},
        stub_is="zeros in place of the difference of the sides, in the gates and in the features",
        stub=with_networks(main=no_difference),
    ),
    Check(
        method="dcse_resnet50", phantoms=ONE_VIEW, metric="accuracy", level="exam", chance=0.5,
        config={"input_px": 64, "steps": 120}, stub_is="one view in the place of all four", stub=seeing(only_view(0)),
    ),
    Check(
        method="se_attention", metric="accuracy", level="exam", chance=0.25,
        phantoms=Phantoms(
            family="graded_density", layout="image", answer="density", count=COUNT, size=64, spacing_mm=3.6
        ),
        config={"source": "none", "steps": 120}, stub_is="gates fixed at one half",
        stub=with_networks(transfer=half_open),
    ),
    Check(
        method="frozen_mil", metric="auc", level="exam", target="outcome",
        phantoms=Phantoms(
            family="small_lesion_large_image", layout="image", answer="outcome", count=COUNT, size=96, spacing_mm=1.6
        ),
        config={"rows_px": 96, "cols_px": 96, "heads": 1},
        stub_is="the average of the tiles in place of attention", stub=with_networks(heads=average_of_tiles),
    ),
    Check(
        method="retinanet_mass", metric="froc_sens@1", level="finding", row="mass", baseline="of evaluate",
        phantoms=MASSES, config={"target_spacing_mm": 0.8, "steps": 200, "prepared_long_px": 192, "long_px": 192},
        stub_is="one level of the pyramid: what the others say counts for nothing",
        stub=with_networks(main=one_level),
    ),
    Check(
        method="cascade_segmentation", metric="dice", level="image", baseline="of evaluate",
        phantoms=replace(MASSES, answer="mask", size=96, count=(200, 0, 200)),
        config={"finest_px": 96, "crop_px": 48, "target_spacing_mm": 1.6, "coarse_steps": 150, "steps": 150},
        stub_is="the coarse network's map, resized", stub=with_networks(level_1=copied_guide),
    ),
    Check(
        method="multiscale_patch", metric="auc", level="exam", target="outcome",
        phantoms=Phantoms(
            family="calc_cluster", layout="image", answer="outcome", count=COUNT, size=64, spacing_mm=0.8
        ),
        config={"patch_px": 32},
        stub_is="scans that start as they were drawn, and the average of the windows in place of their maximum",
        stub=both(with_stages(no_patches), with_networks(scan_fine=averaged, scan_coarse=averaged)),
    ),
    Check(
        method="msdae_density", metric="accuracy", level="exam", chance=0.25,
        phantoms=Phantoms(
            family="graded_density", layout="image", answer="density", count=COUNT, size=64, spacing_mm=0.8
        ),
        stub_is="pixels of one scale: no autoencoder is trained before, none beyond the first scale",
        stub_config={"scales": (1,), "pretrain_steps": 1},
    ),
    Check(
        method="unet_classifier", metric="auc", level="exam", target="outcome",
        phantoms=Phantoms(
            family="marker_confound", layout="image", answer="outcome", count=COUNT, size=64, spacing_mm=3.2,
            test_options={"correlated": False},
        ),
        stub_is="a mask that is the whole film, letter and all", stub=with_networks(segment=everywhere),
    ),
    Check(
        method="densenet201_transfer", metric="auc", level="finding", task="lesion_classification", row="presence",
        target="presence",
        phantoms=MASSES,
        # Wide regions, in which masses are as large as the source shows them.
        config={
            "source": "presence", "target_spacing_mm": 0.8, "whole_spacing_mm": 2.4, "margin": 4.0,
            "transfer_head_steps": 30, "steps": 10,
        },
        stub_is="a trunk that starts as it was drawn, and the same steps", stub=with_stages(from_random),
    ),
    Check(
        method="screening_ensemble", metric="auc", level="exam", target="outcome",
        phantoms=Phantoms(
            family="three_cues", layout="exam", answer="outcome", count=(240, 60, 200), size=48, spacing_mm=2.4
        ),
        config={"rows_px": 144, "cols_px": 96},
        stub_is="the breast model's score in the place of all three", stub=breast_alone,
    ),
    Check(
        method="dbn_forest", metric="froc_sens@1", level="finding", task="lesion_detection", row="mass",
        baseline="of evaluate", phantoms=MASSES, config={"target_spacing_mm": 0.96},
        stub_is="forests that see what the belief nets say, no feature of a CNN and none by hand",
        stub=with_networks(forest_1=belief_alone, forest_2=belief_alone),
    ),
    Check(
        method="gan_augmentation", metric="auc", level="finding", row="pathology", target="pathology",
        phantoms=Phantoms(
            family="roi_mass", layout="region", answer="pathology", count=(80, 0, 200), size=48, spacing_mm=0.8
        ),
        stub_is="noise of the same grey values in the place of made regions", stub=with_stages(noise_for_made),
    ),
)  # fmt: skip
