"""Rounds: what was asked and why, what came of it, and the button for the next."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Role
from accounts.permissions import SignedIn
from annotations.api.serializers import RankReason
from core.answers import RowOut, Shaped
from core.api import ApiViewSet
from core.bodies import Body
from exchange.asking import project_of
from learning import queries
from learning.api.common import PROJECT
from learning.models import Round, RoundItem
from learning.services import rounds

#: Items in one answer; an admin's page shows the first ones, a program asks on.
MOST_ITEMS = 500


class RoundIn(Body):
    project = serializers.UUIDField()


class RoundOrdered(serializers.Serializer[Any]):
    job = serializers.UUIDField()
    jobs = serializers.ListField(child=serializers.UUIDField())


class RoundVersion(serializers.Serializer[Any]):
    """A promoted version that ranked."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    task = serializers.CharField()
    model_sha256 = serializers.CharField()


class RoundOut(RowOut[Round]):
    versions = Shaped(RoundVersion(many=True), source="input.versions")
    exams = serializers.SerializerMethodField()
    read = serializers.SerializerMethodField()

    class Meta:
        model = Round
        fields = [
            "id", "project", "number", "state", "strategy", "versions", "exams", "read", "input_sha256",
            "batch_sha256", "order_id", "published_at", "closed_at", "created_at",
        ]  # fmt: skip

    def get_exams(self, row: Round) -> int:
        return row.items.count()

    def get_read(self, row: Round) -> int:
        return queries.read_of(row)[0]


class RoundItemOut(RowOut[RoundItem]):
    label: Any = serializers.SerializerMethodField(help_text="the exam's short name; empty where the exam is gone")
    reason = Shaped(RankReason)

    class Meta:
        model = RoundItem
        fields = ["position", "exam_id", "label", "score", "reason"]

    def get_label(self, item: RoundItem) -> str:
        labels: dict[UUID, str] = self.context["labels"]
        return labels.get(item.exam_id, "")


class RoundDetail(RoundOut):
    weights = Shaped(serializers.DictField(child=serializers.FloatField()), source="input.weights")
    seed = serializers.IntegerField(source="input.seed", read_only=True)
    items = serializers.SerializerMethodField()

    class Meta(RoundOut.Meta):
        fields = [*RoundOut.Meta.fields, "weights", "seed", "items"]

    @extend_schema_field(RoundItemOut(many=True))
    def get_items(self, row: Round) -> list[dict[str, Any]]:
        after = int(self.context.get("after") or 0)
        rows = list(row.items.filter(position__gt=after).order_by("position")[:MOST_ITEMS])
        context = {"labels": queries.labels_of([item.exam_id for item in rows])}
        return [dict(item) for item in RoundItemOut(rows, many=True, context=context).data]


class Rounds(ApiViewSet):
    """Published rankings with scores and reasons; for administrators alone, so that readers read blind."""

    permission_classes = [SignedIn]
    serializer_class = RoundOut
    queryset = Round.objects.none()

    def get_queryset(self) -> QuerySet[Round]:
        return queries.rounds_visible_to(asker(self.request)).select_related("project")

    @extend_schema(parameters=[PROJECT], responses=RoundOut(many=True))
    def list(self, request: Request) -> Response:
        project = project_of(request, request.query_params.get("project"), Role.ADMIN)
        page = self.paginate_queryset(self.get_queryset().filter(project=project))
        return self.get_paginated_response(RoundOut(page, many=True).data)

    @extend_schema(request=RoundIn, responses={202: RoundOrdered})
    def create(self, request: Request) -> Response:
        """Score what the promoted versions have not scored yet, rank again, publish."""
        given = RoundIn(data=request.data)
        given.is_valid(raise_exception=True)
        jobs = rounds.order_round(project_of(request, given.validated_data["project"], Role.ADMIN), by=asker(request))
        return Response({"job": jobs[-1].pk, "jobs": [job.pk for job in jobs]}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        parameters=[OpenApiParameter("after", OpenApiTypes.INT, description="items with a larger position")],
        responses=RoundDetail,
    )
    def retrieve(self, request: Request, pk: UUID) -> Response:
        after = request.query_params.get("after", "")
        row = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(RoundDetail(row, context={"after": after if after.isdecimal() else 0}).data)
