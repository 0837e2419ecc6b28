"""Labelled data sets that a higher floor can read: it registers them here, the ingest job asks them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive.models import Ingest
from jobs.handlers import JobContext

AUTO, DICOM = "auto", "dicom"


@dataclass(frozen=True)
class Importer:
    """`recognise(folder)` says whether a folder is this data set; `run` takes in what is in it.

    `run` settles every item of the ingest: images by `services.accept_dataset`, tables by `services.use_item`; it
    admits the exams by `services.admit` and may run again over the same folder after a crash. What it returns becomes
    a part of the job's result. `archive.queries.items_by_name` says which item a path of the folder is.
    """

    name: str
    recognise: Callable[[Path], bool]
    run: Callable[[JobContext, Ingest, Path], dict[str, Any]]


IMPORTERS: dict[str, Importer] = {}


def register(
    name: str,
    recognise: Callable[[Path], bool],
    run: Callable[[JobContext, Ingest, Path], dict[str, Any]],
) -> None:
    """Make a data set known; a second call under the same name replaces the first."""
    assert name not in (AUTO, DICOM)
    IMPORTERS[name] = Importer(name, recognise, run)


def names() -> list[str]:
    """What an import can be asked to be."""
    return [AUTO, DICOM, *sorted(IMPORTERS)]


def recognised(folder: Path) -> str:
    """The data set that a folder is, or `dicom`."""
    return next((one.name for one in IMPORTERS.values() if one.recognise(folder)), DICOM)
