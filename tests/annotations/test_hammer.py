"""Many readers at once, each with a connection of their own, on whatever database the suite runs."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.models import Role
from annotations import services
from annotations.models import COMPLETED_STATES, OrderEntry, Reading, ReadingState, WorkItem
from core.errors import MammoError
from tests.annotations.factories import an_exam, completed

pytestmark = pytest.mark.usefixtures("real_transactions")


def together(task, readers):
    """Run a task for all readers at the same time; what each returned."""

    def run(reader):
        try:
            return task(reader)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(readers)) as pool:
        return list(pool.map(run, readers))


def readings_of_exams():
    states = (*COMPLETED_STATES, ReadingState.LEASED, ReadingState.OPEN)
    return Counter(Reading.objects.filter(state__in=states).values_list("exam", flat=True))


@pytest.mark.trap(28)
@pytest.mark.parametrize(("readers", "wanted"), [(2, 1), (16, 1), (16, 3)])
def test_no_exam_gets_more_readings_than_it_wants(project, member, readers, wanted):
    project.readings_per_exam = wanted
    project.save()
    exams = [an_exam(project, images="") for _ in range(12)]
    given = together(
        lambda reader: services.lease_next(project, reader=reader), [member(f"r{n}") for n in range(readers)]
    )
    held = Counter(reading.exam_id for reading in given if reading is not None)
    assert max(held.values()) <= wanted
    assert sum(held.values()) == min(readers, wanted * len(exams))
    assert held == readings_of_exams()


@pytest.mark.trap(28)
def test_sixteen_readers_who_read_skip_and_give_back_end_with_every_exam_read_as_often_as_it_wants(project, member):
    project.readings_per_exam = 2
    project.save()
    exams = [an_exam(project, images="") for _ in range(20)]
    services.publish_order(project, [(exam.pk, None, {}) for exam in exams], source={})

    def read_all(reader):
        chance = random.Random(reader.username)
        while (reading := services.lease_next(project, reader=reader)) is not None:
            if chance.random() < 0.2:
                services.release_reading(reading.pk, by=reader)
            else:
                completed(reading)

    together(read_all, [member(f"r{n}") for n in range(16)])
    assert readings_of_exams() == {exam.pk: 2 for exam in exams}
    assert {(item.held, item.done) for item in WorkItem.objects.all()} == {(0, 2)}


@pytest.mark.trap(30)
def test_what_three_readers_are_given_at_once_is_the_head_of_the_ranking(project, member):
    exams = [an_exam(project, images="") for _ in range(9)]
    services.publish_order(project, [(exam.pk, None, {}) for exam in exams], source={})
    readers = [member(f"r{n}") for n in range(3)]
    for turn in range(3):
        given = together(lambda reader: completed(services.lease_next(project, reader=reader)), readers)
        positions = OrderEntry.objects.filter(item__exam__in=[reading.exam_id for reading in given])
        assert sorted(positions.values_list("position", flat=True)) == [3 * turn + n for n in (1, 2, 3)]


def test_one_reader_in_many_windows_holds_one_exam(project, member):
    for _ in range(5):
        an_exam(project, images="")
    reader = member("reader1", Role.READER)
    given = together(lambda _: services.lease_next(project, reader=reader), range(8))
    assert len(set(given)) == 1
    assert Reading.objects.count() == 1


@pytest.mark.trap(22)
def test_of_two_windows_that_edit_the_same_revision_one_wins_and_the_other_is_told(project, member):
    an_exam(project, images="")
    reader = member("reader1", Role.READER)
    reading = services.lease_next(project, reader=reader)

    def edit(words):
        from core.ids import uuid7

        patch = [{"op": "replace", "path": "/comment", "value": words}]
        try:
            return services.apply_edit(reading.pk, by=reader, revision=0, edit_id=uuid7(), patch=patch).revision
        except MammoError as error:
            return error.code

    answers = together(edit, ["one", "two", "three", "four"])
    assert sorted(map(str, answers)) == ["1", *["annotations.revision_stale"] * 3]
    reading.refresh_from_db()
    assert reading.revision == reading.edits.count() == 1
