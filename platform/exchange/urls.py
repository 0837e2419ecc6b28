from rest_framework.routers import SimpleRouter

from exchange import api

router = SimpleRouter()
router.register("snapshots", api.Snapshots, basename="snapshot")
router.register("exports", api.Exports, basename="export")

urlpatterns = [*router.urls]
