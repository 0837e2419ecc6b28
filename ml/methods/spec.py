"""MethodSpec: the one record by which a method is known to the loop, the catalogue, the run form and the tests.

No torch here: a record holds functions, and only calling them needs it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from ml.runs.manifest import ManifestRow
from ml.runs.needs import Need

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Task = Literal[
    "density", "asymmetry", "lesion_detection", "lesion_classification", "segmentation", "exam_classification"
]
Fidelity = Literal["paper", "reconstruction", "adapted"]
Size = Literal["tiny", "base", "large"]
Missing = Literal["refuse", "token", "other_side", "drop"]


@dataclass(frozen=True, kw_only=True)
class Serves:
    """A task that a method serves, how faithfully to its paper, and what the paper claims (as the paper's)."""

    task: Task
    fidelity: Fidelity
    claim_note: str


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What one sample is: its unit, the ordered views that fill its slots, and what happens when one is missing.

    A view is `R-CC` and so on for the unit exam, `CC` or `MLO` for the unit breast; no views = one image, any view.
    """

    unit: Literal["image", "view_pair", "breast", "exam", "roi", "tile"]
    views: tuple[str, ...] = ()
    missing: Missing = "refuse"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples of one step, on the device of the network.

    x (B, V, 1, H, W) float32, prepared pixels in [0, 1]; view_mask (B, V) bool; valid (B, V, 1, H, W) bool, False
    where an image was padded to the batch; targets by name as the stage's loss takes them; ids one per sample.
    """

    x: "Tensor"
    view_mask: "Tensor"
    valid: "Tensor"
    targets: Mapping[str, Any]
    ids: tuple[str, ...]


Outputs = Mapping[str, Any]
Loss = Callable[[Outputs, Batch], "Mapping[str, Tensor]"]
TrainView = Callable[["Tensor", "Mapping[str, Tensor]", Any, "torch.Generator"], "tuple[Tensor, dict[str, Tensor]]"]


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """How a stage's weights move. `lr` is multiplied per step by `ml.training.schedule.factor`."""

    kind: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = 3e-4
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    amsgrad: bool = False
    momentum: float = 0.9
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_share: float = 0.05
    step_share: float = 1 / 3
    step_factor: float = 0.5
    clip_norm: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a method's training.

    build() makes the network; loss(outputs, batch) gives named losses, each a mean over the batch, whose sum is
    minimised. `steps` is the plan, or `epochs` over the training samples where steps is None. `batch` is the effective
    batch; `sampler` says how training samples are drawn.
    """

    name: str
    kind: Literal["torch", "sklearn", "extract"] = "torch"
    build: "Callable[[], nn.Module]"
    loss: Loss
    optimiser: Optimiser = field(default_factory=Optimiser)
    steps: int | None = None
    epochs: float | None = None
    batch: int = 8
    sampler: Literal["class_balanced", "half_marked", "plain"] = "plain"
    head_prefixes: tuple[str, ...] = ()
    produces: tuple[str, ...] = ("weights",)
    consumes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a method says of one sample. Arrays are on the CPU.

    Classifiers: probabilities (C,), samples (T, C). Detectors: boxes (N, 4) in pixels of the prepared image, scores
    (N,), labels (N,) indices of findings, samples (T, N) of each box's own class; best first. embedding (D,).
    """

    probabilities: "Tensor | None" = None
    logits: "Tensor | None" = None
    boxes: "Tensor | None" = None
    scores: "Tensor | None" = None
    labels: "Tensor | None" = None
    samples: "Tensor | None" = None
    embedding: "Tensor | None" = None


@dataclass(frozen=True, kw_only=True)
class Inference:
    """How to predict: T Monte-Carlo passes by held dropout `masks` (T = 0: none), and what is kept of detections."""

    passes: int = 0
    masks: "Mapping[str, Tensor]" = field(default_factory=dict)
    min_score: float = 0.01
    max_boxes: int = 100
    per_finding: int | None = None


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """A method of the review, or one of ours (`seed_row` None).

    config is a frozen dataclass; defaults hold its values per size. plan(config, training rows) settles what depends
    on the data (its result goes into the model's spec). inputs_of(config), pixels(config) and augment(config) say
    what a sample is, how an image is prepared (options of `ml.pixels`) and how it is varied. stages(config, labels) is
    the training; predict(network, x, valid, config, inference) all inference: windows, passes, suppression.
    train_view, where given, picks the part of an image that a training step sees.
    """

    name: str
    seed_row: int | None
    serves: tuple[Serves, ...]
    findings: tuple[str, ...]
    inputs: Inputs
    needs: tuple[Need, ...]
    sizes: tuple[Size, ...]
    reference: str
    config: type
    defaults: Mapping[str, Mapping[str, Any]]
    plan: Callable[[Any, Sequence[ManifestRow]], Any]
    inputs_of: Callable[[Any], Inputs]
    pixels: Callable[[Any], Mapping[str, Any]]
    augment: Callable[[Any], Mapping[str, Any]]
    stages: Callable[[Any, tuple[str, ...]], tuple[Stage, ...]]
    predict: "Callable[[nn.Module, Tensor, Tensor, Any, Inference], list[Prediction]]"
    train_view: "TrainView | None" = None

    @property
    def task(self) -> Task:
        """The main task."""
        return self.serves[0].task

    def configured(self, size: str, overrides: Mapping[str, Any]) -> Any:
        """The config of a size with a run's overrides.

        Raises KeyError for a size that the method does not have, TypeError for an unknown option.
        """
        known = {item.name for item in fields(self.config)}
        if unknown := sorted(set(overrides) - known):
            raise TypeError(f"{self.name} has no option {unknown[0]!r}; it has {', '.join(sorted(known))}")
        return self.config(**{**self.defaults[size], **overrides})

    def labels(self, findings: Sequence[str]) -> tuple[str, ...]:
        """The classes, in the order of the outputs: A-D for density, else the findings that the run names."""
        return ("A", "B", "C", "D") if self.task == "density" else tuple(findings or self.findings)
