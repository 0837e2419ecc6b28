"""Which methods there are, and which can learn from a snapshot."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.permissions import SignedIn
from core.answers import counts, texts
from core.api import ApiView
from exchange.asking import uuid_of
from exchange.queries import visible_to
from learning import queries
from learning.api.shapes import MethodInputs, MethodNeed, MethodTask


class CostHere(serializers.Serializer[Any]):
    """How long the finished runs of a method took in a project, and how much memory, by size and device."""

    size = serializers.CharField()
    device = serializers.CharField(allow_null=True, help_text="as the run named it")
    runs = serializers.IntegerField()
    median_seconds = serializers.FloatField()
    peak_ram_mb = serializers.IntegerField(allow_null=True, help_text="most main memory of any; null: nobody measured")
    peak_gpu_mb = serializers.IntegerField(allow_null=True, help_text="most memory that tensors had on the GPU")


class MethodOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    seed_row = serializers.IntegerField(allow_null=True)
    task = serializers.CharField()
    fidelity = serializers.CharField()
    serves = MethodTask(many=True)
    findings = texts()
    needs = MethodNeed(many=True)
    sizes = texts()
    parameters = counts(help_text="weights by size")
    inputs = MethodInputs()
    reference = serializers.CharField()
    costs = CostHere(many=True, help_text="of `project`; empty where it is not named or nothing has finished")
    allowed = serializers.BooleanField()
    refusal = serializers.CharField(allow_null=True)


class Methods(ApiView):
    """The catalogue. With `snapshot`: whether each can learn from it and, if not, why; `project`: its costs there."""

    permission_classes = [SignedIn]

    @extend_schema(
        parameters=[OpenApiParameter("snapshot", OpenApiTypes.UUID), OpenApiParameter("project", OpenApiTypes.UUID)],
        responses=MethodOut(many=True),
    )
    def get(self, request: Request) -> Response:
        wanted = request.query_params.get("snapshot")
        counts = None
        if wanted:
            counts = get_object_or_404(visible_to(asker(request)), pk=uuid_of(wanted, "snapshot")).counts
        project = request.query_params.get("project")
        costs = queries.costs_here(asker(request), uuid_of(project, "project")) if project else {}
        methods = [{**method, "costs": costs.get(method["name"], [])} for method in queries.methods_for(counts)]
        return Response(MethodOut(methods, many=True).data)
