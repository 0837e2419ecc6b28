"""docs/methods-table.md: what is known of every method, from the committed figures alone. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.methods.columns import COLUMNS, Column, cells
from ml.runs.catalogue import read_catalogue

ROOT = Path(__file__).resolve().parents[2]
CALIBRATION = ROOT / "tests" / "ml" / "calibration"
RESULTS = ROOT / "bench" / "methods" / "results"

INTRODUCTION = """\
One row a method. *T-true*: the learning check on phantoms that need what is distinctive about the method: the method
itself, a stub of it (the same without that part), a trivial baseline; a check is accepted by rule, whose figures and
reasons stand in `tests/ml/calibration/`. *Seconds*: of one such run at `tiny`, with preparation and prediction, on one
thread; those of the first checks are of the wall, on a machine that other work shared. *Real data*: size `tiny` with
its default steps, cross-validated by patient, the 95 % interval of the patient bootstrap; better or worse is said
only where the interval of the paired difference to the best baseline of the task stays on one side of 0. What these
small networks do on small public sets says little about the large ones. How it is measured, and how to go on:
[bench/methods](../bench/methods/README.md). Weights are those of all stages.

| row | method | serves (fidelity) | weights (tiny) | T-true | seconds | real data |
| --- | --- | --- | --- | --- | --- | --- |
"""

ABOUT_SECONDS = """\
*Seconds a fold*: of training, prediction and evaluation of one fold on one thread, by the wall; cells were measured on
machines of two cores and, where their file says so (`cores`), of sixteen, some beside others.
"""


def path_of(column: str, method: str) -> Path:
    return RESULTS / f"{column}--{method}.json"


def measured(column: Column, method: str) -> dict[str, Any] | None:
    """What a cell came to; None where it was not run."""
    path = path_of(column.name, method)
    return json.loads(path.read_text()) if path.exists() else None


def page(head: str) -> str:
    """The page; `head` says that it is generated."""
    table = "\n".join(_rows()) + "\n\n"
    return "# Methods, measured\n\n" + head + INTRODUCTION + table + _left() + _notes() + _baselines()


def _rows() -> Iterator[str]:
    for method in read_catalogue():
        name = str(method["name"])
        serves = "<br>".join(f"{own['task']} ({own['fidelity']})" for own in method["serves"])
        said = [_said(column, name) for column, own in cells() if own == name]
        checked, seconds = _checked(name)
        weights = f"{method['parameters']['tiny']:,}"
        row = method["seed_row"] or "-"
        yield f"| {row} | `{name}` | {serves} | {weights} | {checked} | {seconds} | {'<br>'.join(said)} |"


def _said(column: Column, method: str) -> str:
    cell = measured(column, method)
    level = (cell or {}).get("level", column.level)
    title = column.title if level == column.level else f"{column.title}, per {level}"
    return f"{title}: {cell_text(cell)}"


def _checked(method: str) -> tuple[str, str]:
    """What the learning check said, and the seconds of a run of the method itself."""
    found = [json.loads(path.read_text()) for path in sorted(CALIBRATION.glob("*.json"))]
    for document in found:
        if document["method"] == method:
            # null: a run that was suspended meanwhile.
            seconds = [run["seconds"] for run in document["runs"] if run["side"] == "true" and run["seconds"]]
            mean = f"{sum(seconds) / len(seconds):.0f}" if seconds else "-"
            return f"{document['check']['metric']}: {summary(document)}", mean
    return "properties only: not calibrated", "-"


def summary(document: Mapping[str, Any]) -> str:
    """One line: figures of the sides, threshold, verdict."""
    true, stub = values(document, "true"), values(document, "stub")
    if not true or not stub:
        return "not run"
    (name, baseline), *_ = document["baselines"].items()
    said = f"true {span(true)}, stub {span(stub)}, {name} {baseline:.3f}"
    if document["accepted"]:
        return f"{said}: accepted, threshold {document['threshold']:.3f}"
    return f"{said}: not accepted ({'; '.join(document['reasons'])})"


def values(document: Mapping[str, Any], side: str) -> list[float]:
    """Figures of one side, in the order of the seeds."""
    return [run["value"] for run in sorted(document["runs"], key=lambda run: run["seed"]) if run["side"] == side]


def span(figures: Sequence[float]) -> str:
    """.55-.59 (3 seeds)."""
    return f"{min(figures):.3f} to {max(figures):.3f} ({len(figures)} seed{'s' * (len(figures) > 1)})"


def cell_text(cell: Mapping[str, Any] | None) -> str:
    """0.52 [0.31, 0.70], 40 patients; best baseline otsu 0.60, difference -0.08 [-0.21, 0.05], no better."""
    if cell is None:
        return "not run"
    if "refuses" in cell:
        return f"refuses: {cell['refuses']}"
    text = interval(cell) + (f", {cell['patients']} patients" if cell.get("patients") else "")
    known = {name: own for name, own in cell["baselines"].items() if own["value"] is not None}
    if known:
        best = max(known, key=lambda name: known[name]["value"])
        gap = cell["differences"].get(best, {"value": None, "ci": None})
        text += f"; best baseline {best} {interval(known[best])}, difference {interval(gap)}, {verdict(gap)}"
    return text


def verdict(gap: Mapping[str, Any]) -> str:
    """What an interval of a difference allows to be said."""
    if not gap["ci"]:
        return "nothing to be said"
    low, high = gap["ci"]
    return "better" if low > 0 else "worse" if high < 0 else "no better"


def interval(row: Mapping[str, Any]) -> str:
    """A figure is never said without its interval."""
    if row["value"] is None:
        return f"undefined ({row.get('reason') or 'no figure'})"
    ends = "no interval" if not row["ci"] else f"{row['ci'][0]:.2f}, {row['ci'][1]:.2f}"
    return f"{row['value']:.2f} [{ends}]"


def _left() -> str:
    known = [measured(column, method) for column, method in cells()]
    run = sum(cell is not None for cell in known)
    return f"{run} of {len(known)} cells of real data have been run.\n"


def _notes() -> str:
    """Why methods do no better, by column."""
    told = [f"- {column.title}: {column.note}\n" for column in COLUMNS if column.note]
    return "\n## Why some are no better\n\n" + "".join(told)


def _baselines() -> str:
    """Every difference to every baseline, for whoever wants more than the best."""
    lines = ["\n## Beside each baseline\n", ABOUT_SECONDS,
             "| column | method | seconds a fold | figure | baseline | its figure | difference |",
             "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for column, method in cells():
        cell = measured(column, method)
        for name, own in (cell or {}).get("baselines", {}).items():
            gap = cell["differences"].get(name, {"value": None, "ci": None}) if cell else {}
            figures = f"{interval(cell or {})} | {name} | {interval(own)} | {interval(gap)}"
            lines.append(f"| {column.title} | `{method}` | {_seconds_a_fold(cell or {})} | {figures} |")
    return "\n".join(lines) + "\n" if len(lines) > 4 else ""


def _seconds_a_fold(cell: Mapping[str, Any]) -> str:
    return f"{cell['seconds'] / cell['folds']:.0f}" if cell.get("seconds") else "-"
