"""request.json: what a run is asked to do.

Paths (`init.path`) are relative to RUN_DIR or to the manifest's `pixels_root`; an absolute path, or one that leads
outside both, is refused, so a folder can be moved to another machine. A caller that continues from an earlier
version therefore copies its `model/` into the run folder (by custom `init/model`). The cache of prepared pixels is
the exception: `pixels.cache_dir` may be absolute, because it only saves time and holds nothing of its own.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from ml.runs import atomic, versions
from ml.runs.errors import invalid
from ml.runs.records import RecordError, from_dict, to_dict

Command = Literal["train", "evaluate", "predict", "score", "pretrain"]
FINDINGS = ("mass", "calcification", "asymmetry", "architectural_distortion")
ImageKind = Literal["standard", "low_energy", "subtracted", "synthetic_2d"]
USUAL_KINDS: tuple[ImageKind, ...] = ("standard", "low_energy")
TargetKind = Literal["presence", "pathology", "outcome", "density", "tissue", "asymmetry"]
TARGETS: tuple[TargetKind, ...] = get_args(TargetKind)
Layout = Literal["auto", "torchvision", "timm", "own"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


@dataclass(frozen=True, kw_only=True)
class Init:
    """Where the weights come from; sha256 is that of the weights, checked before they are read.

    `model_dir` is a `model/` folder of an earlier run. `weights_file` is a .safetensors, .pth or .pt file of another
    network, by custom `init/weights.<suffix>`: `layout` whose names it has, `mean` and `std` the norm per channel of
    the images that it was trained with (default: that of its family), `allow_partial` lets up to a tenth of the trunk
    be missing.

    licence and origin of a file, and the version that a model is known as, are words of the caller's for the model
    card; nothing is computed from them.
    """

    kind: Literal["none", "weights_file", "model_dir"] = "none"
    path: str | None = None
    sha256: str | None = None
    layout: Layout = "auto"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    allow_partial: bool = False
    licence: str | None = None
    origin: str | None = None
    version: str | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a label is: whether a finding is present or malignant, the breast's outcome, its density or its tissue.

    `findings` are those that it is asked of; none named: those of the request.
    """

    kind: TargetKind
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which part of the training rows is used; patients are left out whole, in keyed order.

    With `folds` the manifest's splits give way to those of `ml.datasets.folds`: the patients of `fold`, counted from
    0, are the test set. Runs of one cross-validation have the same `folds` and the same `seed`. `image_kinds` are the
    kinds that are read; subtracted and synthetic images only where they are asked for.
    """

    train_fraction: float = 1.0
    max_images: int | None = None
    folds: int | None = None
    fold: int | None = None
    image_kinds: tuple[ImageKind, ...] = USUAL_KINDS


@dataclass(frozen=True, kw_only=True)
class Compute:
    """The machine. `workers` is the number of loader threads: 0, in line, on a CPU; up to 16 where a GPU waits.

    precision auto: bf16 on a GPU that has it, else fp16 with scaled gradients; fp32 on a CPU. gradient_checkpointing:
    blocks are computed again when gradients come back, which takes less memory and about a third more time, and gives
    the same result. max_steps caps every stage: a try-out of the whole way in seconds, never a result. A checkpoint is
    written after each epoch or 300 s, but at least `checkpoint_seconds` after the one before.
    """

    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    workers: int | None = None
    threads: int | None = None
    max_seconds: float | None = None
    max_steps: int | None = None
    deterministic: bool = False
    gradient_checkpointing: bool = False
    checkpoint_seconds: float = 10.0


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What is reported. `splits` are those present in the manifest among them."""

    splits: tuple[str, ...] = ("val", "test", "audit")
    bootstrap: int = 2000


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What is written beside the model.

    explanations: of how many exams heat maps are drawn, those that were most wrong, or least sure, first.
    all_embeddings: also those of the training images, for the nearest labelled cases.
    """

    embeddings: bool = True
    all_embeddings: bool = False
    explanations: int = 0


@dataclass(frozen=True, kw_only=True)
class Request:
    """One order to the learner. Unknown keys are refused at any version: a misspelt option must not be ignored."""

    schema: str = versions.tag("request")
    run_id: str
    command: Command = "train"
    method: str
    size: str = "tiny"
    task: str | None = None
    findings: tuple[str, ...] = ()
    target: Target | None = None
    seed: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    pixels: dict[str, Any] = field(default_factory=dict)
    init: Init = field(default_factory=Init)
    data: Data = field(default_factory=Data)
    compute: Compute = field(default_factory=Compute)
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    output: OutputOptions = field(default_factory=OutputOptions)

    @property
    def cache_dir(self) -> str | None:
        """Folder of prepared pixels, shared by runs; relative to RUN_DIR unless absolute."""
        return self.pixels.get("cache_dir")

    @property
    def pixel_overrides(self) -> dict[str, Any]:
        """Section 2 options that replace the method's own."""
        return {key: value for key, value in self.pixels.items() if key != "cache_dir"}

    @property
    def asked_findings(self) -> tuple[str, ...]:
        """The findings that the label is of: those of the target, else those of the request."""
        return (self.target.findings if self.target else ()) or self.findings

    @property
    def sha256(self) -> str:
        """Identity of what is asked; a resumed run must have the same."""
        return hashlib.sha256(atomic.canonical(to_dict(self))).hexdigest()


def parse_request(document: Any) -> Request:
    """A Request from parsed JSON. Raises RunRefused (exit 2)."""
    versions.require(document, "request")
    try:
        request = from_dict(Request, document, strict=True)
    except RecordError as error:
        raise invalid("request_invalid", f"request.json: {error}") from None
    if not 0 < request.data.train_fraction <= 1:
        raise invalid("request_invalid", "request.json: data.train_fraction must be in (0, 1]")
    _require_fold(request.data)
    if request.init.kind != "none" and not request.init.path:
        raise invalid("request_invalid", f"request.json: init.kind {request.init.kind} needs init.path")
    _require_colour(request.init)
    return request


def _require_fold(data: Data) -> None:
    if data.folds is None and data.fold is None:
        return
    if data.folds is None or data.fold is None or data.folds < 2 or not 0 <= data.fold < data.folds:
        raise invalid(
            "request_invalid", "request.json: data.fold counts from 0 to data.folds - 1, of two folds or more"
        )


def _require_colour(init: Init) -> None:
    mean, std = init.mean, init.std
    if (mean is None) != (std is None):
        raise invalid("request_invalid", "request.json: init.mean and init.std come together")
    if mean is not None and std is not None and (len(mean) != len(std) or len(std) not in (1, 3) or min(std) <= 0):
        raise invalid("request_invalid", "request.json: init.mean and init.std are of 1 or 3 channels, std above 0")


def read_request(run_dir: Path) -> Request:
    """request.json of a run folder. Raises RunRefused (exit 2)."""
    try:
        document = json.loads((run_dir / "request.json").read_text())
    except FileNotFoundError:
        text = f"{run_dir} has no request.json: python -m ml init {run_dir} --method NAME writes one"
        raise invalid("request_unreadable", text) from None
    except ValueError as error:
        raise invalid("request_unreadable", f"request.json is not JSON: {error}") from None
    except OSError as error:
        raise invalid("request_unreadable", f"request.json cannot be read: {error.strerror}") from None
    return parse_request(document)


def write_request(run_dir: Path, request: Request) -> None:
    """Write request.json."""
    atomic.write_json(run_dir / "request.json", to_dict(replace(request, schema=versions.tag("request"))))


def resolve_inside(path: str, *roots: Path) -> Path:
    """The first existing file or folder that `path` names under one of `roots`.

    Raises RunRefused (exit 2): absolute, outside all roots, or absent.
    """
    if Path(path).is_absolute():
        raise invalid("path_outside", "an absolute path is not accepted")
    for root in roots:
        candidate = (root / path).resolve()
        if candidate.is_relative_to(root.resolve()) and candidate.exists():
            return candidate
    raise invalid("path_outside", "the path does not exist inside the run folder or the pixel folder", path=path)
