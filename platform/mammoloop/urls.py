"""The addresses of the whole server."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView

from mammoloop import health, pages
from mammoloop.schema import Schema

api: list[URLPattern | URLResolver] = [
    path("schema/", Schema.as_view(), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(url_name="schema", permission_classes=pages.ANYONE),
        name="api-docs",
    ),
    *(
        path("", include(f"{app}.urls"))
        for app in ("accounts", "jobs", "archive", "annotations", "exchange", "learning")
    ),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("api/v1/", include(api)),
    path("dicomweb/", include("archive.dicomweb.urls")),
    # Unknown addresses of the API are problems in JSON; every other address is a page, and the router shows it.
    re_path(r"^(api|dicomweb)/.*$", pages.no_such_resource),
    re_path(r"^(?!static/).*$", pages.page),
]
handler404 = "mammoloop.pages.no_such_resource"
handler500 = "mammoloop.pages.server_error"
