"""Whether the process lives, whether what it needs answers, and figures for Prometheus."""

from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from jobs.queries import jobs_by_state


def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _storage() -> None:
    settings.VAR_DIR.stat()


CHECKS: dict[str, Callable[[], object]] = {
    "database": _database,
    "broker": lambda: cache.get("readyz"),
    "storage": _storage,
}


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when everything answers; else 503 that names what does not."""
    answers = {}
    for name, check in CHECKS.items():
        try:
            check()
            answers[name] = "ok"
        except Exception as error:  # noqa: BLE001 - whatever a driver raises, the answer is the same: it is down
            answers[name] = f"does not answer ({type(error).__name__})"
    ready = all(answer == "ok" for answer in answers.values())
    return JsonResponse({"status": "ok" if ready else "unavailable", **answers}, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for Prometheus; for site administrators' tokens and for the machine itself."""
    registry = CollectorRegistry()
    jobs = Gauge("mammoloop_jobs", "Jobs by state", ["state"], registry=registry)
    for state, count in jobs_by_state().items():
        jobs.labels(state).set(count)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
