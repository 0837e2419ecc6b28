"""What a version predicts, kept as `ml` wrote it: one row for each image and each exam."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from learning.errors import ResultUnreadable
from learning.models import ModelVersion, Prediction
from learning.rules import grouped_predictions

_CHUNK = 500


def store_predictions(version: ModelVersion, path: Path) -> int:
    """Store the rows of `predictions.jsonl`, written once per version and unit. Raises ResultUnreadable."""
    if not path.exists():
        return 0
    groups = grouped_predictions(_rows(path))
    Prediction.objects.bulk_create(
        (
            Prediction(
                version=version, exam_id=rows[0]["exam_id"], unit=unit, split=rows[0].get("split") or "", rows=rows
            )
            for unit, rows in groups.items()
        ),
        batch_size=_CHUNK,
        ignore_conflicts=True,
    )
    return len(groups)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield json.loads(line, parse_constant=_refuse)
            except ValueError as error:
                raise ResultUnreadable(file=path.name, line=number) from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number")
