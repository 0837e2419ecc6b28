"""Weights that people bring: list, keep, forget."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Role
from accounts.permissions import SignedIn
from core.answers import RowOut
from core.api import ApiViewSet
from core.bodies import FILE_NAME, Unread, sent_file
from exchange.asking import project_of
from exchange.queries import ROLES
from learning import queries
from learning.api.common import PROJECT
from learning.models import WeightsFile
from learning.services import weights


class WeightsIn(serializers.Serializer[Any]):
    """What is said of a file, in the address: the body is the file."""

    project = serializers.UUIDField()
    licence = serializers.CharField(max_length=2000)
    origin = serializers.CharField(max_length=500, help_text="where it came from: an address or a citation")
    layout = serializers.ChoiceField(choices=WeightsFile.Layout.choices, default=WeightsFile.Layout.AUTO)


class WeightsOut(RowOut[WeightsFile]):
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True, allow_null=True)
    family = serializers.SerializerMethodField(
        help_text="of the network, by the names in the file; null where it is of none of ours"
    )

    class Meta:
        model = WeightsFile
        fields = [
            "id", "project", "name", "sha256", "bytes", "layout", "family", "licence", "origin", "created_at",
            "created_by",
        ]  # fmt: skip

    def get_family(self, weights: WeightsFile) -> str | None:
        return queries.weights_family(weights.pk)


class Weights(ApiViewSet):
    """Weights of networks that were trained elsewhere, newest first."""

    permission_classes = [SignedIn]
    parser_classes = [Unread]
    serializer_class = WeightsOut
    queryset = WeightsFile.objects.none()

    def get_queryset(self) -> QuerySet[WeightsFile]:
        return queries.weights_visible_to(asker(self.request))

    @extend_schema(parameters=[PROJECT], responses=WeightsOut(many=True))
    def list(self, request: Request) -> Response:
        project = project_of(request, request.query_params.get("project"), *ROLES)
        page = self.paginate_queryset(self.get_queryset().filter(project=project))
        return self.get_paginated_response(WeightsOut(page, many=True).data)

    @extend_schema(
        parameters=[
            WeightsIn,
            OpenApiParameter(FILE_NAME, str, OpenApiParameter.HEADER, description="in percent encoding (UTF-8)"),
        ],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={201: WeightsOut},
    )
    def create(self, request: Request) -> Response:
        """Keep a .safetensors, .pth or .pt file; it is on the server's disk when it is answered for."""
        given = WeightsIn(data=request.query_params)
        given.is_valid(raise_exception=True)
        said = dict(given.validated_data)
        project = project_of(request, said.pop("project"), Role.ADMIN)
        sent = sent_file(request)
        made = weights.add_weights(project, sent.name, sent.chunks, expected=sent.length, by=asker(request), **said)
        return Response(WeightsOut(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Forget a file that no run started from."""
        weights.remove_weights(get_object_or_404(self.get_queryset(), pk=pk), by=asker(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
