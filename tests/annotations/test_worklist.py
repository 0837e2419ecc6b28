"""Who is served which exam, and that an exam never gets more readings than it wants."""

import pytest
from django.db import IntegrityError, transaction

from accounts.errors import RoleMissing
from accounts.models import Role
from annotations import queries, services
from annotations.errors import OrderRefused
from annotations.models import CurrentOrder, OrderEntry, Reading, ReadingState, WorkItem
from archive.signals import exams_admitted
from core.errors import Missing
from tests.annotations.factories import add, an_exam, completed, edited, leased

pytestmark = pytest.mark.django_db


def item_of(exam):
    return WorkItem.objects.get(exam=exam)


def want(project, readings):
    project.readings_per_exam = readings
    project.save()


def rank(project, exams):
    return services.publish_order(project, [(exam.pk, 1 / n, {"n": n}) for n, exam in enumerate(exams, 1)], source={})


def served_to(project, *readers):
    """Exams in the order in which readers who take turns are given them."""
    given = []
    while True:
        before = len(given)
        for reader in readers:
            reading = services.lease_next(project, reader=reader)
            if reading is not None:
                given.append(reading.exam)
                completed(reading)
        if len(given) == before:
            return given


def test_an_admitted_exam_waits_on_the_worklist_once_however_often_it_is_announced(project):
    exam = an_exam(project, served=False)
    for _ in range(2):
        exams_admitted.send(None, project_id=project.pk, exam_ids=[exam.pk])
    item = item_of(exam)
    assert (item.tier, item.wanted, item.held, item.done) == (1, 1, 0, 0)


def test_validation_test_and_audit_exams_are_the_first_tier(project):
    tiers = {split: item_of(an_exam(project, split=split)).tier for split in ("train", "val", "test", "audit")}
    assert tiers == {"train": 1, "val": 0, "test": 0, "audit": 0}


def test_an_empty_worklist_has_no_next(project, reader):
    assert services.lease_next(project, reader=reader) is None


def test_a_reader_gets_an_empty_reading_of_their_own_with_a_lease(project, reader, hands):
    exam = an_exam(project)
    reading = leased(project, reader)
    assert (reading.exam, reading.reader, reading.state, reading.revision) == (exam, reader, ReadingState.LEASED, 0)
    assert (reading.lease_until - reading.created_at).total_seconds() == 600
    assert item_of(exam).held == 1


def test_asking_again_gives_the_held_reading_again(project, reader):
    an_exam(project), an_exam(project)
    assert leased(project, reader) == leased(project, reader)
    assert Reading.objects.count() == 1


def test_a_reader_who_comes_back_goes_on_with_the_work_that_was_kept(project, reader, hands):
    for _ in range(5):
        an_exam(project)
    reading = leased(project, reader)
    edited(reading)
    hands.advance(hours=1)
    again = leased(project, reader)
    assert again == reading
    assert again.document["breasts"]["R"]["density"] == "c"
    assert again.state == ReadingState.LEASED


@pytest.mark.trap(28)
def test_an_expired_lease_can_be_taken_by_another_reader(project, reader, other, hands):
    exam = an_exam(project)
    mine = leased(project, reader)
    hands.advance(minutes=9)
    assert services.lease_next(project, reader=other) is None
    hands.advance(minutes=2)
    theirs = leased(project, other)
    mine.refresh_from_db()
    assert theirs.exam == exam
    assert mine.state == ReadingState.RELEASED
    assert item_of(exam).held == 1


def test_a_renewed_lease_does_not_run_out(project, reader, other, hands):
    an_exam(project)
    mine = leased(project, reader)
    for _ in range(5):
        hands.advance(minutes=9)
        services.renew_lease(mine.pk, by=reader)
    assert services.lease_next(project, reader=other) is None


def test_an_edit_renews_the_lease(project, reader, other, hands):
    an_exam(project)
    mine = leased(project, reader)
    hands.advance(minutes=9)
    edited(mine)
    hands.advance(minutes=9)
    assert services.lease_next(project, reader=other) is None


@pytest.mark.trap(29)
def test_an_exam_that_wants_two_readings_is_given_to_two_readers_and_not_to_a_third(project, member):
    want(project, 2)
    exam = an_exam(project)
    one, two, three = (member(f"r{n}") for n in range(3))
    completed(leased(project, one))
    assert services.lease_next(project, reader=one) is None
    assert leased(project, two).exam == exam
    assert services.lease_next(project, reader=three) is None
    assert (item_of(exam).held, item_of(exam).done) == (1, 1)


def test_the_database_itself_refuses_more_readings_than_wanted(project):
    exam = an_exam(project)
    with pytest.raises(IntegrityError), transaction.atomic():
        WorkItem.objects.filter(exam=exam).update(held=1, done=1)


