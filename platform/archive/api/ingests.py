"""Imports: files in, how each ended out. For administrators of the project; researchers look."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Project, Role
from accounts.permissions import SignedIn
from accounts.queries import require_role
from archive import queries, services
from archive.api.exams import project_of
from archive.api.serializers import (
    ClosedOut,
    IngestIn,
    IngestItemOut,
    IngestOut,
    JobRef,
    ReceivedMany,
    ReceivedOut,
)
from archive.models import Ingest, IngestItem, ItemState
from core.api import ApiView, ApiViewSet, CursorPaging
from core.bodies import FILE_NAME, sent_file
from core.errors import BadRequest, Missing

_CHUNK = 2**20
#: The name of a file may be a patient's. It comes in a header and not in the address, which ends in logs.
_FORM = {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}}


class Ingests(ApiViewSet):
    """Deliveries of files into a project."""

    permission_classes = [SignedIn]
    serializer_class = IngestOut
    queryset = Ingest.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Ingest]:
        return queries.ingests_visible_to(asker(self.request))

    @extend_schema(parameters=[OpenApiParameter("project", OpenApiTypes.UUID)], responses=IngestOut(many=True))
    def list(self, request: Request) -> Response:
        project = project_of(request)
        require_role(asker(request), project, *queries.INGEST_ROLES)
        page = self.paginate_queryset(self.get_queryset().filter(project_id=UUID(project)))
        return self.get_paginated_response(IngestOut(page, many=True).data)

    @extend_schema(request=IngestIn, responses={201: IngestOut})
    def create(self, request: Request) -> Response:
        given = IngestIn(data=request.data)
        given.is_valid(raise_exception=True)
        project = given.validated_data["project"]
        require_role(asker(request), project, Role.ADMIN)
        ingest = services.create_ingest(
            Project.objects.get(pk=project), by=asker(request), dataset=given.validated_data["dataset"]
        )
        return Response(IngestOut(ingest).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=IngestOut)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(IngestOut(get_object_or_404(self.get_queryset(), pk=pk)).data)

    @extend_schema(request=None, responses=ClosedOut)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: UUID) -> Response:
        """Take no more files; the job that parses them begins."""
        job = services.close_ingest(administered(request, pk), by=asker(request))
        return Response({"job": JobRef(job).data})


def administered(request: Request, pk: UUID) -> Ingest:
    """An import of a project that the account administers. Raises Missing, RoleMissing."""
    ingest = Ingest.objects.select_related("project", "job").filter(pk=pk).first()
    if ingest is None:
        raise Missing()
    require_role(asker(request), ingest.project_id, Role.ADMIN)
    return ingest


class IngestFiles(ApiView):
    """Files of an import. Each is on the server's disk when it is answered for."""

    permission_classes = [SignedIn]

    @extend_schema(
        parameters=[
            OpenApiParameter(
                FILE_NAME,
                str,
                OpenApiParameter.HEADER,
                description="relative path in percent encoding (UTF-8); only data sets need it",
            )
        ],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={202: ReceivedOut},
    )
    def put(self, request: Request, pk: UUID) -> Response:
        """One file, as the body."""
        ingest = administered(request, pk)
        sent = sent_file(request)
        item = services.receive_file(ingest, sent.name, sent.chunks, expected=sent.length)
        return Response({"item": IngestItemOut(item).data}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        request={"multipart/form-data": _FORM},
        responses={202: ReceivedMany},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Several files, as a form."""
        ingest = administered(request, pk)
        files = [file for name in request._request.FILES for file in request._request.FILES.getlist(name)]
        if not files:
            raise BadRequest("The form holds no file.")
        items = [
            services.receive_file(ingest, file.name or "", file.chunks(_CHUNK), expected=file.size) for file in files
        ]
        return Response({"items": IngestItemOut(items, many=True).data}, status=status.HTTP_202_ACCEPTED)


class ItemPaging(CursorPaging):
    ordering = "n"


class IngestItems(ApiViewSet):
    """The files of an import, in order, and how each ended."""

    permission_classes = [SignedIn]
    serializer_class = IngestItemOut
    pagination_class = ItemPaging
    queryset = IngestItem.objects.none()

    @extend_schema(
        parameters=[OpenApiParameter("state", str, enum=ItemState.values), OpenApiParameter("code", str)],
        responses=IngestItemOut(many=True),
    )
    def list(self, request: Request, pk: UUID) -> Response:
        ingest = get_object_or_404(queries.ingests_visible_to(asker(request)), pk=pk)
        asked: dict[str, Any] = {
            name: request.query_params[name] for name in ("state", "code") if request.query_params.get(name)
        }
        page = self.paginate_queryset(ingest.items.filter(**asked))
        return self.get_paginated_response(IngestItemOut(page, many=True).data)
