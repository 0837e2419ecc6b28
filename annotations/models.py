"""Tables of the worklist and of readings, their states and what must always hold."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.clock import now
from core.ids import uuid7
from core.models import Made


class WorkItem(models.Model):
    """One exam of one project: how many readings it wants, how many are held and done.

    `held + done <= wanted` is a constraint: whatever code runs, an exam never gets more readings than it wants.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey("accounts.Project", on_delete=models.CASCADE, related_name="work_items")
    exam = models.ForeignKey("archive.Exam", on_delete=models.CASCADE, related_name="work_items")
    tier = models.PositiveSmallIntegerField(help_text="0: val, test, audit, served first, never ranked; 1: train")
    keyed = models.BigIntegerField(help_text="first 60 bits of sha256(project.seed|exam): order of ties and cold start")
    wanted = models.PositiveSmallIntegerField()
    held = models.PositiveSmallIntegerField(default=0)
    done = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "exam"], name="one_work_item_per_project_and_exam"),
            models.CheckConstraint(condition=Q(wanted__gte=F("held") + F("done")), name="no_more_readings_than_wanted"),
            models.CheckConstraint(condition=Q(tier__in=[0, 1]), name="tier_0_or_1"),
        ]
        indexes = [
            models.Index(
                fields=["project", "tier", "keyed"],
                name="work_items_wanting",
                condition=Q(wanted__gt=F("held") + F("done")),
            ),
            models.Index(fields=["project", "tier", "keyed"], name="work_items_in_keyed_order"),
        ]


class Order(Made):
    """One ranking of a project's training exams, best first; written once, never changed."""

    project = models.ForeignKey("accounts.Project", on_delete=models.CASCADE, related_name="orders")
    source: Any = models.JSONField(default=dict, help_text="what ranked: strategy, model versions, round")
    size = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["project", "id"], name="orders_of_project")]


