"""What is saved is what was sent, once, by who holds it; nothing that was typed is dropped."""

from itertools import product
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from annotations import journal, queries, services
from annotations.errors import (
    DocumentInvalid,
    EditIdReused,
    ImageNotInExam,
    LeaseLost,
    NotYourReading,
    ReadingClosed,
    ReadingEmpty,
    ReasonMissing,
    RevisionStale,
)
from annotations.models import Finding, Mark, Reading, ReadingEdit, ReadingState, WorkItem
from annotations.rules import receipt_of
from annotations.signals import reading_completed
from archive.signals import exam_changed
from core.errors import Missing, MoveRefused
from core.ids import uuid7
from tests.annotations.factories import DENSITY_C, a_finding, add, an_exam, completed, edited, leased, replace

pytestmark = pytest.mark.django_db


@pytest.fixture
def exam(project):
    return an_exam(project)


@pytest.fixture
def reading(project, reader, exam):
    return leased(project, reader)


def item():
    return WorkItem.objects.get()


# --- edits ------------------------------------------------------------------------------------------------------
def test_an_edit_opens_the_reading_and_answers_with_a_receipt_of_what_is_stored(reading, exam):
    image = exam.images.first()
    edit = edited(reading, add(f"/findings/{uuid7()}", a_finding(image)))
    assert reading.state == ReadingState.OPEN
    assert (edit.revision, edit.findings, edit.marks) == (1, 1, 1)
    assert edit.sha256 == receipt_of(Reading.objects.get().document).sha256


def test_coordinates_come_back_bit_for_bit(reading, exam):
    geometry = [0.1 + 0.2, 1 / 3, 799.9999999999999, 2.0**-20 + 500]
    finding, image = str(uuid7()), exam.images.first()
    said = a_finding(image)
    mark = next(iter(said["marks"]))
    said["marks"][mark]["geometry"] = geometry
    edited(reading, add(f"/findings/{finding}", said))
    assert Reading.objects.get().document["findings"][finding]["marks"][mark]["geometry"] == geometry


@pytest.mark.trap(21)
@pytest.mark.trap(22)
def test_an_edit_sent_twice_is_stored_once_and_answered_the_same(reading):
    edit_id = uuid7()
    first = edited(reading, edit_id=edit_id)
    again = services.apply_edit(reading.pk, by=reading.reader, revision=0, edit_id=edit_id, patch=DENSITY_C)
    assert again == first
    assert ReadingEdit.objects.count() == 1


def test_an_edit_that_was_stored_is_answered_the_same_after_completion(reading):
    edit_id = uuid7()
    first = edited(reading, edit_id=edit_id)
    completed(reading)
    assert services.apply_edit(reading.pk, by=reading.reader, revision=0, edit_id=edit_id, patch=DENSITY_C) == first


def test_an_edit_id_with_another_patch_is_refused_not_swallowed(reading):
    edit_id = uuid7()
    edited(reading, edit_id=edit_id)
    with pytest.raises(EditIdReused):
        edited(reading, replace("/comment", "new words"), edit_id=edit_id)


def test_an_edit_id_of_another_reading_is_refused(project, reading, other):
    an_exam(project)
    edit_id = uuid7()
    edited(reading, edit_id=edit_id)
    with pytest.raises(EditIdReused):
        edited(leased(project, other), edit_id=edit_id)


@pytest.mark.trap(22)
def test_an_edit_on_an_old_revision_is_refused_with_both_versions(reading):
    edited(reading, replace("/comment", "first window"))
    patch = replace("/comment", "second window")
    with pytest.raises(RevisionStale) as refusal:
        services.apply_edit(reading.pk, by=reading.reader, revision=0, edit_id=uuid7(), patch=patch)
    assert refusal.value.detail["yours"] == {"revision": 0, "patch": patch}
    assert refusal.value.detail["theirs"]["revision"] == 1
    assert refusal.value.detail["theirs"]["document"]["comment"] == "first window"


