"""Addresses of DICOMweb, as the standard writes them: without a slash at the end."""

from django.urls import path

from archive.dicomweb import views

STUDY = "studies/<str:study>"
SERIES = f"{STUDY}/series/<str:series>"
INSTANCE = f"{SERIES}/instances/<str:sop>"

urlpatterns = [
    path("studies", views.Studies.as_view(), name="dicomweb-studies"),
    path(STUDY, views.Files.as_view(), name="dicomweb-study"),
    path(f"{STUDY}/metadata", views.Metadata.as_view(), name="dicomweb-study-metadata"),
    path(f"{STUDY}/series", views.Series.as_view(), name="dicomweb-series-list"),
    path(f"{STUDY}/instances", views.Instances.as_view(), name="dicomweb-study-instances"),
    path(SERIES, views.Files.as_view(), name="dicomweb-series"),
    path(f"{SERIES}/metadata", views.Metadata.as_view(), name="dicomweb-series-metadata"),
    path(f"{SERIES}/instances", views.Instances.as_view(), name="dicomweb-series-instances"),
    path(INSTANCE, views.Files.as_view(), name="dicomweb-instance"),
    path(f"{INSTANCE}/metadata", views.Metadata.as_view(), name="dicomweb-instance-metadata"),
    path(f"{INSTANCE}/frames/<int:frame>", views.Frames.as_view(), name="dicomweb-frame"),
]
