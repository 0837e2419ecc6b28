"""Freezing labels, and what keeps them frozen."""

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.errors import RoleMissing
from annotations import services as annotations
from core.errors import MoveRefused
from core.ids import uuid7
from exchange import queries, services
from exchange.errors import ConsensusNeeded, NothingToFreeze, SnapshotChanged, SnapshotNotFrozen
from exchange.models import Export, Snapshot, SnapshotItem
from exchange.rules import canonical, sha256_of
from jobs.testing import run_queued
from tests.exchange import factories


def frozen(project, by, *, references=False):
    snapshot = services.order_snapshot(project, references=references, note="", by=by)
    run_queued()
    snapshot.refresh_from_db()
    return snapshot


def test_a_snapshot_holds_every_read_exam_with_its_split_and_labels(read_project, admin):
    snapshot = frozen(read_project, admin)
    assert snapshot.state == Snapshot.State.FROZEN
    assert snapshot.counts["splits"] == {"train": 1, "val": 1, "test": 1}
    assert snapshot.counts["findings"] == {"calcification": 1, "mass": 1}
    assert snapshot.counts["unmarked_findings"] == 1
    items = {item["exam"]["label"]: item for item in queries.items_of(snapshot)}
    [mark] = items["one"]["findings"][0]["marks"]
    assert mark["geometry"] == [300.5, 400.25, 20.0]


def test_a_snapshot_carries_its_sources_with_licence_and_citation(read_project, admin):
    [source] = frozen(read_project, admin).sources
    assert source["key"] == "dataset:mini-mias"
    assert "research purposes" in source["licence"].lower()
    assert "Suckling" in source["citation"]


def test_a_dry_run_counts_what_the_snapshot_will_hold_and_writes_nothing(read_project, admin):
    dry = services.dry_run(read_project, references=False, by=admin)
    assert Snapshot.objects.count() == 0
    assert dry == {"counts": frozen(read_project, admin).counts, "without_consensus": []}


def test_later_edits_do_not_reach_a_frozen_snapshot(read_project, admin, reader):
    snapshot = frozen(read_project, admin)
    before = list(queries.items_of(snapshot))
    reading = read_project.readings.first()
    annotations.amend_reading(reading.pk, by=reader)
    patch = [{"op": "replace", "path": "/breasts/L/density", "value": "d"}]
    reading.refresh_from_db()
    edit = annotations.apply_edit(reading.pk, by=reader, revision=reading.revision, edit_id=uuid7(), patch=patch)
    annotations.complete_reading(reading.pk, by=reader, revision=edit.revision)
    assert list(queries.items_of(snapshot)) == before
    assert frozen(read_project, admin).sha256 != snapshot.sha256


def test_the_same_labels_have_the_same_hash(read_project, admin):
    assert frozen(read_project, admin).sha256 == frozen(read_project, admin).sha256


def test_reference_readings_count_only_where_the_policy_says_so(project, admin, reader):
    factories.read(project, reader, "read")
    exam = factories.an_exam(project, "unread")
    document = factories.a_document(exam, density="c")
    annotations.store_reference_reading(project=project, exam=exam, source="dataset:mini-mias", document=document)
    assert frozen(project, admin, references=False).counts["exams"] == 1
    assert frozen(project, admin, references=True).counts["exams"] == 2


def test_two_primary_readings_of_an_exam_are_refused_with_a_code(project, admin, reader, member):
    project.readings_per_exam = 2
    project.save()
    exam = factories.an_exam(project, "twice")
    for user in (reader, member("reader2")):
        factories.answer(project, user, factories.a_document(exam, density="b"))
    with pytest.raises(ConsensusNeeded) as refused:
        services.order_snapshot(project, references=False, note="", by=admin)
    assert refused.value.detail["exams"] == [str(exam.pk)]
    assert services.dry_run(project, references=False, by=admin)["without_consensus"] == [str(exam.pk)]


def test_nothing_read_is_nothing_to_freeze(project, admin):
    with pytest.raises(NothingToFreeze):
        services.order_snapshot(project, references=False, note="", by=admin)


