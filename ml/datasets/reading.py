"""What the readers of public sets share: a CSV of labels, a picture's size and hash, ages in bands."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

AGE_BANDS = ((40, "<40"), (50, "40-49"), (60, "50-59"), (70, "60-69"))
OLDEST = ">=70"


class DatasetError(ValueError):
    """A folder does not hold the data set that it was said to hold, or a label of it cannot be understood."""


@dataclass(frozen=True)
class Picture:
    """An image file as a manifest names it: path under the set's folder, size in pixels, SHA-256."""

    path: str
    rows: int
    cols: int
    sha256: str


def label_rows(folder: Path, columns: set[str]) -> list[dict[str, str]]:
    """The rows of `labels.csv`, cells stripped. Raises DatasetError where it is absent or lacks a column."""
    try:
        with (folder / "labels.csv").open(newline="", encoding="utf-8") as opened:
            rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(opened)]
    except (OSError, UnicodeDecodeError):
        raise DatasetError("There is no readable labels.csv in this folder.") from None
    if not rows or (lacking := sorted(columns - rows[0].keys())):
        raise DatasetError(f"labels.csv lacks {', '.join(lacking) if rows else 'rows'}.")
    return rows


def picture(folder: Path, path: str) -> Picture:
    """An image named in the labels. Raises DatasetError where it is absent, no picture, or outside the folder."""
    whole = (folder / path).resolve()
    if not whole.is_relative_to(folder.resolve()):
        raise DatasetError(f"labels.csv names a file outside the folder: {path}.")
    try:
        with Image.open(whole) as opened:
            cols, rows = opened.size
        return Picture(path, rows, cols, hashlib.sha256(whole.read_bytes()).hexdigest())
    except OSError:
        raise DatasetError(f"{path} is named in labels.csv and cannot be opened.") from None


def age_band(years: str) -> str | None:
    """The band of an age in years; None for what is no age."""
    if not years.isdigit() or not 0 < int(years) < 130:
        return None
    return next((band for limit, band in AGE_BANDS if int(years) < limit), OLDEST)
