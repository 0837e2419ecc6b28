"""The shapes of the archive's answers."""

import json
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from archive import columns, derive, queries
from archive.models import Admission, Archive, Image, Ingest, IngestItem, Split
from archive.rules import frame_address, meaning_of
from core.answers import Numbers, RowOut, Shaped, texts
from core.bodies import Body
from jobs.models import Job

API = "/api/v1"


class WindowOut(serializers.Serializer[Any]):
    center = serializers.FloatField()
    width = serializers.FloatField()
    explanation = serializers.CharField()


LATERALITIES = ["R", "L", ""]
PRESENTATIONS = ["for_presentation", "for_processing", "film", "unknown", ""]


class ImageBrief(RowOut[Image]):
    laterality = serializers.ChoiceField(choices=LATERALITIES, help_text="empty where it is not known")
    thumbnail_url = serializers.SerializerMethodField()

    class Meta:
        model = Image
        fields = ["id", "laterality", "view", "patient_orientation", "thumbnail_url"]

    def get_thumbnail_url(self, image: Image) -> str:
        return f"{API}/images/{image.pk}/thumbnail/"


class DisplayOut(serializers.Serializer[Any]):
    """The smaller level: `factor` stored pixels are one of its own."""

    url = serializers.CharField()
    rows = serializers.IntegerField()
    cols = serializers.IntegerField()
    factor = serializers.IntegerField()


class DicomElement(serializers.Serializer[Any]):
    """One element of a header in the DICOM JSON model. Source: PS3.18 annex F.2."""

    vr = serializers.CharField()
    Value = serializers.ListField(required=False, help_text="of a sequence: headers again")
    InlineBinary = serializers.CharField(required=False)
    BulkDataURI = serializers.CharField(required=False)


class ImageOut(ImageBrief):
    """One image with all that a viewer needs; `metadata` is its header as DICOM JSON."""

    study_uid = serializers.CharField(source="exam.study_uid")
    spacing_mm = serializers.SerializerMethodField(help_text="row, column; null where nobody knows")
    presentation = serializers.ChoiceField(choices=PRESENTATIONS, help_text="empty where it is not known")
    windows = Shaped(WindowOut(many=True))
    flags = Shaped(texts())
    metadata = serializers.SerializerMethodField()
    frame_url = serializers.SerializerMethodField()
    display_url = serializers.SerializerMethodField()
    display = serializers.SerializerMethodField()
    ready = serializers.SerializerMethodField()

    class Meta:
        model = Image
        fields = [
            "id", "sop_uid", "series_uid", "study_uid", "laterality", "view", "rows", "cols", "spacing_mm",
            "spacing_source", "bits_stored", "patient_orientation", "presentation", "photometric", "manufacturer",
            "model_name", "windows", "voi_function", "flags", "source_name", "ready", "metadata", "frame_url",
            "display_url", "display", "thumbnail_url",
        ]  # fmt: skip

    @extend_schema_field(Numbers(2, allow_null=True))
    def get_spacing_mm(self, image: Image) -> list[float] | None:
        if image.spacing_row_mm is None or image.spacing_col_mm is None:
            return None
        return [image.spacing_row_mm, image.spacing_col_mm]

    @extend_schema_field(serializers.DictField(child=DicomElement()))
    def get_metadata(self, image: Image) -> dict[str, Any]:
        if image.derived_at is None:
            return {}
        return json.loads(derive.file_of(image, derive.METADATA).read_bytes())

    def get_frame_url(self, image: Image) -> str:
        return frame_address(image.exam.study_uid, image.series_uid, image.sop_uid)

    def get_display_url(self, image: Image) -> str:
        return f"{API}/images/{image.pk}/display/"

    @extend_schema_field(DisplayOut)
    def get_display(self, image: Image) -> dict[str, Any]:
        level = derive.display_level(image.rows, image.cols)
        return {"url": self.get_display_url(image), "rows": level.rows, "cols": level.cols, "factor": level.factor}

    def get_ready(self, image: Image) -> bool:
        return image.derived_at is not None


class ExamRow(RowOut[Admission]):
    """An exam in a project. Floors that know readings add columns of their own."""

    id = serializers.UUIDField(source="exam_id")
    label = serializers.CharField(source="exam.label")  # type: ignore[assignment] # hides a field's own label
    date = serializers.DateField(source="exam.date", allow_null=True)
    age_years = serializers.IntegerField(source="exam.age_years", allow_null=True)
    source = serializers.CharField(source="exam.source")  # type: ignore[assignment] # as above
    patient_label = serializers.CharField(source="patient.pseudonym")
    split = serializers.ChoiceField(choices=Split.choices)
    state = serializers.SerializerMethodField()
    images = serializers.SerializerMethodField()
    project = serializers.UUIDField(source="project_id")

    class Meta:
        model = Admission
        fields = ["id", "project", "label", "date", "age_years", "source", "patient_label", "split", "state", "images"]

    def hung(self, admission: Admission) -> list[Image]:
        return queries.hung_images(admission.exam)

    @extend_schema_field(serializers.ChoiceField(choices=["preparing", "ready"]))
    def get_state(self, admission: Admission) -> str:
        """`preparing` until every image can be shown, then `ready`, or what the floor of readings says."""
        return "ready" if all(image.derived_at for image in self.hung(admission)) else "preparing"

    @extend_schema_field(ImageBrief(many=True))
    def get_images(self, admission: Admission) -> Any:
        return ImageBrief(self.hung(admission), many=True).data

    def to_representation(self, admission: Admission) -> dict[str, Any]:
        row = super().to_representation(admission)
        return row | self.context.get("columns", {}).get(admission.pk, {})


