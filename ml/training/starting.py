"""Where the weights of a run begin: from scratch, an earlier version, another network's trunk or a weights file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ml.methods.spec import MethodSpec, Modules, Stage
from ml.runs.errors import invalid, refused
from ml.runs.manifest import ManifestRow
from ml.runs.request import Init, Request, resolve_inside
from ml.training.checkpoints import Weights
from ml.training.lent import Lent, load_lent, read_lent, require_taker
from ml.training.model_folder import Beginning, ModelSpec, patient_hashes, read_spec, stage_weights

TRUNK = "trunk."
RATE_OF_CONTINUED = 1 / 3
HEADS_SHARE, HEADS_EPOCHS = 0.1, 2


@dataclass(frozen=True)
class Start:
    """How a run begins. `continued`: an earlier version of the same method, size and labels, all weights loaded."""

    donor: ModelSpec | None = None
    weights: dict[str, Weights] = field(default_factory=dict)
    continued: bool = False
    lent: Lent | None = None


def unseen(start: Start) -> Start:
    """How a copy begins that must not have seen its fold of the patients: with no model that may have learned them."""
    return start if start.lent is not None else Start()


def find_start(
    request: Request, run_dir: Path, method: MethodSpec, labels: tuple[str, ...], rows: list[ManifestRow]
) -> Start:
    """Read `init`. Raises RunRefused: exit 2 for what cannot be read, exit 3 where the donor saw our test patients."""
    if request.init.kind == "none":
        return Start()
    assert request.init.path is not None
    path = resolve_inside(request.init.path, run_dir)
    if request.init.kind == "weights_file":
        return Start(lent=read_lent(request.init, path))
    donor = read_spec(path)
    if request.init.sha256 and request.init.sha256 != donor.weights_sha256:
        raise invalid("model_changed", "the weights of init do not have the hash that the request names")
    require_no_donor_leakage(donor, rows)
    same = (donor.method, donor.size, donor.labels) == (method.name, request.size, labels)
    return Start(donor, stage_weights(path), same)


def require_no_donor_leakage(donor: ModelSpec, rows: list[ManifestRow]) -> None:
    """What the donor learned from may not be tested on; what it was tested on may not be learned from.

    Nor what the models learned from that it goes back to. Who chose weights counts as learned from.
    Raises RunRefused (exit 3, `leakage_donor`).
    """
    for seen in (model.trained_on for model in donor.lineage()):
        tested = set(patient_hashes(rows, ("test", "audit"), seen.salt))
        learned = set(patient_hashes(rows, ("train", "val"), seen.salt))
        if tested & {*seen.train_patients, *seen.val_patients}:
            raise refused("leakage_donor", "an earlier model was trained on patients of this test or audit set")
        if learned & set(seen.test_patients):
            raise refused("leakage_donor", "patients of an earlier model's test set are not in this one's")


def beginning_of(init: Init, start: Start, reports: Mapping[str, Mapping[str, Any]]) -> Beginning:
    """The record of how a training began; reports: by stage, as environment.json has them."""
    brought = start.lent.sha256 if start.lent else start.donor.weights_sha256 if start.donor else None
    return Beginning(
        kind=init.kind, sha256=brought, licence=init.licence, origin=init.origin, version=init.version,
        stages={stage: report["init"] for stage, report in reports.items()},
    )  # fmt: skip


def load_start(network: nn.Module, stage: Stage, start: Start) -> dict[str, Any]:
    """Put in the donor's weights, or those of a file; the report on what was loaded. Raises RunRefused (exit 2)."""
    if start.lent is not None:
        return load_lent(network, stage.name, start.lent)
    if start.donor is None:
        return {"init": "scratch"}
    given = start.weights.get(stage.name) or next(iter(start.weights.values()))
    own = network.state_dict()
    wanted = own if start.continued else {name: value for name, value in own.items() if name.startswith(TRUNK)}
    if not start.continued and not wanted:
        return {"init": "scratch", "model_dir": "the network has no trunk"}
    fitting = {name: given[name] for name in wanted if name in given and given[name].shape == own[name].shape}
    report = {
        "init": "continued" if start.continued else "trunk",
        "donor": {"method": start.donor.method, "size": start.donor.size, "weights": start.donor.weights_sha256},
        "loaded": len(fitting),
        "missing": sorted(set(wanted) - set(fitting))[:20],
        "share": round(len(fitting) / max(1, len(wanted)), 4),
    }
    if len(fitting) != len(wanted):
        raise invalid("init_mismatch", f"only {len(fitting)} of {len(wanted)} weights of the donor fit", **report)
    network.load_state_dict({**own, **fitting})
    return report


