"""Addresses of exams, images, imports and archives."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from archive.api import exams, ingests, remotes

router = SimpleRouter(use_regex_path=False)
router.register("exams", exams.Exams, basename="exam")
router.register("images", exams.Images, basename="image")
router.register("ingests", ingests.Ingests, basename="ingest")
router.register("archives", remotes.Archives, basename="archive")

urlpatterns = [
    path("images/<uuid:pk>/thumbnail/", exams.Thumbnail.as_view(), name="image-thumbnail"),
    path("images/<uuid:pk>/display/", exams.Display.as_view(), name="image-display"),
    path("images/<uuid:pk>/header/", exams.Header.as_view(), name="image-header"),
    path("ingests/<uuid:pk>/files/", ingests.IngestFiles.as_view(), name="ingest-files"),
    path("ingests/<uuid:pk>/items/", ingests.IngestItems.as_view({"get": "list"}), name="ingest-items"),
    path("archives/<uuid:pk>/search/", remotes.Search.as_view(), name="archive-search"),
    *router.urls,
]
