"""What a first start holds: twelve phantom exams with their split, and readings enough for a first training.

Two exams are there before the pages are; the rest is a job that people can watch, cancel and run again. Everything is
made from a seed, so a second run makes the same bytes, and the archive knows them.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.utils.text import slugify

from accounts.models import Project, ProjectKind, User
from accounts.services import create_project
from annotations import services as annotations
from annotations.models import Purpose, Reading, ReadingState
from archive import services as archive
from archive.models import Admission
from core.ids import uuid7
from core.words import counted
from jobs import services as jobs
from jobs.handlers import JobContext
from jobs.models import Job, JobState
from jobs.testing import run_queued
from mammoloop.demo import logins
from ml.simulation.cohort import DEMO_EXAMS, demo_exam

SEED = 2026
READY_EXAMS = 2
TRAIN_READINGS = 4
READERS = ("reader1", "reader2")
KEPT_SPLITS = ("val", "test")


def demo_project() -> Project | None:
    return Project.objects.filter(kind=ProjectKind.DEMO).first()


def begin(say: Callable[[str], None]) -> None:
    """The project and its first exams, before anybody can look. Does nothing where they are, or were removed."""
    if Project.objects.exists():
        return
    say("making the demo project and its first exams …")
    project = create_project(name="Demo", by=User.objects.get(username="admin"), kind=ProjectKind.DEMO)
    logins.join(project)
    for number in range(READY_EXAMS):
        _send(project, number)
        run_queued()
        say(f"  exam {number + 1} of {DEMO_EXAMS}")


def go_on() -> Job | None:
    """The job that makes the rest; the same job at every start, so nothing is made twice."""
    project = demo_project()
    if project is None:
        return None
    admin = User.objects.get(username="admin")
    params = {"project_id": str(project.pk)}
    title = "Demo: the other exams and their first readings"
    return jobs.submit("demo.fill", params, actor=admin, project=project, key=f"demo:{project.pk}", title=title)


def fill(context: JobContext, project: Project) -> dict[str, Any]:
    """Make the exams that are missing, then the first readings. May be cancelled and run again."""
    steps = DEMO_EXAMS + 1
    for number in range(DEMO_EXAMS):
        context.check_cancelled()
        context.progress(number, steps, f"exam {number + 1} of {DEMO_EXAMS}")
        _wait(context, _send(project, number))
    context.progress(DEMO_EXAMS, steps, "first readings")
    read = sum(1 for _ in _first_readings(context, project))
    context.progress(steps, steps, "first readings")
    exams = Admission.objects.filter(project=project).count()
    context.conclude(f"Made {counted(exams, 'exam')} and {counted(read, 'reading')}.")
    return {"exams": exams, "readings": read}


def _send(project: Project, number: int) -> Job:
    """Send one phantom exam through the same door as any upload; the job that takes it in."""
    admin = User.objects.get(username="admin")
    with tempfile.TemporaryDirectory() as scratch:
        demo_exam(number, seed=SEED, folder=Path(scratch))
        ingest = archive.create_ingest(project, by=admin, channel="demo")
        for file in sorted(Path(scratch).iterdir()):
            archive.receive_file(ingest, file.name, _chunks(file))
    return archive.close_ingest(ingest, by=admin, dataset="phantoms")


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(2**20):
            yield chunk


def _wait(context: JobContext, job: Job) -> None:
    while Job.objects.filter(pk=job.pk, state__in=[JobState.QUEUED, JobState.RUNNING]).exists():
        context.check_cancelled()
        time.sleep(0.3)


def _first_readings(context: JobContext, project: Project) -> Iterator[Reading]:
    """Two readers answer with what the phantoms are: all val and test exams, then a few of the training exams."""
    train = 0
    for turn in range(4 * DEMO_EXAMS):
        context.check_cancelled()
        reader = User.objects.get(username=READERS[turn % len(READERS)])
        reading = annotations.lease_next(project, reader=reader)
        if reading is None:
            continue
        truth = _truth(reading)
        if truth is None:
            # Somebody brought an exam of their own into the demo while it was filled: it waits for a person.
            annotations.skip_reading(reading.pk, by=reader, reason="not one of the demo's phantoms")
            continue
        split = Admission.objects.get(project=project, exam_id=reading.exam_id).split
        if split not in KEPT_SPLITS and train >= TRAIN_READINGS and _density_classes(project) >= 2:
            annotations.release_reading(reading.pk, by=reader)
            return
        train += split not in KEPT_SPLITS
        yield _answer(reading, truth, reader)


def _truth(reading: Reading) -> Reading | None:
    """What a phantom is; None of an exam that is none."""
    own = Reading.objects.filter(exam_id=reading.exam_id, project_id=reading.project_id)
    return own.filter(purpose=Purpose.REFERENCE).first()


def _answer(reading: Reading, truth: Reading, reader: User) -> Reading:
    parts = ("breasts", "findings", "comment")
    patch = [{"op": "replace", "path": f"/{part}", "value": truth.document[part]} for part in parts]
    edit = annotations.apply_edit(reading.pk, by=reader, revision=reading.revision, edit_id=uuid7(), patch=patch)
    return annotations.complete_reading(reading.pk, by=reader, revision=edit.revision)


def _density_classes(project: Project) -> int:
    """How many density classes the completed readings of training exams hold."""
    train = Admission.objects.filter(project=project, split="train").values("exam_id")
    done = Reading.objects.filter(
        project=project, purpose=Purpose.PRIMARY, state=ReadingState.COMPLETE, exam_id__in=train
    )
    return len({breast["density"] for reading in done for breast in reading.document["breasts"].values()})


def load(folder: str) -> str:
    """Load a folder into a project of its own, once; a sentence for the person who asked."""
    path = Path(folder).resolve()
    if not path.is_dir():
        return f"There is no folder {folder}: nothing was loaded."
    slug = slugify(path.name) or "data"
    if Project.objects.filter(slug=slug).exists():
        return f"{path.name} is loaded already, as the project of that name."
    admin = User.objects.get(username="admin")
    project = create_project(name=path.name, by=admin)
    logins.join(project)
    ingest = archive.create_ingest(project, by=admin, channel="demo")
    for file in sorted(found for found in path.rglob("*") if found.is_file()):
        archive.receive_file(ingest, str(file.relative_to(path)), _chunks(file))
    archive.close_ingest(ingest, by=admin, dataset="auto")
    return f"Loading {path.name} into a project of its own: the page of jobs shows how far it is."
