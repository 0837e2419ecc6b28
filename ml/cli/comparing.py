"""`python -m ml compare A B`: two finished runs on the patients that both were tested on. No torch, no pixels."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from ml.cli.merging import Fold, read_fold
from ml.evaluation.comparing import Comparison, NotComparable
from ml.evaluation.comparing import compare as compared
from ml.evaluation.refusing import refusing
from ml.evaluation.report import TASKS
from ml.evaluation.reports.rows import OTHER
from ml.runs import versions
from ml.runs.errors import invalid, refused


def compare(arguments: argparse.Namespace) -> int:
    """Print both runs' figures and the difference with its interval. Raises RunRefused (exit 2 or 3)."""
    one, other = (read_fold(path, use_pixels=False) for path in (arguments.one, arguments.other))
    _require_alike(one, other)
    try:
        with refusing():
            found = compared(one.asked, other.asked, one.task, split=arguments.split)
    except NotComparable as error:
        raise refused("not_comparable", str(error)) from None
    if arguments.json:
        print(json.dumps(_document(one, other, found), allow_nan=False))
    for line in lines(found, one.request.run_id, other.request.run_id):
        print(line, file=sys.stderr)
    return 0


def lines(found: Comparison, one: str, other: str) -> list[str]:
    """For people: the leading figures of both, the difference, and whether its interval leaves 0 out."""
    by_name = {(row["target"], row["level"], row["name"]): row for row in found.metrics}
    told = [f"{found.patients} patients; 95 % intervals of the difference by drawing them again, for both at once"]
    width = max((len(_called(row)) for row in found.headline), default=0)
    for row in found.headline:
        values = [
            by_name[row["target"], row["level"], name]["value"]
            for name in (row["metric"], f"baseline:{OTHER}:{row['metric']}")
        ]
        low_high = "no interval" if row["ci"] is None else f"{row['ci'][0]:+.3f} to {row['ci'][1]:+.3f}"
        gap = "-" if row["value"] is None else f"{row['value']:+.3f}"
        told.append(
            f"{_called(row):{width}}  {one} {_number(values[0])}  {other} {_number(values[1])}  "
            f"difference {gap} ({low_high}): {_verdict(row, one, other)}"
        )
    return told


def _called(row: Mapping[str, Any]) -> str:
    return f"{row['target']} {row['metric']}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{round(value, 3) + 0.0:.3f}"  # + 0.0: no minus before a nought


def _verdict(row: Mapping[str, Any], one: str, other: str) -> str:
    if row["ci"] is None or row["ci"][0] <= 0 <= row["ci"][1]:
        return "no difference shown"
    first = row["params"]["better"]
    return f"{one if first else other} is better"


def _require_alike(one: Fold, other: Fold) -> None:
    if one.task not in TASKS:
        raise invalid("task_unknown", f"the task {one.task!r} has no report")
    for name, own, theirs in (
        ("task", one.task, other.task),
        ("target", one.asked.target, other.asked.target),
        ("labels", one.asked.labels, other.asked.labels),
    ):
        if own != theirs:
            raise invalid("not_comparable", f"the runs have another {name}: {own!r} and {theirs!r}")


def _document(one: Fold, other: Fold, found: Comparison) -> dict[str, Any]:
    return {
        "schema": versions.tag("metrics"),
        "runs": [one.request.run_id, other.request.run_id],
        "task": one.task,
        "patients": found.patients,
        "metrics": found.metrics,
        "headline": {f"{row['target']}:{row['metric']}": row["value"] for row in found.headline},
    }
