"""The class of a sample: of a region, a breast or an exam."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ml.methods.spec import Aim
from ml.runs.manifest import ManifestRow
from ml.runs.truths import asymmetry_of, outcome_of, presence_of
from ml.training.targets.boxes import LESION_TYPES
from ml.training.targets.density import density_class
from ml.training.targets.shown import Group, Shown

UNKNOWN = -1


def density_of(rows: Sequence[ManifestRow], aim: Aim) -> int | None:
    """The density class."""
    return next((found for row in rows if (found := density_class(row, aim.labels)) is not None), None)


TRUTHS: Mapping[str, Callable[[Sequence[ManifestRow], Aim], int | None]] = {
    "outcome": lambda rows, aim: outcome_of(rows),
    "presence": lambda rows, aim: presence_of(rows, aim.findings),
    "asymmetry": lambda rows, aim: asymmetry_of(rows),
    "density": density_of,
}


def class_of(shown: Shown) -> int | None:
    """Index of the sample's label, None where it is not known. A region has its own."""
    if shown.roi is not None:
        return shown.aim.labels.index(shown.roi.label) if shown.roi.label in shown.aim.labels else None
    rows = list({row.image_id: row for row in shown.rows}.values())
    return TRUTHS[shown.aim.target](rows, shown.aim)


def build(shown: Shown) -> dict[str, Tensor]:
    """class (): index of the label, or -1. sides (2,): the same of the right and the left breast alone."""
    found = class_of(shown)
    target = {"class": torch.tensor(UNKNOWN if found is None else found)}
    if shown.roi is None:
        own = [[row for row in shown.rows if row.laterality == side] for side in "RL"]
        sides = [TRUTHS[shown.aim.target](rows, shown.aim) if rows else None for rows in own]
        target["sides"] = torch.tensor([UNKNOWN if side is None else side for side in sides])
    return target


def group(shown: Shown) -> Group:
    """Its class."""
    return class_of(shown)


def build_benign(shown: Shown) -> dict[str, Tensor]:
    """benign (): 1 with a benign finding of the aim's types, 0 where all is known and none is benign, else -1."""
    rows = {row.image_id: row for row in shown.rows}.values()
    types = shown.aim.findings
    said = {f.pathology for row in rows for f in row.findings if not types or f.type in types}
    if "benign" in said:
        return {"benign": torch.tensor(1)}
    known = all(row.complete for row in rows) and "unknown" not in said
    return {"benign": torch.tensor(0 if known else UNKNOWN)}


def build_presence(shown: Shown) -> dict[str, Tensor]:
    """class (): 1 with a finding of the aim's types, 0 without any, -1 unknown; whatever the run itself learns."""
    found = presence_of(shown.rows, shown.aim.findings)
    return {"class": torch.tensor(UNKNOWN if found is None else found)}


def group_presence(shown: Shown) -> Group:
    """1 with a finding, 0 without any, None where it is not known."""
    return presence_of(shown.rows, shown.aim.findings)


def group_only(wanted: int) -> Callable[[Shown], Group]:
    """Samples of one class; the others teach nothing."""

    def own(shown: Shown) -> Group:
        return wanted if class_of(shown) == wanted else None

    return own


def build_findings(shown: Shown) -> dict[str, Tensor]:
    """findings (4,), one a lesion type: 1 where a row has it, 0 where complete rows have none, else -1."""
    types = {finding.type for row in shown.rows for finding in row.findings}
    absent = 0 if all(row.complete for row in shown.rows) else UNKNOWN
    return {"findings": torch.tensor([1 if kind in types else absent for kind in LESION_TYPES])}
