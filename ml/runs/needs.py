"""What a method needs of the data, and what a set of rows offers: so that the form can say why not."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ml.runs.manifest import ManifestRow
from ml.runs.request import USUAL_KINDS

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
    rows: Iterable[ManifestRow], findings: Sequence[str], kinds: Sequence[str] = USUAL_KINDS
) -> dict[str, Counter[str]]:
    """Per kind of label, how many training units (exams for density, else marks or images) carry each value."""
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
    known = _outcome if len(counts["outcome"]) > 1 else _presence
    for label, unit in _UNITS.items():
        counts[label] = _classes(taught, unit, lambda row: known(row, findings))
    return {label: +counter for label, counter in counts.items()}


def _outcome(row: ManifestRow, findings: Sequence[str]) -> int | None:
    """What is known of the breast's cancer."""
    return row.outcome.cancer if row.outcome else None


def _presence(row: ManifestRow, findings: Sequence[str]) -> int | None:
    """1 with a finding of these types, 0 where the image is complete and has none of any type, else None."""
    types = [finding.type for finding in row.findings if finding.difficulty != "ignore"]
    if any(not findings or kind in findings for kind in types):
        return 1
    return 0 if not types and row.complete else None


def _classes(
    rows: Iterable[ManifestRow], unit: Callable[[ManifestRow], Hashable], known: Callable[[ManifestRow], int | None]
) -> Counter[str]:
    """Units by class: 1 where one of its images has it, 0 where all have 0; others are of no class."""
    said: dict[Hashable, set[int | None]] = {}
    for row in rows:
        said.setdefault(unit(row), set()).add(known(row))
    found = ("1" if 1 in values else "0" for values in said.values() if 1 in values or values == {0})
    return Counter(found)


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
            sentences.append(f"Needs at least {need.min_train} {words} for training; there {_are(total)}.")
        elif classes < need.min_classes and need.label in _UNITS:
            lacking = "without" if have.get("1") else "with"
            sentences.append(f"Needs {words.partition(' ')[0]} {lacking} a finding for training too; there are none.")
        elif classes < need.min_classes:
            sentences.append(
                f"Needs {words} of at least {need.min_classes} classes for training; there {_are(classes)}."
            )
    return sentences


def _are(count: int) -> str:
    return f"is {count}" if count == 1 else f"are {count}"
