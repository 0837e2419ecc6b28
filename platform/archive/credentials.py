"""Passwords of other archives, locked with a secret of this installation."""

import base64

from cryptography.fernet import Fernet, InvalidToken

from archive.errors import CredentialsUnreadable
from core.secrets import secret_bytes


def _lock() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(secret_bytes("archives")))


def lock(password: str) -> bytes:
    """A password as it is stored; nothing for none."""
    return _lock().encrypt(password.encode()) if password else b""


def unlock(locked: bytes) -> str:
    """The password again. Raises CredentialsUnreadable."""
    if not locked:
        return ""
    try:
        return _lock().decrypt(bytes(locked)).decode()
    except InvalidToken as error:
        raise CredentialsUnreadable() from error
