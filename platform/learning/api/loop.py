"""The strip: one project's loop in six words."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.permissions import SignedIn
from core.api import ApiView
from exchange.asking import project_of
from learning import loop


class LoopOut(serializers.Serializer[Any]):
    images = serializers.JSONField()
    read = serializers.JSONField()
    snapshot = serializers.JSONField()
    run = serializers.JSONField()
    model = serializers.JSONField()
    round = serializers.JSONField()
    needs = serializers.JSONField()


class Loop(ApiView):
    """Where the loop of a project stands, and what it waits for."""

    permission_classes = [SignedIn]

    @extend_schema(responses=LoopOut)
    def get(self, request: Request, pk: UUID) -> Response:
        project = project_of(request, pk)
        return Response(loop.summary(project, asker(request)))
