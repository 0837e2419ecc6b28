"""Model versions: their report, their predictions, promotion and roll back."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Role
from accounts.permissions import SignedIn
from core.answers import RowOut, Shaped, figures, texts
from core.api import ApiViewSet, CursorPaging
from exchange.asking import project_of, uuid_of
from exchange.queries import ROLES
from learning import queries
from learning.api.common import PROJECT
from learning.api.shapes import Curves, Metric, PredictionRow, Worst
from learning.models import ModelVersion, Prediction, Promotion, Score, WeightsFile
from learning.services import versions

PLACES = OpenApiParameter(
    "exam", OpenApiTypes.UUID, description="those that know exams like this one; for administrators who do not read it"
)
OF_TASK = OpenApiParameter("task", str, description="those of a task")
IN_STATE = OpenApiParameter("state", str, enum=ModelVersion.State.values, description="those that stand so")


class VersionOut(RowOut[ModelVersion]):
    snapshot_number = serializers.IntegerField(source="snapshot.number", read_only=True)
    run_number = serializers.IntegerField(source="run.number", read_only=True)
    findings = Shaped(texts(), source="run.findings")
    headline = Shaped(figures(), help_text="the figures to show first, by name; null where one has no value")
    headline_split = serializers.CharField(
        read_only=True, allow_null=True, help_text="whose figures these are; val patients chose the weights"
    )
    headline_patients = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="how many patients the figures are of, at most"
    )
    headline_reason = serializers.CharField(read_only=True, allow_null=True, help_text="why none of them has a value")

    class Meta:
        model = ModelVersion
        fields = [
            "id", "project", "number", "task", "method", "size", "seed", "findings", "state", "run", "run_number",
            "snapshot", "snapshot_number", "snapshot_sha256", "model_sha256", "code_version", "headline",
            "headline_split", "headline_patients", "headline_reason", "promoted_at", "created_at",
        ]  # fmt: skip


class PromotionOut(RowOut[Promotion]):
    by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Promotion
        fields = ["was", "became", "by", "created_at"]


class BeganWith(RowOut[WeightsFile]):
    """The brought weights that a version's trunk began with."""

    class Meta:
        model = WeightsFile
        fields = ["name", "sha256", "licence", "origin"]


class VersionDetail(VersionOut):
    init_version = serializers.UUIDField(source="run.init_id", read_only=True, allow_null=True)
    init_number = serializers.IntegerField(source="run.init.number", default=None, read_only=True, allow_null=True)
    init_weights = BeganWith(source="run.weights", read_only=True, allow_null=True)
    metrics = Shaped(Metric(many=True))
    curves = Shaped(Curves)
    worst = serializers.SerializerMethodField()
    history = PromotionOut(source="promotions", many=True, read_only=True)

    class Meta(VersionOut.Meta):
        fields = [
            *VersionOut.Meta.fields,
            "init_version",
            "init_number",
            "init_weights",
            "metrics",
            "curves",
            "worst",
            "history",
        ]

    @extend_schema_field(Worst(many=True))
    def get_worst(self, version: ModelVersion) -> list[dict[str, Any]]:
        return queries.worst_with_images(version)


class Promoted(serializers.Serializer[Any]):
    version = VersionOut()
    job = serializers.UUIDField(help_text="the job that scores the unread exams; its result names the ranking's")


class PredictionOut(RowOut[Prediction]):
    rows = Shaped(PredictionRow(many=True))

    class Meta:
        model = Prediction
        fields = ["exam_id", "unit", "split", "rows"]


class ScoreOut(RowOut[Score]):
    images = Shaped(figures())

    class Meta:
        model = Score
        fields = ["version", "exam_id", "part", "value", "kind", "images", "at"]


class Models(ApiViewSet):
    """What the runs made, newest first."""

    permission_classes = [SignedIn]
    serializer_class = VersionOut
    queryset = ModelVersion.objects.none()

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return queries.versions_visible_to(asker(self.request))

    @extend_schema(parameters=[PROJECT, PLACES, OF_TASK, IN_STATE], responses=VersionOut(many=True))
    def list(self, request: Request) -> Response:
        versions = self.get_queryset()
        if exam := request.query_params.get("exam"):
            versions = queries.versions_that_place(asker(request), uuid_of(exam, "exam"))
        roles = (Role.ADMIN,) if exam else ROLES
        project = project_of(request, request.query_params.get("project"), *roles)
        asked = {name: given for name in ("task", "state") if (given := request.query_params.get(name))}
        page = self.paginate_queryset(versions.filter(project=project, **asked))
        return self.get_paginated_response(VersionOut(page, many=True).data)

    @extend_schema(responses=VersionDetail)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(VersionDetail(get_object_or_404(self.get_queryset(), pk=pk)).data)

    @extend_schema(request=None, responses=Promoted)
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: UUID) -> Response:
        """Let this version rank what is unread; the one before it of the same task retires."""
        version, job = versions.promote(get_object_or_404(self.get_queryset(), pk=pk).pk, by=asker(request))
        return Response({"version": VersionOut(version).data, "job": job.pk})

    @extend_schema(request=None, responses=VersionOut)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: UUID) -> Response:
        """Take this version out of the ranking."""
        return Response(
            VersionOut(versions.retire(get_object_or_404(self.get_queryset(), pk=pk).pk, by=asker(request))).data
        )

    @extend_schema(
        parameters=[OpenApiParameter("exam", OpenApiTypes.UUID, required=True)], responses=PredictionOut(many=True)
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def predictions(self, request: Request, pk: UUID) -> Response:
        """What the version predicts of an exam and its images; for administrators who are not reading it themselves."""
        version = get_object_or_404(queries.versions_administered_by(asker(request)), pk=pk)
        exam_id = uuid_of(request.query_params.get("exam"), "exam")
        queries.require_not_reading(asker(request), exam_id)
        return Response(PredictionOut(Prediction.objects.filter(version=version, exam_id=exam_id), many=True).data)


class ByAge(CursorPaging):
    """In the order in which they were stored."""

    ordering = "id"


class Scores(mixins.ListModelMixin, ApiViewSet):
    """The raw parts of a version's scores; for administrators alone."""

    permission_classes = [SignedIn]
    serializer_class = ScoreOut
    pagination_class = ByAge
    queryset = Score.objects.none()

    def get_queryset(self) -> QuerySet[Score]:
        version_id = uuid_of(self.request.query_params.get("model"), "model")
        version = get_object_or_404(queries.versions_administered_by(asker(self.request)), pk=version_id)
        return Score.objects.filter(version=version)

    @extend_schema(parameters=[OpenApiParameter("model", OpenApiTypes.UUID, required=True)])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)
