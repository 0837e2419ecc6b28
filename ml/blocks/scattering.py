"""Wavelet scattering: fixed Morlet filters, moduli and averages; nothing is learned.

Coefficients hardly change when texture moves by a few pixels, and keep what a power spectrum loses.
Source: Bruna and Mallat 2013; filters as in methods.md 4.2. Computed by FFT at full resolution.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

COPIES = 2
"""Filters are summed over their periodic copies up to so many images away on each side (5x5)."""


def gabor(rows: int, cols: int, sigma: float, theta: float, xi: float, slant: float) -> Tensor:
    """(rows, cols) complex: a Gaussian envelope times exp(i xi u.n), u = (row, column) from the corner, periodised."""
    total = torch.zeros(rows, cols, dtype=torch.complex128)
    cos, sin = math.cos(theta), math.sin(theta)
    for down in range(-COPIES, COPIES + 1):
        for right in range(-COPIES, COPIES + 1):
            y = torch.arange(rows, dtype=torch.float64)[:, None] + down * rows
            x = torch.arange(cols, dtype=torch.float64)[None] + right * cols
            along, across = cos * y + sin * x, -sin * y + cos * x
            envelope = torch.exp(-(along**2 + slant**2 * across**2) / (2 * sigma**2))
            total += torch.polar(envelope, xi * along)
    return total * (slant / (2 * math.pi * sigma**2))


def morlet(rows: int, cols: int, sigma: float, theta: float, xi: float, slant: float) -> Tensor:
    """A Gabor filter less its own envelope, so that it sums to 0 and does not see constants."""
    wave = gabor(rows, cols, sigma, theta, xi, slant)
    envelope = gabor(rows, cols, sigma, theta, 0.0, slant)
    return wave - wave.sum() / envelope.sum() * envelope


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
        self._filters: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def filters(self, rows: int, cols: int) -> tuple[Tensor, Tensor]:
        """FFTs of phi (rows, cols) and of psi (J*L, rows, cols); real, float64, kept for the next image of the size."""
        if (rows, cols) not in self._filters:
            phi = gabor(rows, cols, 0.8 * 2 ** (self.scales - 1), 0.0, 0.0, 1.0)
            psi = [
                morlet(rows, cols, 0.8 * 2**j, self._theta(t), 0.75 * math.pi / 2**j, 4 / self.angles)
                for j in range(self.scales)
                for t in range(self.angles)
            ]
            self._filters[rows, cols] = torch.fft.fft2(phi).real, torch.fft.fft2(torch.stack(psi)).real
        return self._filters[rows, cols]

    def _theta(self, t: int) -> float:
        return (int(self.angles - self.angles / 2 - 1) - t) * math.pi / self.angles

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1] == 1, "scattering takes one channel"
        step = 2**self.scales
        padded = self._padded(x[:, 0], step)
        phi, psi = (f.to(padded) for f in self.filters(*padded.shape[-2:]))
        spectrum = torch.fft.fft2(padded)
        parts, second = [self._averaged(spectrum, phi, step)[:, None]], []
        for first in range(len(psi)):
            moduli = torch.fft.fft2(torch.fft.ifft2(spectrum * psi[first]).abs())
            parts.append(self._averaged(moduli, phi, step)[:, None])
            coarser = psi[(first // self.angles + 1) * self.angles :]
            if len(coarser):
                deeper = torch.fft.ifft2(moduli[:, None] * coarser).abs()
                second.append(self._averaged(torch.fft.fft2(deeper), phi, step))
        return torch.cat(parts + second, 1)

    def _padded(self, x: Tensor, step: int) -> Tensor:
        rows, cols = x.shape[-2:]
        if not self.pad:
            assert rows % step == cols % step == 0, f"without padding the sides must be multiples of {step}"
            return x
        down, right = (((n + step) // step + 1) * step - n for n in (rows, cols))
        border = (right // 2, right - right // 2, down // 2, down - down // 2)
        return functional.pad(x[:, None], border, mode="reflect")[:, 0]

    def _averaged(self, spectrum: Tensor, phi: Tensor, step: int) -> Tensor:
        """(..., h, w): low-passed and sampled each `step`, which in the spectrum is a mean over its aliases."""
        rows, cols = (n // step for n in spectrum.shape[-2:])
        folded = (spectrum * phi).unflatten(-1, (step, cols)).unflatten(-3, (step, rows)).mean((-4, -2))
        sampled = torch.fft.ifft2(folded).real
        return sampled[..., 1:-1, 1:-1] if self.pad else sampled
