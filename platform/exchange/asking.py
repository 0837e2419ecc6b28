"""For which project somebody asks."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request

from accounts.asking import asker
from accounts.models import Project, Role
from accounts.queries import projects_of, require_role


def uuid_of(value: Any, field: str) -> UUID:
    """A UUID from the outside. Raises ValidationError."""
    try:
        return UUID(str(value))
    except ValueError:
        raise serializers.ValidationError({field: ["Name it by its id."]}) from None


def project_of(request: Request, project_id: Any, *roles: Role) -> Project:
    """A project that the account is a member of, with one of these roles where any is named.

    Raises Missing, RoleMissing.
    """
    project = get_object_or_404(projects_of(asker(request)), pk=uuid_of(project_id, "project"))
    require_role(asker(request), project, *roles)
    return project