@pytest.mark.trap(27)
def test_an_edit_that_breaks_the_vocabulary_is_refused_and_nothing_is_stored(reading):
    with pytest.raises(DocumentInvalid):
        edited(reading, replace("/breasts/R/density", "e"))
    reading.refresh_from_db()
    assert (reading.revision, reading.state) == (0, ReadingState.LEASED)
    assert not ReadingEdit.objects.exists()


def test_a_mark_in_an_image_of_another_exam_is_refused(project, reading):
    elsewhere = an_exam(project).images.first()
    with pytest.raises(ImageNotInExam):
        edited(reading, add(f"/findings/{uuid7()}", a_finding(elsewhere)))


def test_a_lost_lease_is_taken_again_by_an_edit_while_the_exam_wants_a_reading(project, reading, hands):
    hands.advance(minutes=11)
    services.free_expired()
    reading.refresh_from_db()
    assert reading.state == ReadingState.RELEASED
    edited(reading)
    assert reading.state == ReadingState.OPEN
    assert item().held == 1


def test_an_edit_after_somebody_else_took_the_exam_is_refused_and_the_work_is_kept(project, reading, other, hands):
    edited(reading, replace("/comment", "mine"))
    hands.advance(minutes=11)
    leased(project, other)
    reading.refresh_from_db()
    with pytest.raises(LeaseLost):
        edited(reading)
    with pytest.raises(LeaseLost):
        services.renew_lease(reading.pk, by=reading.reader)
    assert Reading.objects.get(pk=reading.pk).document["comment"] == "mine"
    assert item().held == 1


def test_a_complete_reading_takes_no_edit(reading):
    completed(reading)
    reading.refresh_from_db()
    with pytest.raises(ReadingClosed):
        edited(reading)


@pytest.mark.trap(59)
@pytest.mark.parametrize(
    "deed",
    [
        lambda pk, by: services.apply_edit(pk, by=by, revision=0, edit_id=uuid4(), patch=DENSITY_C),
        lambda pk, by: services.renew_lease(pk, by=by),
        lambda pk, by: services.complete_reading(pk, by=by, revision=0),
        lambda pk, by: services.amend_reading(pk, by=by),
        lambda pk, by: services.discard_amendment(pk, by=by),
        lambda pk, by: services.release_reading(pk, by=by),
        lambda pk, by: services.skip_reading(pk, by=by, reason="no"),
        lambda pk, by: services.flag_reading(pk, by=by, reason="no"),
    ],
)
def test_nobody_changes_the_reading_of_another(reading, other, site_admin, deed):
    with pytest.raises(Missing):
        deed(reading.pk, other)
    with pytest.raises(NotYourReading):
        deed(reading.pk, site_admin)
    assert Reading.objects.get().revision == 0


# --- completing and amending ------------------------------------------------------------------------------------
def test_completing_makes_findings_and_marks_and_counts_the_reading(reading, exam):
    image = exam.images.get(laterality="R")
    key = uuid7()
    edited(reading, [*DENSITY_C, *add(f"/findings/{key}", a_finding(image, pathology="malignant"))])
    completed(reading)
    finding, mark = Finding.objects.get(), Mark.objects.get()
    assert (finding.key, finding.type, finding.birads, finding.laterality) == (key, "mass", "4", "R")
    assert (finding.revision, finding.pathology) == (1, "malignant")
    assert (mark.finding, mark.image, mark.geometry) == (finding, image, [10.25, 20.5, 110.125, 220.0])
    assert Reading.objects.get().density == "c"
    assert (item().held, item().done) == (0, 1)


def test_completing_tells_the_floors_above_after_commit(reading, django_capture_on_commit_callbacks):
    heard = []

    def listen(sender, **told):
        heard.append(told["reading_id"])

    reading_completed.connect(listen)
    with django_capture_on_commit_callbacks(execute=True):
        completed(reading)
        assert heard == []
    reading_completed.disconnect(listen)
    assert heard == [reading.pk]


def test_completing_twice_is_one_completion(reading):
    completed(reading)
    again = services.complete_reading(reading.pk, by=reading.reader, revision=1)
    assert again.state == ReadingState.COMPLETE
    assert (item().held, item().done) == (0, 1)


def test_completing_an_old_revision_is_refused(reading):
    edited(reading)
    with pytest.raises(RevisionStale):
        services.complete_reading(reading.pk, by=reading.reader, revision=0)