def test_a_reader_may_not_freeze_nor_count(read_project, reader):
    with pytest.raises(RoleMissing):
        services.order_snapshot(read_project, references=False, note="", by=reader)
    with pytest.raises(RoleMissing):
        services.dry_run(read_project, references=False, by=reader)


CHANGES = {
    "its note": "UPDATE exchange_snapshot SET note = 'x'",
    "its hash": "UPDATE exchange_snapshot SET sha256 = 'x'",
    "its state": "UPDATE exchange_snapshot SET state = 'building'",
    "an item": "UPDATE exchange_snapshotitem SET split = 'test'",
    "the number of items": "DELETE FROM exchange_snapshotitem",
    "that it exists": "DELETE FROM exchange_snapshot",
    "what it holds": "INSERT INTO exchange_snapshotitem (snapshot_id, position, exam_id, reading_id, revision, split, "
    "body, sha256) SELECT snapshot_id, position + 100, reading_id, exam_id, revision, split, body, sha256 "
    "FROM exchange_snapshotitem",
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_database_itself_refuses_to_change_a_frozen_snapshot(read_project, admin, change):
    frozen(read_project, admin)
    with (
        pytest.raises(DatabaseError, match="frozen snapshot refuses change"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(CHANGES[change])


def test_a_frozen_snapshot_does_not_move_back(read_project, admin):
    from core.moves import moved

    with pytest.raises(MoveRefused):
        moved(frozen(read_project, admin).state, Snapshot.State.BUILDING, Snapshot.MOVES)


def test_a_project_that_goes_takes_its_frozen_snapshots_along(read_project, admin):
    frozen(read_project, admin)
    read_project.delete()
    assert Snapshot.objects.count() == SnapshotItem.objects.count() == 0


def test_freezing_twice_changes_nothing(read_project, admin):
    snapshot = frozen(read_project, admin)
    again = services.freeze_snapshot(snapshot.pk)
    assert (again.sha256, again.frozen_at) == (snapshot.sha256, snapshot.frozen_at)


def test_a_freeze_that_broke_off_begins_anew(read_project, admin):
    snapshot = services.order_snapshot(read_project, references=False, note="", by=admin)
    body = canonical({"left": "over"})
    SnapshotItem.objects.create(
        snapshot=snapshot, position=0, exam_id=uuid7(), reading_id=uuid7(), revision=1, split="train", body=body,
        sha256=sha256_of(body),
    )  # fmt: skip
    run_queued()
    snapshot.refresh_from_db()
    assert snapshot.counts["exams"] == snapshot.items.count() == 3


def test_an_export_is_made_once_and_gives_the_same_bytes_again(read_project, admin, var_dir):
    snapshot = frozen(read_project, admin)
    export = services.order_export(snapshot, format_name="coco", by=admin)
    run_queued()
    export.refresh_from_db()
    first = queries.export_path(export).read_bytes()
    assert services.order_export(snapshot, format_name="coco", by=admin).pk == export.pk
    queries.export_path(export).unlink()
    services.order_export(snapshot, format_name="coco", by=admin)
    run_queued()
    assert queries.export_path(export).read_bytes() == first
    assert Export.objects.get().bytes == len(first)


def test_an_unfrozen_snapshot_has_no_export(read_project, admin):
    snapshot = services.order_snapshot(read_project, references=False, note="", by=admin)
    with pytest.raises(SnapshotNotFrozen):
        services.order_export(snapshot, format_name="csv", by=admin)


def test_labels_that_lost_their_hash_are_not_exported(read_project, admin, var_dir):
    snapshot = frozen(read_project, admin)
    export = services.order_export(snapshot, format_name="csv", by=admin)
    with connection.cursor() as cursor:  # as somebody with the database's own tools could
        drop = "DROP TRIGGER snapshot_frozen_update"
        cursor.execute(drop + (" ON exchange_snapshot" if connection.vendor == "postgresql" else ""))
        cursor.execute("UPDATE exchange_snapshot SET sha256 = %s", ["0" * 64])
    with pytest.raises(SnapshotChanged):
        services.write_export(export.pk)
