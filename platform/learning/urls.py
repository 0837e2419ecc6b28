from django.urls import path
from rest_framework.routers import SimpleRouter

from learning.api.loop import Loop
from learning.api.methods import Methods
from learning.api.models import Models, Scores
from learning.api.rounds import Rounds
from learning.api.runs import Runs

router = SimpleRouter()
router.register("runs", Runs, basename="run")
router.register("models", Models, basename="model")
router.register("scores", Scores, basename="score")
router.register("rounds", Rounds, basename="round")

urlpatterns = [
    path("methods/", Methods.as_view(), name="methods"),
    path("projects/<uuid:pk>/loop/", Loop.as_view(), name="loop"),
    *router.urls,
]
