"""The permission table as data: for each endpoint and method, what everybody is answered and what was asked.

A status of success, or one that says that the deed does not fit the state of the thing (409, 412, 503 of an archive
that is not there), means: may. 401, 403 and 404 mean: may not; 404 hides that the thing is there.
"""

from typing import Any

PEOPLE = ("nobody", "outsider", "reader", "adjudicator", "researcher", "admin", "site admin")
Codes = tuple[int, int, int, int, int, int, int]

EVERYBODY: Codes = (200, 200, 200, 200, 200, 200, 200)
#: What an account sees of its own, or what holds nobody's data. A list without a project holds what one may see.
SIGNED_IN: Codes = (401, 200, 200, 200, 200, 200, 200)
MEMBERS: Codes = (401, 404, 200, 200, 200, 200, 200)
#: What administrators and researchers see: readers are told that there is such a list, not that there is such a thing.
LISTS: Codes = (401, 404, 403, 403, 200, 200, 200)
STUDIES: Codes = (401, 404, 404, 404, 200, 200, 200)


def admins(done: int) -> Codes:
    """A deed of administrators on what every member may know of."""
    return (401, 404, 403, 403, 403, done, done)


def admins_of_studies(done: int) -> Codes:
    """A deed of administrators on what researchers may look at."""
    return (401, 404, 404, 404, 403, done, done)


def blind(done: int) -> Codes:
    """Scores, predictions and rounds: administrators alone, so that readers read blind."""
    return (401, 404, 404, 404, 404, done, done)


def site(done: int) -> Codes:
    """What concerns the whole installation."""
    return (401, 403, 403, 403, 403, 403, done)


def its_reader(done: int) -> Codes:
    """A deed on a reading: its reader's, and nobody else's, whatever their role."""
    return (401, 404, done, 403, 403, 403, 403)


