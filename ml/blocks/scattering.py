"""Wavelet scattering: fixed Morlet filters, moduli and averages; nothing is learned.

Coefficients hardly change when texture moves by a few pixels, and keep what a power spectrum loses.
Source: Bruna and Mallat 2013; filters as in methods.md 4.2. Wavelets are applied by FFT at full resolution; the
low-pass is separable, so that averaging and sampling are two small matrix products.
"""

import math
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

FAR = 8.5
"""Standard deviations after which a Gaussian is nothing in float64."""
AT_ONCE = 8
"""Images at once on a CPU. All that an image is turned into then stays in the caches: half the time, the same bits."""


def gabor_spectrum(rows: int, cols: int, sigma: float, theta: float, xi: float, slant: float) -> Tensor:
    """(rows, cols) float64, real: the DFT of a Gaussian envelope times exp(i xi u.n), u = (row, column), periodised.

    The envelope has deviation sigma along n = (cos theta, sin theta) and sigma / slant across; it sums to 1. By
    Poisson's formula the DFT of a sampled, periodised function is its Fourier transform summed over the aliases.
    """
    reach = int((FAR * max(1.0, slant) / sigma + xi + math.pi) / (2 * math.pi))
    w_y = (2 * math.pi * torch.fft.fftfreq(rows, dtype=torch.float64))[:, None]
    w_x = (2 * math.pi * torch.fft.fftfreq(cols, dtype=torch.float64))[None]
    cos, sin = math.cos(theta), math.sin(theta)
    total = torch.zeros(rows, cols, dtype=torch.float64)
    for down, right in product(range(-reach, reach + 1), repeat=2):
        y, x = w_y + 2 * math.pi * down, w_x + 2 * math.pi * right
        along, across = cos * y + sin * x - xi, -sin * y + cos * x
        total += torch.exp(-(sigma**2) / 2 * (along**2 + (across / slant) ** 2))
    return total


def morlet_spectrum(rows: int, cols: int, sigma: float, theta: float, xi: float, slant: float) -> Tensor:
    """A Gabor filter less its own envelope, so that it is 0 at frequency 0 and does not see constants."""
    wave = gabor_spectrum(rows, cols, sigma, theta, xi, slant)
    envelope = gabor_spectrum(rows, cols, sigma, theta, 0.0, slant)
    return wave - wave[0, 0] / envelope[0, 0] * envelope


def averaging(size: int, sigma: float, step: int) -> Tensor:
    """(size / step, size) float64: a periodic Gaussian about every step-th sample."""
    reach = math.ceil(FAR * sigma / size)
    offset = (torch.arange(0, size, step)[:, None] - torch.arange(size)[None]).double()
    copies = [torch.exp(-((offset + n * size) ** 2) / (2 * sigma**2)) for n in range(-reach, reach + 1)]
    return torch.stack(copies).sum(0) / (math.sqrt(2 * math.pi) * sigma)


class Filters(NamedTuple):
    """Spectra `psi` (J*L, rows, cols) and the averages along `rows` (h, rows) and `cols` (w, cols)."""

    psi: Tensor
    rows: Tensor
    cols: Tensor


def modulus(z: Tensor) -> Tensor:
    """|z|. On a CPU twice as fast as `abs`, which stays where a gradient must be defined at 0."""
    return z.abs() if z.requires_grad else torch.hypot(z.real, z.imag)


class Scattering2D(nn.Module):
    """Images (N, 1, H, W) to (N, `channels`, H/2^J, W/2^J), J = `scales`, L = `angles`.

    Channels 1 + JL + L^2 J(J-1)/2 in the order S0; S1 by (j, t); S2 by (j1, t1, j2, t2) with j2 > j1. With `pad` the
    image is reflected at its border and the sampled border cut; without, the image is taken as periodic and its sides
    must be multiples of 2^J.
    """

    def __init__(self, scales: int = 3, angles: int = 8, *, pad: bool = True) -> None:
        super().__init__()
        self.scales, self.angles, self.pad = scales, angles, pad
        self.channels = 1 + scales * angles + angles**2 * scales * (scales - 1) // 2
        self._filters: dict[tuple[int, int, torch.device, torch.dtype], Filters] = {}

    def filters(self, rows: int, cols: int, like: Tensor) -> Filters:
        """The filters of one size, of `like`'s device and dtype, kept for the next image of that size."""
        key = (rows, cols, like.device, like.dtype)
        if key not in self._filters:
            step, sigma = 2**self.scales, 0.8 * 2 ** (self.scales - 1)
            psi = [
                morlet_spectrum(rows, cols, 0.8 * 2**j, self._theta(t), 0.75 * math.pi / 2**j, 4 / self.angles)
                for j in range(self.scales)
                for t in range(self.angles)
            ]
            made = torch.stack(psi), averaging(rows, sigma, step), averaging(cols, sigma, step)
            self._filters[key] = Filters(*(part.to(like) for part in made))
        return self._filters[key]

    def _theta(self, t: int) -> float:
        return (int(self.angles - self.angles / 2 - 1) - t) * math.pi / self.angles

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1] == 1, "scattering takes one channel"
        with torch.autocast(x.device.type, enabled=False):  # with 8 bits the coefficients would be off by a per cent
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            if x.device.type != "cpu" or torch.compiler.is_exporting():
                return self._coefficients(x)
            return torch.cat([self._coefficients(part) for part in x.split(AT_ONCE)])

    def _coefficients(self, x: Tensor) -> Tensor:
        padded = self._padded(x[:, 0], 2**self.scales)
        filters = self.filters(padded.shape[-2], padded.shape[-1], padded)
        spectrum = torch.fft.fft2(padded)
        parts, second = [self._averaged(padded[:, None], filters)], []
        for first, psi in enumerate(filters.psi):
            moduli = modulus(torch.fft.ifft2(spectrum * psi))
            parts.append(self._averaged(moduli[:, None], filters))
            coarser = filters.psi[(first // self.angles + 1) * self.angles :]
            if len(coarser):
                deeper = modulus(torch.fft.ifft2(torch.fft.fft2(moduli)[:, None] * coarser))
                second.append(self._averaged(deeper, filters))
        return torch.cat(parts + second, 1)

    def _padded(self, x: Tensor, step: int) -> Tensor:
        rows, cols = x.shape[-2:]
        if not self.pad:
            assert rows % step == cols % step == 0, f"without padding the sides must be multiples of {step}"
            return x
        down, right = (((n + step) // step + 1) * step - n for n in (rows, cols))
        border = (right // 2, right - right // 2, down // 2, down - down // 2)
        return functional.pad(x[:, None], border, mode="reflect")[:, 0]

    def _averaged(self, maps: Tensor, filters: Filters) -> Tensor:
        """(..., rows, cols) to (..., h, w): low-passed and sampled each 2^J."""
        sampled = filters.rows @ maps @ filters.cols.T
        return sampled[..., 1:-1, 1:-1] if self.pad else sampled
