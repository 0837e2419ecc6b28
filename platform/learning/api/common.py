"""What these views share."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import Project, Role
from accounts.queries import projects_of, require_role

PROJECT = OpenApiParameter("project", OpenApiTypes.UUID, required=True)


def uuid_of(value: Any, field: str) -> UUID:
    """A UUID from the outside. Raises ValidationError."""
    try:
        return UUID(str(value))
    except ValueError:
        raise serializers.ValidationError({field: ["Name it by its id."]}) from None


def project_of(request: Request, project_id: Any, *roles: Role) -> Project:
    """A project that the account has one of these roles in. Raises Missing, RoleMissing."""
    project = get_object_or_404(projects_of(request.user), pk=uuid_of(project_id, "project"))
    require_role(request.user, project, *roles)
    return project
