"""DICOMweb over our own store: search (QIDO-RS), metadata and bytes (WADO-RS). Source: PS3.18 10.4, 10.6."""

from typing import Any

from django.http import JsonResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from accounts.asking import asker
from accounts.permissions import SignedIn
from archive import derive, queries, streaming
from archive.dicomweb import rows
from archive.errors import NotDerived
from archive.models import Image
from core.api import AnyAccept, ApiView
from core.errors import BadRequest, Missing

_MOST = 500
_FILE = "application/dicom"
_BYTES = "application/octet-stream"


@extend_schema(exclude=True)
class DicomWebView(ApiView):
    """The base of all of them: nothing is answered without asking who sees which exam."""

    permission_classes = [SignedIn]
    content_negotiation_class = AnyAccept

    def images(self, request: Request, **uids: str) -> list[Image]:
        """The images under the UIDs of an address, in order. Raises Missing."""
        names = {"study": "exam__study_uid", "series": "series_uid", "sop": "sop_uid"}
        wanted = {names[level]: uid for level, uid in uids.items()}
        found = queries.images_visible_to(asker(request)).select_related("exam__patient").filter(**wanted)
        ordered = list(found.order_by("exam_id", "series_uid", "id"))
        if not ordered:
            raise Missing()
        return ordered


def dicom_json(document: list[dict[str, Any]]) -> JsonResponse:
    return JsonResponse(document, safe=False, content_type="application/dicom+json")


class Studies(DicomWebView):
    def get(self, request: Request) -> HttpResponseBase:
        """Exams, newest first; by StudyInstanceUID, PatientID, limit and offset."""
        asked = request.query_params
        exams = queries.exams_visible_to(asker(request)).select_related("patient").prefetch_related("images")
        if uid := asked.get("StudyInstanceUID"):
            exams = exams.filter(study_uid=uid)
        if patient := asked.get("PatientID"):
            exams = exams.filter(patient__pseudonym=patient)
        start, end = _span(request)
        return dicom_json([rows.study_row(exam) for exam in exams.order_by("-id")[start:end]])


class Series(DicomWebView):
    def get(self, request: Request, study: str) -> HttpResponseBase:
        found: dict[str, list[Image]] = {}
        for image in self.images(request, study=study):
            found.setdefault(image.series_uid, []).append(image)
        return dicom_json([rows.series_row(images) for images in found.values()])


class Instances(DicomWebView):
    def get(self, request: Request, **uids: str) -> HttpResponseBase:
        start, end = _span(request)
        return dicom_json([rows.instance_row(image) for image in self.images(request, **uids)[start:end]])


class Metadata(DicomWebView):
    def get(self, request: Request, **uids: str) -> HttpResponseBase:
        """The headers, as they fit to the frames that are served."""
        images = self.images(request, **uids)
        if any(image.derived_at is None for image in images):
            raise NotDerived()
        return dicom_json([rows.metadata(image) for image in images])


class Files(DicomWebView):
    def get(self, request: Request, **uids: str) -> HttpResponseBase:
        """The stored files, one part each, streamed one after the other."""
        images = self.images(request, **uids)
        parts = [(queries.object_path(image), f"{_FILE}; transfer-syntax={image.transfer_syntax}") for image in images]
        tag = images[0].sha256 if len(images) == 1 else rows.tag_of(images)
        if len(parts) == 1 and not _wants_parts(request):
            return streaming.send(request._request, parts[0][0], content_type=_FILE, tag=tag)
        return streaming.send_parts(request._request, parts, kind=_FILE, tag=f"{tag}-parts")


class Frames(DicomWebView):
    def get(self, request: Request, study: str, series: str, sop: str, frame: int) -> HttpResponseBase:
        """The frame, losslessly compressed. Its own Content-Type says how: viewers believe that and nothing else."""
        image = self.images(request, study=study, series=series, sop=sop)[0]
        if frame != 1:
            raise Missing()
        path = derive.file_of(image, derive.FRAME)
        if not path.is_file():
            raise NotDerived()
        content_type = f"{_BYTES}; transfer-syntax={derive.FRAME_SYNTAX}"
        tag = f"{image.sha256}-{derive.FRAME}"
        if _wants_parts(request):
            return streaming.send_parts(request._request, [(path, content_type)], kind=_BYTES, tag=f"{tag}-parts")
        return streaming.send(request._request, path, content_type=content_type, tag=tag)


def _wants_parts(request: Request) -> bool:
    return "multipart/related" in request.headers.get("Accept", "")


def _span(request: Request) -> tuple[int, int]:
    asked = request.query_params
    limit, offset = asked.get("limit", str(_MOST)), asked.get("offset", "0")
    if not (limit.isdecimal() and offset.isdecimal()) or len(limit + offset) > 18:
        raise BadRequest("limit and offset are whole numbers.")
    return int(offset), int(offset) + min(int(limit), _MOST)