#: (method, route): (answers, {of: the noun where it is not the route's, query, headers, body | bytes | file}).
#: `{noun}` in a query or body is the first thing of that noun in the world.
TABLE: dict[tuple[str, str], tuple[Codes, dict[str, Any]]] = {
    ("get", "api/v1/schema/"): (EVERYBODY, {}),
    ("get", "api/v1/docs/"): (EVERYBODY, {}),
    ("post", "api/v1/session/"): (
        (401, 401, 401, 401, 401, 401, 401),
        {"body": {"username": "reader", "password": "wrong"}},
    ),
    ("delete", "api/v1/session/"): ((204, 204, 204, 204, 204, 204, 204), {}),
    ("get", "api/v1/me/"): (SIGNED_IN, {}),
    ("get", "api/v1/projects/"): (SIGNED_IN, {}),
    ("post", "api/v1/projects/"): (site(201), {"body": {"name": "New"}}),
    ("get", "api/v1/projects/{pk}/"): (MEMBERS, {}),
    ("patch", "api/v1/projects/{pk}/"): (admins(200), {"body": {"name": "Renamed"}}),
    ("delete", "api/v1/projects/{pk}/"): (admins(409), {}),
    ("get", "api/v1/users/"): (SIGNED_IN, {}),
    ("post", "api/v1/users/"): (site(201), {"body": {"username": "somebody"}}),
    ("get", "api/v1/users/{pk}/"): ((401, 200, 200, 404, 404, 200, 200), {}),
    ("patch", "api/v1/users/{pk}/"): (site(200), {"body": {"is_active": False}}),
    ("get", "api/v1/memberships/"): (SIGNED_IN, {"query": "?project={projects}"}),
    ("post", "api/v1/memberships/"): (
        admins(201),
        {"body": {"project": "{projects}", "user": "{users}", "role": "adjudicator"}},
    ),
    ("delete", "api/v1/memberships/{pk}/"): ((401, 404, 403, 404, 404, 204, 204), {}),
    ("get", "api/v1/tokens/"): (SIGNED_IN, {}),
    ("post", "api/v1/tokens/"): ((401, 403, 201, 403, 403, 403, 201), {"body": {"user": "{users}"}}),
    ("delete", "api/v1/tokens/{pk}/"): ((401, 404, 204, 404, 404, 404, 204), {}),
    ("get", "api/v1/audit/"): (admins(200), {"query": "?project={projects}"}),
    ("get", "api/v1/jobs/events/"): (MEMBERS, {"query": "?project={projects}"}),
    ("get", "api/v1/jobs/{pk}/events/"): (MEMBERS, {}),
    ("get", "api/v1/jobs/"): (SIGNED_IN, {}),
    ("get", "api/v1/jobs/{pk}/"): (MEMBERS, {}),
    ("post", "api/v1/jobs/{pk}/cancel/"): (admins(200), {}),
    ("post", "api/v1/jobs/{pk}/retry/"): (admins(409), {}),
    ("get", "api/v1/images/{pk}/thumbnail/"): (MEMBERS, {}),
    ("get", "api/v1/images/{pk}/display/"): (MEMBERS, {}),
    ("get", "api/v1/images/{pk}/header/"): (MEMBERS, {}),
    ("post", "api/v1/ingests/{pk}/files/"): (admins(202), {"of": "open", "file": b"DICM"}),
    ("put", "api/v1/ingests/{pk}/files/"): (admins(202), {"of": "open", "bytes": b"DICM"}),
    ("get", "api/v1/ingests/{pk}/items/"): (STUDIES, {}),
    ("get", "api/v1/exams/"): (MEMBERS, {"query": "?project={projects}"}),
    ("get", "api/v1/exams/{pk}/"): (MEMBERS, {}),
    ("get", "api/v1/images/{pk}/"): (MEMBERS, {}),
    ("get", "api/v1/ingests/"): (LISTS, {"query": "?project={projects}"}),
    ("post", "api/v1/ingests/"): (admins(201), {"body": {"project": "{projects}"}}),
    ("get", "api/v1/ingests/{pk}/"): (STUDIES, {}),
    ("post", "api/v1/ingests/{pk}/close/"): (admins(200), {"of": "open"}),
    ("get", "api/v1/archives/"): (site(200), {}),
    ("post", "api/v1/archives/"): (
        site(201),
        {"body": {"name": "Another", "url": "https://pacs.example.org/dicom-web"}},
    ),
    ("get", "api/v1/archives/{pk}/"): (site(200), {}),
    ("patch", "api/v1/archives/{pk}/"): (site(200), {"body": {"name": "Renamed"}}),
    ("delete", "api/v1/archives/{pk}/"): (site(204), {}),
    ("post", "api/v1/archives/{pk}/echo/"): (site(503), {}),
    ("post", "api/v1/archives/{pk}/pull/"): (site(202), {"body": {"project": "{projects}", "studies": ["1.2.3"]}}),
    ("post", "api/v1/archives/{pk}/search/"): (site(503), {}),
    ("get", "api/v1/lexicon/"): (SIGNED_IN, {}),
    ("get", "api/v1/worklist/"): (MEMBERS, {"query": "?project={projects}"}),
    ("post", "api/v1/worklist/next/"): ((401, 404, 200, 200, 403, 403, 200), {"body": {"project": "{projects}"}}),
    ("get", "api/v1/readings/"): (MEMBERS, {"query": "?project={projects}"}),
    ("get", "api/v1/readings/{reading_id}/"): (MEMBERS, {}),
    ("patch", "api/v1/readings/{reading_id}/"): (
        its_reader(409),
        {
            "headers": {"If-Match": '"1"'},
            "body": {
                "edit_id": "018f0000-0000-7000-8000-000000000000",
                "patch": [{"op": "replace", "path": "/comment", "value": "x"}],
            },
        },
    ),
    ("get", "api/v1/readings/{reading_id}/edits/"): ((401, 404, 200, 403, 403, 200, 200), {}),
    ("post", "api/v1/readings/{reading_id}/lease/"): (its_reader(409), {}),
    ("post", "api/v1/readings/{reading_id}/complete/"): (its_reader(200), {"headers": {"If-Match": '"1"'}}),
    ("post", "api/v1/readings/{reading_id}/amend/"): (its_reader(200), {}),
    ("post", "api/v1/readings/{reading_id}/discard/"): (its_reader(409), {}),
    ("post", "api/v1/readings/{reading_id}/release/"): (its_reader(409), {}),
    ("post", "api/v1/readings/{reading_id}/skip/"): (its_reader(409), {"body": {"reason": "x"}}),
    ("post", "api/v1/readings/{reading_id}/flag/"): (its_reader(200), {"body": {"reason": "x"}}),
    ("get", "api/v1/snapshots/"): (LISTS, {"query": "?project={projects}"}),
    ("post", "api/v1/snapshots/"): (admins(201), {"body": {"project": "{projects}"}}),
    ("post", "api/v1/snapshots/dry-run/"): (LISTS, {"body": {"project": "{projects}"}}),
    ("get", "api/v1/snapshots/{pk}/"): (STUDIES, {}),
    ("get", "api/v1/snapshots/{pk}/items/"): (STUDIES, {}),
    ("get", "api/v1/exports/"): (LISTS, {"query": "?project={projects}"}),
    ("post", "api/v1/exports/"): (
        (401, 404, 404, 404, 201, 201, 201),
        {"body": {"snapshot": "{snapshots}", "format": "csv"}},
    ),
    ("get", "api/v1/exports/{pk}/"): (STUDIES, {}),
    ("get", "api/v1/exports/{pk}/download/"): (STUDIES, {}),
    ("get", "api/v1/methods/"): (STUDIES, {"query": "?snapshot={snapshots}"}),
    ("get", "api/v1/projects/{pk}/loop/"): (MEMBERS, {}),
    ("get", "api/v1/runs/"): (LISTS, {"query": "?project={projects}"}),
    ("post", "api/v1/runs/"): (
        admins_of_studies(201),
        {"body": {"snapshot": "{snapshots}", "method": "dcse_resnet50"}},
    ),
    ("get", "api/v1/runs/{pk}/"): (STUDIES, {}),
    ("post", "api/v1/runs/{pk}/cancel/"): (admins_of_studies(409), {}),
    ("get", "api/v1/runs/{pk}/events/"): (STUDIES, {}),
    ("post", "api/v1/runs/{pk}/resume/"): (admins_of_studies(409), {}),
    ("get", "api/v1/runs/{pk}/folder/"): (STUDIES, {}),
    ("get", "api/v1/explanations/"): (admins(200), {"query": "?project={projects}&exam={exams}"}),
    ("get", "api/v1/explanations/{pk}/picture/"): (blind(200), {}),
    ("get", "api/v1/models/{pk}/compare/{other}/"): (STUDIES, {}),
    # With itself, which is refused to whoever may ask.
    ("post", "api/v1/models/{pk}/compare/{other}/"): ((401, 404, 404, 404, 409, 409, 409), {}),
    ("get", "api/v1/models/{pk}/nearest/"): (blind(200), {"query": "?exam={exams}"}),
    ("get", "api/v1/models/"): (LISTS, {"query": "?project={projects}"}),
    ("get", "api/v1/models/{pk}/"): (STUDIES, {}),
    ("get", "api/v1/models/{pk}/predictions/"): (blind(200), {"query": "?exam={exams}"}),
    ("post", "api/v1/models/{pk}/promote/"): (admins_of_studies(200), {}),
    ("post", "api/v1/models/{pk}/retire/"): (admins_of_studies(200), {}),
    ("get", "api/v1/scores/"): (blind(200), {"query": "?model={models}"}),
    ("get", "api/v1/weights/"): (LISTS, {"query": "?project={projects}"}),
    ("post", "api/v1/weights/"): (
        admins(201),
        {
            "query": "?project={projects}&licence=MIT&origin=here",
            "bytes": b"PK\x03\x04",
            "headers": {"X-File-Name": "new.pth"},
        },
    ),
    ("delete", "api/v1/weights/{pk}/"): (admins_of_studies(204), {}),
    ("get", "api/v1/rounds/"): (admins(200), {"query": "?project={projects}"}),
    ("post", "api/v1/rounds/"): (admins(202), {"body": {"project": "{projects}"}}),
    ("get", "api/v1/rounds/{pk}/"): (blind(200), {}),
    ("get", "dicomweb/studies"): (SIGNED_IN, {}),
    ("get", "dicomweb/studies/{study}"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/metadata"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/series"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/instances"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/series/{series}"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/series/{series}/metadata"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/series/{series}/instances"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/series/{series}/instances/{sop}"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/series/{series}/instances/{sop}/metadata"): (MEMBERS, {}),
    ("get", "dicomweb/studies/{study}/series/{series}/instances/{sop}/frames/{frame}"): (MEMBERS, {}),
}
