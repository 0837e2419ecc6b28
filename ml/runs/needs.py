"""What a method needs of the data, and what a set of rows offers: so that the form can say why not."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ml.runs.manifest import ManifestRow
from ml.runs.request import USUAL_KINDS

Label = Literal["density", "box", "outline", "pathology", "outcome", "asymmetry"]

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


def label_counts(
    rows: Iterable[ManifestRow], findings: Sequence[str], kinds: Sequence[str] = USUAL_KINDS
) -> dict[str, Counter[str]]:
    """Per kind of label, how many training units (exams for density, else marks or images) carry each value."""
    counts: dict[str, Counter[str]] = {label: Counter() for label in get_args(Label)}
    exams: dict[str, str] = {}
    for row in rows:
        if row.split != "train" or row.image_kind not in kinds:
            continue
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
    return {label: +counter for label, counter in counts.items()}


_WORDS = {
    "density": "exams with a density",
    "box": "marked findings",
    "outline": "outlined findings",
    "pathology": "findings with a pathology",
    "outcome": "images with an outcome",
    "asymmetry": "asymmetries",
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
        elif classes < need.min_classes:
            sentences.append(f"Needs {words} of at least {need.min_classes} classes for training; there are {classes}.")
    return sentences
