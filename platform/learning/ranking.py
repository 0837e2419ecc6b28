"""Draw a round from its input alone: the same input gives the same list on every machine, at any time."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ml.acquisition.order import order

SCHEMA = "mammoloop.ranking/1.0"
#: How the order is made, shown beside it: by uncertainty, or by keyed chance while nothing is scored.
UNCERTAINTY, KEYED = "uncertainty", "keyed_random"


@dataclass(frozen=True)
class Ranked:
    """An exam's place."""

    position: int
    exam_id: str
    score: float | None
    reason: dict[str, Any]


def ranking_document(
    *,
    seed: int,
    weights: Mapping[str, float],
    versions: list[dict[str, Any]],
    parts_by_exam: Mapping[str, Mapping[str, float | None]],
) -> dict[str, Any]:
    """All that a ranking depends on, as plain JSON."""
    scored = any(value is not None for parts in parts_by_exam.values() for value in parts.values())
    return {
        "schema": SCHEMA,
        "strategy": UNCERTAINTY if scored else KEYED,
        "seed": seed,
        "weights": dict(weights),
        "versions": versions,
        "exams": {exam: dict(parts) for exam, parts in sorted(parts_by_exam.items())},
    }


def draw(document: Mapping[str, Any]) -> list[Ranked]:
    """The list, first to be read first. An empty pool gives an empty list."""
    rows = order(document["exams"], document["weights"], document["seed"])
    return [Ranked(position, exam, score, dict(reason)) for position, (exam, score, reason) in enumerate(rows, start=1)]


def batch_sha256(rows: Iterable[Ranked]) -> str:
    """Over the lines `position|exam|share`, joined by LF."""
    lines = "\n".join(f"{row.position}|{row.exam_id}|ranked" for row in rows)
    return hashlib.sha256(lines.encode()).hexdigest()
