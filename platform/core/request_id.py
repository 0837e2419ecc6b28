"""One id a request, on its answer, in its problem details and on every log line it causes."""

import re
from collections.abc import Callable
from contextvars import ContextVar

import structlog
from django.http import HttpRequest, HttpResponse

from core.ids import uuid7

_current: ContextVar[str] = ContextVar("request_id", default="")
_ACCEPTED = re.compile(r"[A-Za-z0-9-]{8,64}")


def current_request_id() -> str:
    """The id of the request that is being answered; empty outside one."""
    return _current.get()


class RequestIdMiddleware:
    """Takes the proxy's X-Request-ID if it looks like one, else makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        token = _current.set(given if _ACCEPTED.fullmatch(given) else uuid7().hex)
        structlog.contextvars.bind_contextvars(request_id=_current.get())
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = _current.get()
            return response
        finally:
            structlog.contextvars.clear_contextvars()
            _current.reset(token)
