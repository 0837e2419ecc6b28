"""What a method needs of the data, and what a set of rows offers: so that the form can say why not."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from ml.runs.manifest import ManifestRow
from ml.runs.request import USUAL_KINDS
from ml.runs.truths import asymmetry_of, outcome_of, presence_of

Label = Literal[
    "density", "box", "outline", "pathology", "outcome", "asymmetry", "image_class", "breast_class", "exam_class",
    "pair_class",
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

    target: what a class is, `outcome` or `presence` of a finding; none named: the outcome, where both are there. Of
    `tissue`, outlines are maps of tissue.
    """
    counts: dict[str, Counter[str]] = {label: Counter() for label in get_args(Label)}
    exams: dict[str, str] = {}
    taught = [row for row in rows if row.split == "train" and row.image_kind in kinds]
    for row in taught:
        counts["outline"].update(_outlined(row, findings, target))
        if row.density and row.density.label:
            exams[row.exam_id] = row.density.label
        if row.outcome and row.outcome.cancer is not None:
            counts["outcome"][str(row.outcome.cancer)] += 1
        for finding in row.findings:
            if findings and finding.type not in findings:
                continue
            drawn = {mark.kind for mark in finding.marks}
            counts["box"][finding.type] += bool(drawn & BOXED)
            counts["pathology"][finding.pathology] += finding.pathology != "unknown"
            counts["asymmetry"]["1"] += finding.type == "asymmetry"
    counts["density"] = Counter(exams.values())
    by_outcome = target == "outcome" if target else len(counts["outcome"]) > 1
    for label, unit in _UNITS.items():
        counts[label] = _classes(taught, unit, outcome_of if by_outcome else partial(presence_of, findings=findings))
    counts["pair_class"] = _classes(taught, lambda row: (row.exam_id, row.view), _asymmetry_of_pair)
    return {label: +counter for label, counter in counts.items()}


def _outlined(row: ManifestRow, findings: Sequence[str], target: str | None) -> Iterator[str]:
    """What of an image is outlined: findings that are asked of; or its tissue, whatever finding brings its map."""
    drawn = [(own.type, {mark.kind for mark in own.marks}) for own in row.findings]
    if target == "tissue":
        if any("label_map" in kinds for _, kinds in drawn):
            yield "tissue"
    else:
        yield from (kind for kind, kinds in drawn if kinds & OUTLINED and (not findings or kind in findings))


def _asymmetry_of_pair(rows: Sequence[ManifestRow]) -> int | None:
    """Of both breasts in one view; one alone cannot be compared with anything."""
    return asymmetry_of(rows) if len(rows) > 1 and {"R", "L"} <= {row.laterality for row in rows} else None


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
    "outline": "outlines",
    "pathology": "findings with a pathology",
    "outcome": "images with an outcome",
    "asymmetry": "asymmetries",
    "image_class": "images with or without a finding",
    "breast_class": "breasts with or without a finding",
    "exam_class": "exams with or without a finding",
    "pair_class": "pairs of breasts with or without an asymmetry",
}
#: Labels of two classes: the units, and what they have or lack.
_HAVE_OR_LACK = {
    label: (words.partition(" with or without ")[0], words.partition(" with or without ")[2])
    for label, words in _WORDS.items()
    if " with or without " in words
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
        elif classes < need.min_classes and need.label in _HAVE_OR_LACK:
            sentences.append(_of_one_class(need, have))
        elif classes < need.min_classes:
            sentences.append(
                f"Needs {words} of at least {need.min_classes} classes for training; there {_are(classes)}."
            )
    return sentences


def _of_one_class(need: Need, have: Mapping[str, int]) -> str:
    """What is said where the units with what is asked, or those without it, are too few."""
    units, what = _HAVE_OR_LACK[need.label]
    value, lacking = ("0", "without") if have.get("1", 0) >= need.min_per_class else ("1", "with")
    if not (count := have.get(value, 0)):
        return f"Needs {units} {lacking} {what} for training too; there are none."
    return f"Needs at least {need.min_per_class} {units} {lacking} {what} for training; there {_are(count)}."


def _are(count: int) -> str:
    return f"is {count}" if count == 1 else f"are {count}"
