"""Figures that a run is asked for beside metrics.json."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from bench.methods.measures import MEASURES, radial_spectrum, regions, spectra_agree, white_noise
from bench.methods.worlds import Made
from ml.simulation.probes import FAMILIES
from ml.training.lessons import Artefacts


@pytest.fixture(scope="module")
def world() -> Made:
    x, y, _ = FAMILIES["roi_mass"](160, 0, 48)
    return Made([], x[:, None], y, np.array(["train"] * 80 + ["test"] * 80))


def test_a_wave_has_its_power_at_its_period_whatever_its_grey_values():
    wave = np.sin(2 * np.pi * 5 * np.arange(32) / 32)[None, None].repeat(32, 1)
    spectrum = radial_spectrum(wave)
    assert spectrum.argmax() == 4 and np.allclose(spectrum, radial_spectrum(0.1 * wave + 3))


def test_other_real_regions_agree_and_noise_and_blurred_ones_do_not(world):
    train = world.split == "train"
    real, label = regions(world)[train], world.y[train]
    assert real.shape == (80, 32, 32)
    assert spectra_agree(real, label, world) > 0.85
    assert white_noise(world, "spectrum") < 0.4
    blurred = ndimage.gaussian_filter(real, (0, 1, 1))
    assert spectra_agree(blurred, label, world) < 0.2


def test_the_spectrum_is_that_of_what_was_made(world, tmp_path):
    train = world.split == "train"
    made = {"x": torch.tensor(regions(world)[train])[:, None].float(), "class": torch.tensor(world.y[train])}
    Artefacts(tmp_path / "artefacts").write("generate", "made", made)
    said = MEASURES["spectrum"](tmp_path, world)
    assert said == pytest.approx(spectra_agree(regions(world)[train], world.y[train], world), abs=1e-4)
