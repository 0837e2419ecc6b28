"""Random numbers by name: each part of a phantom draws from a stream of its own.

Adding a finding or leaving one out so changes nothing else, and the difference of two phantoms is the finding.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """The generator that belongs to these names under this seed."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest(seed, *names)[:16], "big")))


def digest(seed: int, *names: str) -> bytes:
    """32 bytes that stand for these names under this seed."""
    return hashlib.sha256("|".join([str(seed), *names]).encode()).digest()
