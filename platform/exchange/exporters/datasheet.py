"""The page that travels with an export: what it holds, where it came from, how to read it."""

from collections.abc import Mapping, Sequence
from typing import Any

_FILES = {
    "annotations.json": "COCO: every image, one entry a mark",
    "images.csv": "a row an image, normals included",
    "findings.csv": "a row a mark, and one for a finding that was not marked",
}

_MAPPED_DENSITY = (
    "Where `density_source` begins with `tissue3:`, density was mapped from three tissue classes (F to a, G to b, "
    "D to c); class d does not occur there."
)


def datasheet(head: Any, format_name: str, files: Sequence[str]) -> str:
    """Markdown; `head` is the Head of `package`."""
    counts = head.counts
    lines = [
        f"# MammoLoop snapshot v{head.number} as {format_name.upper()}",
        "",
        "For research, not a medical device.",
        "",
        f"- Snapshot `{head.id}`, frozen {head.frozen_at}",
        f"- SHA-256 of its labels: `{head.sha256}`",
        f"- Reference readings of imported data sets: {'taken' if head.policy.get('references') else 'not taken'}",
        "",
        "## What it holds",
        "",
        f"{counts['exams']} exams of {counts['patients']} patients, {counts['images']} images, "
        f"{counts['normal_exams']} exams without a finding; {counts['unmarked_findings']} findings without a mark.",
        "",
        *_table("finding", counts["findings"], "marks", counts["marks"]),
        "",
        *_table("density", counts["density"]),
        "",
        *_table("split", counts["splits"]),
        "",
        "The splits are by patient and were fixed when a patient was first seen.",
        "",
        "## How to read it",
        "",
        *[f"- `{name}`: {_FILES.get(name, 'part of the export')}" for name in files],
        "- `counts.json`, `sources.json`, `SHA256SUMS` (`sha256sum -c SHA256SUMS`)",
        "",
        "Coordinates are stored pixels: the origin is the outer corner of the top left pixel, x to the right, y down, "
        "so the centre of the first pixel is (0.5, 0.5). Spacing is row, then column, in mm. A finding may have no "
        "mark: its image is not normal. Findings with `difficulty: ignore` should count neither for nor against.",
        _MAPPED_DENSITY,
        "",
        "## Sources",
        "",
    ]
    for source in head.sources:
        lines += [f"### {source['name']}", "", f"Licence: {source['licence']}", ""]
        if source["citation"]:
            lines += [f"Citation: {source['citation']}", ""]
    return "\n".join(lines)


def _table(
    name: str, counts: Mapping[str, int], more_name: str = "", more: Mapping[str, int] | None = None
) -> list[str]:
    head, rule = f"| {name} | n |", "| --- | ---: |"
    if more is None:
        return [head, rule, *[f"| {key} | {n} |" for key, n in counts.items()]]
    head, rule = head + f" {more_name} |", rule + " ---: |"
    return [head, rule, *[f"| {key} | {n} | {more.get(key, 0)} |" for key, n in counts.items()]]
