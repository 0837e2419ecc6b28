"""`manage.py ingest PATH... --project SLUG`: files, folders and zip archives into a project."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Project, User
from archive import importing, queries, services
from archive.models import Ingest, ItemState
from archive.rules import meaning_of
from jobs.execution import run_job
from jobs.models import Job, JobState

_CHUNK = 2**20


class Command(BaseCommand):
    help = "Import DICOM files, folders and zip archives, or a data set that is known here, into a project."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--project", required=True, metavar="SLUG", help="short name of the project")
        parser.add_argument("--username", help="the account that this is done for")
        parser.add_argument("--dataset", default=importing.AUTO, help=f"one of {', '.join(importing.names())}")

    def handle(self, *args: Any, paths: list[Path], project: str, **options: Any) -> None:
        found = Project.objects.filter(slug=project).first()
        if found is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no project {project}. There are: {known}.")
        missing = [str(path) for path in paths if not path.exists()]
        if missing:
            raise CommandError(f"There is nothing at {', '.join(missing)}.")
        by = self._account(options["username"])
        ingest = services.create_ingest(found, by=by, channel="command", dataset=options["dataset"])
        for name, file in _files(paths):
            with file.open("rb") as opened:
                services.receive_file(ingest, name, iter(lambda: opened.read(_CHUNK), b""))
        self._run(services.close_ingest(ingest, by=by))
        derive = Job.objects.filter(key=f"derive:{ingest.pk}").first()
        if derive is not None:
            self._run(derive)
        self._report(ingest)

    def _account(self, username: str | None) -> User | None:
        if username is None:
            return None
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no account {username}.")
        return user

    def _run(self, job: Job) -> None:
        """Do the job here, unless a worker was quicker."""
        run_job(job.pk)
        job.refresh_from_db()
        if job.state == JobState.FAILED:
            raise CommandError(f"{job.title}: {(job.error or {}).get('sentence', 'it failed')}")
        if job.state in (JobState.QUEUED, JobState.RUNNING):
            self.stdout.write(f"{job.title}: a worker has it, job {job.pk}.")

    def _report(self, ingest: Ingest) -> None:
        counts = queries.counts_of(ingest)
        words = [f"{counts[state]} {state}" for state in (ItemState.ACCEPTED, ItemState.DUPLICATE, ItemState.REJECTED)]
        self.stdout.write(f"{', '.join(words)}; {queries.exams_of(ingest).count()} exams.")
        for code, count in queries.reasons_of(ingest).items():
            self.stdout.write(f"  {count} x {code}: {meaning_of(code)['sentence']}")


def _files(paths: list[Path]) -> Iterator[tuple[str, Path]]:
    """Every file with the name that a data set knows it by; links are not followed."""
    for path in paths:
        if path.is_file():
            yield path.name, path
            continue
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.is_symlink():
                yield file.relative_to(path).as_posix(), file
