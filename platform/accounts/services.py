"""All writes of accounts, each a transaction."""

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts import tokens
from accounts.errors import DeletionRefused, LastAdmin, NameTaken, PasswordWeak
from accounts.models import Membership, Project, ProjectKind, Role, Scope, Token, User
from accounts.queries import require_role
from accounts.signals import project_deleted
from core.audit import record
from core.clock import now
from core.errors import Missing

TOKEN_DAYS = 90


def _checked(password: str, user: User) -> str:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordWeak(reasons=error.messages) from error
    return password


@transaction.atomic
def create_user(*, username: str, password: str | None, is_site_admin: bool = False, by: User | None) -> User:
    """Make an account; without a password it can only be used by tokens. Raises NameTaken, PasswordWeak."""
    if password is not None:
        _checked(password, User(username=username))
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, password, is_site_admin=is_site_admin)
    except IntegrityError as error:
        raise NameTaken(name=username) from error
    record(by, "user.created", target=user)
    return user


@transaction.atomic
def set_password(user: User, *, password: str, by: User) -> None:
    """Change a password; every session of the account but the caller's ends. Raises PasswordWeak."""
    user.set_password(_checked(password, user))
    user.save(update_fields=["password"])
    record(by, "user.password_set", target=user)


@transaction.atomic
def set_active(user: User, *, active: bool, by: User) -> User:
    """Close an account, or open it again."""
    user.is_active = active
    user.save(update_fields=["is_active"])
    record(by, "user.opened" if active else "user.closed", target=user)
    return user


@transaction.atomic
def create_project(*, name: str, by: User | None, kind: str = ProjectKind.STUDY, **rules: object) -> Project:
    """Make a reading study; who makes it administers it. Raises NameTaken."""
    slug = (slugify(name) or "project")[:64]
    try:
        with transaction.atomic():
            project = Project.objects.create(name=name, slug=slug, kind=kind, created_by=by, **rules)
    except IntegrityError as error:
        raise NameTaken(name=name) from error
    if by is not None:
        Membership.objects.create(project=project, user=by, role=Role.ADMIN, created_by=by)
    record(by, "project.created", target=project, project_id=project.pk)
    return project


@transaction.atomic
def change_project(project: Project, *, by: User, **changes: object) -> Project:
    require_role(by, project, Role.ADMIN)
    for name, value in changes.items():
        setattr(project, name, value)
    project.save(update_fields=list(changes))
    record(by, "project.changed", target=project, project_id=project.pk, fields=sorted(changes))
    return project


@transaction.atomic
def delete_demo_project(project: Project, *, by: User) -> None:
    """Remove the demo project with all that hangs on it. Raises DeletionRefused for a study."""
    require_role(by, project, Role.ADMIN)
    if project.kind != ProjectKind.DEMO:
        raise DeletionRefused()
    project_id = project.pk
    record(by, "project.deleted", target=project, project_id=project_id)
    project_deleted.send(Project, project_id=project_id)
    project.delete()


@transaction.atomic
def set_membership(*, project: Project, user: User, role: Role, by: User | None) -> Membership:
    """Give an account a role in a project, or change it. Raises LastAdmin."""
    if by is not None:
        require_role(by, project, Role.ADMIN)
    if role != Role.ADMIN:
        _require_another_admin(project, user)
    row, _ = Membership.objects.update_or_create(
        project=project, user=user, defaults={"role": role}, create_defaults={"role": role, "created_by": by}
    )
    record(by, "membership.set", target=row, user=str(user.pk), role=str(role))
    return row


@transaction.atomic
def end_membership(row: Membership, *, by: User) -> None:
    require_role(by, row.project, Role.ADMIN)
    _require_another_admin(row.project, row.user)
    record(by, "membership.ended", target=row, user=str(row.user_id))
    row.delete()


def _require_another_admin(project: Project, user: User) -> None:
    admins = Membership.objects.filter(project=project, role=Role.ADMIN)
    if admins.filter(user=user).exists() and not admins.exclude(user=user).exists():
        raise LastAdmin()


@transaction.atomic
def issue_token(
    *, user: User, by: User | None, days: float = TOKEN_DAYS, scope: Scope = Scope.WRITE, name: str = ""
) -> tuple[Token, str]:
    """A new token and its secret, which is shown once and not kept."""
    secret = tokens.new_secret()
    row = Token.objects.create(
        user=user,
        created_by=by,
        name=name,
        scope=scope,
        sha256=tokens.digest(secret),
        ends_at=now() + timedelta(days=days),
    )
    record(by or user, "token.issued", target=row, scope=str(scope))
    return row, secret


@transaction.atomic
def revoke_token(token_id: UUID, *, by: User) -> None:
    """End a token at once: one's own, or any as a site administrator. Raises Missing, also for another's."""
    rows = Token.objects.all() if by.is_site_admin else Token.objects.filter(user=by)
    if not rows.filter(pk=token_id).exists():
        raise Missing()
    if rows.filter(pk=token_id, revoked_at=None).update(revoked_at=now()):
        record(by, "token.revoked", token=str(token_id))
