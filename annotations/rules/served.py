"""In what order exams are served, as plain values."""

import hashlib
from typing import Any

KEY_BITS = 60
#: Audit patients are read double: what two readers say of them is the measure of both.
AUDIT_READINGS = 2


def tier_of(split: str) -> int:
    """0 for val, test and audit exams, served first and never ranked by a model; 1 for train."""
    return 1 if split == "train" else 0


def wanted_of(split: str, readings_per_exam: int) -> int:
    """How many readings an exam of a split wants."""
    return max(readings_per_exam, AUDIT_READINGS) if split == "audit" else readings_per_exam


def keyed(seed: int, exam_id: Any) -> int:
    """The place of an exam where nothing ranks it: the first 60 bits of sha256(seed|exam), the same on every machine.

    60 bits, so that a tier and a place fit into one signed 64-bit number (`queries.entries`).
    """
    digest = hashlib.sha256(f"{seed}|{exam_id}".encode()).digest()
    return int.from_bytes(digest[:8]) >> (64 - KEY_BITS)
