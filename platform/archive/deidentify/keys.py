"""What stands for a person's identifiers: keyed by secrets of this installation, the same each time.

Nobody without the secret can tell which number became which, nor try all numbers to find out.
"""

import base64
import hashlib
import hmac
from datetime import date, timedelta

from core.secrets import secret_bytes

PSEUDONYM_LETTERS = 12
SHIFT_DAYS = 5 * 365


def _keyed(purpose: str, text: str) -> bytes:
    return hmac.digest(secret_bytes("deid"), f"{purpose}\0{text}".encode(), hashlib.sha256)


def keyed_uid(uid: str) -> str:
    """A UID in the place of another. Source: PS3.5 B.2, `2.25.` and a UUID as a decimal number."""
    number = int.from_bytes(_keyed("uid", uid.strip())[:16])
    # Version 8 (custom) and the variant of RFC 9562, so that it is the UUID that B.2 asks for.
    number = number & ~(0xF << 76) & ~(0b11 << 62) | 0x8 << 76 | 0b10 << 62
    return f"2.25.{number}"


def pseudonym(patient_id: str, issuer: str = "") -> str:
    """The name of a person here, from the hospital's number and who gave it."""
    digest = _keyed("patient", f"{issuer.strip()}\0{patient_id.strip()}")
    return "P-" + base64.b32encode(digest).decode()[:PSEUDONYM_LETTERS]


def exam_label(study_uid: str) -> str:
    """A short name for people: `L-0412`, a letter and four digits. Two exams may share one; ids tell them apart."""
    number = int.from_bytes(_keyed("label", study_uid)[:8])
    return f"{'ABCDEFGHJKLMNPQRSTUVWXYZ'[number % 24]}-{number // 24 % 10_000:04d}"


def shift_of(patient: str) -> timedelta:
    """By how much all dates of a patient are moved: 1 to 1825 days back, so that times between exams stay true."""
    return timedelta(days=-1 - int.from_bytes(_keyed("dates", patient)[:8]) % SHIFT_DAYS)


def shifted(value: str, shift: timedelta) -> str:
    """A DICOM date (DA) moved; empty for what is no date. Of a date and time (DT) only the date stays."""
    try:
        day = date(int(value[:4]), int(value[4:6]), int(value[6:8]))
        return (day + shift).strftime("%Y%m%d")
    except (ValueError, OverflowError):
        return ""
