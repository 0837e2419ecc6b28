from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts import api

router = SimpleRouter()
router.register("projects", api.Projects, basename="project")
router.register("users", api.UsersView, basename="user")
router.register("memberships", api.Memberships, basename="membership")
router.register("tokens", api.Tokens, basename="token")
router.register("audit", api.Audit, basename="audit")

urlpatterns = [
    path("session/", api.SessionView.as_view(), name="session"),
    path("me/", api.MeView.as_view(), name="me"),
    *router.urls,
]
