"""The closing table: what each round read, learned and took; as text and as JSON."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SCHEMA = "mammoloop.loop/1.0"
#: The figures that the table shows of a version, in this order, with what to call them.
HEADLINES = (
    ("qwk", "kappa"),
    ("accuracy", "accuracy"),
    ("froc_sens@0.25", "sens@0.25"),
    ("froc_sens@0.5", "sens@0.5"),
    ("froc_sens@1", "sens@1"),
    ("froc_sens@2", "sens@2"),
)
_NAMES = frozenset(name for name, _ in HEADLINES)


def test_metrics(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The table's figures of a version on all test patients, each with its interval and the baselines beside it."""
    return [
        {key: metric.get(key) for key in ("name", "target", "level", "value", "reason", "ci", "n_patients", "n_pos")}
        for metric in model["metrics"]
        if metric.get("split") == "test" and not metric.get("subgroup") and _is_headline(metric["name"])
    ]


def _is_headline(name: str) -> bool:
    """`qwk`, and `baseline:majority:qwk` and `difference:majority:qwk` beside it."""
    return name.rpartition(":")[2] in _NAMES and (":" not in name or name.startswith(("baseline:", "difference:")))


def figure(metrics: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    """The first metric of this name: over all findings, where there are several."""
    return next((metric for metric in metrics if metric["name"] == name), None)


def shown(metric: Mapping[str, Any] | None) -> str:
    """A metric as a cell: value and interval, or a dash and why."""
    if metric is None:
        return "-"
    if metric["value"] is None:
        return f"- ({metric['reason']})" if metric.get("reason") else "-"
    interval = metric.get("ci")
    return f"{metric['value']:.3f}" + (f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "")


def table(report: Mapping[str, Any]) -> str:
    """The closing table as text."""
    head = ["round", "exams read", "findings", "seconds", *[f"{task}" for task in _tasks(report)]]
    rows = [head]
    for entry in report["rounds"]:
        cells = [_headline(entry["models"].get(task)) for task in _tasks(report)]
        seconds = sum(entry["seconds"].values())
        rows.append([str(entry["round"]), str(entry["exams_read"]), str(entry["findings"]), f"{seconds:.0f}", *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    steps = [f"{name}: {seconds:.1f} s" for name, seconds in report["seconds"].items()]
    verdict = "every step held" if report["ok"] else f"FAILED: {report['failure']}"
    return "\n".join([*lines, "", *steps, "", f"{verdict}; {report['total_seconds']:.0f} s in all"])


def _tasks(report: Mapping[str, Any]) -> list[str]:
    return sorted({task for entry in report["rounds"] for task in entry["models"]})


def _headline(model: Mapping[str, Any] | None) -> str:
    if model is None:
        return "-"
    found = [(word, figure(model["metrics"], name)) for name, word in HEADLINES]
    cells = [f"{word} {shown(metric)}" for word, metric in found if metric is not None]
    return "; ".join(cells) or "no figure"


def write(report: Mapping[str, Any], path: Path) -> None:
    """Write the report as JSON, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)
