"""Labelled data sets that are recognised by their folder: one file a data set.

To add one: a reader in `ml.datasets`, a file here with `recognise(folder)` and `run(ctx, ingest, folder)`, a line in
DATASETS, a source in `exchange.sources`, a test in tests/exchange.
"""

from archive import importing
from exchange.importers import mini_mias, phantoms

DATASETS = {"mini-mias": mini_mias, "phantoms": phantoms}


def register_all() -> None:
    """Tell the archive's ingest which folders are ours to read; a second call changes nothing."""
    for name, module in DATASETS.items():
        importing.register(name, module.recognise, module.run)
