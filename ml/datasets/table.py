"""The public sets that can be read, in one table: what they are called, who made them, how they become rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ml.datasets import cdd_cesm_cm512, cdd_cesm_seg512, ddsm_tissue_seg, mini_mias
from ml.runs.manifest import ManifestRow
from ml.runs.records import from_dict


@dataclass(frozen=True)
class DataSet:
    """A set: its name on the command line, where it comes from, and its reader (folder, seed) to manifest rows.

    The reader raises DatasetError.
    """

    name: str
    source: str
    licence: str
    citation: str
    rows: Callable[[Path, int], list[ManifestRow]]

    def credit(self) -> dict[str, str]:
        """Where the data come from, as it goes into a manifest."""
        return {"name": self.source, "licence": self.licence, "citation": self.citation}


def _mini_mias(folder: Path, seed: int) -> list[ManifestRow]:
    return [from_dict(ManifestRow, row) for row in mini_mias.manifest_rows(folder, seed=seed)]


def _reader(manifest_rows: Callable[..., list[ManifestRow]]) -> Callable[[Path, int], list[ManifestRow]]:
    return lambda folder, seed: manifest_rows(folder, seed=seed)


SETS: Mapping[str, DataSet] = {
    made.name: made
    for made in (
        DataSet(mini_mias.NAME, mini_mias.SOURCE, mini_mias.LICENCE, mini_mias.CITATION, _mini_mias),
        *(
            DataSet(
                own.NAME, own.SOURCE, own.LICENCE, own.CITATION,
                _reader(own.manifest_rows),
            )
            for own in (cdd_cesm_seg512, cdd_cesm_cm512, ddsm_tissue_seg)
        ),
    )
}  # fmt: skip
