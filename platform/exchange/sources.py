"""Where labelled data came from: name, licence and citation travel into every snapshot and export."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ml.datasets import mini_mias


@dataclass(frozen=True)
class Source:
    """A data set as its authors want it to be named."""

    key: str
    name: str
    licence: str
    citation: str


MINI_MIAS = Source(
    key=f"dataset:{mini_mias.NAME}", name=mini_mias.SOURCE, licence=mini_mias.LICENCE, citation=mini_mias.CITATION
)
PHANTOMS = Source(
    key="dataset:phantoms",
    name="MammoLoop phantoms (synthetic mammograms)",
    licence="Apache-2.0",
    citation="MammoLoop, ml.simulation: synthetic mammograms with exact truth; no patient was imaged.",
)
OWN = Source(
    key="",
    name="Images received by this installation",
    licence="Not stated: whoever passes them on must hold the right to.",
    citation="",
)
KNOWN = {source.key: source for source in (MINI_MIAS, PHANTOMS, OWN)}


def sources_of(keys: Iterable[str]) -> list[dict[str, str]]:
    """The sources behind a set of exams, by key, without doubles; an unknown key names itself."""
    return [
        asdict(KNOWN.get(key, Source(key=key, name=key.removeprefix("dataset:"), licence="Not stated.", citation="")))
        for key in sorted(set(keys))
    ]
