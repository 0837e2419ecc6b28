"""What a reading and a worklist look like from outside."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotations.api.documents import DocumentField
from annotations.models import Purpose, Reading, ReadingEdit, ReadingState, WorkItem
from annotations.readings import MAX_REASON
from annotations.rules import receipt_of
from annotations.rules.patch import MAX_OPERATIONS
from core.answers import RowOut, Shaped, texts
from core.bodies import Body


class ReceiptOut(serializers.Serializer[Any]):
    """What the server stored; `sha256` is of the document in RFC 8785 canonical form."""

    findings = serializers.IntegerField()
    marks = serializers.IntegerField()
    sha256 = serializers.CharField()


class ReadingOut(RowOut[Reading]):
    """A reading. To others than its reader: what was last completed, where something was."""

    project = serializers.UUIDField(source="project_id")
    exam = serializers.UUIDField(source="exam_id")
    reader = serializers.UUIDField(source="reader_id", allow_null=True)
    reader_name = serializers.SerializerMethodField()
    purpose = serializers.ChoiceField(choices=Purpose.choices)
    state = serializers.ChoiceField(choices=ReadingState.choices)
    revision = serializers.SerializerMethodField()
    document = serializers.SerializerMethodField()
    receipt = serializers.SerializerMethodField()

    class Meta:
        model = Reading
        fields = [
            "id", "project", "exam", "reader", "reader_name", "purpose", "source", "state", "revision", "document",
            "receipt", "lease_until", "completed_revision", "completed_at", "density", "skip_reason", "flag_reason",
            "created_at",
        ]  # fmt: skip

    def _shows_completed(self, reading: Reading) -> bool:
        return reading.reader_id != self.context["viewer"].pk and reading.completed_document is not None

    def get_reader_name(self, reading: Reading) -> str | None:
        return reading.reader.username if reading.reader else None

    def get_revision(self, reading: Reading) -> int:
        shown = reading.completed_revision if self._shows_completed(reading) else reading.revision
        return shown or 0

    @extend_schema_field(DocumentField)
    def get_document(self, reading: Reading) -> dict[str, Any]:
        return reading.completed_document if self._shows_completed(reading) else reading.document

    @extend_schema_field(ReceiptOut)
    def get_receipt(self, reading: Reading) -> dict[str, Any]:
        return vars(receipt_of(self.get_document(reading)))


PATCH_SCHEMA = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_OPERATIONS,
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"type": "string", "enum": ["add", "remove", "replace", "test"]},
            "path": {"type": "string", "description": "JSON Pointer (RFC 6901)"},
            "value": {},
        },
    },
}


@extend_schema_field(PATCH_SCHEMA, component_name="JsonPatch")
class PatchField(serializers.Field[Any, Any, Any, Any]):
    """A JSON Patch as it came; `rules.check_patch` looks at it, without recursion, however deep it is nested."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class EditIn(Body):
    """A change: a JSON Patch (RFC 6902; add, remove, replace, test) and an id that the client made for it."""

    edit_id = serializers.UUIDField()
    patch = PatchField()


class SavedOut(serializers.Serializer[Any]):
    """What was stored, and when. The same edit sent twice gets the same answer."""

    revision = serializers.IntegerField()
    receipt = ReceiptOut()
    saved_at = serializers.DateTimeField()


def saved(edit: ReadingEdit) -> dict[str, Any]:
    """The answer to an edit, from its line in the journal."""
    receipt = {"findings": edit.findings, "marks": edit.marks, "sha256": edit.sha256}
    return SavedOut({"revision": edit.revision, "receipt": receipt, "saved_at": edit.at}).data


class EditOut(RowOut[ReadingEdit]):
    """One line of a reading's journal."""

    patch = PatchField(read_only=True)

    class Meta:
        model = ReadingEdit
        fields = ["revision", "edit_id", "patch", "actor", "at", "findings", "marks", "sha256"]


class ReasonIn(Body):
    reason = serializers.CharField(max_length=MAX_REASON)


class NextIn(Body):
    project = serializers.UUIDField()


class PartOfScore(serializers.Serializer[Any]):
    """One part of an exam's score: the version's own value, its rank among all exams in (0, 1], its weight."""

    value = serializers.FloatField(allow_null=True)
    rank = serializers.FloatField()
    weight = serializers.FloatField()


class RankReason(serializers.Serializer[Any]):
    """Why an exam stands where it does; the parts by name (density, or a finding)."""

    why = serializers.CharField(required=False)
    parts = serializers.DictField(child=PartOfScore(), required=False)
    unscored = texts(required=False, help_text="parts that no promoted version has scored")


class EntryOut(serializers.Serializer[WorkItem]):
    """One exam that waits, with why it waits there."""

    position = serializers.IntegerField(allow_null=True, help_text="place in the ranking; null: not ranked")
    exam = serializers.UUIDField(source="exam_id")
    label: Any = serializers.CharField(source="exam.label")
    tier = serializers.IntegerField()
    score = serializers.FloatField(allow_null=True)
    reason = Shaped(RankReason, allow_null=True)
    state = serializers.SerializerMethodField()
    wanted = serializers.IntegerField()
    held = serializers.IntegerField()
    done = serializers.IntegerField()

    @extend_schema_field(serializers.ChoiceField(choices=["held", "waiting"]))
    def get_state(self, item: WorkItem) -> str:
        return "held" if item.held else "waiting"


class WorklistOut(serializers.Serializer[Any]):
    """What waits for the reader; an administrator also sees the exams in the order of serving."""

    left = serializers.IntegerField()
    mine_held = serializers.IntegerField()
    done = serializers.IntegerField()
    last_completed = serializers.UUIDField(allow_null=True)
    upcoming = serializers.UUIDField(
        allow_null=True, help_text="The exam likely to be next, to be fetched ahead; neither leased nor promised."
    )
    order = serializers.UUIDField(allow_null=True, required=False)
    entries = EntryOut(many=True, required=False)
    next = serializers.URLField(allow_null=True, required=False, help_text="more entries")
    previous = serializers.URLField(allow_null=True, required=False)


class Term(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()


class MarkKind(Term):
    geometry = serializers.CharField(help_text="what the numbers are, in words")


class LexiconOut(serializers.Serializer[Any]):
    """The words of a reading: its schema's name, the JSON schema, an empty document, and each vocabulary."""

    schema = serializers.CharField()
    json_schema = serializers.DictField()
    empty = DocumentField()
    finding_types = Term(many=True)
    birads = Term(many=True)
    densities = Term(many=True)
    lateralities = Term(many=True)
    pathologies = Term(many=True)
    mark_kinds = MarkKind(many=True)
    provenances = Term(many=True)


class WorklistFilter(serializers.Serializer[Any]):
    """Whose order of serving is asked for."""

    project = serializers.UUIDField()


class ReadingFilter(serializers.Serializer[Any]):
    """How a list of readings may be narrowed."""

    project = serializers.UUIDField()
    exam: Any = serializers.UUIDField(required=False)
    purpose = serializers.ChoiceField(choices=Purpose.choices, required=False)
    state = serializers.ChoiceField(choices=ReadingState.choices, required=False)
    mine = serializers.BooleanField(required=False, default=False)
    flagged = serializers.BooleanField(required=False, default=False)

    def narrowed(self, rows: Any, *, viewer_id: UUID) -> Any:
        given = self.validated_data
        rows = rows.filter(**{name: given[name] for name in ("project", "exam", "purpose", "state") if name in given})
        if given["mine"]:
            rows = rows.filter(reader_id=viewer_id)
        return rows.exclude(flagged_at=None) if given["flagged"] else rows
