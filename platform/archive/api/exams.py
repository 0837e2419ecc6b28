"""Exams and images, for every member of a project that holds them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.permissions import SignedIn
from archive import columns, derive, queries, streaming
from archive.api.serializers import ExamFilter, ExamOut, ExamRow, ImageOut
from archive.errors import NotDerived
from archive.models import Admission, Image, Split
from core.api import AnyAccept, ApiView, ApiViewSet
from core.errors import BadRequest, Missing

_PROJECT = OpenApiParameter("project", OpenApiTypes.UUID, description="the project whose exams are meant; default: all")

#: Keys are tags, `00080060`.
_HEADER = {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/DicomElement"}}


def project_of(request: Request) -> str:
    """The project that a list is asked for. Raises BadRequest."""
    asked = request.query_params.get("project", "")
    try:
        return str(UUID(asked))
    except ValueError as error:
        raise BadRequest("Say which project: ?project=<id>.") from error


class Exams(ApiViewSet):
    """The exams of a project, or of all projects of the account: an exam in two of them comes twice."""

    permission_classes = [SignedIn]
    serializer_class = ExamRow
    queryset = Admission.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Admission]:
        user = asker(self.request)
        rows = queries.visible_exams(user, self._project()).prefetch_related("exam__images")
        asked = self.request.query_params
        if asked.get("split") in Split.values:
            rows = rows.filter(split=asked["split"])
        if asked.get("label"):
            rows = rows.filter(exam__label__istartswith=asked["label"])
        return columns.narrowed(rows, asked, user)

    @extend_schema(parameters=[ExamFilter], responses=ExamRow(many=True))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ExamRow(page, many=True, context=self._context(page or [])).data)

    @extend_schema(parameters=[_PROJECT], responses=ExamOut)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        admission = queries.admission_of(asker(request), pk, self._project())
        return Response(ExamOut(admission, context=self._context([admission])).data)

    def _project(self) -> str | None:
        return project_of(self.request) if "project" in self.request.query_params else None

    def _context(self, rows: Sequence[Admission]) -> dict[str, Any]:
        return {"columns": columns.values_of(asker(self.request), rows)}


def image_or_missing(request: Request, pk: UUID) -> Image:
    """An image that the account may see. Raises Missing."""
    image = queries.images_visible_to(asker(request)).filter(pk=pk).first()
    if image is None:
        raise Missing()
    return image


def send_derived(request: Request, image: Image, name: str, content_type: str) -> HttpResponseBase:
    """A derived file of an image that the caller was allowed to see. Raises NotDerived."""
    path = derive.file_of(image, name)
    if not path.is_file():
        raise NotDerived()
    return streaming.send(request._request, path, content_type=content_type, tag=f"{image.sha256}-{name}")


class Images(ApiViewSet):
    """One image."""

    permission_classes = [SignedIn]
    serializer_class = ImageOut
    queryset = Image.objects.none()
    lookup_value_converter = "uuid"

    @extend_schema(responses=ImageOut)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(ImageOut(image_or_missing(request, pk)).data)


class Thumbnail(ApiView):
    """A small picture of an image, windowed."""

    permission_classes = [SignedIn]

    @extend_schema(responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        return send_derived(request, image_or_missing(request, pk), derive.THUMBNAIL, "image/jpeg")


class Display(ApiView):
    """An image at the size of a pane, in its full depth (HTJ2K)."""

    permission_classes = [SignedIn]
    content_negotiation_class = AnyAccept  # viewers ask for it as they ask for a frame: as multipart/related

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        content_type = f"application/octet-stream; transfer-syntax={derive.FRAME_SYNTAX}"
        return send_derived(request, image_or_missing(request, pk), derive.DISPLAY, content_type)


class Header(ApiView):
    """The de-identified header of an image as DICOM JSON, without its pixels."""

    permission_classes = [SignedIn]

    @extend_schema(responses={(200, "application/json"): _HEADER})
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        return send_derived(request, image_or_missing(request, pk), derive.METADATA, "application/json")
