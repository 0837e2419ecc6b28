"""What every view shares: If-Match, and answers kept by Idempotency-Key."""

import hashlib
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from core import idempotency
from core.errors import BadRequest, PreconditionMissing
from core.paging import CursorPaging

__all__ = ["AnyAccept", "ApiView", "ApiViewSet", "CursorPaging", "if_match"]


def if_match(request: Request) -> int:
    """The revision that the request was made for. Raises PreconditionMissing, BadRequest."""
    header = request.headers.get("If-Match")
    if header is None:
        raise PreconditionMissing()
    text = header.removeprefix("W/").strip('"')
    if not text.isdecimal():
        raise BadRequest("If-Match must be a revision in quotes.", found=header[:40])
    return int(text)


class AnyAccept(BaseContentNegotiation):
    """For views that send files: what a viewer accepts is theirs to look at; errors are JSON whatever it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return JSONRenderer(), "application/json"


class Replayed(Exception):
    """The same request was answered before; its answer goes out again."""

    def __init__(self, answer: Response) -> None:
        self.answer = answer


class Idempotent(APIView):
    """POST with an Idempotency-Key: the same actor, key and body get the same answer for 48 h."""

    #: False where an answer names people or tells a secret: it is never kept, and such a POST may be repeated.
    keeps_answers = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._kept = None
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or not key or not self.keeps_answers or not request.user.is_authenticated:
            return
        digest = hashlib.sha256(request.get_full_path().encode() + b"\0" + request._request.body).hexdigest()
        self._kept = idempotency.take(actor=str(request.user.pk), key=key, request_sha256=digest)
        if self._kept.status is not None:
            raise Replayed(Response(self._kept.body, status=self._kept.status, headers={"Idempotent-Replayed": "true"}))

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Replayed):
            self._kept = None
            return exc.answer
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        kept = getattr(self, "_kept", None)
        if kept is not None:
            idempotency.keep(kept, status=response.status_code, body=getattr(response, "data", None))
        return super().finalize_response(request, response, *args, **kwargs)


class ApiView(Idempotent):
    """The base of every view of ours."""


class ApiViewSet(Idempotent, GenericViewSet):
    """The base of every set of views of ours."""

    pagination_class = CursorPaging
