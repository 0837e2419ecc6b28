"""What every kind of finding offers to the renderer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from ml.simulation.frame import Frame
from ml.simulation.model import Bools, Floats, Mark


@dataclass(frozen=True)
class Canvas:
    """What a finding may change in one view. All (rows, cols), chest wall left.

    share: fibroglandular share, 0 to 1. added: extra attenuation, in shares of glandular contrast.
    """

    frame: Frame
    thickness_mm: float
    share: Floats
    threads: Floats
    added: Floats


class Lesion(ABC):
    """A finding at a place. radius_mm: reach of its body in any view."""

    centre: Floats
    radius_mm: float

    @abstractmethod
    def paint(self, canvas: Canvas) -> Bools:
        """Put the finding into the canvas; answers with the mask (rows, cols) of the pixels that are its body."""

    @abstractmethod
    def mark(self, frame: Frame, mask: Bools) -> Mark:
        """The mark of the finding in stored pixels."""


def offsets(frame: Frame, centre: Floats, window: tuple[slice, slice]) -> tuple[Floats, Floats]:
    """(du, dv) in mm of the window's pixels from (u, v), broadcastable to the window's shape."""
    rows, cols = window
    return frame.u[:, cols] - centre[0], frame.v[rows] - centre[1]


def box_of(frame: Frame, mask: Bools) -> list[float]:
    """[x0, y0, x1, y1] of a mask in stored pixels, edges of pixels."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, x1 = float(cols[0]), float(cols[-1] + 1)
    if frame.side == "R":
        x0, x1 = frame.shape[1] - x1, frame.shape[1] - x0
    return [x0, float(rows[0]), x1, float(rows[-1] + 1)]
