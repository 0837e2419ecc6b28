"""What a snapshot is, as functions of plain values: which reading counts, canonical bytes, hashes, counts."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from exchange.errors import ConsensusNeeded

DENSITIES = ("a", "b", "c", "d")
FINDING_TYPES = ("mass", "calcification", "asymmetry", "architectural_distortion")
SPLITS = ("train", "val", "test", "audit")
EXPERT = frozenset({"primary", "second"})


class HasPurpose(Protocol):
    """What the choice between readings looks at."""

    id: Any
    purpose: str


R = TypeVar("R", bound=HasPurpose)


def reading_that_counts(readings: Sequence[R], *, references: bool) -> R | None:
    """The one reading of an exam that a snapshot takes; None where the policy takes none.

    An adjudication settles what the others say; else the one expert reading; else, if the policy takes references,
    the one reference reading. Practice readings never count. Raises ConsensusNeeded where two would be equal in rank.
    """
    ranks = [
        [r for r in readings if r.purpose == "adjudication"],
        [r for r in readings if r.purpose in EXPERT],
        [r for r in readings if r.purpose == "reference"] if references else [],
    ]
    for rank in ranks:
        if len(rank) > 1:
            raise ConsensusNeeded(readings=[str(r.id) for r in rank])
        if rank:
            return rank[0]
    return None


def canonical(value: Any) -> str:
    """JSON with one spelling: sorted keys, no spaces, UTF-8, shortest floats. NaN and infinity are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of(text: str) -> str:
    """The SHA-256 of a text's UTF-8 bytes, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def snapshot_sha256(items: Iterable[tuple[str, str]]) -> str:
    """The hash of a snapshot: over the lines `exam id|item hash`, in exam order, each ended by LF."""
    digest = hashlib.sha256()
    for exam_id, item_sha256 in items:
        digest.update(f"{exam_id}|{item_sha256}\n".encode())
    return digest.hexdigest()


def exam_density(breasts: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The density of an exam: that of the denser breast; None where no breast has one."""
    found = [b["density"] for b in breasts.values() if b.get("density") in DENSITIES]
    return max(found) if found else None


def density_source(breasts: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What the density was mapped from (`tissue3:G`), if a breast says so."""
    return next((b["density_source"] for b in breasts.values() if b.get("density_source")), None)


def _tally() -> dict[str, Any]:
    return {"exams": 0, "patients": set(), "images": 0, "normal_exams": 0, "marks": Counter(), "findings": Counter(),
            "unmarked_findings": 0, "density": Counter(), "outlines": Counter(), "pathology": Counter()}  # fmt: skip


def _add(tally: dict[str, Any], item: Mapping[str, Any]) -> None:
    tally["exams"] += 1
    tally["patients"].add(item["patient"]["id"])
    tally["images"] += len(item["images"])
    tally["normal_exams"] += not item["findings"]
    tally["density"][item["density"]["label"] or "unknown"] += 1
    for finding in item["findings"]:
        tally["findings"][finding["type"]] += 1
        tally["marks"][finding["type"]] += len(finding["marks"])
        tally["outlines"][finding["type"]] += sum(mark["kind"] == "polygon" for mark in finding["marks"])
        tally["pathology"][finding.get("pathology") or "unknown"] += 1
        tally["unmarked_findings"] += not finding["marks"]


def _plain(tally: dict[str, Any]) -> dict[str, Any]:
    return {
        key: len(value)
        if isinstance(value, set)
        else dict(sorted(value.items()))
        if isinstance(value, Counter)
        else value
        for key, value in tally.items()
    }


def counts_of(items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What is in a snapshot, in all and by split.

    `{exams, patients, images, normal_exams, findings: {type: n}, marks: {type: n}, outlines: {type: n},
    pathology: {benign: n, ..}, unmarked_findings, density: {a: n, .., unknown: n}, splits: {train: exams, ..},
    by_split: {train: {the same again}, ..}}`.
    """
    whole = _tally()
    by_split: dict[str, dict[str, Any]] = {}
    for item in items:
        _add(whole, item)
        _add(by_split.setdefault(item["split"], _tally()), item)
    return {
        **_plain(whole),
        "splits": {split: by_split[split]["exams"] for split in SPLITS if split in by_split},
        "by_split": {split: _plain(by_split[split]) for split in SPLITS if split in by_split},
    }
