"""Texture of a region as numbers with names: co-occurrence, local binary patterns, first order, Gabor energy.

Grey-level co-occurrence depends on the pixel's size: regions must be resampled to `SPACING_MM` first. Inputs are
(H, W) in [0, 1] with a mask (H, W) of bool, or None for the whole region.
Source: Haralick et al. 1973; Ojala et al. 2002; methods.md 4.2 and methods-17.md 3.16.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.fft import fft2, ifft2
from scipy.ndimage import binary_erosion
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.filters import gabor_kernel

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SPACING_MM = 0.2
LEVELS = 32
DISTANCES = (1, 2, 4)
"""Pixels of `SPACING_MM`."""
ANGLES_DEGREES = (0, 45, 90, 135)
PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation", "entropy")
PATTERNS = ((8, 1), (16, 2))
"""Neighbours and radius in pixels of the local binary patterns."""
WAVELENGTHS_PX = (4, 8, 16)
PERCENTILES = (10, 50, 90)

GLCM_NAMES = tuple(f"glcm_{p}_d{d}_{over}" for d, p, over in product(DISTANCES, PROPERTIES, ("mean", "range")))
LBP_NAMES = tuple(f"lbp_{n}_{r}_{code}" for n, r in PATTERNS for code in range(n + 2))
FIRST_ORDER_NAMES = ("mean", "std", "skewness", "kurtosis", "entropy", *(f"p{p}" for p in PERCENTILES))
GABOR_NAMES = tuple(
    f"gabor_{wave}px_{angle}deg_{over}"
    for wave, angle, over in product(WAVELENGTHS_PX, ANGLES_DEGREES, ("mean", "std"))
)
FEATURE_NAMES = GLCM_NAMES + LBP_NAMES
VECTOR_NAMES = FEATURE_NAMES + FIRST_ORDER_NAMES + GABOR_NAMES
"""What `texture_vector` holds, in its order: 36 + 28 + 8 + 24 = 96."""


def texture_features(image: npt.ArrayLike, mask: Mask | None = None) -> Floats:
    """(64,) co-occurrence and pattern features, named by `FEATURE_NAMES`."""
    pixels, inside = _checked(image, mask)
    return np.concatenate([glcm_features(quantised(pixels, inside)), lbp_features(pixels, inside)])


def texture_vector(image: npt.ArrayLike, mask: Mask | None = None) -> Floats:
    """(96,) named by `VECTOR_NAMES`."""
    pixels, inside = _checked(image, mask)
    parts = texture_features(pixels, inside), first_order_features(pixels, inside), gabor_features(pixels, inside)
    return np.concatenate(parts)


def quantised(image: Floats, mask: Mask) -> npt.NDArray[np.uint8]:
    """(H, W) levels 1..32 of [1st, 99th percentile] inside the mask, 0 outside; a constant region is level 1."""
    low, high = np.percentile(image[mask], (1, 99))
    share = (image - low) / (high - low) if high > low else np.zeros_like(image)
    levels = 1 + np.clip(np.floor(share * LEVELS), 0, LEVELS - 1)
    return np.where(mask, levels, 0).astype(np.uint8)


def cooccurrence(levels: npt.NDArray[np.uint8]) -> Floats:
    """(32, 32, distances, angles), symmetric, each summing to 1: pairs of pixels that are both inside.

    The neighbour of a pixel is (row, column) + (round(d sin a), round(d cos a)). No pair at all leaves zeros.
    """
    angles = np.deg2rad(ANGLES_DEGREES)
    counts = graycomatrix(levels, list(DISTANCES), list(angles), levels=LEVELS + 1, symmetric=True)[1:, 1:]
    return counts / np.maximum(counts.sum((0, 1), keepdims=True), 1)


def glcm_features(levels: npt.NDArray[np.uint8]) -> Floats:
    """(36,) mean and range over the angles, so that quarter turns change nothing; named by `GLCM_NAMES`."""
    matrix = cooccurrence(levels)
    values = np.stack([graycoprops(matrix, name) for name in PROPERTIES], 1)  # (distances, properties, angles)
    return np.stack([values.mean(2), np.ptp(values, 2)], 2).reshape(-1)


def lbp_features(image: Floats, mask: Mask) -> Floats:
    """(28,) histograms of the uniform patterns of the 8-bit image, over pixels whose whole neighbourhood is inside.

    Code: number of neighbours that are not darker, if there are at most two changes around the circle; else P + 1.
    """
    eight_bit = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    parts = []
    for neighbours, radius in PATTERNS:
        codes = local_binary_pattern(eight_bit, neighbours, radius, "uniform")
        whole = binary_erosion(mask, np.ones((2 * radius + 1, 2 * radius + 1)))
        counts = np.bincount(codes[whole].astype(np.int64), minlength=neighbours + 2).astype(np.float64)
        parts.append(counts / max(1.0, counts.sum()))
    return np.concatenate(parts)


def first_order_features(image: Floats, mask: Mask) -> Floats:
    """(8,) mean, deviation, skewness, excess kurtosis, entropy (nats, 32 levels), percentiles 10, 50, 90."""
    x = image[mask]
    deviation = x.std()
    z = (x - x.mean()) / deviation if deviation > 1e-12 else np.zeros_like(x)
    kurtosis = (z**4).mean() - 3 if deviation > 1e-12 else 0.0
    p = np.bincount(quantised(image, mask)[mask], minlength=LEVELS + 1) / len(x)
    entropy = -(p[p > 0] * np.log(p[p > 0])).sum()
    return np.array([x.mean(), deviation, (z**3).mean(), kurtosis, entropy, *np.percentile(x, PERCENTILES)])


def gabor_features(image: Floats, mask: Mask) -> Floats:
    """(24,) mean and deviation inside the mask of the magnitude of Gabor responses; named by `GABOR_NAMES`.

    The region's mean is taken off first and stands for what is outside: the filters do not sum to 0, and brightness
    or the mask's edge would pass for texture.
    """
    centred = np.where(mask, image - image[mask].mean(), 0.0)
    reach = max(max(kernel.shape) // 2 for kernel in _gabor_kernels())
    rows, cols = image.shape
    padded = np.pad(centred, reach, mode="symmetric")
    # One transform of the region serves all filters. What wraps around the edges ends within `reach` of them.
    spectrum = fft2(padded)
    found = []
    for transfer in _gabor_transfers(*padded.shape):
        energy = np.abs(ifft2(spectrum * transfer))[reach : reach + rows, reach : reach + cols][mask]
        found += [energy.mean(), energy.std()]
    return np.array(found)


@cache
def _gabor_kernels() -> list[npt.NDArray[np.complex128]]:
    return [gabor_kernel(1 / wave, np.deg2rad(angle)) for wave, angle in product(WAVELENGTHS_PX, ANGLES_DEGREES)]


@lru_cache(maxsize=4)
def _gabor_transfers(rows: int, cols: int) -> npt.NDArray[np.complex128]:
    """(12, rows, cols): the transforms of the kernels, their middles at the origin."""
    return np.stack([fft2(_centred(kernel, rows, cols)) for kernel in _gabor_kernels()])


def _centred(kernel: npt.NDArray[np.complex128], rows: int, cols: int) -> npt.NDArray[np.complex128]:
    whole = np.zeros((rows, cols), np.complex128)
    whole[: kernel.shape[0], : kernel.shape[1]] = kernel
    return np.roll(whole, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), (0, 1))


def _checked(image: npt.ArrayLike, mask: Mask | None) -> tuple[Floats, Mask]:
    pixels = np.asarray(image, np.float64)
    inside = np.ones(pixels.shape, np.bool_) if mask is None else np.asarray(mask, np.bool_)
    assert pixels.ndim == 2 and inside.shape == pixels.shape, "a region is (H, W), its mask the same"
    assert inside.any(), "an empty region has no texture"
    return pixels, inside
