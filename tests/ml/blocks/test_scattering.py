"""Scattering: worked numbers, energy, and what a shift does to it."""

import itertools
import math

import pytest
import torch
from torch.nn import functional

from ml.blocks.estimators.logistic import LogisticRegression
from ml.blocks.scattering import Scattering2D
from ml.evaluation.classification import auc


def lattice(side=32):
    i, j = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (((7 * i + 13 * j) % 32) / 32.0)[None, None].double()


#: Of dots, in a texture whose rest is noise.
SHARE = 0.35


def smooth_noise(side=64, seed=0):
    x = torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return functional.avg_pool2d(functional.pad(x, (2, 2, 2, 2), mode="circular"), 5, 1)


def change(a, b):
    return ((a - b).norm() / a.norm()).item()


@pytest.mark.parametrize(("scales", "angles", "channels"), [(2, 4, 25), (2, 8, 81), (3, 8, 217), (4, 8, 417)])
def test_channels_are_those_of_the_table_and_nothing_is_learned(scales, angles, channels):
    block = Scattering2D(scales, angles)
    assert block.channels == channels
    assert block.state_dict() == {}
    assert block(torch.rand(2, 1, 64, 48)).shape == (2, channels, 64 // 2**scales, 48 // 2**scales)


@pytest.mark.parametrize(
    ("scales", "angles", "shape", "means"),
    [(2, 4, (25, 8, 8), (0.48448, 0.05394, 0.00289)), (3, 8, (217, 4, 4), (0.48519, 0.02677, 0.00210))],
)
def test_coefficients_have_the_computed_means(scales, angles, shape, means):
    s = Scattering2D(scales, angles)(lattice())[0]
    assert tuple(s.shape) == shape
    first = 1 + scales * angles
    found = [part.mean().item() for part in (s[:1], s[1:first], s[first:])]
    assert found == pytest.approx(means, abs=1e-5)
    if scales == 2:
        assert s[1:5].mean((1, 2)).tolist() == pytest.approx([0.1184, 0.06627, 0.08535, 0.10286], abs=5e-5)


def test_filters_sum_to_nothing_or_to_one_and_hardly_amplify():
    filters = Scattering2D(3, 8).filters(64, 64, torch.zeros(0, dtype=torch.float64))
    psi, phi = filters.psi, torch.fft.fft2(torch.outer(filters.rows[0], filters.cols[0])).real
    assert psi[:, 0, 0].abs().max() < 1e-12
    assert phi[0, 0].item() == pytest.approx(1.0, abs=1e-12)
    mirrored = torch.flip(psi, (1, 2)).roll((1, 1), (1, 2))
    littlewood_paley = phi**2 + (psi**2 + mirrored**2).sum(0) / 2
    assert littlewood_paley.max().item() == pytest.approx(1.014, abs=2e-3)


@pytest.mark.parametrize(("scale", "angle"), [(0, 0), (0, 3), (1, 6), (2, 1)])
def test_a_wavelet_is_the_stated_function_of_space(scale, angle):
    """g(u) (e^{i xi u.n} - beta), summed over 5x5 periodic copies: methods-17 3.17, term by term."""
    side, slant, sigma = 32, 4 / 8, 0.8 * 2**scale
    xi, theta = 0.75 * math.pi / 2**scale, (3 - angle) * math.pi / 8
    wave, envelope = torch.zeros(2, side, side, dtype=torch.complex128)
    for down, right in itertools.product(range(-2, 3), repeat=2):
        y = torch.arange(side).double()[:, None] + down * side
        x = torch.arange(side).double()[None] + right * side
        along, across = math.cos(theta) * y + math.sin(theta) * x, -math.sin(theta) * y + math.cos(theta) * x
        g = slant / (2 * math.pi * sigma**2) * torch.exp(-(along**2 + slant**2 * across**2) / (2 * sigma**2))
        wave += g * torch.exp(1j * xi * along)
        envelope += g
    expected = torch.fft.fft2(wave - wave.sum() / envelope.sum() * envelope)
    assert expected.imag.abs().max() < 1e-12
    psi = Scattering2D(3, 8).filters(side, side, torch.zeros(0, dtype=torch.float64)).psi
    torch.testing.assert_close(psi[scale * 8 + angle], expected.real, atol=1e-12, rtol=0)


def test_mixed_precision_does_not_touch_the_coefficients():
    block, x = Scattering2D(2, 4), lattice().float()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = block(x)
    assert torch.equal(mixed, block(x))


def test_a_constant_image_has_no_texture():
    s = Scattering2D(2, 4)(torch.full((1, 1, 32, 32), 0.7))[0]
    torch.testing.assert_close(s[0], torch.full((8, 8), 0.7))
    assert s[1:].abs().max() < 1e-6


def test_a_shift_by_one_sample_moves_the_coefficients_by_one_cell():
    block, x = Scattering2D(3, 4, pad=False), smooth_noise()
    assert (block(x.roll((8, 8), (2, 3))) - block(x).roll((1, 1), (2, 3))).abs().max() < 1e-12


def test_a_small_shift_changes_pixels_and_hardly_the_coefficients():
    # calibrated: 2 px pixels 1.12, orders 1-2 0.134, spatial means 0.0020 (methods-17 3.17)
    block, x = Scattering2D(3, 8, pad=False), smooth_noise()
    moved = x.roll((2, 2), (2, 3))
    s, t = block(x)[:, 1:], block(moved)[:, 1:]
    assert change(x, moved) > 1
    assert change(s, t) < 0.2
    assert change(s.mean((2, 3)), t.mean((2, 3))) < 0.01


def test_coefficients_are_nearly_non_expansive():
    block = Scattering2D(2, 4, pad=False)
    x, y = smooth_noise(seed=1), smooth_noise(seed=2)
    assert (block(x) - block(y)).norm() * 4 <= 1.02 * (x - y).norm()  # 4: one sample stands for 16 pixels


def test_second_order_separates_dots_from_their_power_spectrum():
    x = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    x[..., ::16, ::16] = 1.0
    spectrum = torch.fft.fft2(x).abs()
    noise = torch.fft.fft2(torch.randn(64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    twin = torch.fft.ifft2(spectrum * torch.exp(1j * noise.angle())).real
    torch.testing.assert_close(torch.fft.fft2(twin).abs(), spectrum)
    block = Scattering2D(3, 8, pad=False)
    second = [block(image)[:, 25:].mean().item() for image in (x, twin)]
    assert abs(second[0] - second[1]) > 0.2 * max(second)


def weak_dots_and_twins(seed, count=64, side=32):
    """Textures (2 count, 1, side, side) of dots under noise, then their twins: their power spectra, new phases."""
    generator = torch.Generator().manual_seed(seed)
    dots = torch.zeros(count, side * side, dtype=torch.float64)
    for own in dots:
        own[torch.randperm(side * side, generator=generator)[:10]] = 1.0
    dots = ((dots - dots.mean()) / dots.std()).reshape(count, 1, side, side)
    noise, other = torch.randn(2, count, 1, side, side, generator=generator, dtype=torch.float64)
    x = SHARE * dots + (1 - SHARE) * noise
    twins = torch.fft.ifft2(torch.fft.fft2(x).abs() * torch.exp(1j * torch.fft.fft2(other).angle())).real
    return torch.cat([x, twins])


def test_both_orders_separate_weak_dots_from_their_twins_better_than_the_first_alone():
    textures = weak_dots_and_twins(0)
    dots = torch.arange(len(textures)) < len(textures) // 2
    learned = torch.arange(len(textures)) % 2 == 0
    orders = torch.log(Scattering2D(3, 8, pad=False)(textures)[:, 1:]).mean((2, 3))
    spectrum = torch.log(torch.fft.fft2(textures)[:, 0, : 32 // 2, : 32 // 2].abs()).flatten(1)

    def area(features):
        rows = ((features - features[learned].mean(0)) / features[learned].std(0)).numpy()
        own = LogisticRegression(strength=0.1).fit(rows[learned], dots[learned].numpy().astype(int))
        return auc(dots[~learned].numpy(), own(torch.from_numpy(rows[~learned]))[:, 1].numpy())

    # measured (seeds 0 to 3): .98-.99 with both orders, .79, .74, .81, .84 with the first, .93-.95 with the second;
    # asked for is half of the smallest difference. A spectrum is that of its twin to the last digits: .50.
    assert area(orders) > area(orders[:, :24]) + 0.07
    assert area(spectrum) == pytest.approx(0.5, abs=0.1)


def test_coefficients_agree_with_kymatio():
    frontend = pytest.importorskip(
        "kymatio.scattering2d.frontend.torch_frontend", reason="kymatio is not installed: nothing to compare with"
    )
    x = lattice().float()
    theirs = frontend.ScatteringTorch2D(J=3, shape=(32, 32), L=8)(x[:, 0])
    ours = Scattering2D(3, 8)(x)
    assert change(theirs, ours) <= 0.002
