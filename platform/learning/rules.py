"""What may be trained, started from, promoted, ranked: functions of plain values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from learning.errors import ScoreRefused
from ml.acquisition.order import DEFAULT_WEIGHTS
from ml.runs.needs import missing

#: Tasks whose validation needs a label of their own.
_DENSITY_TASK = "density"

_NO_OUTCOMES = (
    "Readings here carry no outcome, however many there are: train it with `python -m ml train` on a manifest that has."
)


def weights_of(project_weights: Mapping[str, float]) -> dict[str, float]:
    """A project's weights over the defaults."""
    return {**DEFAULT_WEIGHTS, **{part: float(weight) for part, weight in project_weights.items()}}


def label_counts_of(counts: Mapping[str, Any], findings: Sequence[str]) -> dict[str, dict[str, int]]:
    """A snapshot's counts of its training part, as `ml.runs.needs.missing` wants them."""
    train = counts.get("by_split", {}).get("train", {})

    def of_findings(key: str) -> dict[str, int]:
        return {name: n for name, n in train.get(key, {}).items() if not findings or name in findings}

    return {
        "density": {name: n for name, n in train.get("density", {}).items() if name != "unknown"},
        "box": of_findings("marks"),
        "outline": of_findings("outlines"),
        "pathology": {name: n for name, n in train.get("pathology", {}).items() if name != "unknown"},
        "asymmetry": {"1": train.get("findings", {}).get("asymmetry", 0)},
        "pair_class": _pairs(train),
        # No reading and no importer here says what became of a breast: that is known years later, and elsewhere.
        "outcome": {},
        **_classes(train, findings),
    }


def _classes(train: Mapping[str, Any], findings: Sequence[str]) -> dict[str, dict[str, int]]:
    """Exams, and at least so many images, with and without a finding.

    Images are not counted one by one: where every finding is marked, those beyond the number of marks show none. They
    stand for breasts too; the learner, which sees each row, looks again.
    """
    exams, normal = train.get("exams", 0), train.get("normal_exams", 0)
    of_types = [n for name, n in train.get("findings", {}).items() if not findings or name in findings]
    found = min(exams - normal, sum(of_types))
    unmarked = train.get("images", 0) - sum(train.get("marks", {}).values())
    clean = max(normal, 0 if train.get("unmarked_findings") else unmarked)
    images = {"1": found, "0": clean}
    return {"exam_class": {"1": found, "0": normal}, "image_class": images, "breast_class": images}


def _pairs(train: Mapping[str, Any]) -> dict[str, int]:
    """Views of both breasts, at most so many with an asymmetry and at least so many without one.

    Pairs are not counted: two images are taken for one. Each mark of an asymmetry is in a pair of its own at most; a
    finding without a mark leaves open what all images of its breast show.
    """
    marked, found = (train.get(key, {}).get("asymmetry", 0) for key in ("marks", "findings"))
    clean = train.get("images", 0) // 2 - marked - 2 * train.get("unmarked_findings", 0)
    return {"1": max(marked, found), "0": max(train.get("normal_exams", 0), clean)}


def tasks_of(method: Mapping[str, Any]) -> list[str]:
    """The tasks that a method of the catalogue serves, its main one first."""
    return [served["task"] for served in method["serves"]]


def targets_of(method: Mapping[str, Any], task: str) -> list[str]:
    """What a run of a method of the catalogue may name as the label of a task that it serves."""
    return next(list(served["targets"]) for served in method["serves"] if served["task"] == task)


def refusal(method: Mapping[str, Any], counts: Mapping[str, Any], *, task: str | None = None) -> str | None:
    """Why this method cannot learn from a snapshot of these counts, in a sentence or two; None where it can."""
    task = task or method["task"]
    sentences = []
    if not counts.get("splits", {}).get("train"):
        return "No exam for training has been read yet."
    sentences += missing(method["needs"], label_counts_of(counts, method["findings"]), task)
    if any(need["label"] == "outcome" for need in method["needs"]):
        sentences.append(_NO_OUTCOMES)
    if not _can_validate(task, counts):
        sentences.append(
            "Needs at least one validation exam with a density; there is none."
            if task == _DENSITY_TASK
            else "Needs at least one validation exam; none has been read yet."
        )
    return " ".join(sentences) or None


def _can_validate(task: str, counts: Mapping[str, Any]) -> bool:
    val = counts.get("by_split", {}).get("val", {})
    if task == _DENSITY_TASK:
        return any(n for name, n in val.get("density", {}).items() if name != "unknown")
    return bool(val.get("exams"))


def finite_score(value: Any) -> float | None:
    """A score that may be stored; None is "not scored". Raises ScoreRefused on NaN, infinity, less than 0."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise ScoreRefused(found=str(value)[:20])
    return float(value)


def unit_of(row: Mapping[str, Any]) -> str:
    """What a prediction is about: its image, else its exam."""
    return str(row.get("image_id") or row["exam_id"])


def grouped_predictions(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Prediction rows by what they are about, in the order of the file."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(unit_of(row), []).append(dict(row))
    return groups


def progress_text(event: Mapping[str, Any]) -> str:
    """A `progress` event as a person reads it: stage, loss, time left."""
    parts = [str(event.get("stage") or "training")]
    if event.get("loss") is not None:
        parts.append(f"loss {event['loss']:.3f}")
    eta = event.get("eta_s")
    if eta is not None:
        parts.append(f"{round(eta / 60)} min left" if eta >= 90 else f"{round(eta)} s left")
    return ", ".join(parts)
