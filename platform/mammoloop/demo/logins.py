"""The demo's accounts: random passwords made at first start, printed at every start until they are changed."""

import os
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import check_password

from accounts.models import Project, Role, User
from accounts.services import create_user, set_membership

ROLES = {
    "admin": Role.ADMIN,
    "reader1": Role.READER,
    "reader2": Role.READER,
    "adjudicator": Role.ADJUDICATOR,
    "researcher": Role.RESEARCHER,
}


def file() -> Path:
    """Name and password a line; mode 0600."""
    return Path(settings.SECRETS_DIR) / "demo-logins"


def ensure() -> None:
    """Make the accounts that are not there yet. The file is written first: a password nobody knows opens nothing."""
    if User.objects.filter(username__in=ROLES).count() == len(ROLES):
        return
    known = _read()
    passwords = {name: known.get(name) or secrets.token_urlsafe(12) for name in ROLES}
    file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(file(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.writelines(f"{name} {password}\n" for name, password in passwords.items())
    for name, password in passwords.items():
        if not User.objects.filter(username=name).exists():
            create_user(username=name, password=password, is_site_admin=name == "admin", by=None)


def join(project: Project) -> None:
    """Give each demo account its role in a project."""
    for name, role in ROLES.items():
        user = User.objects.get(username=name)
        if not project.memberships.filter(user=user).exists():
            set_membership(project=project, user=user, role=role, by=None)


def unchanged() -> dict[str, str]:
    """Name and password of the accounts that still have the password they were made with."""
    hashes = dict(User.objects.filter(username__in=ROLES).values_list("username", "password"))
    return {
        name: password
        for name, password in _read().items()
        if name in hashes and check_password(password, hashes[name])
    }


def _read() -> dict[str, str]:
    if not file().is_file():
        return {}
    return dict(line.split(maxsplit=1) for line in file().read_text().splitlines() if line.strip())
