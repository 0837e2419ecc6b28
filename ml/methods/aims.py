"""What a run learns, settled from the method, the request and the labels that are there. No torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from ml.methods.spec import Aim, MethodSpec, Serves, Task
from ml.runs.errors import invalid
from ml.runs.manifest import DENSITY_LABELS, TISSUES, ManifestRow
from ml.runs.request import TargetKind

BINARY = ("negative", "positive")
PATHOLOGIES = ("benign", "malignant")
ROI_PRESENCE = ("background", "lesion")

#: The targets that serve a task; the default is the one that a method prefers, or else the first that the training rows
#: can teach, or else the last.
TARGETS: Mapping[Task, tuple[str, ...]] = {
    "density": ("density",),
    "asymmetry": ("asymmetry",),
    "lesion_detection": ("boxes",),
    "lesion_classification": ("pathology", "presence"),
    "segmentation": ("tissue", "mask"),
    "exam_classification": ("outcome", "presence"),
}
#: The usual classes of a target; those of `boxes` are the findings.
CLASSES: Mapping[str, tuple[str, ...]] = {
    "density": DENSITY_LABELS,
    "tissue": TISSUES,
    "mask": ("lesion",),
    "outcome": BINARY,
    "presence": BINARY,
    "asymmetry": ("absent", "present"),
    "pathology": PATHOLOGIES,
}


def as_task(name: str) -> Task:
    """A task by its name. Raises RunRefused (exit 2, `task_unknown`)."""
    found: Task | None = next((task for task in TARGETS if task == name), None)
    if found is None:
        raise invalid("task_unknown", f"there is no task named {name!r}")
    return found


def askable(served: Serves) -> list[str]:
    """The targets that a request can name for a task that a method serves, the preferred one first."""
    kinds = [kind for kind in TARGETS[served.task] if kind in get_args(TargetKind)]
    return sorted(kinds, key=lambda kind: kind != served.target)


def aim_of(
    method: MethodSpec,
    config: Any,
    rows: Sequence[ManifestRow],
    *,
    task: str | None = None,
    findings: Sequence[str] = (),
    target: str | None = None,
) -> Aim:
    """The aim of a run on these training rows. Raises RunRefused (exit 2: task_unknown, target_unknown)."""
    served = {entry.task: entry for entry in method.serves}
    wanted = task or method.task
    if wanted not in served:
        raise invalid("task_unknown", f"{method.name} serves {', '.join(served)}, not {wanted}")
    entry = served[wanted]
    known = entry.task
    wanted_findings = tuple(findings or method.findings)
    if target is not None and target not in TARGETS[known]:
        raise invalid("target_unknown", f"{known} learns {' or '.join(TARGETS[known])}, not {target}")
    kind = target or entry.target or _first_taught(known, rows, wanted_findings)
    labels = method.classes(config, known) or _usual(known, kind, wanted_findings)
    return Aim(task=known, labels=labels, target=kind, findings=wanted_findings)


def _usual(task: Task, target: str, findings: tuple[str, ...]) -> tuple[str, ...]:
    if target == "boxes":
        return findings
    if task == "lesion_classification" and target == "presence":
        return ROI_PRESENCE
    return CLASSES[target]


def _first_taught(task: Task, rows: Sequence[ManifestRow], findings: tuple[str, ...]) -> str:
    candidates = TARGETS[task]
    return next((kind for kind in candidates if _TEACHES.get(kind, _always)(rows, findings)), candidates[-1])


def _always(rows: Sequence[ManifestRow], findings: tuple[str, ...]) -> bool:
    return True


def _pathologies(rows: Sequence[ManifestRow], findings: tuple[str, ...]) -> bool:
    """Both are there."""
    found = {f.pathology for row in rows for f in row.findings if f.marks and (not findings or f.type in findings)}
    return set(PATHOLOGIES) <= found


def _outcomes(rows: Sequence[ManifestRow], findings: tuple[str, ...]) -> bool:
    """Both are there."""
    return {0, 1} <= {row.outcome.cancer for row in rows if row.outcome is not None}


def _tissues(rows: Sequence[ManifestRow], findings: tuple[str, ...]) -> bool:
    return any(mark.kind == "label_map" for row in rows for f in row.findings for mark in f.marks)


_TEACHES: Mapping[str, Callable[[Sequence[ManifestRow], tuple[str, ...]], bool]] = {
    "pathology": _pathologies,
    "outcome": _outcomes,
    "tissue": _tissues,
}
