"""Archives of others, for site administrators."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asking import asker
from accounts.models import Project
from accounts.permissions import SiteAdmin
from archive import services
from archive.api.serializers import (
    ArchiveChange,
    ArchiveIn,
    ArchiveOut,
    EchoOut,
    JobRef,
    PullIn,
    PullOut,
    SearchIn,
    SearchOut,
)
from archive.models import Archive
from archive.pacs import client
from core.api import ApiView, ApiViewSet
from core.audit import record


class Archives(mixins.ListModelMixin, ApiViewSet):
    """DICOMweb archives that exams can be fetched from."""

    permission_classes = [SiteAdmin]
    serializer_class = ArchiveOut
    queryset = Archive.objects.all()
    lookup_value_converter = "uuid"

    @extend_schema(responses=ArchiveOut)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return Response(ArchiveOut(get_object_or_404(Archive, pk=pk)).data)

    @extend_schema(request=ArchiveIn, responses={201: ArchiveOut})
    def create(self, request: Request) -> Response:
        given = ArchiveIn(data=request.data)
        given.is_valid(raise_exception=True)
        archive = services.create_archive(by=asker(request), **given.validated_data)
        return Response(ArchiveOut(archive).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ArchiveChange, responses=ArchiveOut)
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change what is given; a new address forgets the password unless it is given again."""
        archive = get_object_or_404(Archive, pk=pk)
        given = ArchiveChange(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(ArchiveOut(services.change_archive(archive, by=asker(request), **given.validated_data)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: UUID) -> Response:
        services.delete_archive(get_object_or_404(Archive, pk=pk), by=asker(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=EchoOut)
    @action(detail=True, methods=["post"])
    def echo(self, request: Request, pk: UUID) -> Response:
        """Whether the archive answers and lets us in."""
        client.echo(get_object_or_404(Archive, pk=pk))
        return Response({"ok": True})

    @extend_schema(request=PullIn, responses={202: PullOut})
    @action(detail=True, methods=["post"])
    def pull(self, request: Request, pk: UUID) -> Response:
        """Fetch exams into a project, de-identified like every other import."""
        archive = get_object_or_404(Archive, pk=pk)
        given = PullIn(data=request.data)
        given.is_valid(raise_exception=True)
        project = get_object_or_404(Project, pk=given.validated_data["project"])
        job = services.pull_studies(
            archive, project=project, studies=given.validated_data["studies"], by=asker(request)
        )
        return Response({"job": JobRef(job).data}, status=status.HTTP_202_ACCEPTED)


class Search(ApiView):
    """Exams of an archive by patient, date or number.

    Question and answer name people. So the question comes in a body, for addresses end in logs, and nothing is kept.
    """

    permission_classes = [SiteAdmin]
    keeps_answers = False

    @extend_schema(request=SearchIn, responses=SearchOut)
    def post(self, request: Request, pk: UUID) -> Response:
        archive = get_object_or_404(Archive, pk=pk)
        given = SearchIn(data=request.data)
        given.is_valid(raise_exception=True)
        asked = {name: text for name, text in given.validated_data.items() if text}
        record(asker(request), "archive.searched", target=archive, fields=sorted(asked))
        response = Response({"results": client.search(archive, asked)})
        response["Cache-Control"] = "no-store"
        return response
