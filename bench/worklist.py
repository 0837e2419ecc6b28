"""How long a reader waits for the next exam: `python bench/worklist.py --items 100000 --readers 16`.

Fills a throw-away database (SQLite, or PostgreSQL with `--postgres`) with exams in one ranking, lets readers ask,
answer and complete at the same time, and prints the times of `next` alone. Ends with 1 if an exam was read too often.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from accounts.models import Project, User

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]
CHUNK = 5000


def fill(items: int, readers: int, read: int) -> tuple[Project, list[User]]:
    """A project with ranked exams, the first `read` of them read already, and its readers."""
    from accounts.models import Membership, Project, Role, User
    from annotations.models import WorkItem
    from annotations.rules.served import keyed
    from annotations.services import publish_order
    from archive.models import Exam, Patient

    project = Project.objects.create(name="Bench", slug="bench")
    people = [User.objects.create(username=f"reader{n}") for n in range(readers)]
    Membership.objects.bulk_create(Membership(project=project, user=user, role=Role.READER) for user in people)
    patient = Patient.objects.create(pseudonym="bench")
    ids = []
    for start in range(0, items, CHUNK):
        numbers = range(start, min(start + CHUNK, items))
        exams = [Exam(patient=patient, study_uid=f"2.25.{uuid4().int}", label=f"B-{n}") for n in numbers]
        Exam.objects.bulk_create(exams)
        WorkItem.objects.bulk_create(
            WorkItem(project=project, exam=exam, tier=1, keyed=keyed(0, exam.pk), wanted=1, done=int(n < read))
            for n, exam in zip(numbers, exams, strict=True)
        )
        ids += [exam.pk for exam in exams]
    publish_order(project, ((exam_id, 1.0, {}) for exam_id in ids), source={"strategy": "bench"})
    return project, people


def hammer(project: Project, readers: list[User], seconds: float, think: float) -> list[float]:
    """Seconds of every `next` of all readers."""
    from django.db import connection

    from annotations import services
    from core.ids import uuid7

    waits: list[float] = []
    end = time.monotonic() + seconds
    patch = [{"op": "replace", "path": "/breasts/R/density", "value": "b"}]

    def read(reader: User) -> None:
        while time.monotonic() < end:
            start = time.perf_counter()
            reading = services.lease_next(project, reader=reader)
            waits.append(time.perf_counter() - start)
            if reading is None:
                break
            time.sleep(random.uniform(0, 2 * think))
            edit = services.apply_edit(reading.pk, by=reader, revision=reading.revision, edit_id=uuid7(), patch=patch)
            services.complete_reading(reading.pk, by=reader, revision=edit.revision)
        connection.close()

    threads = [threading.Thread(target=read, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--read", type=int, default=0, help="how many of them are read already, from the head on")
    parser.add_argument("--readers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--think", type=float, default=0.5, help="seconds that a reader looks at an exam, on average")
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        var = Path(tempfile.mkdtemp(prefix="mammoloop-bench-"))
        stack.callback(shutil.rmtree, var, ignore_errors=True)
        os.environ.update(VAR_DIR=str(var), DATABASE_URL="", LOG_LEVEL="ERROR", LEASE_MINUTES="10")
        if given.postgres:
            from tests.support.postgres import throw_away_server

            os.environ["DATABASE_URL"] = stack.enter_context(throw_away_server())
        return bench(given)


def bench(given: argparse.Namespace) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mammoloop.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from annotations.models import Reading

    call_command("migrate", verbosity=0)
    start = time.perf_counter()
    project, readers = fill(given.items, given.readers, given.read)
    filled = time.perf_counter() - start
    connections.close_all()  # the pool has a connection a reader, and none for who only waits
    waits = sorted(hammer(project, readers, given.seconds, given.think))
    often = max(Counter(Reading.objects.values_list("exam", flat=True)).values())
    p50, p95 = statistics.median(waits) * 1e3, waits[int(len(waits) * 0.95)] * 1e3
    print(
        f"{connections['default'].vendor}: {given.items} exams ({given.read} read), {given.readers} readers who look "
        f"{given.think} s, filled in {filled:.0f} s; {len(waits)} times next, p50 {p50:.1f} ms, p95 {p95:.1f} ms, "
        f"max {waits[-1] * 1e3:.0f} ms; most readings of one exam: {often}"
    )
    connections.close_all()
    return int(often > 1)


if __name__ == "__main__":
    sys.exit(main())
