"""Trainings: list, start, watch, cancel, take home."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Role
from accounts.permissions import SignedIn
from accounts.queries import require_role
from core.answers import RowOut, Shaped, figures, texts
from core.api import ApiViewSet
from core.bodies import Body
from core.streams import MEDIA_TYPE, EventStream, event_stream
from exchange.asking import project_of
from exchange.queries import ROLES, visible_to
from jobs.api import JobError
from jobs.models import JobState
from jobs.queries import may_retry
from jobs.services import request_cancel
from learning import folder, queries
from learning.api.common import PROJECT
from learning.api.shapes import Curves, RunEventOut
from learning.errors import NoRunFolder
from learning.models import ModelVersion, Run, RunEvent
from learning.services import runs
from learning.supervise import command_line

POLL_SECONDS = 1.0
COMMENT_EVERY_SECONDS = 15.0
MOST_EVENTS = 1000
_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class ComputeIn(Body):
    """How the machine is used. Each is the learner's own default where it is not said."""

    precision = serializers.ChoiceField(choices=["auto", "fp32", "bf16", "fp16"], required=False)
    deterministic = serializers.BooleanField(required=False, help_text="the same weights every time on one machine")
    gradient_checkpointing = serializers.BooleanField(
        required=False, help_text="less memory, about a third more time, the same weights"
    )


class RunIn(Body):
    snapshot = serializers.UUIDField()
    method = serializers.CharField(max_length=64)
    size = serializers.CharField(max_length=16, default="tiny")
    task = serializers.CharField(max_length=32, required=False, help_text="one that the method serves; its main one")
    target = serializers.CharField(max_length=16, required=False, help_text="what the label is, of the task's targets")
    seed = serializers.IntegerField(default=0, min_value=0, max_value=2**31 - 1)
    config = serializers.DictField(default=dict, help_text="what this run overrides of the method's own settings")
    init = serializers.DictField(
        child=serializers.UUIDField(), default=dict, help_text="{version: id} or {weights: id} to start from"
    )
    compute = ComputeIn(required=False)


class RunJob(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=JobState.choices)
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()
    error = Shaped(JobError, allow_null=True)
    attempts = serializers.IntegerField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RunOut(RowOut[Run]):
    state = serializers.ChoiceField(choices=JobState.choices, read_only=True)
    findings = Shaped(texts())
    config = Shaped(serializers.DictField())
    compute = Shaped(serializers.DictField())
    job = RunJob(read_only=True, allow_null=True)
    version = serializers.SerializerMethodField()
    snapshot_number = serializers.IntegerField(source="snapshot.number", read_only=True)
    init_version = serializers.UUIDField(source="init_id", read_only=True, allow_null=True)
    init_number = serializers.IntegerField(source="init.number", default=None, read_only=True, allow_null=True)
    init_weights = serializers.CharField(source="weights.name", default=None, read_only=True, allow_null=True)
    headline = serializers.SerializerMethodField()
    headline_split = serializers.CharField(
        source="version.headline_split", default=None, read_only=True, allow_null=True, help_text="as of its version"
    )
    headline_patients = serializers.IntegerField(
        source="version.headline_patients", default=None, read_only=True, allow_null=True, help_text="as of its version"
    )
    headline_reason = serializers.CharField(
        source="version.headline_reason", default=None, read_only=True, allow_null=True, help_text="as of its version"
    )
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Run
        fields = [
            "id", "project", "number", "state", "method", "size", "task", "target", "findings", "snapshot",
            "snapshot_number", "seed", "config", "compute", "init_version", "init_number", "init_weights", "job",
            "version", "headline", "headline_split", "headline_patients", "headline_reason", "exit_code",
            "created_at", "created_by",
        ]  # fmt: skip

    def get_version(self, run: Run) -> UUID | None:
        version = _version(run)
        return version.pk if version else None

    @extend_schema_field(figures())
    def get_headline(self, run: Run) -> dict[str, Any]:
        version = _version(run)
        return version.headline if version else {}


class RunDetail(RunOut):
    command = serializers.SerializerMethodField(help_text="what to type on a machine that has the run's folder")
    request = Shaped(serializers.DictField(), help_text="request.json as it was written")
    curves = serializers.SerializerMethodField()
    environment = serializers.SerializerMethodField(help_text="environment.json, with what each stage began from")
    may_resume = serializers.SerializerMethodField(help_text="whether going on could come to another end")

    class Meta(RunOut.Meta):
        fields = [*RunOut.Meta.fields, "command", "request", "curves", "environment", "may_resume"]

    def get_may_resume(self, run: Run) -> bool:
        return run.job is not None and may_retry(run.job)

    def get_command(self, run: Run) -> str:
        return " ".join(command_line("train", queries.run_folder(run.pk)))

    @extend_schema_field(serializers.DictField())
    def get_environment(self, run: Run) -> dict[str, Any]:
        return queries.run_environment(run)

    @extend_schema_field(Curves)
    def get_curves(self, run: Run) -> dict[str, Any]:
        version = _version(run)
        return version.curves if version else {}