def test_a_skipped_exam_is_not_offered_to_the_same_reader_again_but_to_another(project, reader, other):
    exam, spare = an_exam(project), an_exam(project)
    rank(project, [exam, spare])
    services.skip_reading(leased(project, reader).pk, by=reader, reason="artefact over the breast")
    assert leased(project, reader).exam == spare
    assert leased(project, other).exam == exam


def test_a_released_exam_is_offered_again(project, reader):
    exam, spare = an_exam(project), an_exam(project)
    rank(project, [spare, exam])
    reading = leased(project, reader)
    services.release_reading(reading.pk, by=reader)
    assert item_of(spare).held == 0
    assert leased(project, reader) == reading


@pytest.mark.trap(30)
def test_the_order_served_to_one_reader_equals_the_stored_ranking(project, reader):
    exams = [an_exam(project) for _ in range(12)]
    exams.sort(key=lambda exam: exam.study_uid)
    order = rank(project, exams)
    stored = OrderEntry.objects.filter(order=order).order_by("position").values_list("item__exam", flat=True)
    assert served_to(project, reader) == exams
    assert [exam.pk for exam in exams] == list(stored)


@pytest.mark.trap(30)
def test_the_order_served_to_three_readers_equals_the_stored_ranking(project, member):
    exams = [an_exam(project) for _ in range(12)]
    exams.sort(key=lambda exam: exam.study_uid)
    rank(project, exams)
    assert served_to(project, *(member(f"r{n}") for n in range(3))) == exams


def test_the_first_tier_is_served_first_in_keyed_order_whatever_a_model_says(project, reader):
    train = [an_exam(project) for _ in range(3)]
    fixed = [an_exam(project, split=split) for split in ("val", "test", "val", "test")]
    rank(project, train)
    fixed.sort(key=lambda exam: item_of(exam).keyed)
    assert served_to(project, reader) == fixed + train


@pytest.mark.trap(31)
def test_without_a_ranking_exams_come_in_keyed_order_and_unranked_ones_after_the_ranked(project, reader):
    exams = [an_exam(project) for _ in range(6)]
    exams.sort(key=lambda exam: item_of(exam).keyed)
    assert leased(project, reader).exam == exams[0]
    rank(project, [exams[4], exams[2]])
    completed(leased(project, reader))
    assert served_to(project, reader) == [exams[4], exams[2], exams[1], exams[3], exams[5]]


def test_a_new_ranking_is_followed_from_the_next_request_on(project, reader):
    exams = [an_exam(project) for _ in range(4)]
    rank(project, exams)
    assert served_to_first(project, reader) == exams[0]
    rank(project, exams[::-1])
    assert served_to_first(project, reader) == exams[3]


def served_to_first(project, reader):
    return completed(leased(project, reader)).exam


@pytest.mark.trap(35)
def test_an_empty_ranking_is_a_normal_answer(project, reader):
    exam = an_exam(project)
    services.publish_order(project, [], source={"strategy": "rank"})
    assert leased(project, reader).exam == exam


@pytest.mark.trap(36)
@pytest.mark.parametrize("split", ["val", "test", "audit"])
def test_a_ranking_that_names_an_exam_outside_the_training_set_is_refused(project, reader, split):
    train, fixed = an_exam(project), an_exam(project, split=split)
    rank(project, [train])
    with pytest.raises(OrderRefused):
        rank(project, [fixed, train])
    assert queries.current_order(project).entries.get().item.exam == train


def test_a_ranking_with_an_exam_twice_or_a_score_that_is_no_number_is_refused(project):
    exam = an_exam(project)
    with pytest.raises(OrderRefused):
        rank(project, [exam, exam])
    with pytest.raises(OrderRefused):
        services.publish_order(project, [(exam.pk, float("nan"), {})], source={})
    assert not CurrentOrder.objects.exists()


def test_a_published_ranking_cannot_be_changed(project):
    rank(project, [an_exam(project)])
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderEntry.objects.update(position=7)


def test_other_projects_are_never_served(project, reader, site_admin):
    from accounts.services import create_project

    an_exam(create_project(name="Elsewhere", by=site_admin))
    assert services.lease_next(project, reader=reader) is None


@pytest.mark.parametrize("role", [Role.ADMIN, Role.RESEARCHER])
def test_only_who_reads_blind_is_given_exams(project, member, role):
    an_exam(project)
    with pytest.raises(RoleMissing):
        services.lease_next(project, reader=member("someone", role))


