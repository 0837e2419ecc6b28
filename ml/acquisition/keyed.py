"""Chance that belongs to the exam: the same draw on every machine, in any order, in any shard."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def place(seed: int | str, exam: str) -> bytes:
    """Where an exam stands among its equals: SHA-256 of `seed|exam`, compared as bytes, smallest first."""
    return hashlib.sha256(f"{seed}|{exam}".encode()).digest()


def uniform(seed: int | str, round_: int, arm: str, uids: Sequence[str]) -> Floats:
    """One number in (0, 1) an exam, from SHA-256 of `seed|round|arm|uid`. Returns shape (N,).

    52 bits are kept: with 53 the largest value rounds to 1, and its Gumbel noise would be infinite.
    """
    keys = (hashlib.sha256(f"{seed}|{round_}|{arm}|{uid}".encode()).digest() for uid in uids)
    bits = np.fromiter((int.from_bytes(key[:8], "big") >> 12 for key in keys), np.float64, len(uids))
    return (bits + 0.5) / 2.0**52


def gumbel(seed: int | str, round_: int, arm: str, uids: Sequence[str]) -> Floats:
    """Standard Gumbel noise of each exam: adding it to log weights and taking the top draws without replacement."""
    return -np.log(-np.log(uniform(seed, round_, arm, uids)))