def require_trunk(stages: Sequence[Stage], start: Start) -> None:
    """Another method's model, or a file, gives a trunk: a method without one must not pretend that it used it.

    Nor may a stage whose trunk is to be given learn from a random one. Raises RunRefused (exit 2, `init_mismatch`,
    `init_needed`).
    """
    for stage in stages:
        if stage.given:
            require_given(stage, start)
    if start.continued or (start.donor is None and start.lent is None):
        return
    with torch.device("meta"):
        networks = [(stage.name, stage.build()) for stage in stages if stage.kind == "torch"]
    if start.lent is not None:
        return require_taker(networks, start.lent)
    names = [name for _, network in networks for name in network.state_dict()]
    if not any(name.startswith(TRUNK) for name in names):
        raise invalid("init_mismatch", "this method has no trunk that an earlier model of another kind could give")


def require_given(stage: Stage, start: Start) -> None:
    """Raises RunRefused (exit 2, `init_needed`) where nothing gives a stage the trunk that it must be given."""
    if start.donor is None and start.lent is None:
        raise invalid(
            "init_needed",
            f"the stage {stage.name} works with a trunk that is given: start from a model or a weights file",
        )
    if start.lent is not None:
        with torch.device("meta"):
            require_taker([(stage.name, stage.build())], start.lent)


def load_copied(network: nn.Module, stage: Stage, earlier: Modules) -> dict[str, Any]:
    """Put in the weights of earlier stages that this one starts from. Raises RunRefused (exit 2, `init_mismatch`)."""
    if not stage.starts_from:
        return {}
    own, copied = network.state_dict(), {}
    for wanted in stage.starts_from:
        for name, value in earlier[wanted.stage].state_dict().items():
            if name.startswith(wanted.prefix):
                copied[wanted.to + name.removeprefix(wanted.prefix)] = value
    wrong = [name for name, value in copied.items() if name not in own or own[name].shape != value.shape]
    if wrong or not copied:
        raise invalid("init_mismatch", f"the stage {stage.name} cannot start from {stage.starts_from}: {wrong[:3]}")
    network.load_state_dict({**own, **copied})
    return {"starts_from": [wanted.stage for wanted in stage.starts_from], "copied": len(copied)}


def planned_steps(stage: Stage, samples: int, start: Start, most: int | None = None) -> int:
    """The steps of a stage, `most` at most; half of them where an earlier version of the same model goes on."""
    steps = stage.steps if stage.steps is not None else round((stage.epochs or 1) * samples / stage.batch)
    planned = max(1, steps // 2 if start.continued else steps)
    return planned if most is None else min(planned, most)


def fine_tuned(stage: Stage, report: Mapping[str, Any]) -> bool:
    """Whether a stage goes on gently from what it was lent (heads first, lower rates); `report` is load_start's.

    A stage with rates of its own for parts of its network has its own plan for the weights of a file.
    """
    return report["init"] in ("continued", "trunk") or (report["init"] == "weights_file" and not stage.lr_factors)


def frozen_steps(steps: int, samples: int, stage: Stage) -> int:
    """Steps in which the heads alone move: two epochs, but at most a tenth of the plan; 0 where none are named."""
    if not stage.head_prefixes:
        return 0
    return min(round(HEADS_EPOCHS * samples / stage.batch), round(HEADS_SHARE * steps))
