"""MethodSpec: the one record by which a method is known to the loop, the catalogue, the run form and the tests.

No torch here: a record holds functions, and only calling them needs it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ml.runs.manifest import ManifestRow
from ml.runs.needs import Need

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ml.pixels.features import FeatureCache

Task = Literal[
    "density",
    "asymmetry",
    "lesion_detection",
    "lesion_classification",
    "segmentation",
    "exam_classification",
    "pretrain",
]
Fidelity = Literal["paper", "reconstruction", "adapted"]
Size = Literal["tiny", "base", "large"]
Unsure = Literal["dropout", "members", "entropy"]
Missing = Literal["refuse", "token", "other_side", "other_breast", "drop"]
Sampler = Literal["class_balanced", "half_marked", "mostly_marked", "plain"]


@dataclass(frozen=True, kw_only=True)
class Serves:
    """A task that a method serves, how faithfully to its paper, and what the paper claims (as the paper's).

    target: what the paper learns, where that is not the first of the task's targets that the labels can teach; a run
    that names another is adapted.
    """

    task: Task
    fidelity: Fidelity
    claim_note: str
    target: str | None = None


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What a run learns. labels: the classes in the order of the outputs. target: where the truth comes from.

    target is one of `density`, `boxes`, `mask`, `tissue`, `outcome`, `presence`, `pathology`, `asymmetry`; findings
    are the types that count (none = all).
    """

    task: Task
    labels: tuple[str, ...]
    target: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What one sample is: its unit, the ordered views that fill its slots, and what happens when one is missing.

    A view is `R-CC` and so on for the unit exam, `CC` or `MLO` for the unit breast, `R` and `L` for the unit view_pair
    (both breasts in one view); no views = one image, any view. A roi is a square cut out of one image. For a missing
    view the same view of the other breast stands in (other_breast), or else the other view of the same one
    (other_side).
    """

    unit: Literal["image", "view_pair", "breast", "exam", "roi"]
    views: tuple[str, ...] = ()
    missing: Missing = "refuse"


@dataclass(frozen=True, kw_only=True)
class Reads:
    """What a stage, or prediction, sees: samples, prepared pixels, their variation in training, and what is learned.

    pixels and augment are options of `ml.pixels`; roi those of `ml.pixels.rois` where the unit is roi. targets name
    builders of `ml.training.targets`; the first decides which samples teach and how they are balanced; none = no
    labels are needed. view, where given, picks the part of an image that a training step sees.
    """

    inputs: Inputs
    pixels: Mapping[str, Any]
    augment: Mapping[str, Any] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    roi: Mapping[str, Any] = field(default_factory=dict)
    view: "TrainView | None" = None


@dataclass(frozen=True)
class Origin:
    """Where the pixels of a batch came from, for a method that keeps what a frozen network says of them.

    x, breast: the tensors that were loaded. keys: by sample and slot, what a prepared image is known by in every run;
    None where it was varied or cut. features: where what is said of it may be kept.
    """

    x: "Tensor"
    breast: "Tensor"
    keys: tuple[tuple[str | None, ...], ...]
    features: "FeatureCache | None" = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples of one step, on the device of the network.

    x (B, V, 1, H, W) float32, prepared pixels in [0, 1]; breast (B, V, 1, H, W) bool; valid (the same), False where an
    image was padded to the batch; view_mask (B, V) bool; affine (B, V, 3, 3) float64, source to these pixels;
    mm_per_px (B, V); targets by name as the stage's loss takes them; ids and patients, one per sample.
    """

    x: "Tensor"
    view_mask: "Tensor"
    valid: "Tensor"
    breast: "Tensor"
    affine: "Tensor"
    mm_per_px: "Tensor"
    targets: Mapping[str, Any]
    ids: tuple[str, ...]
    patients: tuple[str, ...] = ()
    origin: Origin | None = None

    def known_as(self, sample: int, slot: int) -> str | None:
        """What the pixels of a slot are known by in every run.

        None where nobody knows: they were varied, or are not those any more that were loaded.
        """
        own = self.origin
        if own is None or own.x is not self.x or own.breast is not self.breast:
            return None
        return own.keys[sample][slot]


Outputs = Mapping[str, Any]
Modules = Mapping[str, "nn.Module"]
Loss = Callable[[Outputs, Batch], "Mapping[str, Tensor]"]
Forward = Callable[[Modules, Batch], Outputs]
Window = tuple[int, int, int, int]
"""(first row, first column, rows, columns), in pixels."""


class Sight(Protocol):
    """A varied image, of which nothing need have been varied yet."""

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""

    def shows(self, row: int, col: int) -> bool:
        """Whether a pixel is anything but black."""


@dataclass(frozen=True)
class Part:
    """What a training step sees of an image: a window, 0 where it reaches beyond; `made` turns it (1, h, w) into that.

    targets are in the pixels of what was made.
    """

    window: Window
    targets: "Mapping[str, Tensor]"
    made: "Callable[[Tensor], Tensor] | None" = None


TrainView = Callable[[Sight, "Mapping[str, Tensor]", Any, "torch.Generator"], Part]
"""Chooses before anything is varied, so that what is not seen is neither copied nor varied."""


class Mover(Protocol):
    """An optimiser with its share of the weights, as a `train_step` uses it."""

    def move(self, samples: int, loss_of: "Callable[[slice], Tensor]") -> "Tensor":
        """Clear the gradients of its weights, go back from the loss, clip, and step at this step's rate.

        loss_of(part) is the mean loss of a part of the samples, all of them where memory suffices. The mean loss.
        """


TrainStep = Callable[[Modules, Mapping[str, Mover], Batch, "torch.Generator"], "Mapping[str, Tensor]"]


class Lesson(Protocol):
    """What a stage without gradient steps learns from.

    modules: those of the earlier stages, in eval, and the stage's own under its name.
    """

    @property
    def modules(self) -> Modules: ...

    @property
    def aim(self) -> Aim: ...

    @property
    def config(self) -> Any: ...

    @property
    def seed(self) -> int: ...

    def batches(self, *splits: str, size: int = 16, varied: int = 0) -> Iterator[Batch]:
        """Samples of splits in the order of their ids; `varied` = n > 0: n augmented copies of each instead.

        Looks at the cancel flag and tells the progress.
        """

    def places(self, ids: Sequence[str]) -> Sequence[int]:
        """Positions of training samples among all training samples, which is how out-of-fold rows count them."""

    def artefact(self, name: str) -> "Mapping[str, Tensor]":
        """What an earlier stage kept: `stage:name`."""

    def keep(self, name: str, tensors: "Mapping[str, Tensor]") -> None:
        """Keep tensors for later stages as `<this stage>:name`."""


Learn = Callable[[Lesson], None]


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """How a stage's weights move. `lr` is multiplied per step by `ml.training.schedule.factor`.

    The schedule `step` multiplies by `step_factor` at each of `steps_at`, shares of the stage's steps.
    Without a word on `weight_decay` AdamW's is 0.05 and the other kinds' none: they add it to the gradient, where 0.05
    would swallow everything.
    """

    kind: Literal["adamw", "adam", "nadam", "sgd"] = "adamw"
    lr: float = 3e-4
    weight_decay: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    amsgrad: bool = False
    momentum: float = 0.9
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_share: float = 0.05
    steps_at: tuple[float, ...] = (1 / 3, 2 / 3)
    step_factor: float = 0.5
    clip_norm: float = 1.0

    @property
    def decay(self) -> float:
        """What matrices decay by."""
        if self.weight_decay is None:
            return 0.05 if self.kind == "adamw" else 0.0
        return self.weight_decay


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Weights that a stage starts with: those of an earlier stage under `prefix`, put under `to`."""

    stage: str
    prefix: str = ""
    to: str = ""


@dataclass(frozen=True, kw_only=True)
class OutOfFold:
    """A stage that is trained once more per fold of the training patients, so that `say` speaks of unseen ones.

    Every copy begins with the weights that were drawn for the stage: their features mean nearly the same.
    say(modules, batch) gives (B, D); the rows are kept as the artefact `<stage>:out_of_fold` (`values`, `index` into
    the training samples in the order of their ids).
    """

    folds: int
    say: "Callable[[Modules, Batch], Tensor]"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One part of a method's training. Whatever it learns is the state of the module that build() makes.

    kind torch: gradient steps. forward(modules, batch) gives the outputs (default: the stage's own network of
    `batch.x, batch.valid`; earlier stages are in `modules`, frozen); loss(outputs, batch) gives named losses, each a
    mean over the batch, whose sum is minimised; train_step(modules, movers, batch, generator) replaces both where a
    stage has several optimisers, named by the prefix of their weights. `trainable` are the prefixes of the weights
    that move (none = all); the rest is frozen, running statistics too. lr_factors multiply the rate by prefix.
    kind sklearn or extract: learn(lesson), once. drawn_as: a stage whose draw of first weights it shares.

    `steps` is the plan, or `epochs` over the training samples where steps is None. `batch` is the effective batch;
    `sampler` says how training samples are drawn. validate: by the task's figures (the stage's network must be what
    predicts), by the loss on validation samples, or not at all. pretrains: left out where an earlier version of the
    same model goes on. given: its trunk must come from the run's `init`. planned(network, steps) is told how many steps
    there will be, before the first. tells(modules): figures of the stage's own for the training curve. mixes: an
    artefact `stage:name` with `x` (N, 1, H, W) and `class` (N,) that is added to the training samples. recalls: an
    artefact `stage:name` with `index` (N,), as out-of-fold rows have it, and tensors (N, ...), whose rows batches have
    among their targets; zeros for a sample that is not in it.
    """

    name: str
    drawn_as: str | None = None
    kind: Literal["torch", "sklearn", "extract"] = "torch"
    build: "Callable[[], nn.Module]"
    loss: Loss | None = None
    train_step: TrainStep | None = None
    learn: Learn | None = None
    forward: Forward | None = None
    reads: Reads | None = None
    optimiser: Optimiser = field(default_factory=Optimiser)
    optimisers: Mapping[str, Optimiser] = field(default_factory=dict)
    trainable: tuple[str, ...] = ()
    lr_factors: Mapping[str, float] = field(default_factory=dict)
    starts_from: tuple[Copied, ...] = ()
    steps: int | None = None
    epochs: float | None = None
    batch: int = 8
    sampler: Sampler = "plain"
    head_prefixes: tuple[str, ...] = ()
    validate: Literal["task", "loss", "none"] = "task"
    pretrains: bool = False
    given: bool = False
    planned: "Callable[[nn.Module, int], None] | None" = None
    tells: "Callable[[Modules], Mapping[str, float]] | None" = None
    out_of_fold: OutOfFold | None = None
    mixes: str | None = None
    recalls: str | None = None
    consumes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Where:
    """What on an image (that of a slot) an answer about a class rests on, for people: no figure is made of it.

    boxes (N, 4) in pixels of the prepared image with scores (N,), best first, and a name each: labels (N,) into names.
    masks: by name what was looked at, (H, W) in [0, 1], over 0.5 inside. Arrays are on the CPU. Where a score came from
    is a map, and `MethodSpec.heat` gives it.
    """

    slot: int = 0
    names: tuple[str, ...] = ()
    boxes: "Tensor | None" = None
    scores: "Tensor | None" = None
    labels: "Tensor | None" = None
    masks: "Mapping[str, Tensor]" = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a method says of one sample. Arrays are on the CPU.

    Classifiers: probabilities (C,), logits (C,), samples (T, C); a binary task has two classes, logits [0, z].
    Detectors: boxes (N, 4) in pixels of the prepared image, scores (N,), labels (N,) indices of findings, samples
    (T, N) of each box's own class; best first. Segmenters: mask (H, W) probability, or (K, H, W) for K tissues, and
    mask_samples (T, ...) of it. values: further numbers by name. embedding (D,). where: what a class rests on.
    """

    probabilities: "Tensor | None" = None
    logits: "Tensor | None" = None
    boxes: "Tensor | None" = None
    scores: "Tensor | None" = None
    labels: "Tensor | None" = None
    samples: "Tensor | None" = None
    mask: "Tensor | None" = None
    mask_samples: "Tensor | None" = None
    values: Mapping[str, float] = field(default_factory=dict)
    embedding: "Tensor | None" = None
    where: tuple[Where, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Inference:
    """How to predict: T Monte-Carlo passes by held dropout `masks` (T = 0: none), and what is kept of detections.

    masks: by stage, then by the name of the dropout layer in the stage's network, (T, C).
    """

    aim: Aim
    passes: int = 0
    masks: "Mapping[str, Mapping[str, Tensor]]" = field(default_factory=dict)
    min_score: float = 0.01
    max_boxes: int = 100
    per_finding: int | None = None


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """A method of the review, or one of ours (`seed_row` None).

    config is a frozen dataclass; defaults hold its values per size. plan(config, training rows) settles what depends
    on the data (its result goes into the model's spec). reads(config, aim) says what prediction, and every stage
    without a `reads` of its own, sees. stages(config, aim) is the training; predict(modules, batch, config,
    inference) all inference: windows, passes, suppression. classes(config, task), where given, names the classes of a
    task instead of the usual ones. unsure_by says what stands behind the uncertainty: passes of dropout, members that
    disagree (`Prediction.samples` are theirs whenever `inference.passes` is not 0), or the entropy alone.
    self_calibrated: its answer is a stated formula of scores that are stored beside it and were calibrated by a stage
    of its own, so that neither a prior nor a temperature is put on it.
    heat(modules, batch, config), where a method has a map of its own of where its score comes from, gives it over the
    whole views of each sample: (B, V, h, w), not negative. It is asked when maps are drawn (`ml.training.heat`), in
    place of Grad-CAM, and nowhere else.
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
    reads: Callable[[Any, Aim], Reads]
    stages: Callable[[Any, Aim], tuple[Stage, ...]]
    predict: Callable[[Modules, Batch, Any, Inference], list[Prediction]]
    plan: Callable[[Any, Sequence[ManifestRow]], Any] = lambda config, rows: config
    classes: Callable[[Any, Task], tuple[str, ...] | None] = lambda config, task: None
    unsure_by: Unsure = "dropout"
    self_calibrated: bool = False
    heat: "Callable[[Modules, Batch, Any], Tensor] | None" = None

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
