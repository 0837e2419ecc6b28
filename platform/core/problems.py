"""Errors as answers: RFC 9457 problem details, by one handler."""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response

from core.errors import (
    BadRequest,
    Forbidden,
    Invalid,
    MammoError,
    Missing,
    TooLarge,
    TooMany,
    Unauthenticated,
    sentence_of,
)
from core.request_id import current_request_id

log = logging.getLogger("mammoloop.api")


def problem(error: MammoError) -> dict[str, Any]:
    """An error as RFC 9457 problem details."""
    return {
        "type": f"/docs/errors#{error.code}",
        "title": sentence_of(type(error)),
        "status": error.status,
        "detail": error.sentence,
        "code": error.code,
        "cure": error.cure,
        "errors": error.detail,
        "request_id": current_request_id(),
    }


def as_mammo_error(exc: Exception) -> MammoError | None:
    """The framework's own exceptions in our words; None for what nobody expected."""
    match exc:
        case MammoError():
            return exc
        case Http404() | exceptions.NotFound():
            return Missing()
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Unauthenticated()
        case PermissionDenied() | exceptions.PermissionDenied():
            return Forbidden(str(getattr(exc, "detail", "")) or None)
        case exceptions.ValidationError():
            return Invalid(fields=exc.detail)
        case DjangoValidationError():
            return Invalid(fields=exc.messages)
        case exceptions.Throttled():
            return TooMany(retry_after_seconds=_wait(exc))
        case exceptions.APIException() if exc.status_code == status.HTTP_413_REQUEST_ENTITY_TOO_LARGE:
            return TooLarge()
        case RecursionError():
            # The JSON parser goes as deep as the document does.
            return BadRequest("The document is nested too deep to be read.")
        case exceptions.APIException() if 400 <= exc.status_code < 500:
            return BadRequest(str(exc.detail))
    return None


def _wait(throttled: exceptions.Throttled) -> int:
    """Whole seconds until the next try may succeed."""
    return int(getattr(throttled, "wait", None) or 0) + 1


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """The one place where an error becomes an answer. An unexpected one is a 500 with an id and a log line."""
    error = as_mammo_error(exc)
    if error is None:
        log.exception("unexpected", extra={"view": type(context["view"]).__name__})
        error = MammoError("Something went wrong on our side. It was written to the log under this request id.")
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(exc, exceptions.Throttled):
        headers["Retry-After"] = str(_wait(exc))
    return Response(problem(error), status=error.status, headers=headers, content_type="application/problem+json")
