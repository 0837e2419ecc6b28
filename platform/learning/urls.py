from django.urls import path
from rest_framework.routers import SimpleRouter

from learning.api.comparisons import Compare
from learning.api.explanations import Explanations, Nearest, Picture
from learning.api.loop import Loop
from learning.api.methods import Methods
from learning.api.models import Models, Scores
from learning.api.rounds import Rounds
from learning.api.runs import Runs
from learning.api.weights import Weights

router = SimpleRouter()
router.register("runs", Runs, basename="run")
router.register("models", Models, basename="model")
router.register("weights", Weights, basename="weights")
router.register("scores", Scores, basename="score")
router.register("rounds", Rounds, basename="round")

urlpatterns = [
    path("methods/", Methods.as_view(), name="methods"),
    path("explanations/", Explanations.as_view(), name="explanations"),
    path("explanations/<uuid:pk>/picture/", Picture.as_view(), name="explanation-picture"),
    path("models/<uuid:pk>/compare/<uuid:other>/", Compare.as_view(), name="compare"),
    path("models/<uuid:pk>/nearest/", Nearest.as_view(), name="nearest"),
    path("projects/<uuid:pk>/loop/", Loop.as_view(), name="loop"),
    *router.urls,
]