def test_a_reading_that_says_nothing_cannot_be_completed(reading):
    with pytest.raises(ReadingEmpty):
        services.complete_reading(reading.pk, by=reading.reader, revision=0)


def test_work_that_was_interrupted_can_be_completed_without_a_further_edit(reading):
    edited(reading)
    services.release_reading(reading.pk, by=reading.reader)
    done = services.complete_reading(reading.pk, by=reading.reader, revision=1)
    assert done.state == ReadingState.COMPLETE
    assert (item().held, item().done) == (0, 1)


@pytest.mark.trap(23)
def test_an_amendment_is_a_new_revision_and_the_old_one_stays(reading):
    completed(reading)
    services.amend_reading(reading.pk, by=reading.reader)
    reading.refresh_from_db()
    assert (item().held, item().done) == (1, 0)
    edited(reading, replace("/breasts/R/density", "d"))
    assert reading.state == ReadingState.AMENDING
    assert reading.completed_document["breasts"]["R"]["density"] == "c"
    done = services.complete_reading(reading.pk, by=reading.reader, revision=2)
    assert (done.completed_revision, done.density) == (2, "d")
    assert journal.replay(reading, to_revision=1)["breasts"]["R"]["density"] == "c"
    assert (item().held, item().done) == (0, 1)


def test_amended_findings_replace_those_of_before(reading, exam):
    first, second, image = uuid7(), uuid7(), exam.images.first()
    edited(reading, add(f"/findings/{first}", a_finding(image)))
    completed(reading)
    services.amend_reading(reading.pk, by=reading.reader)
    reading.refresh_from_db()
    remove = [{"op": "remove", "path": f"/findings/{first}"}]
    edited(reading, [*remove, *add(f"/findings/{second}", a_finding(type="asymmetry"))])
    assert Finding.objects.get().key == first
    completed(reading)
    assert Finding.objects.get().key == second
    assert not Mark.objects.exists()


def test_a_discarded_amendment_leaves_what_was_completed_and_keeps_the_try_in_the_journal(reading):
    completed(reading)
    services.amend_reading(reading.pk, by=reading.reader)
    reading.refresh_from_db()
    edited(reading, replace("/comment", "on second thoughts"))
    done = services.discard_amendment(reading.pk, by=reading.reader)
    assert (done.state, done.completed_revision) == (ReadingState.COMPLETE, 1)
    assert done.document == done.completed_document == journal.replay(done)
    assert journal.replay(done, to_revision=2)["comment"] == "on second thoughts"
    assert (item().held, item().done) == (0, 1)


def test_an_amendment_that_runs_out_goes_back_to_what_was_completed(reading, hands):
    completed(reading)
    services.amend_reading(reading.pk, by=reading.reader)
    reading.refresh_from_db()
    edited(reading, replace("/comment", "half a thought"))
    hands.advance(minutes=11)
    services.free_expired()
    reading.refresh_from_db()
    assert (reading.state, reading.completed_revision, reading.document["comment"]) == (ReadingState.COMPLETE, 1, "")
    assert journal.replay(reading) == reading.document
    assert (item().held, item().done) == (0, 1)


def in_state(reading, state):
    """Bring a leased reading into a state by the doors that a person uses."""
    if state == ReadingState.OPEN:
        edited(reading)
    if state == ReadingState.RELEASED:
        services.release_reading(reading.pk, by=reading.reader)
    if state in (ReadingState.COMPLETE, ReadingState.AMENDING):
        completed(reading)
    if state == ReadingState.AMENDING:
        services.amend_reading(reading.pk, by=reading.reader)
    reading.refresh_from_db()
    assert reading.state == state


