"""mini-MIAS: film mammograms wrapped as DICOM, and their labels as reference readings by `dataset:mini-mias`."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture

from annotations.lexicon import empty_document
from archive.models import Exam, Image, Ingest
from exchange.importers.documents import add_finding
from exchange.importers.film import Film, wrap
from exchange.importers.intake import Arrival, DocumentOf, take_in
from jobs.handlers import JobContext
from ml.datasets import mini_mias
from ml.datasets.mini_mias import MiasImage

_CALIBRATION = "Digitised at 50 micron, reduced by the publishers to 200 micron"


def recognise(folder: Path) -> bool:
    """Whether the folder holds mini-MIAS."""
    return mini_mias.recognise(folder)


def run(ctx: JobContext, ingest: Ingest, folder: Path) -> dict[str, Any]:
    """Take in every film that `Info.txt` describes, with its labels. One bad film never stops the others."""
    data = mini_mias.read(folder)
    arrivals = [_arrival(film) for film in data.images]
    told = take_in(ctx, ingest, folder, arrivals, dataset=mini_mias.NAME, document_of=_documents(data.images))
    return {**told, "missing": list(data.missing), "unlisted": list(data.unlisted)}


def _arrival(film: MiasImage) -> Arrival:
    return Arrival(
        path=film.path,
        patient=film.patient,
        number=film.patient_number,
        wrap=partial(_wrapped, film),
        tags=frozenset(mini_mias.tags_of([film])[film.patient]),
    )


def _wrapped(film: MiasImage) -> Any:
    return wrap(headers_of(film), pixels_of(film.path))


def headers_of(film: MiasImage) -> Film:
    """What the DICOM headers say of a film."""
    row, column = film.patient_orientation.split("\\")
    return Film(
        dataset=mini_mias.NAME,
        name=film.name,
        patient=film.patient,
        laterality=film.laterality,
        view="MLO",
        orientation=(row, column),
        spacing_mm=mini_mias.SPACING_MM,
        calibration=_CALIBRATION,
        manufacturer="MIAS",
        model="film digitiser",
    )


def pixels_of(path: Path) -> np.ndarray:
    """The file's grey values as they are. Raises OSError on a file that is no picture, ValueError on colour."""
    with Picture.open(path) as picture:
        pixels = np.asarray(picture)
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path.suffix} with {pixels.dtype} of shape {pixels.shape} is no grey film")
    return pixels


def _documents(films: Iterable[MiasImage]) -> DocumentOf:
    by_name = {film.path.name: film for film in films}

    def document_of(exam: Exam, images: Sequence[tuple[str, Image]]) -> dict[str, Any]:
        document = empty_document()
        for name, image in sorted(images, key=lambda pair: pair[0]):
            film = by_name[name]
            document["breasts"][film.laterality] = mini_mias.breast_of(film)
            for finding in mini_mias.findings_of(film):
                _add(document, finding, str(image.pk))
        return document

    return document_of


def _add(document: dict[str, Any], finding: dict[str, Any], image_id: str) -> None:
    kept = {key: value for key, value in finding.items() if key not in ("key", "marks")}
    if kept.get("pathology") == "unknown":  # the lexicon says nothing instead
        del kept["pathology"]
    add_finding(document, f"{mini_mias.NAME}|{finding['key']}", kept, [(image_id, mark) for mark in finding["marks"]])