def test_a_stranger_does_not_learn_that_the_project_exists(project, member, site_admin):
    from accounts.services import create_project

    stranger = member("stranger", Role.READER, into=create_project(name="Elsewhere", by=site_admin))
    with pytest.raises(Missing):
        services.lease_next(project, reader=stranger)


def test_the_numbers_left_count_what_the_reader_can_still_be_given(project, reader, other, hands):
    exams = [an_exam(project) for _ in range(4)]
    rank(project, exams)
    none_yet = {"left": 4, "mine_held": 0, "done": 0, "last_completed": None, "upcoming": exams[0].pk}
    assert queries.worklist_for(project, reader) == none_yet
    done = completed(leased(project, reader))
    leased(project, reader)
    leased(project, other)
    left = {"left": 2, "mine_held": 1, "done": 1, "last_completed": done.pk, "upcoming": exams[3].pk}
    assert queries.worklist_for(project, reader) == left
    hands.advance(minutes=11)  # the other reader went home: theirs can be had again
    assert queries.worklist_for(project, reader)["left"] == 3


def test_the_counts_of_a_project_tell_how_far_it_is(project, reader):
    for split in ("train", "train", "test"):
        an_exam(project, split=split)
    completed(leased(project, reader))
    leased(project, reader)
    assert queries.counts(project) == {"wanted": 3, "complete": 1, "held": 1, "exams": 3, "waiting": 2}


def test_the_unread_pool_is_the_training_exams_that_nobody_completed(project, reader):
    fixed, unread, read = (an_exam(project, split=split) for split in ("test", "train", "train"))
    rank(project, [read, unread])
    completed(leased(project, reader))
    completed(leased(project, reader))
    services.amend_reading(Reading.objects.get(exam=read).pk, by=reader)
    assert list(queries.unread_pool(project)) == [unread.pk]
    assert Reading.objects.get(exam=fixed).state == ReadingState.COMPLETE


def test_the_beat_frees_what_ran_out_in_every_project(project, reader, hands):
    exam = an_exam(project)
    edited(leased(project, reader), add("/comment", "later"))
    hands.advance(minutes=11)
    assert services.free_expired() == 1
    assert item_of(exam).held == 0
    assert Reading.objects.get().document["comment"] == "later"


def a_long_ranking(project, read, unread):
    """A ranking whose first `read` exams are read already."""
    exams = [an_exam(project, images="") for _ in range(read + unread)]
    rank(project, exams)
    WorkItem.objects.filter(exam__in=exams[:read]).update(done=1)
    return exams


def test_the_head_of_a_ranking_moves_past_what_is_read_and_the_order_stays(project, reader):
    exams = a_long_ranking(project, 250, 3)
    assert served_to(project, reader) == exams[250:]
    assert CurrentOrder.objects.get().head == 250


@pytest.mark.parametrize("how", ["released", "ran out"])
def test_an_exam_before_the_head_that_is_given_back_is_the_next_again(project, reader, other, hands, how):
    exams = a_long_ranking(project, 0, 1)
    began = leased(project, other)
    exams += a_long_ranking(project, 250, 3)
    rank(project, exams)
    assert leased(project, reader).exam == exams[251]
    assert CurrentOrder.objects.get().head == 251
    if how == "released":
        services.skip_reading(began.pk, by=other, reason="to the colleague")
    services.release_reading(Reading.objects.get(reader=reader).pk, by=reader)
    hands.advance(minutes=11)
    third = served_first_of_a_new_reader(project)
    assert third == exams[0]


def served_first_of_a_new_reader(project):
    from accounts.services import create_user, set_membership

    user = create_user(username="reader3", password=None, by=None)
    set_membership(project=project, user=user, role=Role.READER, by=None)
    return leased(project, user).exam


def test_the_exam_announced_as_upcoming_is_the_one_served_next_and_nobody_holds_it(project, reader):
    trained = [an_exam(project) for _ in range(3)]
    an_exam(project, split="val")
    rank(project, trained[:2])
    mine, announced = leased(project, reader), []
    while mine is not None:
        announced.append(queries.worklist_for(project, reader)["upcoming"])
        assert Reading.objects.filter(reader=reader, state=ReadingState.LEASED).count() == 1
        completed(mine)
        mine = services.lease_next(project, reader=reader)
        assert announced[-1] == (mine.exam_id if mine else None)
    assert len(announced) == 4


def test_what_a_reader_gave_back_is_announced_before_anything_new_and_not_what_they_skipped(project, reader):
    an_exam(project)
    began = leased(project, reader)
    an_exam(project)
    services.release_reading(began.pk, by=reader)
    assert queries.upcoming(project, reader) == began.exam_id
    services.skip_reading(began.pk, by=reader, reason="blurred")
    assert queries.upcoming(project, reader) not in (None, began.exam_id)
