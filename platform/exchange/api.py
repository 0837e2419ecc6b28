"""Snapshots and exports over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.permissions import SignedIn
from core.answers import RowOut, Shaped, counts
from core.api import ApiViewSet, CursorPaging
from core.bodies import Body
from exchange import queries, services
from exchange.asking import project_of
from exchange.errors import ExportLost, ExportNotReady
from exchange.exporters import FORMATS
from exchange.models import Export, Snapshot, SnapshotItem

PROJECT = OpenApiParameter("project", OpenApiTypes.UUID, required=True)
_CHUNK = 1 << 18


class Policy(serializers.Serializer[Any]):
    references = serializers.BooleanField(default=False, help_text="take the labels that came with a data set")


class SnapshotIn(Body):
    project = serializers.UUIDField()
    policy = Policy(default={"references": False})
    note = serializers.CharField(default="", allow_blank=True, max_length=2000)


class DryRunIn(Body):
    project = serializers.UUIDField()
    policy = Policy(default={"references": False})


class PolicyOut(serializers.Serializer[Any]):
    references = serializers.BooleanField()


class SplitCounts(serializers.Serializer[Any]):
    """What is in one split of a snapshot; the dicts count by name of finding, of pathology, of density."""

    exams = serializers.IntegerField()
    patients = serializers.IntegerField()
    images = serializers.IntegerField()
    normal_exams = serializers.IntegerField()
    unmarked_findings = serializers.IntegerField()
    findings = counts()
    marks = counts()
    outlines = counts()
    pathology = counts()
    density = counts()


class Counts(SplitCounts):
    """What is in a snapshot: in all, exams by split, and the same again for each split."""

    splits = counts()
    by_split = serializers.DictField(child=SplitCounts())


class SourceOut(serializers.Serializer[Any]):
    """Where labelled data came from, as its authors want it to be named."""

    key = serializers.CharField()
    name = serializers.CharField()
    licence = serializers.CharField()
    citation = serializers.CharField()


class DryRunOut(serializers.Serializer[Any]):
    counts = Counts()
    without_consensus = serializers.ListField(child=serializers.UUIDField())


class SnapshotOut(RowOut[Snapshot]):
    counts = serializers.SerializerMethodField(help_text="null until it is frozen")
    policy = Shaped(PolicyOut)
    sources = Shaped(SourceOut(many=True))
    job = serializers.UUIDField(source="job_id", allow_null=True)

    class Meta:
        model = Snapshot
        fields = [
            "id", "project", "number", "state", "sha256", "frozen_at", "counts", "policy", "sources", "note",
            "created_at", "created_by", "job",
        ]  # fmt: skip

    @extend_schema_field(Counts(allow_null=True))
    def get_counts(self, snapshot: Snapshot) -> dict[str, Any] | None:
        return snapshot.counts or None


class ItemOut(RowOut[SnapshotItem]):
    body = serializers.CharField(help_text="the canonical JSON that was hashed")

    class Meta:
        model = SnapshotItem
        fields = ["position", "exam_id", "reading_id", "revision", "split", "sha256", "body"]


class Snapshots(ApiViewSet):
    """Frozen, hashed lists of labels."""

    permission_classes = [SignedIn]
    serializer_class = SnapshotOut
    queryset = Snapshot.objects.none()

    def get_queryset(self) -> QuerySet[Snapshot]:
        return queries.visible_to(asker(self.request))

    @extend_schema(parameters=[PROJECT], responses=SnapshotOut(many=True))
    def list(self, request: Request) -> Response:
        rows = queries.snapshots_of(project_of(request, request.query_params.get("project")).pk, asker(request))
        page = self.paginate_queryset(rows.order_by("-id"))
        return self.get_paginated_response(SnapshotOut(page, many=True).data)

    @extend_schema(request=SnapshotIn, responses={201: SnapshotOut})
    def create(self, request: Request) -> Response:
        """Freeze the labels of now; a job does it."""
        given = SnapshotIn(data=request.data)
        given.is_valid(raise_exception=True)
        snapshot = services.order_snapshot(
            project_of(request, given.validated_data["project"]),
            references=given.validated_data["policy"]["references"],
            note=given.validated_data["note"],
            by=asker(request),
        )
        return Response(SnapshotOut(snapshot).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=DryRunIn, responses=DryRunOut)
    @action(detail=False, methods=["post"], url_path="dry-run")
    def dry_run(self, request: Request) -> Response:
        """What a snapshot taken now would hold; nothing is written."""
        given = DryRunIn(data=request.data)
        given.is_valid(raise_exception=True)
        project = project_of(request, given.validated_data["project"])
        references = given.validated_data["policy"]["references"]
        return Response(services.dry_run(project, references=references, by=asker(request)))

    @extend_schema(responses=SnapshotOut)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(SnapshotOut(get_object_or_404(self.get_queryset(), pk=pk)).data)

    @extend_schema(responses=ItemOut(many=True))
    @action(detail=True, methods=["get"])
    def items(self, request: Request, pk: UUID) -> Response:
        """The items in exam order, with the bytes that were hashed."""
        snapshot = get_object_or_404(self.get_queryset(), pk=pk)
        paging = ByPosition()
        page = paging.paginate_queryset(SnapshotItem.objects.filter(snapshot=snapshot), request, view=self)
        return paging.get_paginated_response(ItemOut(page, many=True).data)


class ByPosition(CursorPaging):
    """Items in exam order."""

    ordering = "position"


class ExportIn(Body):
    snapshot = serializers.UUIDField()
    format = serializers.ChoiceField(choices=sorted(FORMATS))


class ExportOut(RowOut[Export]):
    job = serializers.UUIDField(source="job_id", allow_null=True)
    snapshot_number = serializers.IntegerField(source="snapshot.number", read_only=True)
    project = serializers.UUIDField(source="snapshot.project_id", read_only=True)
    format: Any = serializers.ChoiceField(choices=sorted(FORMATS))
    file_name = serializers.SerializerMethodField()

    class Meta:
        model = Export
        fields = [
            "id", "project", "snapshot", "snapshot_number", "format", "state", "sha256", "bytes", "file_name",
            "created_at", "finished_at", "job",
        ]  # fmt: skip

    def get_file_name(self, export: Export) -> str:
        return queries.export_file_name(export)


class Exports(ApiViewSet):
    """Snapshots as files for others. They are kept as long as the snapshot is."""

    permission_classes = [SignedIn]
    serializer_class = ExportOut
    queryset = Export.objects.none()

    def get_queryset(self) -> QuerySet[Export]:
        return queries.exports_visible_to(asker(self.request)).select_related("snapshot__project")

    @extend_schema(parameters=[PROJECT], responses=ExportOut(many=True))
    def list(self, request: Request) -> Response:
        snapshots = queries.snapshots_of(project_of(request, request.query_params.get("project")).pk, asker(request))
        page = self.paginate_queryset(self.get_queryset().filter(snapshot__in=snapshots).order_by("-id"))
        return self.get_paginated_response(ExportOut(page, many=True).data)

    @extend_schema(request=ExportIn, responses={201: ExportOut})
    def create(self, request: Request) -> Response:
        given = ExportIn(data=request.data)
        given.is_valid(raise_exception=True)
        snapshot = get_object_or_404(queries.visible_to(asker(request)), pk=given.validated_data["snapshot"])
        export = services.order_export(snapshot, format_name=given.validated_data["format"], by=asker(request))
        return Response(ExportOut(export).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=ExportOut)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(ExportOut(get_object_or_404(self.get_queryset(), pk=pk)).data)

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def download(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        """The archive itself, streamed."""
        export = get_object_or_404(self.get_queryset(), pk=pk)
        if export.state != Export.State.DONE:
            raise ExportNotReady()
        path = queries.export_path(export)
        if not path.exists():
            raise ExportLost()
        return attachment(path, queries.export_file_name(export), "application/zip")


def attachment(path: Path, name: str, content_type: str) -> StreamingHttpResponse:
    """A file as a download, read in chunks beside the event loop (a sync iterator would be read whole under ASGI)."""
    return StreamingHttpResponse(
        _chunks(path.open("rb")),
        content_type=content_type,
        headers={"Content-Length": str(path.stat().st_size), "Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
