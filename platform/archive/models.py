"""Patients, exams and images as received; who holds them; how they came; where others are pulled from."""

from django.db import models

from accounts.models import Project
from core.clock import now
from core.ids import uuid7
from core.models import Made
from jobs.models import Job


class Split(models.TextChoices):
    """What a patient's exams are for in a project; drawn once, at admission."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"
    AUDIT = "audit"


class Patient(models.Model):
    """One person under a pseudonym. A public set's own id (`mini-mias:12`) serves as the pseudonym of its patients."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pseudonym = models.CharField(max_length=64, unique=True)
    dataset = models.CharField(max_length=64, blank=True, help_text="the public set that the patient comes from")
    number = models.PositiveIntegerField(null=True, help_text="the patient's number in that set")


class Exam(models.Model):
    """One study of one patient. Its date is moved by the patient's secret number of days."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="exams")
    study_uid = models.CharField(max_length=64, unique=True)
    date = models.DateField(null=True)
    age_years = models.PositiveSmallIntegerField(null=True)
    label = models.CharField(max_length=32, help_text="short name for people")
    source = models.CharField(max_length=80, blank=True, help_text="`dataset:mini-mias`, or empty")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["id"]


class Image(models.Model):
    """One instance: one view of one breast. The de-identified file lies in the store under its SHA-256."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    exam = models.ForeignKey(Exam, on_delete=models.CASCADE, related_name="images")
    sop_uid = models.CharField(max_length=64, unique=True)
    sop_class = models.CharField(max_length=64, blank=True)
    series_uid = models.CharField(max_length=64, blank=True, db_index=True)
    laterality = models.CharField(max_length=1, blank=True, help_text="R, L, or empty where it is not known")
    view = models.CharField(max_length=8, blank=True, help_text="CC, MLO, ..., or empty where it is not known")
    rows = models.PositiveIntegerField()
    cols = models.PositiveIntegerField()
    spacing_row_mm = models.FloatField(null=True)
    spacing_col_mm = models.FloatField(null=True)
    spacing_source = models.CharField(
        max_length=16, blank=True, help_text="imager, pixel, dataset, or empty where it is not known"
    )
    bits_stored = models.PositiveSmallIntegerField(default=16)
    photometric = models.CharField(max_length=16, blank=True)
    presentation = models.CharField(max_length=16, blank=True, help_text="for_presentation, for_processing, film")
    sha256 = models.CharField(max_length=64, db_index=True)
    bytes = models.PositiveBigIntegerField(default=0)
    transfer_syntax = models.CharField(max_length=64, blank=True)
    manufacturer = models.CharField(max_length=64, blank=True)
    model_name = models.CharField(max_length=64, blank=True)
    windows = models.JSONField(default=list, help_text="all pairs of the file: center, width, explanation")
    voi_function = models.CharField(max_length=16, default="LINEAR")
    patient_orientation = models.CharField(max_length=16, blank=True, help_text="as DICOM writes it: P\\F")
    source_name = models.CharField(max_length=255, blank=True, help_text="file name, for public sets only")
    flags = models.JSONField(default=list)
    derived_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["exam_id", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(rows__gte=1, cols__gte=1), name="image_has_pixels"),
            models.CheckConstraint(condition=models.Q(laterality__in=["", "L", "R"]), name="laterality_l_or_r"),
        ]


class Admission(models.Model):
    """An exam in a project. All exams of a patient are in one split of it, and the split never moves."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="admissions")
    exam = models.ForeignKey(Exam, on_delete=models.PROTECT, related_name="admissions")
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="admissions")
    split = models.CharField(max_length=8, choices=Split.choices)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "exam"], name="one_admission_per_exam_and_project")]
        indexes = [models.Index(fields=["project", "patient"]), models.Index(fields=["project", "split"])]


class IngestState(models.TextChoices):
    RECEIVING = "receiving"
    PARSING = "parsing"
    CLOSED = "closed"


INGEST_MOVES: dict[IngestState, frozenset[IngestState]] = {
    IngestState.RECEIVING: frozenset({IngestState.PARSING}),
    IngestState.PARSING: frozenset({IngestState.CLOSED}),
    IngestState.CLOSED: frozenset(),
}


class Ingest(Made):
    """One delivery of files into one project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="ingests")
    state = models.CharField(max_length=16, choices=IngestState.choices, default=IngestState.RECEIVING)
    channel = models.CharField(max_length=16, default="upload", help_text="upload, command, pacs or demo")
    dataset = models.CharField(max_length=32, default="auto", help_text="auto until the files were looked at")
    received = models.PositiveIntegerField(default=0, help_text="numbers the items")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]


class ItemState(models.TextChoices):
    """`unpacked`: a zip archive whose files are items of their own. `used`: a table of labels that an import read."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    UNPACKED = "unpacked"
    USED = "used"


ITEM_MOVES: dict[ItemState, frozenset[ItemState]] = {
    ItemState.WAITING: frozenset(set(ItemState) - {ItemState.WAITING}),
    **{state: frozenset[ItemState]() for state in ItemState if state != ItemState.WAITING},
}


class IngestItem(models.Model):
    """One file of an ingest and how it ended. Its name is never stored here."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    ingest = models.ForeignKey(Ingest, on_delete=models.CASCADE, related_name="items")
    n = models.PositiveIntegerField()
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="members")
    member = models.PositiveIntegerField(null=True, help_text="place in the archive that it was unpacked from")
    state = models.CharField(max_length=16, choices=ItemState.choices, default=ItemState.WAITING)
    code = models.CharField(max_length=64, blank=True, help_text="why it was rejected")
    detail = models.JSONField(default=dict)
    bytes = models.PositiveBigIntegerField(default=0)
    image = models.ForeignKey(Image, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["ingest_id", "n"]
        constraints = [
            models.UniqueConstraint(fields=["ingest", "n"], name="one_item_per_number"),
            models.UniqueConstraint(fields=["parent", "member"], name="one_item_per_archive_member"),
        ]
        indexes = [models.Index(fields=["ingest", "state"])]


class Archive(Made):
    """A DICOMweb archive of somebody else, with the addresses that an administrator allows it to have."""

    name = models.CharField(max_length=80, unique=True)
    url = models.CharField(max_length=500)
    username = models.CharField(max_length=128, blank=True)
    secret = models.BinaryField(default=bytes, help_text="the password, encrypted")
    networks = models.JSONField(default=list, help_text="networks that its address must lie in; empty: any but local")
    timeout_seconds = models.PositiveSmallIntegerField(default=30)

    class Meta:
        ordering = ["name"]
