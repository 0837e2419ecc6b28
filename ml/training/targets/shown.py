"""A sample as targets are made of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ml.methods.spec import Aim
from ml.pixels.rois import Roi
from ml.runs.manifest import ManifestRow, Mark

Group = int | None
MaskOf = Callable[[ManifestRow, Mark], np.ndarray]
"""The stored mask (rows, cols) of a mark of kind mask or label_map, in source pixels."""


@dataclass(frozen=True)
class Shown:
    """rows, affines (3, 3) and (H, W) per slot; roi where the sample is one; `aim` is the run's.

    affines and sizes are empty where only the group of a sample is asked.
    """

    rows: Sequence[ManifestRow]
    aim: Aim
    mask_of: MaskOf
    roi: Roi | None = None
    affines: Sequence[np.ndarray] = ()
    sizes: Sequence[tuple[int, int]] = ()