DEEDS = {
    "edit": lambda r: edited(r),
    "renew": lambda r: services.renew_lease(r.pk, by=r.reader),
    "complete": lambda r: services.complete_reading(r.pk, by=r.reader, revision=r.revision),
    "amend": lambda r: services.amend_reading(r.pk, by=r.reader),
    "discard": lambda r: services.discard_amendment(r.pk, by=r.reader),
    "release": lambda r: services.release_reading(r.pk, by=r.reader),
    "skip": lambda r: services.skip_reading(r.pk, by=r.reader, reason="blurred"),
    "flag": lambda r: services.flag_reading(r.pk, by=r.reader, reason="wrong patient?"),
}
AFTER = {
    # state: edit, renew, complete, amend, discard, release, skip, flag
    "leased": ["open", "leased", ReadingEmpty, MoveRefused, MoveRefused, "released", "released", "leased"],
    "open": ["open", "open", "complete", MoveRefused, MoveRefused, "released", "released", "open"],
    "released": ["open", "leased", ReadingEmpty, MoveRefused, MoveRefused, "released", "released", "released"],
    "complete": [
        ReadingClosed, ReadingClosed, "complete", "amending", MoveRefused, MoveRefused, MoveRefused, "complete",
    ],
    "amending": ["amending", "amending", "complete", MoveRefused, "complete", MoveRefused, MoveRefused, "amending"],
}  # fmt: skip


@pytest.mark.parametrize(("state", "deed"), list(product(AFTER, DEEDS)))
def test_every_deed_in_every_state_does_what_the_table_says_and_the_counts_stay_true(reading, state, deed):
    in_state(reading, state)
    expected = AFTER[state][list(DEEDS).index(deed)]
    if isinstance(expected, str):
        DEEDS[deed](reading)
        reading.refresh_from_db()
        assert reading.state == expected
    else:
        with pytest.raises(expected):
            DEEDS[deed](reading)
        reading.refresh_from_db()
        assert reading.state == state
    held = reading.state in (ReadingState.LEASED, ReadingState.OPEN, ReadingState.AMENDING)
    assert (item().held, item().done) == (int(held), int(reading.state == ReadingState.COMPLETE))


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 501])
def test_skipping_and_flagging_need_a_reason(reading, reason):
    with pytest.raises(ReasonMissing):
        services.skip_reading(reading.pk, by=reading.reader, reason=reason)
    with pytest.raises(ReasonMissing):
        services.flag_reading(reading.pk, by=reading.reader, reason=reason)
    assert item().held == 1


def test_images_that_arrive_later_flag_a_complete_reading(reading, exam):
    completed(reading)
    exam_changed.send(None, exam_id=exam.pk)
    assert "New images" in Reading.objects.get().flag_reason


# --- the journal ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change", [lambda rows: rows.update(patch=[]), lambda rows: rows.delete()], ids=["update", "delete"]
)
def test_the_database_itself_keeps_the_journal(reading, change):
    edited(reading)
    with pytest.raises(IntegrityError), transaction.atomic():
        change(ReadingEdit.objects.filter(reading=reading))
    assert journal.replay(reading)["breasts"]["R"]["density"] == "c"


@pytest.mark.parametrize("revision", [1, 3])
def test_the_database_itself_refuses_a_gap_or_a_second_line_in_the_journal(reading, revision):
    line = edited(reading)
    row = {"patch": [], "findings": 0, "marks": 0, "sha256": line.sha256}
    with pytest.raises(IntegrityError), transaction.atomic():
        ReadingEdit.objects.create(reading=reading, revision=revision, edit_id=uuid7(), **row)


def test_a_project_goes_with_its_journals_and_rankings(project, reading, site_admin):
    edited(reading)
    services.publish_order(project, [(reading.exam_id, 0.5, {})], source={})
    completed(reading)
    project.delete()
    assert not Reading.objects.exists()
    assert not ReadingEdit.objects.exists()


def test_a_snapshot_takes_what_was_last_completed_also_while_it_is_amended(project, reading):
    completed(reading)
    services.amend_reading(reading.pk, by=reading.reader)
    reading.refresh_from_db()
    edited(reading, replace("/breasts/R/density", "a"))
    taken = list(queries.readings_for_snapshot(project, policy={"references": False}))
    assert [(row.completed_revision, row.completed_document["breasts"]["R"]["density"]) for row in taken] == [(1, "c")]


def test_a_snapshot_takes_no_reading_that_was_never_completed(project, reading):
    edited(reading)
    assert list(queries.readings_for_snapshot(project, policy={"references": True})) == []
