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
from jobs.models import JobState
from learning import loop
from learning.models import Round


class LoopImages(serializers.Serializer[Any]):
    exams = serializers.IntegerField()
    images = serializers.IntegerField()
    rejected = serializers.IntegerField(help_text="files")


class LoopRead(serializers.Serializer[Any]):
    """Readings that were wanted, that are complete; exams that wait."""

    complete = serializers.IntegerField()
    wanted = serializers.IntegerField()
    waiting = serializers.IntegerField()


class Numbered(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    number = serializers.IntegerField()


class LatestSnapshot(Numbered):
    frozen_at = serializers.DateTimeField()


class LoopSnapshot(serializers.Serializer[Any]):
    """The last one, and what was read since."""

    latest = LatestSnapshot(allow_null=True)
    new_exams = serializers.IntegerField()
    new_findings = serializers.IntegerField()


class LatestRun(Numbered):
    state = serializers.ChoiceField(choices=JobState.choices)


class LoopRun(serializers.Serializer[Any]):
    running = serializers.IntegerField()
    done = serializers.IntegerField()
    latest = LatestRun(allow_null=True)


class PromotedVersion(Numbered):
    task = serializers.CharField()
    promoted_at = serializers.DateTimeField(allow_null=True)


class LoopModel(serializers.Serializer[Any]):
    promoted = PromotedVersion(many=True)


class LatestRound(Numbered):
    state = serializers.ChoiceField(choices=Round.State.choices)
    strategy = serializers.CharField()
    read = serializers.IntegerField()
    exams = serializers.IntegerField()
    published_at = serializers.DateTimeField(allow_null=True)


class LoopRound(serializers.Serializer[Any]):
    latest = LatestRound(allow_null=True)
    ranked = serializers.IntegerField()


class Need(serializers.Serializer[Any]):
    """Something that waits for this person, and the page where it is done."""

    what = serializers.CharField()
    text = serializers.CharField()
    link = serializers.CharField()


class LoopOut(serializers.Serializer[Any]):
    images = LoopImages()
    read = LoopRead()
    snapshot = LoopSnapshot()
    run = LoopRun()
    model = LoopModel()
    round = LoopRound()
    needs = Need(many=True)


class Loop(ApiView):
    """Where the loop of a project stands, and what it waits for."""

    permission_classes = [SignedIn]

    @extend_schema(responses=LoopOut)
    def get(self, request: Request, pk: UUID) -> Response:
        project = project_of(request, pk)
        return Response(loop.summary(project, asker(request)))
