"""Which patient trains and which patient tests: drawn by patient, the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Set

SHARES: Mapping[str, float] = {"train": 0.70, "val": 0.15, "test": 0.15}
STRATIFY_FROM = 20
"""A labelled set of fewer patients is too small to stratify and is drawn by key instead."""


def keyed_split(seed: int | str, patient: str, shares: Mapping[str, float] = SHARES) -> str:
    """The split of one patient, from the hash of `seed|patient` alone, so that no other patient can move it.

    The first 8 bytes of the SHA-256, big-endian, over 2^64 fall into `shares` laid end to end.
    """
    place = int.from_bytes(_digest(seed, patient)[:8], "big") / 2**64
    edge = 0.0
    for split, share in shares.items():
        edge += share
        # Rounded so that .70 + .15 is .85 exactly.
        if place < round(edge, 12):
            return split
    return list(shares)[-1]


def stratified(
    patients: Mapping[str, Set[str]], fractions: Mapping[str, float] = SHARES, seed: int | str = 0
) -> dict[str, str]:
    """Patients to splits so that every tag is spread as `fractions` ask; rare tags are served first.

    `patients` maps a patient to its tags (density class, finding types, pathology, manufacturer, data set). The
    answer depends on the set of patients and the seed alone, not on their order.

    Source: Sechidis et al. 2011 (iterative stratification), made exact by keyed hashes for every tie.
    """
    tags = sorted({tag for own in patients.values() for tag in own})
    wanted = {split: share * len(patients) for split, share in fractions.items()}
    wanted_of = {
        (split, tag): share * sum(tag in own for own in patients.values())
        for split, share in fractions.items()
        for tag in tags
    }
    left = set(patients)
    drawn: dict[str, str] = {}

    def place(patient: str, tag: str | None) -> None:
        def need(split: str) -> tuple[float, float, str]:
            # Rounded: sums of shares differ in the last bit and would decide what the hash should.
            of_tag = round(wanted_of[split, tag], 9) if tag is not None else 0.0
            return of_tag, round(wanted[split], 9), _digest(seed, patient, split).hex()

        split = max(fractions, key=need)
        drawn[patient] = split
        left.discard(patient)
        wanted[split] -= 1
        for own in patients[patient]:
            wanted_of[split, own] -= 1

    while tag := _rarest(tags, patients, left):
        for patient in _in_hash_order(seed, (p for p in left if tag in patients[p])):
            place(patient, tag)
    for patient in _in_hash_order(seed, left):
        place(patient, None)
    return drawn


def _rarest(tags: list[str], patients: Mapping[str, Set[str]], left: Set[str]) -> str | None:
    counts = {tag: sum(tag in patients[patient] for patient in left) for tag in tags}
    return min((tag for tag in tags if counts[tag]), key=lambda tag: (counts[tag], tag), default=None)


def _in_hash_order(seed: int | str, patients: Iterable[str]) -> list[str]:
    return sorted(patients, key=lambda patient: _digest(seed, patient))


def _digest(*parts: int | str) -> bytes:
    return hashlib.sha256("|".join(str(part) for part in parts).encode()).digest()
