"""All writes of the archive, a file a noun."""

from archive.services.admissions import admit, announce
from archive.services.ingests import (
    add_item,
    close_ingest,
    create_ingest,
    finish_ingest,
    receive_file,
    settle,
    use_item,
)
from archive.services.intake import Origin, accept_dataset
from archive.services.remotes import change_archive, create_archive, delete_archive, pull_studies
from archive.services.removal import remove_unheld_exams

__all__ = [
    "Origin",
    "accept_dataset",
    "add_item",
    "admit",
    "announce",
    "change_archive",
    "close_ingest",
    "create_archive",
    "create_ingest",
    "delete_archive",
    "finish_ingest",
    "pull_studies",
    "receive_file",
    "remove_unheld_exams",
    "settle",
    "use_item",
]
