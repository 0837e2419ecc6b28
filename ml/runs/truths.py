"""What the rows of an image, a breast or an exam say is true of it: one rule for what is needed and what is taught.

Each function takes all rows of one unit and answers 1, 0, or None where it is not known. No torch.
"""

from collections.abc import Sequence

from ml.runs.manifest import ManifestRow


def outcome_of(rows: Sequence[ManifestRow]) -> int | None:
    """1 with cancer in any of these images' breasts, 0 where all known are free of it, None where nothing is known."""
    known = [row.outcome.cancer for row in rows if row.outcome is not None and row.outcome.cancer is not None]
    return max(known) if known else None


def presence_of(rows: Sequence[ManifestRow], findings: Sequence[str] = ()) -> int | None:
    """1 with a finding of these types (none named: of any), 0 where all images are complete and have none of any type.

    An image with findings of other types alone is neither: it must not be taught as normal.
    """
    types = [finding.type for row in rows for finding in row.findings if finding.difficulty != "ignore"]
    if types:
        return 1 if not findings or not set(types).isdisjoint(findings) else None
    return 0 if all(row.complete for row in rows) else None


def asymmetry_of(rows: Sequence[ManifestRow]) -> int | None:
    """1 with an asymmetry, 0 where all images are complete and have none, else None."""
    if any(finding.type == "asymmetry" for row in rows for finding in row.findings):
        return 1
    return 0 if all(row.complete for row in rows) else None
