"""Yes or no of a breast, an exam, a patient: what is true, and what the images say together.

What is true of an image is 1, 0 or None (nobody knows); a breast, an exam, a patient is positive if a part of it is,
negative only if every part is known to be. Scores go up by their maximum, unless there are rows of the level itself.
A manifest has no dates, so no exam is a patient's latest, by whom one might judge her: all of them are hers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ml.evaluation.reports.asked import Row
from ml.evaluation.undefined import NotAScore

Floats = npt.NDArray[np.float64]
Key = tuple[str, ...]
Truth = Callable[[Row, Sequence[str]], int | None]
LEVELS = ("image", "breast", "exam", "patient")
POSITIVE = 1
"""Place of the positive class in the labels."""


def key_of(row: Row, level: str) -> Key:
    """The unit of a level that an image belongs to. Without laterality all such images of an exam are one breast."""
    patient, exam = row["patient_id"], row["exam_id"]
    breast = (patient, exam, row.get("laterality") or "")
    return {"patient": (patient,), "exam": (patient, exam), "breast": breast, "image": (*breast, row["image_id"])}[
        level
    ]


def outcome(row: Row, findings: Sequence[str]) -> int | None:
    """Cancer in this breast."""
    known = (row.get("outcome") or {}).get("cancer")
    return None if known is None else int(known)


def presence(row: Row, findings: Sequence[str]) -> int | None:
    """A finding of these types (none named: of any). Only a complete image says no; one to be ignored says nothing."""
    own = _asked(row, findings)
    if any(finding.get("difficulty") != "ignore" for finding in own):
        return 1
    return 0 if row.get("complete") and not own else None


def pathology(row: Row, findings: Sequence[str]) -> int | None:
    """A malignant finding of these types. Only a complete image without one of unknown pathology says no."""
    own = {finding.get("pathology") or "unknown" for finding in _asked(row, findings)}
    if "malignant" in own:
        return 1
    return 0 if row.get("complete") and "unknown" not in own else None


def asymmetry(row: Row, findings: Sequence[str]) -> int | None:
    """A finding of type asymmetry."""
    return presence(row, ("asymmetry",))


TRUTHS: Mapping[str, Truth] = {
    "outcome": outcome, "presence": presence, "pathology": pathology, "asymmetry": asymmetry,
}  # fmt: skip


def truths(rows: Iterable[Row], target: str, findings: Sequence[str], level: str) -> dict[Key, int]:
    """Unit to 1 or 0, for the units of which it is known. Raises ValueError for a target that is none of `TRUTHS`."""
    if target not in TRUTHS:
        raise ValueError(f"{target!r} is not true or false of an exam")
    breasts: dict[Key, list[int | None]] = {}
    for row in rows:
        breasts.setdefault(key_of(row, "breast"), []).append(TRUTHS[target](row, findings))
    if target == "outcome":  # one statement about the breast, copied to its images: those without it do not gainsay
        breasts = {key: [one for one in said if one is not None] or [None] for key, said in breasts.items()}
    length = {"breast": 3, "exam": 2, "patient": 1}[level]
    units: dict[Key, list[int | None]] = {}
    for key, said in breasts.items():
        units.setdefault(key[:length], []).extend(said)
    known = {key: 1 if 1 in said else None if None in said else 0 for key, said in units.items()}
    return {key: value for key, value in known.items() if value is not None}


def scores(predictions: Iterable[Row], manifest: Sequence[Row], target: str) -> dict[str, dict[Key, float]]:
    """Level to unit to the probability of the positive class, as predicted. Raises NotAScore."""
    by_image = {row["image_id"]: row for row in manifest}
    found: dict[str, dict[Key, float]] = {level: {} for level in LEVELS}
    for row in predictions:
        wanted = row.get("kind") == "prob" and row.get("target") == target and row.get("class_index") == POSITIVE
        if not wanted or row["level"] not in LEVELS:
            continue
        if not np.isfinite(row["prob"]):
            raise NotAScore(f"a probability of {target} is NaN or infinite")
        # An image's breast is the manifest's: a model need not repeat it.
        about = by_image.get(row.get("image_id"), row) if row["level"] == "image" else row
        found[row["level"]][key_of(about, row["level"])] = float(row["prob"])
    return found


def together(said: Mapping[str, Mapping[Key, float]], level: str) -> dict[Key, float]:
    """Unit to its score: that of its own level, else the maximum over its parts."""
    found: dict[Key, float] = {}
    for own in LEVELS[: LEVELS.index(level) + 1]:
        if own != "image":
            length = {"breast": 3, "exam": 2, "patient": 1}[own]
            parts: dict[Key, float] = {}
            for key, value in found.items():
                parts[key[:length]] = max(value, parts.get(key[:length], -np.inf))
            found = parts
        found |= dict(said.get(own, {}))
    return found


@dataclass(frozen=True)
class Units:
    """Units of one level and split that are known and answered: truth y (N,), probability p (N,), by id.

    rows: an image's manifest row for each (the first by id); parts: all its images. others: baselines' scores (N,).
    called: (N,) whether p reaches the threshold chosen on validation, None without one. folds: (N,) in a merger.
    """

    level: str
    ids: tuple[Key, ...] = ()
    y: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    p: Floats = field(default_factory=lambda: np.zeros(0))
    parts: tuple[tuple[Row, ...], ...] = ()
    others: Mapping[str, Floats] = field(default_factory=dict)
    threshold: float | None = None
    called: npt.NDArray[np.bool_] | None = None
    unanswered: int = 0
    unknown: int = 0
    folds: npt.NDArray[np.int64] | None = None

    @property
    def patients(self) -> tuple[str, ...]:
        return tuple(key[0] for key in self.ids)

    @property
    def one_a_patient(self) -> bool:
        return len(set(self.patients)) == len(self.ids)

    def each_fold(self) -> list[tuple[dict[str, int], Units]]:
        """The folds of a merger with their number, else all units at once."""
        if self.folds is None:
            return [({}, self)]
        return [({"fold": int(k)}, self.only(self.folds == k)) for k in np.unique(self.folds)]

    def only(self, keep: npt.NDArray[np.bool_]) -> Units:
        """The units where `keep` (N,) is True."""
        places = np.flatnonzero(keep)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in places), y=self.y[keep], p=self.p[keep],
            parts=tuple(self.parts[i] for i in places),
            others={name: s[keep] for name, s in self.others.items()},
            called=None if self.called is None else self.called[keep],
            folds=None if self.folds is None else self.folds[keep],
        )  # fmt: skip


def units_of(
    rows: Sequence[Row],
    level: str,
    target: str,
    findings: Sequence[str],
    said: Mapping[str, Mapping[Key, float]],
    others: Mapping[str, Mapping[str, Mapping[Key, float]]],
) -> Units:
    """The units of a level among the images `rows`. A baseline that is silent on a unit gives it 0."""
    parts: dict[Key, list[Row]] = {}
    for row in sorted(rows, key=lambda row: str(row["image_id"])):
        parts.setdefault(key_of(row, level), []).append(row)
    known = truths(rows, target, findings, level)
    answered = together(said, level)
    ids = tuple(key for key in sorted(known) if key in answered)
    beside = {name: together(own, level) for name, own in others.items()}
    return Units(
        level=level,
        ids=ids,
        y=np.array([known[key] for key in ids], np.int64),
        p=np.array([answered[key] for key in ids], np.float64),
        parts=tuple(tuple(parts[key]) for key in ids),
        others={name: np.array([own.get(key, 0.0) for key in ids], np.float64) for name, own in beside.items()},
        unanswered=len(known) - len(ids),
        unknown=len(parts) - len(known),
    )


def joined(folds: Sequence[Units]) -> Units:
    """The units of several folds as one, each keeping the threshold of its own."""
    names = set.intersection(*(set(fold.others) for fold in folds))
    called = [fold.called for fold in folds if fold.called is not None]
    return Units(
        level=folds[0].level,
        ids=tuple(key for fold in folds for key in fold.ids),
        y=np.concatenate([fold.y for fold in folds]),
        p=np.concatenate([fold.p for fold in folds]),
        parts=tuple(own for fold in folds for own in fold.parts),
        others={name: np.concatenate([fold.others[name] for fold in folds]) for name in sorted(names)},
        called=np.concatenate(called) if len(called) == len(folds) else None,
        unanswered=sum(fold.unanswered for fold in folds),
        unknown=sum(fold.unknown for fold in folds),
        folds=np.repeat(np.arange(len(folds)), [len(fold.ids) for fold in folds]),
    )


def _asked(row: Row, findings: Sequence[str]) -> list[Row]:
    return [finding for finding in row.get("findings") or () if not findings or finding["type"] in findings]
