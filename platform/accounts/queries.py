"""Who is who and may what."""

from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.errors import RoleMissing
from accounts.models import Membership, Project, Role, User
from core.errors import Missing


def projects_of(user: User) -> QuerySet[Project]:
    """The projects that an account sees: all for a site administrator, else those it is a member of."""
    if user.is_site_admin:
        return Project.objects.all()
    return Project.objects.filter(memberships__user=user)


def role_of(user: User, project: Project | UUID | str) -> Role | None:
    """An account's role in a project; None for a stranger. A site administrator counts as admin everywhere."""
    project_id = project.pk if isinstance(project, Project) else project
    found = Membership.objects.filter(user=user, project_id=project_id).values_list("role", flat=True).first()
    if found:
        return Role(found)
    return Role.ADMIN if user.is_site_admin and Project.objects.filter(pk=project_id).exists() else None


def require_role(user: User, project: Project | UUID | str, *roles: Role) -> Role:
    """The account's role, if it is one of `roles` (any member where none is named).

    Raises Missing for a stranger, who must not learn that the project exists, and RoleMissing.
    """
    role = role_of(user, project)
    if role is None:
        raise Missing()
    if roles and role not in roles and not user.is_site_admin:
        raise RoleMissing(needed=sorted(roles), yours=str(role))
    return role


def users_visible_to(user: User) -> QuerySet[User]:
    """Accounts that an account may list: all for administrators (of the site or of any project), else itself."""
    if user.is_site_admin or Membership.objects.filter(user=user, role=Role.ADMIN).exists():
        return User.objects.all()
    return User.objects.filter(pk=user.pk)


def memberships_visible_to(user: User) -> QuerySet[Membership]:
    """Memberships of the projects that an account administers, and its own."""
    rows = Membership.objects.select_related("user", "project")
    if user.is_site_admin:
        return rows
    administered = Membership.objects.filter(user=user, role=Role.ADMIN).values("project_id")
    return rows.filter(Q(project_id__in=administered) | Q(user=user))


def one_at_a_time(project: Project) -> None:
    """Until the transaction ends nobody else passes here for the project; rows that belong to it may be added."""
    list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))
