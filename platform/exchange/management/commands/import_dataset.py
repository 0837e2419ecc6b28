"""`manage.py import_dataset mini-mias PATH`: a labelled data set into a project, without a browser."""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Project
from accounts.services import create_project
from archive.queries import counts_of, reasons_of
from archive.services import close_ingest, create_ingest, receive_file
from core.errors import MammoError
from exchange.errors import NotThisDataset
from exchange.importers import DATASETS
from jobs.execution import run_job
from jobs.models import JobState

_CHUNK = 1 << 20


class Command(BaseCommand):
    help = "Take a labelled data set into a project; its labels become reference readings."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", choices=sorted(DATASETS))
        parser.add_argument("path", type=Path)
        parser.add_argument("--project", metavar="SLUG", help="default: a project named like the data set")

    def handle(self, *args: Any, dataset: str, path: Path, project: str | None, **options: Any) -> None:
        try:
            self._import(dataset, path, project)
        except MammoError as error:
            raise CommandError(f"{error} {error.cure}") from error

    def _import(self, dataset: str, path: Path, slug: str | None) -> None:
        if not path.is_dir() or not DATASETS[dataset].recognise(path):
            raise NotThisDataset(dataset=dataset)
        ingest = create_ingest(_project(slug, dataset), by=None, channel="command", dataset=dataset)
        for name, file in _files_of(path):
            receive_file(ingest, name, _chunks(file))
        job = close_ingest(ingest, by=None)
        run_job(job.pk)  # here and now; where a worker was faster, it has it
        job.refresh_from_db()
        ingest.refresh_from_db()
        self.stdout.write(f"project {ingest.project.slug}, import {ingest.pk}: {job.state}")
        self.stdout.write(", ".join(f"{count} {state}" for state, count in counts_of(ingest).items() if count))
        for code, count in reasons_of(ingest).items():
            self.stdout.write(f"  rejected {count}: {code}")
        if job.state not in (JobState.DONE, JobState.RUNNING):
            raise CommandError(f"The import ended as {job.state}: {job.error}")


def _project(slug: str | None, dataset: str) -> Project:
    found = Project.objects.filter(slug=slug or dataset).first()
    if found is None and slug is not None:
        raise CommandError(f"There is no project {slug}.")
    return found or create_project(name=dataset, by=None)


def _files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path.relative_to(folder).as_posix(), path


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            yield chunk
