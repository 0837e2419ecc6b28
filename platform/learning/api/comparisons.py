"""Two versions on the same patients."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.permissions import SignedIn
from core.answers import counts
from core.api import ApiView
from learning import queries
from learning.api.models import VersionOut
from learning.api.shapes import Curves, Metric
from learning.models import Comparison, ModelVersion
from learning.services import comparisons


class SettingApart(serializers.Serializer[Any]):
    name = serializers.CharField()
    first = serializers.JSONField(allow_null=True)
    second = serializers.JSONField(allow_null=True)


class ComparisonOut(serializers.Serializer[Any]):
    """`rows`, `patients` and curves are empty until the job is done."""

    id = serializers.UUIDField()
    first = VersionOut()
    second = VersionOut()
    job = serializers.UUIDField(source="job_id", allow_null=True)
    done = serializers.SerializerMethodField()
    patients = serializers.SerializerMethodField(help_text="those that both were asked about, by split")
    truth_snapshot = serializers.SerializerMethodField(help_text="the later of the two: its labels are the truth")
    rows = serializers.SerializerMethodField(help_text="series model is the first, baseline the second")
    refusals = serializers.SerializerMethodField(help_text="by split, why the two cannot be compared there")
    settings_apart = serializers.SerializerMethodField()
    first_curves = serializers.SerializerMethodField()
    second_curves = serializers.SerializerMethodField()

    def get_done(self, comparison: Comparison) -> bool:
        return comparison.document is not None

    @staticmethod
    def _said(comparison: Comparison, name: str, otherwise: Any) -> Any:
        return (comparison.document or {}).get(name, otherwise)

    def get_truth_snapshot(self, comparison: Comparison) -> int | None:
        found: int | None = self._said(comparison, "truth_snapshot", None)
        return found

    @extend_schema_field(counts())
    def get_patients(self, comparison: Comparison) -> Any:
        return self._said(comparison, "patients", {})

    @extend_schema_field(Metric(many=True))
    def get_rows(self, comparison: Comparison) -> Any:
        return self._said(comparison, "rows", [])

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_refusals(self, comparison: Comparison) -> Any:
        return self._said(comparison, "refusals", {})

    @extend_schema_field(SettingApart(many=True))
    def get_settings_apart(self, comparison: Comparison) -> Any:
        return comparisons.differences(comparison.first, comparison.second)

    @extend_schema_field(Curves)
    def get_first_curves(self, comparison: Comparison) -> Any:
        return self._said(comparison, "first", {})

    @extend_schema_field(Curves)
    def get_second_curves(self, comparison: Comparison) -> Any:
        return self._said(comparison, "second", {})


class Compare(ApiView):
    """Compare two versions of a task on the patients that both never saw."""

    permission_classes = [SignedIn]

    @extend_schema(responses=ComparisonOut)
    def get(self, request: Request, pk: UUID, other: UUID) -> Response:
        """What came of it; 404 where nobody has asked for it."""
        first, second = self._versions(request, pk, other)
        found = get_object_or_404(Comparison, first=first, second=second)
        return Response(ComparisonOut(found).data)

    @extend_schema(request=None, responses=ComparisonOut)
    def post(self, request: Request, pk: UUID, other: UUID) -> Response:
        """Ask for it, once for a pair; read it again until `done`, or watch the job."""
        first, second = self._versions(request, pk, other)
        found = comparisons.order_comparison(first, second, by=asker(request))
        return Response(ComparisonOut(found).data)

    @staticmethod
    def _versions(request: Request, *keys: UUID) -> list[ModelVersion]:
        rows = queries.versions_visible_to(asker(request)).select_related("run__init", "snapshot", "project")
        return [get_object_or_404(rows, pk=key) for key in keys]
