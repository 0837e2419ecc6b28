"""Where a score came from, and what a version finds alike: for administrators, once their own reading is complete."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Role
from accounts.permissions import SignedIn
from archive import streaming
from archive.api.serializers import ImageBrief
from core.answers import Numbers, RowOut, Shaped
from core.api import AnyAccept, ApiView
from core.errors import Missing
from exchange.asking import project_of, uuid_of
from learning import queries
from learning.api.common import PROJECT
from learning.models import Explanation
from learning.nearest import nearest_labelled
from learning.services.explanations import picture_of

NEAREST, MOST_NEAREST = 6, 24
EXAM = OpenApiParameter("exam", OpenApiTypes.UUID, required=True)
MODEL = OpenApiParameter("model", OpenApiTypes.UUID, description="of this version alone")


class ExplanationOut(RowOut[Explanation]):
    version_number = serializers.IntegerField(source="version.number", read_only=True)
    method = serializers.CharField(source="version.method", read_only=True)
    task = serializers.CharField(source="version.task", read_only=True)
    state = serializers.CharField(source="version.state", read_only=True)
    affine = Shaped(serializers.ListField(child=Numbers(3)), help_text="3 x 3, stored pixels to the picture's")
    box = Shaped(Numbers(4, allow_null=True), help_text="the region's square in stored pixels")
    picture_url = serializers.SerializerMethodField(help_text="grey PNG, 255 where the score came from most")

    class Meta:
        model = Explanation
        fields = [
            "id", "version", "version_number", "method", "task", "state", "image", "exam_id", "unit", "split", "kind",
            "target", "label", "score", "rows", "cols", "affine", "maximum", "empty", "box", "finding_id",
            "picture_url",
        ]  # fmt: skip

    def get_picture_url(self, explanation: Explanation) -> str:
        return f"/api/v1/explanations/{explanation.pk}/picture/"


class NearFinding(serializers.Serializer[Any]):
    type = serializers.CharField()
    laterality = serializers.CharField(allow_null=True)
    birads = serializers.CharField(allow_null=True)
    pathology = serializers.CharField(allow_null=True)


class NearestOut(serializers.Serializer[Any]):
    """A labelled exam that lies near; its labels are those of the snapshot that the version learned from."""

    exam = serializers.UUIDField()
    label: Any = serializers.CharField()
    split = serializers.CharField()
    cosine = serializers.FloatField(help_text="1: the same direction")
    reading = serializers.UUIDField(help_text="the reading that the labels are of")
    density = serializers.CharField(allow_null=True)
    findings = NearFinding(many=True)
    images = ImageBrief(many=True)


class Explanations(ApiView):
    """Where the scores of an exam came from: not where the disease is. For administrators alone."""

    permission_classes = [SignedIn]

    @extend_schema(parameters=[PROJECT, EXAM, MODEL], responses=ExplanationOut(many=True))
    def get(self, request: Request) -> Response:
        user = asker(request)
        project = project_of(request, request.query_params.get("project"), Role.ADMIN)
        versions = queries.versions_administered_by(user).filter(project=project)
        exam_id = uuid_of(request.query_params.get("exam"), "exam")
        queries.require_not_reading(user, exam_id)
        rows = Explanation.objects.select_related("version").filter(version__in=versions, exam_id=exam_id)
        if model := request.query_params.get("model"):
            rows = rows.filter(version_id=uuid_of(model, "model"))
        return Response(ExplanationOut(rows.order_by("-version__number", "id"), many=True).data)


class Picture(ApiView):
    """The grey picture of a map."""

    permission_classes = [SignedIn]
    content_negotiation_class = AnyAccept

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: UUID) -> HttpResponseBase:
        user = asker(request)
        rows: QuerySet[Explanation] = Explanation.objects.select_related("image")
        found = get_object_or_404(rows, pk=pk, version__in=queries.versions_administered_by(user))
        queries.require_not_reading(user, found.exam_id)
        path = picture_of(found)
        if not path.is_file():
            raise Missing()
        return streaming.send(request._request, path, content_type="image/png", tag=str(found.pk))


class Nearest(ApiView):
    """The labelled exams that a version finds most like an exam; for administrators alone."""

    permission_classes = [SignedIn]

    @extend_schema(
        parameters=[EXAM, OpenApiParameter("count", OpenApiTypes.INT, description=f"{NEAREST}, most {MOST_NEAREST}")],
        responses=NearestOut(many=True),
    )
    def get(self, request: Request, pk: UUID) -> Response:
        user = asker(request)
        version = get_object_or_404(queries.versions_administered_by(user), pk=pk)
        exam_id = uuid_of(request.query_params.get("exam"), "exam")
        queries.require_not_reading(user, exam_id)
        count = request.query_params.get("count", "")
        wanted = min(int(count), MOST_NEAREST) if count.isdecimal() and count.isascii() else NEAREST
        return Response(NearestOut(nearest_labelled(version, exam_id, wanted) or [], many=True).data)
