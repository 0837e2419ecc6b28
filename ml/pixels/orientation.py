"""Every image the same way up: chest wall at the left, head (MLO) or the outer side (CC) at the top.

Which side of the body a breast is on is never guessed from pixels. Source: methods.md 2.4, PS3.3 C.7.6.1.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.geometry import affine
from ml.pixels.header import PixelInfo

OUTER = 0.02
TIE = 0.05
CLEAR = 0.6
"""The breast touches one border clearly if it touches the other at most so much; 0.33 at most on 150 films of 152."""
_OBLIQUE = frozenset({"MLO", "ML", "LM"})
_FROM_ABOVE = frozenset({"CC", "XCCL"})
_MEDIAL = {"R": "L", "L": "R"}


@dataclass(frozen=True)
class Turn:
    """How an image is brought to the canonical orientation: transposed, then flipped."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False
    flags: tuple[str, ...] = ()

    def matrix(self, rows: int, cols: int) -> affine.Matrix:
        """Source pixels of an image of this size to canonical pixels."""
        width, height = (rows, cols) if self.transposed else (cols, rows)
        steps = [affine.transpose()] if self.transposed else []
        steps += [affine.flip_x(width)] if self.flip_x else []
        steps += [affine.flip_y(height)] if self.flip_y else []
        return affine.compose(*steps)

    def size(self, rows: int, cols: int) -> tuple[int, int]:
        """(rows, cols) after the turn."""
        return (cols, rows) if self.transposed else (rows, cols)


def canonical_turn(mask: npt.NDArray[np.bool_], info: PixelInfo, *, trust_mask: bool = True) -> Turn:
    """How to turn an image whose breast is `mask` (H, W).

    Clear pixels decide where the chest wall is, and a header that says otherwise is flagged `orientation_conflict`.
    Where the breast touches both borders alike (a large breast that fills its film), or there is no mask to trust, the
    header decides.
    """
    row, column = info.patient_orientation or ("", "")
    transposed = row[:1] not in ("A", "P") and column[:1] in ("A", "P")
    if transposed:
        row, column, mask = column, row, mask.T
    said = {"A": "left", "P": "right"}.get(row[:1])
    seen, clear = chest_wall_side(mask) if trust_mask else (None, False)
    side = (seen if clear else said or seen) or "left"
    flags = ("orientation_conflict",) if said and said != side else ()
    return Turn(transposed, side == "right", _upside_down(column, info), flags)


def chest_wall_side(mask: npt.NDArray[np.bool_]) -> tuple[str | None, bool]:
    """left or right: where the breast is cut off straight; None where there is no breast. And whether that is clear.

    Measured in the columns that the breast spans, since films have black padding beyond the chest wall.
    """
    if not mask.any():
        return None, False
    used = np.flatnonzero(mask.any(axis=0))
    mask = mask[:, used[0] : used[-1] + 1]
    width = max(1, round(mask.shape[1] * OUTER))
    left, right = int(mask[:, :width].sum()), int(mask[:, -width:].sum())
    clear = min(left, right) <= CLEAR * max(left, right)
    if abs(left - right) <= TIE * max(left, right):
        half = mask.shape[1] // 2
        left, right = int(mask[:, :half].sum()), int(mask[:, -half:].sum())
    return ("left" if left >= right else "right"), clear


def _upside_down(column: str, info: PixelInfo) -> bool:
    first = column[:1]
    if info.view in _OBLIQUE:
        return first == "H"
    if info.view in _FROM_ABOVE and info.laterality is not None:
        # Downwards is medial in an upright CC, so a column that runs to the outer side is upside down.
        return first == info.laterality and first != _MEDIAL[info.laterality]
    return False
