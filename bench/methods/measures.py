"""Figures of a run that metrics.json does not have, for checks of what a method makes on its way. Higher is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.methods.worlds import REGION_MARGIN, Made
from ml.training.lessons import Artefacts

Floats = npt.NDArray[np.float64]


def radial_spectrum(x: Floats) -> Floats:
    """(S // 2,) mean power of images (N, S, S) at 1, 2, ... periods a side; each image has mean 0 and variance 1.

    Grey scales do not matter, and a Hann window keeps what meets at opposite edges out of it.
    """
    side = x.shape[-1]
    apart = x - x.mean((-2, -1), keepdims=True)
    scaled = apart / np.maximum(apart.std((-2, -1), keepdims=True), 1e-9)
    power = np.abs(np.fft.fft2(scaled * np.outer(np.hanning(side), np.hanning(side)))) ** 2
    periods = np.fft.fftfreq(side, 1 / side)
    ring = np.rint(np.hypot(periods[:, None], periods[None])).astype(int)
    return np.array([power[:, ring == k].mean() for k in range(1, side // 2 + 1)])


def spectra_agree(made: Floats, made_class: npt.NDArray[np.int64], world: Made) -> float:
    """How near the power of made regions (N, S, S) comes to that of unseen test regions of their class, (0, 1].

    e^-d, d the mean of |ln P_made - ln P_real| over periods and classes: the ratio of the two powers, the smaller
    over the greater, as a geometric mean.
    """
    test = world.split == "test"
    real, label = regions(world)[test], world.y[test]
    apart = [
        np.abs(np.log(radial_spectrum(made[made_class == k])) - np.log(radial_spectrum(real[label == k]))).mean()
        for k in np.unique(label)
    ]
    return float(np.exp(-np.mean(apart)))


def regions(world: Made) -> Floats:
    """(N, S, S): the middle of each patch, which is what its mark encloses."""
    patches = world.x[:, 0].astype(np.float64)
    side = round(patches.shape[-1] / REGION_MARGIN)
    edge = (patches.shape[-1] - side) // 2
    return patches[:, edge : edge + side, edge : edge + side]


def made_spectrum(run_dir: Path, world: Made) -> float:
    """`spectra_agree` of what `gan_augmentation` kept as made."""
    kept = Artefacts(run_dir / "artefacts").read("generate:made")
    return spectra_agree(kept["x"][:, 0].double().numpy(), kept["class"].numpy(), world)


def white_noise(world: Made, metric: str) -> float:
    """`spectra_agree` of independent pixels, as many images as there are to learn from."""
    train = world.split == "train"
    noise = np.random.default_rng(0).standard_normal(regions(world)[train].shape)
    return spectra_agree(noise, world.y[train], world)


MEASURES: Mapping[str, Callable[[Path, Made], float]] = {"spectrum": made_spectrum}
"""By the name that a check gives as its metric."""
