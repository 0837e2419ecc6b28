"""Secrets are made at first need in `var/secrets` (mode 0600) or given by the environment; never shipped."""

import base64
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SECRET_BYTES = 32


def read_or_make(folder: Path, name: str) -> str:
    """The secret of that name as URL-safe text; made at first need.

    Environment variable `MAMMOLOOP_SECRET_<NAME>` wins, so that several machines can share one. Two processes that
    make the same secret at once agree: the file is created exclusively, and the loser reads the winner's.
    """
    given = os.environ.get(f"MAMMOLOOP_SECRET_{name.upper().replace('-', '_')}")
    if given:
        return given
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ImproperlyConfigured(f"The folder {folder} cannot be made: {error.strerror}.") from error
    path = folder / name
    if not path.exists():
        _create(path, base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode())
    return path.read_text().strip()


def _create(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)  # fails where another process was first: theirs is the secret
    except FileExistsError:
        return
    finally:
        part.unlink()


def secret_bytes(name: str) -> bytes:
    """The 32 bytes of the secret of that name."""
    return base64.urlsafe_b64decode(read_or_make(settings.SECRETS_DIR, name))
