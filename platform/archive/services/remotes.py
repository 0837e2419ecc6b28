"""Archives of others that images may be pulled from."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from accounts.errors import NameTaken
from accounts.models import Project, Role, User
from accounts.queries import require_role
from archive import credentials, importing
from archive.address import require_address, require_networks
from archive.models import Archive
from archive.services.ingests import create_ingest
from core.audit import record
from core.words import counted
from jobs.models import Job
from jobs.services import submit


def create_archive(
    *,
    name: str,
    url: str,
    by: User,
    username: str = "",
    password: str = "",
    networks: Sequence[str] = (),
    timeout_seconds: int = 30,
) -> Archive:
    """Enter an archive; its password is stored locked. Raises AddressRefused, NameTaken."""
    archive = Archive(name=name, url=url, username=username, created_by=by, timeout_seconds=timeout_seconds)
    archive.networks = require_networks(networks)
    archive.secret = credentials.lock(password)
    return _kept(archive, by, "archive.created")


def change_archive(archive: Archive, *, by: User, password: str | None = None, **changes: Any) -> Archive:
    """Change an archive; the password stays where none is given. A new address needs the password again.

    Else whoever may edit could send a stored password to an address of their own. Raises AddressRefused, NameTaken.
    """
    if "networks" in changes:
        changes["networks"] = require_networks(changes["networks"])
    if changes.get("url", archive.url) != archive.url and password is None:
        archive.secret = b""
    for field, value in changes.items():
        setattr(archive, field, value)
    if password is not None:
        archive.secret = credentials.lock(password)
    return _kept(archive, by, "archive.changed")


def _kept(archive: Archive, by: User, verb: str) -> Archive:
    require_address(archive.url)
    try:
        with transaction.atomic():
            archive.save()
            record(by, verb, target=archive)
    except IntegrityError as error:
        raise NameTaken(name=archive.name) from error
    return archive


@transaction.atomic
def delete_archive(archive: Archive, *, by: User) -> None:
    """Forget an archive and its password; what was pulled stays."""
    record(by, "archive.deleted", target=archive)
    archive.delete()


@transaction.atomic
def pull_studies(archive: Archive, *, project: Project, studies: Sequence[str], by: User) -> Job:
    """Begin to fetch exams into a project. Raises Missing, RoleMissing, Invalid."""
    require_role(by, project, Role.ADMIN)
    ingest = create_ingest(project, by=by, channel="pacs", dataset=importing.DICOM)
    record(by, "archive.pulled", target=archive, project_id=project.pk, studies=len(studies))
    return submit(
        "archive.pull", {"archive_id": str(archive.pk), "ingest_id": str(ingest.pk), "studies": list(studies)},
        actor=by, project=project, title=f"Fetch {counted(len(studies), 'exam')} from {archive.name}"[:200],
        link=f"/import/{ingest.pk}",
    )  # fmt: skip
