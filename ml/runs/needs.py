"""What a method needs of the data, and what a set of rows offers: so that the form can say why not."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from ml.runs.manifest import ManifestRow
from ml.runs.request import USUAL_KINDS
from ml.runs.truths import outcome_of, presence_of

Label = Literal[
    "density", "box", "outline", "pathology", "outcome", "asymmetry", "image_class", "breast_class", "exam_class"
]  # fmt: skip

BOXED = {"box", "circle", "ellipse", "polygon"}
OUTLINED = {"polygon", "mask"}


@dataclass(frozen=True, kw_only=True)
class Need:
    """One kind of label: at least `min_train` training units with it, and `min_classes` different values of it.

    `tasks` are those that need it; none = all that the method serves.
    """

    label: Label
    min_train: int = 1
    min_classes: int = 1
    min_per_class: int = 1
    views: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


#: What is one unit of a classifier of images, of breasts, of exams.
_UNITS: Mapping[Label, Callable[[ManifestRow], Hashable]] = {
    "image_class": lambda row: row.image_id,
    "breast_class": lambda row: (row.exam_id, row.laterality),
    "exam_class": lambda row: row.exam_id,
}


def label_counts(
    rows: Iterable[ManifestRow],
    findings: Sequence[str],
    kinds: Sequence[str] = USUAL_KINDS,
    target: str | None = None,
) -> dict[str, Counter[str]]:
    """Per kind of label, how many training units (exams for density, else marks or images) carry each value.

    target: what a class is, `outcome` or `presence` of a finding; none named: the outcome, where both are there.
    """
    counts: dict[str, Counter[str]] = {label: Counter() for label in get_args(Label)}
    exams: dict[str, str] = {}
    taught = [row for row in rows if row.split == "train" and row.image_kind in kinds]
    for row in taught:
        if row.density and row.density.label:
            exams[row.exam_id] = row.density.label
        if row.outcome and row.outcome.cancer is not None:
            counts["outcome"][str(row.outcome.cancer)] += 1
        for finding in row.findings:
            if findings and finding.type not in findings:
                continue
            drawn = {mark.kind for mark in finding.marks}
            counts["box"][finding.type] += bool(drawn & BOXED)
            counts["outline"][finding.type] += bool(drawn & OUTLINED)
            counts["pathology"][finding.pathology] += finding.pathology != "unknown"
            counts["asymmetry"]["1"] += finding.type == "asymmetry"
    counts["density"] = Counter(exams.values())
    by_outcome = target == "outcome" if target else len(counts["outcome"]) > 1
    for label, unit in _UNITS.items():
        counts[label] = _classes(taught, unit, outcome_of if by_outcome else partial(presence_of, findings=findings))
    return {label: +counter for label, counter in counts.items()}


def _classes(
    rows: Iterable[ManifestRow],
    unit: Callable[[ManifestRow], Hashable],
    truth: Callable[[Sequence[ManifestRow]], int | None],
) -> Counter[str]:
    """Units by class; those of which nothing is known are of none."""
    units: dict[Hashable, list[ManifestRow]] = {}
    for row in rows:
        units.setdefault(unit(row), []).append(row)
    return Counter(str(known) for own in units.values() if (known := truth(own)) is not None)


_WORDS = {
    "density": "exams with a density",
    "box": "marked findings",
    "outline": "outlined findings",
    "pathology": "findings with a pathology",
    "outcome": "images with an outcome",
    "asymmetry": "asymmetries",
    "image_class": "images with or without a finding",
    "breast_class": "breasts with or without a finding",
    "exam_class": "exams with or without a finding",
}


def missing(
    needs: Iterable[Need | Mapping[str, Any]], counts: Mapping[str, Mapping[str, int]], task: str | None = None
) -> list[str]:
    """One sentence per need of a task that the training rows do not meet; an empty list means: go.

    Without a task all needs count. `needs` are Need records or the objects of the catalogue; `counts` as
    `label_counts` gives them (a snapshot's own counts serve as well).
    """
    sentences = []
    for entry in needs:
        need = entry if isinstance(entry, Need) else Need(**{k: v for k, v in entry.items() if k != "views"})
        if task is not None and need.tasks and task not in need.tasks:
            continue
        have = counts.get(need.label, {})
        words, total = _WORDS[need.label], sum(have.values())
        classes = sum(count >= need.min_per_class for count in have.values())
        if total < need.min_train:
            sentences.append(f"Needs at least {need.min_train} {words} for training; there are {total}.")
        elif classes < need.min_classes and need.label in _UNITS:
            lacking = "without" if have.get("1") else "with"
            sentences.append(f"Needs {words.partition(' ')[0]} {lacking} a finding for training too; there are none.")
        elif classes < need.min_classes:
            sentences.append(f"Needs {words} of at least {need.min_classes} classes for training; there are {classes}.")
    return sentences
