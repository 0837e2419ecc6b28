"""Whether a reader would call the woman back: what a human said, where no model had been looked at."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ml.runs.manifest import ManifestRow
from ml.training.targets.classes import UNKNOWN
from ml.training.targets.shown import Shown

RECALLED = ("0", "4", "5", "6")
"""First characters of the BI-RADS categories that ask for more."""


def recall_of(rows: Sequence[ManifestRow]) -> int | None:
    """1 where a finding asks for more, 0 where all images are complete and no finding does; else None.

    None too where a mark came from a model: such a reading is no second opinion.
    """
    findings = [finding for row in rows for finding in row.findings]
    marks = [mark for finding in findings for mark in finding.marks]
    if any(mark.provenance in ("model_accepted", "model_edited") for mark in marks):
        return None
    if any((finding.birads or "").startswith(RECALLED) for finding in findings):
        return 1
    judged = all(row.complete for row in rows) and all(finding.birads for finding in findings)
    return 0 if judged else None


def build(shown: Shown) -> dict[str, Tensor]:
    """recall (): 0, 1 or -1 for unknown; recalls (2,): the same of the right and the left breast alone."""
    sides = [[row for row in shown.rows if row.laterality == side] for side in "RL"]
    found = [recall_of(rows) if rows else None for rows in (shown.rows, *sides)]
    whole, *own = [UNKNOWN if one is None else one for one in found]
    return {"recall": torch.tensor(whole), "recalls": torch.tensor(own)}
