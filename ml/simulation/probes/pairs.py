"""Both breasts at once: the same thing on both sides, and the question whether it is at the mirrored place."""

from __future__ import annotations

import numpy as np

from ml.simulation.probes import canvas
from ml.simulation.probes.canvas import Probe, balanced, dome, half_ellipse, levelled
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

BLOB = 0.11
"""Radius of the blob, as a share of the image's side."""
APART = 0.3
"""How far from the mirrored place the blob of an asymmetric pair is at least, as a share of the side."""
_BRIGHT = 4.0


def mirrored_pair(n: int, seed: int, size: int = 48) -> Probe:
    """Left and right breast, the right one mirrored, chest walls at the left: x (n, 2, size, size).

    Each side has one blob of the same kind. y 1: they are not at the same place; masks 1 on both blobs then, else 0.
    Outlines are equal, textures are not. Source: methods-17.md 3.18, second phantom of the worked example.
    """
    labels = balanced(n, seed, 2)
    exams, masks = [], []
    for index, label in enumerate(labels):
        generator = stream(seed, "mirrored", str(index))
        breast = half_ellipse(generator, size)
        first, other = canvas.places(generator, breast, 2, apart=APART)
        sides = [first, other if label else first]
        exams.append(
            np.stack(
                [
                    levelled(
                        power_law(generator, (size, size), 1.0, beta=3.0, coarsest_mm=size / 4)
                        + _BRIGHT * dome(size, place, BLOB * size),
                        breast,
                    )
                    for place in sides
                ]
            )
        )
        blobs = np.stack([canvas.distance(size, place) < BLOB * size for place in sides])
        masks.append((blobs & breast & bool(label)).astype(np.uint8))
    return np.stack(exams), labels, np.stack(masks)