class OrderEntry(models.Model):
    """The place of one exam in a ranking, with the score and the reason of it."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="entries")
    item = models.ForeignKey(WorkItem, on_delete=models.CASCADE, related_name="entries")
    position = models.PositiveIntegerField(help_text="1 is served first")
    score = models.FloatField(null=True)
    reason: Any = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="one_exam_per_position"),
            models.UniqueConstraint(fields=["order", "item"], name="one_position_per_exam"),
        ]


class CurrentOrder(models.Model):
    """Which ranking a project is served by: the one row that a new ranking flips.

    `head` says that no exam up to that place wants a reading, so that `next` need not walk past what is read. It is
    moved forward now and then by who finds the way long, and back by whoever gives an exam back (`annotations.orders`).
    """

    project = models.OneToOneField("accounts.Project", primary_key=True, on_delete=models.CASCADE, related_name="+")
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="+")
    head = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(default=now)


class Purpose(models.TextChoices):
    """What a reading is for."""

    PRIMARY = "primary"
    SECOND = "second"
    ADJUDICATION = "adjudication"
    REFERENCE = "reference"
    PRACTICE = "practice"


class ReadingState(models.TextChoices):
    LEASED = "leased"
    OPEN = "open"
    COMPLETE = "complete"
    AMENDING = "amending"
    RELEASED = "released"


READING_MOVES: dict[ReadingState, frozenset[ReadingState]] = {
    ReadingState.LEASED: frozenset({ReadingState.OPEN, ReadingState.RELEASED}),
    ReadingState.OPEN: frozenset({ReadingState.COMPLETE, ReadingState.RELEASED}),
    ReadingState.COMPLETE: frozenset({ReadingState.AMENDING}),
    ReadingState.AMENDING: frozenset({ReadingState.COMPLETE}),
    ReadingState.RELEASED: frozenset({ReadingState.LEASED}),
}
HELD_STATES = (ReadingState.LEASED, ReadingState.OPEN, ReadingState.AMENDING)
COMPLETED_STATES = (ReadingState.COMPLETE, ReadingState.AMENDING)


class Reading(Made):
    """One reader's answers on one exam: a document that a journal of edits led to.

    `document` is what the journal says at `revision`. `completed_document` is what its reader last signed, at
    `completed_revision`; it stays while an amendment is under way, and it is what snapshots and findings are made of.
    """

    project = models.ForeignKey("accounts.Project", on_delete=models.CASCADE, related_name="readings")
    exam = models.ForeignKey("archive.Exam", on_delete=models.RESTRICT, related_name="readings")
    reader = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="readings",
        help_text="nobody for a reference reading",
    )  # fmt: skip
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.PRIMARY)
    source = models.CharField(max_length=120, blank=True, help_text="where a reference came from: dataset:mini-mias")
    state = models.CharField(max_length=16, choices=ReadingState.choices, default=ReadingState.LEASED)
    revision = models.PositiveIntegerField(default=0)
    document: Any = models.JSONField()
    lease_until = models.DateTimeField(null=True)
    completed_revision = models.PositiveIntegerField(null=True)
    completed_document: Any = models.JSONField(null=True)
    completed_at = models.DateTimeField(null=True)
    density = models.CharField(max_length=1, blank=True, help_text="of the denser breast, as last completed")
    skipped_at = models.DateTimeField(null=True)
    skip_reason = models.CharField(max_length=500, blank=True)
    flagged_at = models.DateTimeField(null=True)
    flag_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["exam", "reader", "project", "purpose"], name="one_reading_per_reader_and_purpose"
            ),
            models.UniqueConstraint(
                fields=["exam", "project", "source"],
                condition=Q(purpose=Purpose.REFERENCE),
                name="one_reference_per_source",
            ),
            models.CheckConstraint(
                condition=Q(purpose=Purpose.REFERENCE, reader=None) | ~Q(purpose=Purpose.REFERENCE) & ~Q(reader=None),
                name="only_a_reference_has_no_reader",
            ),
            models.CheckConstraint(
                condition=Q(state__in=HELD_STATES, lease_until__isnull=False)
                | Q(state__in=[ReadingState.COMPLETE, ReadingState.RELEASED], lease_until=None),
                name="a_lease_while_held",
            ),
            models.CheckConstraint(
                condition=Q(state__in=COMPLETED_STATES, completed_revision__isnull=False)
                | ~Q(state__in=COMPLETED_STATES) & Q(completed_revision=None),
                name="completed_once_signed",
            ),
            models.CheckConstraint(
                condition=Q(completed_revision=None) | Q(completed_revision__lte=F("revision")),
                name="completed_revision_exists",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "lease_until"], name="leases_by_end", condition=~Q(lease_until=None)),
            models.Index(fields=["project", "reader", "state"], name="readings_of_reader"),
            models.Index(fields=["project", "exam"], name="readings_of_exam"),
        ]


class ReadingEdit(models.Model):
    """One line of a reading's journal. Append-only and gapless: triggers refuse all else.

    `edit_id` is made by the client, so that an edit sent twice is stored once; the receipt is what was answered.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="edits")
    revision = models.PositiveIntegerField()
    edit_id = models.UUIDField(unique=True)
    patch: Any = models.JSONField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+",
        help_text="nobody where the system wrote: an import, an amendment that ran out",
    )  # fmt: skip
    at = models.DateTimeField(default=now)
    findings = models.PositiveIntegerField()
    marks = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reading", "revision"], name="one_edit_per_revision"),
            models.CheckConstraint(condition=Q(revision__gte=1), name="revisions_count_from_1"),
        ]


class Finding(models.Model):
    """One lesion that a completed reading names. A projection of its document, never edited by hand."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="findings")
    revision = models.PositiveIntegerField()
    key = models.UUIDField(help_text="the id in the document")
    type = models.CharField(max_length=32)
    birads = models.CharField(max_length=2, blank=True)
    laterality = models.CharField(max_length=1, blank=True)
    subtype = models.CharField(max_length=64, blank=True)
    pathology = models.CharField(max_length=16, blank=True)
    difficulty = models.CharField(max_length=16, blank=True)
    source_label = models.CharField(max_length=200, blank=True)
    order = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reading", "key"], name="one_finding_per_key")]
        indexes = [models.Index(fields=["type", "reading"], name="findings_by_type")]


class Mark(models.Model):
    """One geometry of a finding in one image, in stored pixels (corner origin). A projection, as its finding is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="marks")
    key = models.UUIDField(help_text="the id in the document")
    image = models.ForeignKey("archive.Image", on_delete=models.RESTRICT, related_name="marks")
    frame = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=16)
    geometry: Any = models.JSONField()
    provenance = models.CharField(max_length=16)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["finding", "key"], name="one_mark_per_key")]


class Removal(models.Model):
    """The permit to delete journals and rankings: only the removal of a whole project writes one."""

    project_id = models.UUIDField(primary_key=True)
    at = models.DateTimeField(default=now)
