"""Who may, what came in, which service, what goes out."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Project, Role
from accounts.permissions import SignedIn
from accounts.queries import require_role
from annotations import lexicon, queries, services
from annotations.api.serializers import (
    EditIn,
    EditOut,
    EntryOut,
    LexiconOut,
    NextIn,
    ReadingFilter,
    ReadingOut,
    ReasonIn,
    SavedOut,
    WorklistFilter,
    WorklistOut,
    saved,
)
from annotations.models import Reading
from core.api import ApiView, CursorPaging, if_match
from core.errors import Missing

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description='The revision that was read, as `"7"`.'
)
EDIT_CONFLICTS = {
    409: OpenApiResponse(description="The lease is lost, or the reading is complete."),
    412: OpenApiResponse(description="Changed in between; `errors` holds `yours` and `theirs`."),
    422: OpenApiResponse(description="The reading cannot say that; `errors` names the place and the rule."),
    428: OpenApiResponse(description="If-Match is missing."),
}


def shown(reading: Reading, request: Request) -> Response:
    """A reading with its revision as ETag."""
    body = ReadingOut(reading, context={"viewer": asker(request)}).data
    return Response(body, headers={"ETag": f'"{body["revision"]}"'})


def visible(reading_id: UUID, request: Request) -> Reading:
    """A reading that the caller may see. Raises Missing."""
    reading = queries.visible_to(asker(request)).select_related("reader").filter(pk=reading_id).first()
    if reading is None:
        raise Missing()
    return reading


class ByPlace(CursorPaging):
    ordering = ("place", "id")


class ByRevision(CursorPaging):
    ordering = "revision"
    max_page_size = 1000


class WorklistView(ApiView):
    """What waits in a project."""

    permission_classes = [SignedIn]

    @extend_schema(
        parameters=[
            WorklistFilter,
            OpenApiParameter("page_size", int, description="entries in one answer, to an administrator"),
            OpenApiParameter("cursor", str, description="as `next` has it"),
        ],
        responses=WorklistOut,
    )
    def get(self, request: Request) -> Response:
        given = WorklistFilter(data=request.query_params)
        given.is_valid(raise_exception=True)
        role = require_role(asker(request), given.validated_data["project"])
        project = Project.objects.get(pk=given.validated_data["project"])
        body = queries.worklist_for(project, asker(request))
        if role == Role.ADMIN:
            body |= self._entries(project, request)
        return Response(body)

    def _entries(self, project: Project, request: Request) -> dict[str, Any]:
        """The order of serving with its reasons: administrators alone, because readers read blind."""
        paging = ByPlace()
        page: Any = paging.paginate_queryset(queries.entries(project), request, view=self)
        order = queries.current_order(project)
        return {
            "order": order.pk if order else None,
            "entries": EntryOut(page, many=True).data,
            "next": paging.get_next_link(),
            "previous": paging.get_previous_link(),
        }


class NextView(ApiView):
    """The next exam to read."""

    permission_classes = [SignedIn]

    @extend_schema(request=NextIn, responses={200: ReadingOut, 204: OpenApiResponse(description="Nothing waits.")})
    def post(self, request: Request) -> Response:
        given = NextIn(data=request.data)
        given.is_valid(raise_exception=True)
        require_role(asker(request), given.validated_data["project"])
        project = Project.objects.get(pk=given.validated_data["project"])
        reading = services.lease_next(project, reader=asker(request))
        if reading is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return shown(reading, request)


class ReadingsView(ApiView):
    """Readings of a project, newest first, as far as the caller may see them."""

    permission_classes = [SignedIn]
    pagination_class = CursorPaging

    @extend_schema(parameters=[ReadingFilter], responses=ReadingOut(many=True))
    def get(self, request: Request) -> Response:
        given = ReadingFilter(data=request.query_params)
        given.is_valid(raise_exception=True)
        require_role(asker(request), given.validated_data["project"])
        rows = given.narrowed(queries.visible_to(asker(request)).select_related("reader"), viewer_id=asker(request).pk)
        paging = self.pagination_class()
        page: Any = paging.paginate_queryset(rows, request, view=self)
        return paging.get_paginated_response(ReadingOut(page, many=True, context={"viewer": asker(request)}).data)


class ReadingView(ApiView):
    """One reading: what it says, and changes of it."""

    permission_classes = [SignedIn]

    @extend_schema(responses=ReadingOut)
    def get(self, request: Request, reading_id: UUID) -> Response:
        return shown(visible(reading_id, request), request)

    @extend_schema(request=EditIn, parameters=[IF_MATCH], responses={200: SavedOut, **EDIT_CONFLICTS})
    def patch(self, request: Request, reading_id: UUID) -> Response:
        visible(reading_id, request)
        revision = if_match(request)
        given = EditIn(data=request.data)
        given.is_valid(raise_exception=True)
        edit = services.apply_edit(reading_id, by=asker(request), revision=revision, **given.validated_data)
        return Response(saved(edit), headers={"ETag": f'"{edit.revision}"'})


class EditsView(ApiView):
    """The journal of a reading, oldest first: its reader's and the administrators' to see."""

    permission_classes = [SignedIn]
    pagination_class = ByRevision

    @extend_schema(responses=EditOut(many=True))
    def get(self, request: Request, reading_id: UUID) -> Response:
        reading = visible(reading_id, request)
        if reading.reader_id != asker(request).pk:
            require_role(asker(request), reading.project_id, Role.ADMIN)
        paging = self.pagination_class()
        page = paging.paginate_queryset(reading.edits.all(), request, view=self)
        return paging.get_paginated_response(EditOut(page, many=True).data)


class LeaseView(ApiView):
    """The page is open: keep the lease."""

    permission_classes = [SignedIn]

    @extend_schema(request=None, responses=ReadingOut)
    def post(self, request: Request, reading_id: UUID) -> Response:
        return shown(services.renew_lease(reading_id, by=asker(request)), request)


class CompleteView(ApiView):
    """Sign what the reading says."""

    permission_classes = [SignedIn]

    @extend_schema(request=None, parameters=[IF_MATCH], responses={200: ReadingOut, **EDIT_CONFLICTS})
    def post(self, request: Request, reading_id: UUID) -> Response:
        visible(reading_id, request)
        return shown(services.complete_reading(reading_id, by=asker(request), revision=if_match(request)), request)


class AmendView(ApiView):
    """Open a completed reading again."""

    permission_classes = [SignedIn]

    @extend_schema(request=None, responses=ReadingOut)
    def post(self, request: Request, reading_id: UUID) -> Response:
        return shown(services.amend_reading(reading_id, by=asker(request)), request)


class DiscardView(ApiView):
    """Back to what was completed."""

    permission_classes = [SignedIn]

    @extend_schema(request=None, responses=ReadingOut)
    def post(self, request: Request, reading_id: UUID) -> Response:
        return shown(services.discard_amendment(reading_id, by=asker(request)), request)


class ReleaseView(ApiView):
    """Give the exam back, and keep the work."""

    permission_classes = [SignedIn]

    @extend_schema(request=None, responses=ReadingOut)
    def post(self, request: Request, reading_id: UUID) -> Response:
        return shown(services.release_reading(reading_id, by=asker(request)), request)


class SkipView(ApiView):
    """Give the exam back with a reason, and do not be offered it again."""

    permission_classes = [SignedIn]

    @extend_schema(request=ReasonIn, responses=ReadingOut)
    def post(self, request: Request, reading_id: UUID) -> Response:
        visible(reading_id, request)
        return shown(services.skip_reading(reading_id, by=asker(request), reason=_reason(request)), request)


class FlagView(ApiView):
    """Ask the administrators to look at the exam."""

    permission_classes = [SignedIn]

    @extend_schema(request=ReasonIn, responses=ReadingOut)
    def post(self, request: Request, reading_id: UUID) -> Response:
        visible(reading_id, request)
        return shown(services.flag_reading(reading_id, by=asker(request), reason=_reason(request)), request)


def _reason(request: Request) -> str:
    given = ReasonIn(data=request.data)
    given.is_valid(raise_exception=True)
    return given.validated_data["reason"]


class LexiconView(ApiView):
    """The words of a reading."""

    permission_classes = [SignedIn]

    @extend_schema(responses=LexiconOut)
    def get(self, request: Request) -> Response:
        return Response(
            {
                "schema": lexicon.READING_SCHEMA,
                "json_schema": lexicon.reading_schema(),
                "empty": lexicon.empty_document(),
                **lexicon.terms(),
            }
        )
