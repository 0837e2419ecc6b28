"""The OpenAPI 3.1 schema, open to everybody: it holds no data."""

from drf_spectacular.views import SpectacularAPIView

from accounts.permissions import Anyone


class Schema(SpectacularAPIView):
    permission_classes = [Anyone]
