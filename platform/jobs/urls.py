from django.urls import path
from rest_framework.routers import SimpleRouter

from jobs import api

router = SimpleRouter()
router.register("jobs", api.Jobs, basename="job")

urlpatterns = [
    path("jobs/events/", api.ProjectEvents.as_view(), name="jobs-events"),
    path("jobs/<uuid:pk>/events/", api.JobEvents.as_view(), name="job-events"),
    *router.urls,
]
