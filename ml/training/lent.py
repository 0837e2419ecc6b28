"""A run that begins with an operator's weights file: which stages it serves, and what each took from it.

Every stage whose network has a `trunk` of the file's family starts from it; the others start from scratch and say so.
The network's `input_norm`, where it has one, is the (mean, sd) by which it norms its input.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ml.runs import atomic
from ml.runs.errors import invalid
from ml.runs.layouts import OWN_TRUNK, recognised
from ml.runs.request import Init
from ml.training.weights_file import Weights, WeightsFile, load_into, read_weights, understood


@dataclass(frozen=True)
class Lent:
    """The tensors of a weights file as read, and what the request says of them."""

    weights: Weights
    sha256: str
    init: Init

    @property
    def own(self) -> bool:
        """Whether it is of a model of ours: its folder knows which patients it has seen, the file does not."""
        return self.init.layout == "own" or any(OWN_TRUNK.match(name) for name in self.weights)

    def for_stage(self, stage: str) -> WeightsFile:
        """The file as a stage sees it: of several trunks of an own model, that of the stage's name."""
        init = self.init
        return understood(self.weights, layout=init.layout, mean=init.mean, sd=init.std, stage=stage)


def read_lent(init: Init, path: Path) -> Lent:
    """Read the file of a request. Raises RunRefused (exit 2, also `model_changed`: another hash than was named)."""
    if not path.is_file():
        raise invalid("weights_kind", "init.path is not a file")
    digest = atomic.sha256_of(path)
    if init.sha256 and init.sha256 != digest:
        raise invalid("model_changed", "the weights of init do not have the hash that the request names")
    return Lent(read_weights(path), digest, init)


def why_not(network: nn.Module, file: WeightsFile) -> str | None:
    """Why a network cannot take a file, in words; None where it can be tried."""
    trunk = getattr(network, "trunk", None)
    if not isinstance(trunk, nn.Module):
        return "the network has no trunk"
    family = recognised(trunk.state_dict())
    if family and file.family and family.name != file.family:
        return f"the file is of the family {file.family}, the trunk of {family.name}"
    return None


def require_taker(networks: Iterable[tuple[str, nn.Module]], lent: Lent) -> None:
    """A file that no stage could use must not seem to have been used; (stage, network) on any device.

    Raises RunRefused (exit 2, `init_mismatch`).
    """
    reasons = {stage: why_not(network, lent.for_stage(stage)) for stage, network in networks}
    if all(reasons.values()):
        raise invalid("init_mismatch", "no stage of this method can start from the weights file", reasons=reasons)


def load_lent(network: nn.Module, stage: str, lent: Lent) -> dict[str, Any]:
    """Put the file into the trunk; the report for environment.json. Raises RunRefused (exit 2)."""
    file = lent.for_stage(stage)
    if reason := why_not(network, file):
        return {"init": "scratch", "weights_file": reason}
    trunk = network.get_submodule("trunk")
    norm = getattr(network, "input_norm", None)
    report = load_into(trunk, file, input_norm=norm, allow_partial=lent.init.allow_partial)
    return {"init": "weights_file", "sha256": lent.sha256, **report.document()}
