"""From manifest rows to samples: one image, the two views of a breast, or the views of an exam."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from ml.methods.spec import Inputs
from ml.runs.manifest import ManifestRow
from ml.training.data import Sample

LeftOut = list[tuple[str, str]]


def build_samples(rows: Sequence[ManifestRow], inputs: Inputs) -> tuple[list[Sample], LeftOut]:
    """Samples in the order of their ids, and (exam or image, reason) for what could not be one."""
    ordered = sorted(rows, key=lambda row: (row.exam_id, row.image_id))
    if not inputs.views:
        return [Sample(row.image_id, (row,), (True,)) for row in ordered], []
    by_breast = inputs.unit == "breast"
    groups: dict[str, dict[str, ManifestRow]] = defaultdict(dict)
    for row in ordered:
        unit = f"{row.exam_id}/{row.laterality}" if by_breast else row.exam_id
        slot = str(row.view) if by_breast else f"{row.laterality}-{row.view}"
        groups[unit].setdefault(slot, row)  # the first by id, where a view was taken twice
    samples, left_out = [], []
    fill = _FILLS[inputs.missing]
    for unit, found in sorted(groups.items()):
        slots = [found.get(view) for view in inputs.views]
        filled = [row or fill(view, found) for row, view in zip(slots, inputs.views, strict=True)]
        if any(row is None for row in filled):
            left_out.append(
                (unit, "missing " + ", ".join(v for v, row in zip(inputs.views, slots, strict=True) if not row))
            )
            continue
        rows_of = tuple(row for row in filled if row is not None)
        samples.append(Sample(unit, rows_of, tuple(row is not None for row in slots)))
    return samples, left_out


def _other_side(view: str, found: dict[str, ManifestRow]) -> ManifestRow | None:
    """The same view of the other breast, else the other view of the same breast."""
    side, _, kind = view.partition("-")
    other_side, other_kind = ("L" if side == "R" else "R"), ("MLO" if kind == "CC" else "CC")
    return found.get(f"{other_side}-{kind}") or found.get(f"{side}-{other_kind}")


def _none(view: str, found: dict[str, ManifestRow]) -> ManifestRow | None:
    return None


_FILLS: dict[str, Callable[[str, dict[str, ManifestRow]], ManifestRow | None]] = {
    "other_side": _other_side,
    "drop": _none,
    "refuse": _none,
}