class ExamRowSchema(OpenApiSerializerExtension):
    """Tells the schema of the columns that higher floors add; a state of theirs takes the place of one of ours."""

    target_class = ExamRow
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        properties = schema["properties"]
        for name, field in columns.shapes().items():
            shape = auto_schema._map_serializer_field(field, direction)
            ours = properties.get(name, {})
            if "enum" in ours:
                shape = {**ours, "enum": [*ours["enum"], *shape["enum"]]}
            properties[name] = shape
            schema["required"] = sorted({*schema["required"], name})
        return schema


class ExamFilter(serializers.Serializer[Any]):
    """How a list of exams may be narrowed: by what the archive knows, and by what higher floors do."""

    project = serializers.UUIDField(required=False, help_text="the project whose exams are meant; default: all")
    split = serializers.ChoiceField(choices=Split.choices, required=False)
    label: Any = serializers.CharField(required=False, help_text="how the exam's short name begins")

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), **columns.asked()}


class ExamOut(ExamRow):
    """An exam with its images in full."""

    @extend_schema_field(ImageOut(many=True))
    def get_images(self, admission: Admission) -> Any:
        return ImageOut(self.hung(admission), many=True).data


class JobRef(RowOut[Job]):
    class Meta:
        model = Job
        fields = ["id", "kind", "state", "done", "total", "message"]


class IngestCounts(serializers.Serializer[Any]):
    waiting = serializers.IntegerField()
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    unpacked = serializers.IntegerField()
    used = serializers.IntegerField()


class RejectionOut(serializers.Serializer[Any]):
    """Why files were rejected, and how many of them."""

    code = serializers.CharField()
    sentence = serializers.CharField()
    cure = serializers.CharField()
    count = serializers.IntegerField()


class IngestOut(RowOut[Ingest]):
    counts = serializers.SerializerMethodField()
    reasons = serializers.SerializerMethodField()
    job = JobRef(read_only=True, allow_null=True)
    created_by = serializers.CharField(source="created_by.username", read_only=True, default="")

    class Meta:
        model = Ingest
        fields = [
            "id", "project", "state", "channel", "dataset", "received", "counts", "reasons", "job", "created_at",
            "created_by", "closed_at",
        ]  # fmt: skip

    @extend_schema_field(IngestCounts)
    def get_counts(self, ingest: Ingest) -> dict[str, int]:
        return queries.counts_of(ingest)

    @extend_schema_field(RejectionOut(many=True))
    def get_reasons(self, ingest: Ingest) -> list[dict[str, Any]]:
        return [
            {"code": code, **meaning_of(code), "count": count} for code, count in queries.reasons_of(ingest).items()
        ]


class IngestIn(Body):
    project = serializers.UUIDField()
    dataset = serializers.CharField(default="auto", max_length=32)


class IngestItemOut(RowOut[IngestItem]):
    detail = Shaped(serializers.DictField())
    sentence = serializers.SerializerMethodField()
    cure = serializers.SerializerMethodField()

    class Meta:
        model = IngestItem
        fields = ["id", "n", "state", "code", "sentence", "cure", "detail", "bytes", "image"]

    def get_sentence(self, item: IngestItem) -> str:
        return meaning_of(item.code)["sentence"]

    def get_cure(self, item: IngestItem) -> str:
        return meaning_of(item.code)["cure"]


class ReceivedOut(serializers.Serializer[Any]):
    item = IngestItemOut()


class ReceivedMany(serializers.Serializer[Any]):
    items = IngestItemOut(many=True)


class ClosedOut(serializers.Serializer[Any]):
    job = JobRef()


class ArchiveOut(RowOut[Archive]):
    has_password = serializers.SerializerMethodField()
    networks = Shaped(texts())

    class Meta:
        model = Archive
        fields = ["id", "name", "url", "username", "has_password", "networks", "timeout_seconds", "created_at"]

    def get_has_password(self, archive: Archive) -> bool:
        return bool(archive.secret)


class ArchiveIn(Body):
    name = serializers.CharField(max_length=80)
    url = serializers.CharField(max_length=500)
    username = serializers.CharField(max_length=128, required=False, allow_blank=True)
    password = serializers.CharField(
        max_length=500, required=False, allow_blank=True, write_only=True, trim_whitespace=False
    )
    networks = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=50)
    timeout_seconds = serializers.IntegerField(required=False, min_value=1, max_value=600)


class ArchiveChange(ArchiveIn):
    """What is to be other than it was."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields


class EchoOut(serializers.Serializer[Any]):
    ok = serializers.BooleanField()


class StudyOut(serializers.Serializer[Any]):
    study_uid = serializers.CharField()
    patient_id = serializers.CharField()
    patient_name = serializers.CharField()
    date = serializers.CharField()
    description = serializers.CharField()
    modalities = serializers.ListField(child=serializers.CharField())
    instances = serializers.IntegerField(allow_null=True)


class SearchIn(Body):
    """What to look for, as DICOM writes it (PS3.4 C.2.2.2); what is left out is not asked for."""

    PatientID = serializers.CharField(max_length=64, required=False, allow_blank=True)
    PatientName = serializers.CharField(max_length=324, required=False, allow_blank=True)
    StudyDate = serializers.CharField(max_length=18, required=False, allow_blank=True)
    AccessionNumber = serializers.CharField(max_length=16, required=False, allow_blank=True)
    StudyInstanceUID = serializers.CharField(max_length=64, required=False, allow_blank=True)


class SearchOut(serializers.Serializer[Any]):
    results = StudyOut(many=True)


class PullIn(Body):
    project = serializers.UUIDField()
    studies = serializers.ListField(
        child=serializers.RegexField(r"^[0-9.]{1,64}$"), min_length=1, max_length=500, help_text="Study Instance UIDs"
    )


class PullOut(serializers.Serializer[Any]):
    job = JobRef()
