"""Who may what: every endpoint, every method, every role. An endpoint without a row here fails."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.urls import path

from accounts.models import Role
from accounts.permissions import SignedIn
from accounts.services import create_project
from core.api import ApiView
from tests.archive.factories import a_mammogram, delivered
from tests.contracts.permissions import PEOPLE, TABLE
from tests.contracts.test_api import walk
from tests.contracts.world import Named, a_world, addresses, routes

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")]


@pytest.fixture
def people(member: Callable[..., Any], site_admin: Any) -> dict[str, Any]:
    elsewhere = create_project(name="Elsewhere", by=None)
    roles = {role.value: member(role.value, role) for role in Role}
    return {
        "nobody": None,
        "outsider": member("outsider", Role.ADMIN, into=elsewhere),
        **roles,
        "site admin": site_admin,
    }


@pytest.fixture
def world(project: Any, people: dict[str, Any], own_folders: Any, settings: Any) -> Named:
    settings.EXPORTS_DIR.mkdir(parents=True, exist_ok=True)
    ingest = delivered(project, [a_mammogram()])
    return a_world(project, ingest, admin=people["site admin"], reader=people["reader"])


def asked(client: Any, method: str, address: str, given: dict[str, Any], first: dict[str, Any]) -> int:
    """The status of one request, whose effects are taken back."""
    more: dict[str, Any] = {}
    if "body" in given:
        more = {"data": filled(given["body"], first), "format": "json"}
    elif "bytes" in given:
        more = {"data": given["bytes"], "content_type": "application/octet-stream"}
    elif "file" in given:
        more = {"data": {"file": SimpleUploadedFile("a.dcm", given["file"])}, "format": "multipart"}
    with transaction.atomic():
        answer = getattr(client, method)(
            address + filled(given.get("query", ""), first), headers=given.get("headers"), **more
        )
        transaction.set_rollback(True)
    return answer.status_code


def filled(value: Any, first: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: filled(part, first) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, first) for part in value]
    return value.format(**first) if isinstance(value, str) else value


def uncovered(found: Any = None) -> set[tuple[str, str]]:
    """The endpoints that the table does not know."""
    return set(routes(found)) - set(TABLE)


def test_every_endpoint_has_its_row_and_every_row_an_endpoint() -> None:
    assert uncovered() == set()
    assert set(TABLE) - set(routes()) == set()


def test_an_endpoint_that_is_new_has_no_row_and_is_found() -> None:
    class New(ApiView):
        permission_classes = [SignedIn]

        def get(self, request: Any) -> None: ...
        def delete(self, request: Any) -> None: ...

    found = walk([path("api/v1/exams/<uuid:pk>/secrets/", New.as_view())])
    assert uncovered(found) == {("get", "api/v1/exams/{pk}/secrets/"), ("delete", "api/v1/exams/{pk}/secrets/")}


@pytest.mark.trap(59)
@pytest.mark.trap(60)
def test_everybody_may_what_the_table_says_and_nothing_else(
    api: Callable[..., Any], people: dict[str, Any], world: Named
) -> None:
    first = {noun: found[0] for noun, found in world.items()}
    seen = {}
    for (method, route), (_, given) in TABLE.items():
        noun = given.get("of")
        [address, *_] = addresses(route, world if noun is None else {**world, route.split("/")[2]: world[noun]})
        seen[method, route] = tuple(asked(api(people[who]), method, address, given, first) for who in PEOPLE)
    wrong = {row: (seen[row], told) for row, (told, _) in TABLE.items() if seen[row] != told}
    assert wrong == {}, "\n".join(f"{row}: answers {was}, the table says {told}" for row, (was, told) in wrong.items())


def test_what_belongs_to_another_project_does_not_exist_for_an_outsider() -> None:
    """404 and not 403: whoever is not in a project learns nothing of it, not even that it is there."""
    outsider = PEOPLE.index("outsider")
    site_wide = ("api/v1/archives/", "api/v1/users/")
    told = {row: codes[outsider] for row, (codes, _) in TABLE.items()
            if "{" in row[1] and not row[1].startswith(site_wide)}  # fmt: skip
    assert {row: code for row, code in told.items() if code != 404} == {}
