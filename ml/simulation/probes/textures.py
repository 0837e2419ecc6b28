"""Textures that a histogram, or a power spectrum, cannot tell apart. Patches without air; masks are 1 everywhere."""

from __future__ import annotations

import numpy as np

from ml.simulation.model import Floats
from ml.simulation.probes import canvas
from ml.simulation.probes.canvas import Probe, balanced, levelled, ranks, stacked
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

SLOPES = (1.5, 3.5)
"""Exponents of the power spectrum of the first and the last class of `equal_histogram`."""
_BARS = 40
_ROUNDS = 20


def equal_histogram(n: int, seed: int, size: int = 64, classes: int = 2) -> Probe:
    """Fine to coarse textures with the same grey values: x (n, size, size), y from 0, the finest, to classes - 1."""
    labels = balanced(n, seed, classes)
    slopes = np.linspace(*SLOPES, classes)
    whole = np.ones((size, size), dtype=bool)
    pairs = []
    for index, label in enumerate(labels):
        generator = stream(seed, "equal histogram", str(index))
        field = power_law(generator, (size, size), 1.0, beta=float(slopes[label]), coarsest_mm=size / 2)
        pairs.append((levelled(field, whole), whole.astype(np.uint8)))
    return stacked(pairs, labels)


def equal_spectrum(n: int, seed: int, size: int = 64) -> Probe:
    """Textures with the same grey values and the same power spectrum: x (n, size, size).

    y 1: crossing bars; y 0: what is left of such bars when the phases are drawn anew, by the iteration of T. Schreiber
    and A. Schmitz, Phys. Rev. Lett. 77 (1996) 635, which keeps the spectrum and the grey values.
    """
    labels = balanced(n, seed, 2)
    whole = np.ones((size, size), dtype=bool)
    pairs = []
    for index, label in enumerate(labels):
        generator = stream(seed, "equal spectrum", str(index))
        field = _crossing(generator, size)
        # Both classes go through the same iteration, so that what it leaves behind does not tell them apart.
        start = field if label else generator.permutation(field.ravel()).reshape(field.shape)
        pairs.append((levelled(_surrogate(start, field), whole), whole.astype(np.uint8)))
    return stacked(pairs, labels)


def _crossing(generator: np.random.Generator, size: int) -> Floats:
    """Bars of random place and angle over a faint texture, as ranks."""
    field = 0.5 * power_law(generator, (size, size), 1.0, beta=2.0, coarsest_mm=size / 4)
    for _ in range(_BARS):
        field += 1.5 * canvas.bar(generator, size, generator.uniform(0, size, 2))
    return ranks(field.ravel()).reshape(field.shape)


def _surrogate(start: Floats, like: Floats) -> Floats:
    """A field with the grey values of `like` and nearly its power spectrum, its phases those of `start`."""
    values, strength = np.sort(like.ravel()), np.abs(np.fft.rfft2(like))
    field = start
    for _ in range(_ROUNDS):
        phases = np.exp(1j * np.angle(np.fft.rfft2(field)))
        spectral = np.fft.irfft2(strength * phases, s=like.shape)
        remapped = np.empty(like.size)
        remapped[np.argsort(spectral, axis=None, kind="stable")] = values
        field = remapped.reshape(like.shape)
    return field