def _version(run: Run) -> ModelVersion | None:
    return getattr(run, "version", None)


class Runs(ApiViewSet):
    """Trainings, newest first."""

    permission_classes = [SignedIn]
    serializer_class = RunOut
    queryset = Run.objects.none()

    def get_queryset(self) -> QuerySet[Run]:
        return queries.runs_visible_to(asker(self.request))

    def _run(self, pk: UUID) -> Run:
        return get_object_or_404(self.get_queryset(), pk=pk)

    @extend_schema(parameters=[PROJECT], responses=RunOut(many=True))
    def list(self, request: Request) -> Response:
        project = project_of(request, request.query_params.get("project"), *ROLES)
        page = self.paginate_queryset(self.get_queryset().filter(project=project))
        return self.get_paginated_response(RunOut(page, many=True).data)

    @extend_schema(request=RunIn, responses={201: RunDetail})
    def create(self, request: Request) -> Response:
        """Retrain: a job supervises the learner."""
        given = RunIn(data=request.data)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        snapshot = get_object_or_404(visible_to(asker(request)), pk=fields.pop("snapshot"))
        start = fields.pop("init")
        if version_id := start.get("version"):
            fields["init"] = get_object_or_404(queries.versions_visible_to(asker(request)), pk=version_id)
        if weights_id := start.get("weights"):
            fields["weights"] = get_object_or_404(queries.weights_visible_to(asker(request)), pk=weights_id)
        run = runs.start_run(snapshot.project, snapshot, by=asker(request), **fields)
        return Response(RunDetail(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=RunDetail)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(RunDetail(self._run(pk)).data)

    @extend_schema(request=None, responses=RunDetail)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Ask the training to leave a checkpoint and end."""
        run = self._run(pk)
        require_role(asker(request), run.project_id, Role.ADMIN)
        assert run.job is not None
        run.job = request_cancel(run.job, by=asker(request))
        return Response(RunDetail(run).data)

    @extend_schema(request=None, responses=RunDetail)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: UUID) -> Response:
        """Go on from the last checkpoint of a run that failed or was cancelled."""
        return Response(RunDetail(runs.resume(self._run(pk), by=asker(request))).data)

    @extend_schema(
        parameters=[OpenApiParameter("after", OpenApiTypes.INT, description="events with a larger seq")],
        responses={(200, "application/json"): RunEventOut(many=True), (200, MEDIA_TYPE): OpenApiTypes.STR},
    )
    @action(detail=True, methods=["get"], renderer_classes=[JSONRenderer, EventStream], pagination_class=None)
    def events(self, request: Request, pk: UUID) -> HttpResponseBase:
        """What the training said, oldest first: JSON, or Server-Sent Events with `Accept: text/event-stream`."""
        run = self._run(pk)
        after = _number(request.headers.get("Last-Event-ID") or request.query_params.get("after"))
        if getattr(request.accepted_renderer, "media_type", None) == MEDIA_TYPE:
            return event_stream(_stream(run.pk, after))
        return Response(_events_after(run.pk, after)[0])

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], url_path="folder")
    def run_folder(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        """The run's folder as a zip, without checkpoints: enough to run the same command elsewhere."""
        run = self._run(pk)
        path = queries.run_folder(run.pk)
        if not path.is_dir():
            raise NoRunFolder()
        response = StreamingHttpResponse(
            _beside(folder.zipped(path, f"run-{run.number}")), content_type="application/zip"
        )
        response["Content-Disposition"] = f'attachment; filename="run-{run.number}.zip"'
        return response


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _events_after(run_id: UUID, after: int) -> tuple[list[dict[str, Any]], bool]:
    """Events in order, and whether the run has ended."""
    rows = RunEvent.objects.filter(run_id=run_id, seq__gt=after).order_by("seq", "attempt")[:MOST_EVENTS]
    events = [{**row.body, "attempt": row.attempt, "seq": row.seq, "type": row.type} for row in rows]
    state = Run.objects.filter(pk=run_id).values_list("job__state", flat=True).first()
    return events, state in _ENDED


async def _stream(run_id: UUID, after: int) -> AsyncIterator[str]:
    """One SSE message an event, with its number as id, until the run has ended; a comment keeps quiet lines open."""
    ask, quiet = sync_to_async(_events_after), 0.0
    while True:
        events, ended = await ask(run_id, after)
        for event in events:
            after, quiet = event["seq"], 0.0
            yield f"id: {after}\ndata: {json.dumps(event)}\n\n"
        if ended and not events:
            yield "event: end\ndata: {}\n\n"
            return
        if quiet >= COMMENT_EVERY_SECONDS:
            quiet = 0.0
            yield ": still here\n\n"
        if not events:
            await asyncio.sleep(POLL_SECONDS)
            quiet += POLL_SECONDS


async def _beside(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """A sync iterator beside the event loop: each step in a thread."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk
