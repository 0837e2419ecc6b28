"""What these views share."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

PROJECT = OpenApiParameter("project", OpenApiTypes.UUID, required=True)
