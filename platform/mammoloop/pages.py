"""The one HTML file of the front end, and errors outside the API."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import ensure_csrf_cookie

from accounts.permissions import Anyone
from core.errors import Forbidden, MammoError, Missing, Unavailable
from core.problems import problem

ANYONE = [Anyone]


def _answer(error: MammoError) -> JsonResponse:
    return JsonResponse(problem(error), status=error.status, content_type="application/problem+json")


@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    """Every page's address answers with the same file; its router shows the page."""
    if request.method not in {"GET", "HEAD"}:
        return _answer(Missing())
    file = settings.FRONTEND_DIST / "index.html"
    if not file.is_file():
        return _answer(Unavailable("The pages are not built yet: run `make setup`."))
    response = HttpResponse(file.read_bytes(), content_type="text/html; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


def no_such_resource(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
    return _answer(Missing())


def server_error(request: HttpRequest) -> HttpResponse:
    return _answer(MammoError("Something went wrong on our side. It was written to the log under this request id."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(Forbidden("The page's CSRF token is missing or old: load the page again.", reason=reason))
