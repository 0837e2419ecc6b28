"""Jobs: list, look, cancel, retry, watch."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Role, User
from accounts.permissions import SignedIn
from accounts.queries import require_role
from core.answers import RowOut, Shaped
from core.api import ApiView, ApiViewSet
from core.errors import Forbidden
from core.streams import MEDIA_TYPE, EventStream, event_stream
from jobs import queries, services
from jobs.models import Job, JobState

POLL_SECONDS = 1.0
COMMENT_EVERY = 15
RUNNING = (JobState.QUEUED, JobState.RUNNING)


class JobError(serializers.Serializer[Any]):
    code = serializers.CharField()
    sentence = serializers.CharField()
    cure = serializers.CharField()
    detail = serializers.JSONField()


class JobOut(RowOut[Job]):
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)
    error = Shaped(JobError, allow_null=True)
    result = Shaped(serializers.DictField(), allow_null=True)
    eta_s = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id", "kind", "title", "link", "state", "done", "total", "message", "eta_s", "error", "result", "project",
            "created_at", "started_at", "finished_at", "created_by", "attempts", "cancel_requested_at",
        ]  # fmt: skip

    def get_eta_s(self, job: Job) -> float | None:
        return queries.eta_seconds(job)


class JobDetail(JobOut):
    may_steer = serializers.SerializerMethodField()
    may_retry = serializers.SerializerMethodField(help_text="whether doing it again could come to another end")

    class Meta(JobOut.Meta):
        fields = [*JobOut.Meta.fields, "log_tail", "may_steer", "may_retry"]

    def get_may_steer(self, job: Job) -> bool:
        return queries.may_steer(asker(self.context["request"]), job)

    def get_may_retry(self, job: Job) -> bool:
        return queries.may_retry(job)


class Jobs(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Background work, newest first."""

    permission_classes = [SignedIn]
    serializer_class = JobOut
    queryset = Job.objects.none()
    filterset_fields = ["project", "state", "kind"]

    def get_queryset(self) -> Any:
        return queries.visible_to(asker(self.request))

    def get_serializer_class(self) -> type[JobOut]:
        return JobOut if self.action == "list" else JobDetail

    @extend_schema(request=None, responses=JobDetail)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        return self._answer(services.request_cancel(self._own(request, pk), by=asker(request)))

    @extend_schema(request=None, responses=JobDetail)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: UUID) -> Response:
        return self._answer(services.retry(self._own(request, pk), by=asker(request)))

    def _answer(self, job: Job) -> Response:
        return Response(JobDetail(job, context=self.get_serializer_context()).data)

    def _own(self, request: Request, pk: UUID) -> Job:
        """A job that this account may steer. Raises RoleMissing, Forbidden."""
        job = get_object_or_404(self.get_queryset(), pk=pk)
        if not queries.may_steer(asker(request), job):
            if job.project_id is not None:
                require_role(asker(request), job.project_id, Role.ADMIN)
            raise Forbidden()
        return job


class ProjectEvents(ApiView):
    """Server-Sent Events: the jobs that run, whenever one of them changes."""

    permission_classes = [SignedIn]
    renderer_classes = [EventStream]

    @extend_schema(
        operation_id="jobs_events",
        parameters=[OpenApiParameter("project", OpenApiTypes.UUID)],
        responses={(200, MEDIA_TYPE): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        project = request.query_params.get("project")
        if project:
            require_role(asker(request), project)
        return event_stream(_events(asker(request), {"project_id": project} if project else {}))


class JobEvents(ApiView):
    """Server-Sent Events: one job, whenever it changes, until it has ended."""

    permission_classes = [SignedIn]
    renderer_classes = [EventStream]

    @extend_schema(operation_id="job_events", responses={(200, MEDIA_TYPE): OpenApiTypes.STR})
    def get(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        get_object_or_404(queries.visible_to(asker(request)), pk=pk)  # else a stream that stays empty for ever
        return event_stream(_events(asker(request), {"pk": str(pk)}))


def _state(user: User, wanted: dict[str, str]) -> list[Any]:
    rows = queries.visible_to(user).filter(**wanted)
    if "pk" not in wanted:
        rows = rows.filter(state__in=RUNNING)[:20]
    return json.loads(json.dumps(JobOut(rows, many=True).data, default=str))


async def _events(user: User, wanted: dict[str, str]) -> AsyncIterator[str]:
    """One event whenever the answer changed; a comment now and then, so that proxies keep the line open."""
    before, quiet = None, 0.0
    ask = sync_to_async(_state)
    while True:
        state = await ask(user, wanted)
        text = json.dumps([{**row, "eta_s": round(row["eta_s"]) if row["eta_s"] else None} for row in state])
        if text != before:
            before, quiet = text, 0.0
            yield f"data: {text}\n\n"
            if state and "pk" in wanted and state[0]["state"] not in RUNNING:
                return
        elif quiet >= COMMENT_EVERY:
            quiet = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(POLL_SECONDS)
        quiet += POLL_SECONDS
