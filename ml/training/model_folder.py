"""`model/`: weights and a spec, never code or pickle. Enough to rebuild the network and the preparation of pixels."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import load_file, save_file
from torch import nn

from ml.methods import get
from ml.methods.aims import TARGETS, as_task
from ml.methods.spec import Aim, MethodSpec
from ml.runs import atomic, versions
from ml.runs.errors import invalid
from ml.runs.manifest import ManifestRow
from ml.runs.records import from_dict, to_dict
from ml.training.checkpoints import Weights, contiguous


@dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """What a model has seen. Patients as salted hashes: enough to refuse leakage, not enough to name anybody.

    val_patients chose weights, temperature and thresholds; a record of an earlier format does not have them.
    """

    snapshot_id: str | None = None
    manifest_sha256: str = ""
    salt: str = ""
    train_patients: tuple[str, ...] = ()
    val_patients: tuple[str, ...] = ()
    test_patients: tuple[str, ...] = ()
    images: int = 0
    exams: int = 0


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where the weights of a training began: the kind of `init`, the hash of what was brought, its terms and source.

    stages: how each stage began, as environment.json says it (`scratch`, `continued`, `trunk`, `weights_file`, ...).
    """

    kind: Literal["none", "weights_file", "model_dir"] = "none"
    sha256: str | None = None
    licence: str | None = None
    origin: str | None = None
    version: str | None = None
    stages: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Ancestor:
    """A model whose weights a later one began with. init is None in a record of an earlier format."""

    method: str
    size: str
    weights_sha256: str
    trained_on: TrainedOn = field(default_factory=TrainedOn)
    init: Beginning | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """spec.json. config is the method's, settled for this data; prior_shift is added to a classifier's logits.

    roi: how squares are cut, as options of `ml.pixels.rois`; empty where the method reads whole images.
    earlier: the models that this one goes back to, the last first: what they learned from, this one learned from.
    """

    schema: str = versions.tag("model")
    method: str
    size: str
    task: str
    config: dict[str, Any]
    pixels: dict[str, Any]
    roi: dict[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...]
    target: str = ""
    findings: tuple[str, ...] = ()
    prior_shift: tuple[float, ...] = ()
    temperature: float = 1.0
    thresholds: dict[str, Any] = field(default_factory=dict)
    stages: tuple[str, ...] = ("main",)
    parameters: int = 0
    weights_sha256: str = ""
    trained_on: TrainedOn = field(default_factory=TrainedOn)
    init: Beginning | None = None
    earlier: tuple[Ancestor, ...] = ()
    code_version: str = ""

    def lineage(self) -> tuple[Ancestor, ...]:
        """The model itself, then all that it goes back to."""
        return (
            Ancestor(
                method=self.method, size=self.size, weights_sha256=self.weights_sha256, trained_on=self.trained_on,
                init=self.init,
            ),
            *self.earlier,
        )  # fmt: skip


@dataclass
class Model:
    """A model that can predict: its spec, the method's record, settled config and aim, the network of each stage."""

    spec: ModelSpec
    method: MethodSpec
    config: Any
    aim: Aim
    modules: dict[str, nn.Module]


def patient_hashes(rows: Iterable[ManifestRow], splits: Iterable[str], salt: str) -> tuple[str, ...]:
    """Salted SHA-256 of the patients of these splits, sorted."""
    wanted = set(splits)
    patients = {row.patient_id for row in rows if row.split in wanted}
    return tuple(sorted(hashlib.sha256(f"{salt}|{patient}".encode()).hexdigest() for patient in patients))


def pool_learned(rows: Iterable[ManifestRow]) -> list[ManifestRow]:
    """The rows where the pool was learned from as well: nobody of it may be tested on later."""
    return [replace(row, split="train") if row.split == "pool" else row for row in rows]


def trained_on(rows: list[ManifestRow], *, snapshot_id: str | None, manifest_sha256: str) -> TrainedOn:
    """The record of a training's data."""
    salt = secrets.token_hex(16)
    train = [row for row in rows if row.split == "train"]
    return TrainedOn(
        snapshot_id=snapshot_id,
        manifest_sha256=manifest_sha256,
        salt=salt,
        train_patients=patient_hashes(rows, ("train",), salt),
        val_patients=patient_hashes(rows, ("val",), salt),
        test_patients=patient_hashes(rows, ("test", "audit"), salt),
        images=len(train),
        exams=len({row.exam_id for row in train}),
    )


def plain_config(config: Any) -> dict[str, Any]:
    """A method's config as JSON values."""
    return to_dict(asdict(config))


def save_model(
    path: Path, spec: ModelSpec, weights: Mapping[str, Weights], card: Mapping[str, Any], text: str
) -> ModelSpec:
    """Write `model/` in one step; the spec with the hash of its weights."""
    final: list[ModelSpec] = []

    def fill(fresh: Path) -> None:
        named = {f"{stage}.{name}": value for stage, own in weights.items() for name, value in contiguous(own).items()}
        save_file(named, fresh / "weights.safetensors")
        document = {**to_dict(spec), "weights_sha256": atomic.sha256_of(fresh / "weights.safetensors")}
        final.append(from_dict(ModelSpec, document))
        (fresh / "spec.json").write_text(json.dumps(document, indent=1, allow_nan=False))
        (fresh / "card.json").write_text(
            json.dumps({**card, "weights_sha256": document["weights_sha256"]}, indent=1, allow_nan=False)
        )
        (fresh / "card.md").write_text(text)

    atomic.replace_folder(path, fill)
    return final[0]


def read_spec(path: Path) -> ModelSpec:
    """spec.json of a model folder, its weights' hash checked. Raises RunRefused (exit 2)."""
    try:
        document = json.loads((path / "spec.json").read_text())
        versions.require(document, "model")
        spec = from_dict(ModelSpec, document)
        digest = atomic.sha256_of(path / "weights.safetensors")
    except (OSError, ValueError) as error:
        raise invalid("model_unreadable", f"the model folder cannot be read: {error}") from None
    if digest != spec.weights_sha256:
        raise invalid("model_changed", "the weights do not have the hash of spec.json")
    return spec


def settled_config(method: MethodSpec, config: Mapping[str, Any]) -> Any:
    """A method's config from JSON. Raises RunRefused (exit 2)."""
    try:
        return from_dict(method.config, dict(config), strict=True)
    except ValueError as error:
        raise invalid("config_invalid", f"{method.name}: {error}") from None


def stage_weights(path: Path) -> dict[str, Weights]:
    """The weights of each stage."""
    found: dict[str, Weights] = {}
    for name, tensor in load_file(path / "weights.safetensors").items():
        stage, _, rest = name.partition(".")
        found.setdefault(stage, {})[rest] = tensor
    return found


def load_model(path: Path) -> Model:
    """Rebuild a model from its folder alone. Raises RunRefused (exit 2)."""
    spec = read_spec(path)
    method = get(spec.method)
    config, aim = settled_config(method, spec.config), aim_in(spec, method)
    weights, modules = stage_weights(path), {}
    for stage in method.stages(config, aim):
        module = stage.build()
        try:
            module.load_state_dict(weights.get(stage.name, {}))
        except RuntimeError as error:
            raise invalid("model_mismatch", f"the weights do not fit {spec.method} {spec.size}: {error}") from None
        modules[stage.name] = module.eval().requires_grad_(False)
    return Model(spec, method, config, aim, modules)


def aim_in(spec: ModelSpec, method: MethodSpec) -> Aim:
    """What a stored model was made for. A spec that names no target is of a first version: its task has one."""
    target = spec.target or TARGETS[method.task][0]
    findings = spec.findings if spec.task != "density" else ()
    return Aim(task=as_task(spec.task), labels=spec.labels, target=target, findings=findings)
