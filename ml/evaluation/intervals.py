"""How far a figure would move with other patients: the patient bootstrap, alone and paired.

Patients are drawn with replacement, apart among those with and without a positive unit. A draw is a row of counts, so
a metric that takes weights is computed for all replicates at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
REPLICATES = 2000
SUBGROUP_REPLICATES = 500
WIDE_BELOW = 10
"""Positive patients under which an interval is shown with the flag `wide`."""
MOST_DROPPED = 0.10
Seed = int | np.random.Generator
"""What a stream of draws begins with, or a stream to draw on from: what it gives is independent of what it gave."""


@dataclass(frozen=True)
class Interval:
    """A percentile interval; `ci` is None with `reason` too_few if over a tenth of the replicates had no value, or if
    no draw could differ from another.
    """

    ci: tuple[float, float] | None
    se: float | None
    dropped: int
    replicates: int
    reason: str | None = None


@dataclass(frozen=True)
class Resample:
    """Draws of patients: `counts` (B, P) in ascending patient id; `patients` those ids; `n_pos` with a positive."""

    patients: tuple[str, ...]
    counts: Floats
    n_pos: int

    def of_units(self, patients: Sequence[str]) -> Floats:
        """The weights (B, N) of units by their patients."""
        place = {patient: i for i, patient in enumerate(self.patients)}
        return self.counts[:, np.array([place[patient] for patient in patients], np.int64)]


def resample(positive: dict[str, bool], *, replicates: int = REPLICATES, seed: Seed = 0) -> Resample:
    """`positive` maps a patient to whether any unit of theirs is positive.

    One stream of `default_rng(seed)`: per replicate first the patients without, then those with a positive unit.
    """
    patients = sorted(positive)
    groups = [np.array([i for i, p in enumerate(patients) if positive[p] is flag], np.int64) for flag in (False, True)]
    rng = np.random.default_rng(seed)
    counts = np.zeros((replicates, len(patients)))
    for row in counts:
        for group in groups:
            if len(group):
                drawn = group[rng.integers(0, len(group), size=len(group))]
                row += np.bincount(drawn, minlength=len(patients))
    return Resample(patients=tuple(patients), counts=counts, n_pos=len(groups[1]))


def differ(draws: Floats) -> bool:
    """Whether draws (B, N) are not all the same one, as they are where each side has one patient at most."""
    return bool((draws != draws[0]).any())


def percentile(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The middle `level` of replicates; those without a value (NaN) are dropped and counted."""
    drawn = np.asarray(values, np.float64)
    known = drawn[~np.isnan(drawn)]
    dropped = len(drawn) - len(known)
    if len(known) < 2 or dropped > MOST_DROPPED * len(drawn):
        return Interval(ci=None, se=None, dropped=dropped, replicates=len(drawn), reason="too_few")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval((float(low), float(high)), float(known.std(ddof=1)), dropped, len(drawn))


def undrawn(replicates: int) -> Interval:
    """What is said where all draws are the same: their interval would be a point, and look like certainty."""
    return Interval(ci=None, se=None, dropped=0, replicates=replicates, reason="too_few")


def described(interval: Interval, n_pos_patients: int) -> dict[str, Any]:
    """The interval's fields of a row of metrics.json."""
    params: dict[str, Any] = {"replicates": interval.replicates, "dropped": interval.dropped}
    if interval.se is not None:
        params["se"] = interval.se
    if interval.reason:
        params["ci_reason"] = interval.reason
    if n_pos_patients < WIDE_BELOW:
        params["wide"] = True
    return {
        "ci": list(interval.ci) if interval.ci else None,
        "ci_method": "patient_bootstrap_percentile",
        "params": params,
    }
