"""Accounts, memberships and tokens."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts import services
from accounts.errors import DeletionRefused, LastAdmin, NameTaken, PasswordWeak
from accounts.models import Membership, Project, ProjectKind, Role, Token, User
from core.clock import frozen

pytestmark = pytest.mark.django_db
GOOD = "Vermilion-kettle-42"


def test_a_name_is_taken_whatever_its_case(site_admin: User) -> None:
    services.create_user(username="Reader", password=None, by=site_admin)
    with pytest.raises(NameTaken):
        services.create_user(username="reader", password=None, by=site_admin)


@pytest.mark.parametrize("password", ["short", "password123", "reader-one"])
def test_a_password_that_is_easy_to_guess_is_refused(site_admin: User, password: str) -> None:
    with pytest.raises(PasswordWeak):
        services.create_user(username="reader-one", password=password, by=site_admin)


def test_a_project_keeps_its_last_administrator(project: Project, site_admin: User) -> None:
    with pytest.raises(LastAdmin):
        services.set_membership(project=project, user=site_admin, role=Role.READER, by=site_admin)
    with pytest.raises(LastAdmin):
        services.end_membership(Membership.objects.get(project=project, user=site_admin), by=site_admin)


def test_a_study_cannot_be_deleted_and_the_demo_can(project: Project, site_admin: User) -> None:
    with pytest.raises(DeletionRefused):
        services.delete_demo_project(project, by=site_admin)
    demo = services.create_project(name="Demo", by=site_admin, kind=ProjectKind.DEMO)
    services.delete_demo_project(demo, by=site_admin)
    assert not Project.objects.filter(pk=demo.pk).exists()


def test_a_token_opens_until_it_ends_and_its_secret_is_not_kept(site_admin: User, api: Callable[..., Any]) -> None:
    with frozen() as hands:
        row, secret = services.issue_token(user=site_admin, by=site_admin, days=1)
        header = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
        assert api().get("/api/v1/me/", **header).json()["username"] == "root-admin"
        assert secret not in str(Token.objects.filter(pk=row.pk).values().get())
        hands.advance(days=1, seconds=1)
        ended = api().get("/api/v1/me/", **header)
    assert ended.status_code == 401 and ended.json()["code"] == "accounts.token_refused"


def test_a_revoked_token_and_one_of_a_closed_account_open_nothing(site_admin: User, api: Callable[..., Any]) -> None:
    row, secret = services.issue_token(user=site_admin, by=site_admin)
    services.revoke_token(row.pk, by=site_admin)
    assert api().get("/api/v1/me/", HTTP_AUTHORIZATION=f"Bearer {secret}").status_code == 401
    other = services.create_user(username="gone", password=None, by=site_admin)
    _, theirs = services.issue_token(user=other, by=site_admin)
    services.set_active(other, active=False, by=site_admin)
    assert api().get("/api/v1/me/", HTTP_AUTHORIZATION=f"Bearer {theirs}").status_code == 401


def test_a_reading_token_does_not_write(site_admin: User, api: Callable[..., Any]) -> None:
    _, secret = services.issue_token(user=site_admin, by=site_admin, scope=services.Scope.READ)
    header = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    assert api().get("/api/v1/projects/", **header).status_code == 200
    refused = api().post("/api/v1/projects/", {"name": "x"}, **header)
    assert refused.status_code == 403 and refused.json()["code"] == "accounts.token_read_only"
