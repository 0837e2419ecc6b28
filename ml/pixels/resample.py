"""One step from source pixels to network pixels: smooth for the smaller grid, then sample between pixels.

Output pixel (i, j) reads the source at `inverse(A) (i + 0.5, j + 0.5) - 0.5`, which is what
`interpolate(align_corners=False)` does. Source: methods.md 2.5, 2.8.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ml.geometry.affine import Matrix, apply_points, compose, invert, shift

Floats = npt.NDArray[np.float32]


def blur_sigma(k: float) -> float:
    """Gaussian sigma in source pixels before shrinking by k < 1; none before growing."""
    return max(0.0, (1.0 / k - 1.0) / 2.0)


def resample(image: Floats, matrix: Matrix, shape: tuple[int, int]) -> Floats:
    """The image where the matrix puts it, (rows, cols) = shape, bilinear, 0 outside the source."""
    kx, ky = float(np.hypot(*matrix[:2, 0])), float(np.hypot(*matrix[:2, 1]))
    image, matrix = _needed_part(image, matrix, shape, margin=reach_px(kx, ky))
    return sample(smooth(image, kx, ky), matrix, shape)


def reach_px(kx: float, ky: float) -> int:
    """How far beyond what it shows an image that is scaled by these reads its source, in source pixels."""
    return 4 + int(4 * max(blur_sigma(kx), blur_sigma(ky)))


def smooth(image: Floats, kx: float, ky: float) -> Floats:
    """The image without what a grid scaled by kx and ky cannot hold."""
    sigma = (blur_sigma(ky), blur_sigma(kx))
    if max(sigma) == 0:
        return image
    found: Floats = ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3.0)
    return found


def sample(image: Floats, matrix: Matrix, shape: tuple[int, int]) -> Floats:
    """An image that is smooth enough where the matrix puts it: bilinear, 0 outside."""
    return _sampled(image, matrix, shape, order=1)


def resample_mask(mask: npt.NDArray[np.bool_], matrix: Matrix, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A mask where the matrix puts it: nearest pixel, False outside."""
    return _sampled(mask.astype(np.uint8), matrix, shape, order=0) > 0


def resample_labels(labels: npt.NDArray[np.uint8], matrix: Matrix, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A map of classes where the matrix puts it: nearest pixel, 0 outside."""
    return _sampled(labels, matrix, shape, order=0).astype(np.uint8)


def _needed_part(image: Floats, matrix: Matrix, shape: tuple[int, int], margin: int) -> tuple[Floats, Matrix]:
    rows, cols = image.shape
    corners = apply_points(invert(matrix), [[0, 0], [shape[1], 0], [shape[1], shape[0]], [0, shape[0]]])
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - margin, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + margin, [cols, rows])
    if x1 <= x0 or y1 <= y0:
        return np.zeros((1, 1), np.float32), matrix
    return image[y0:y1, x0:x1], compose(shift(float(x0), float(y0)), matrix)


def _sampled(image: npt.NDArray[np.generic], matrix: Matrix, shape: tuple[int, int], order: int) -> Floats:
    back = compose(shift(0.5, 0.5), invert(matrix), shift(-0.5, -0.5))
    turned = back[np.ix_([1, 0], [1, 0])]  # scipy counts (row, column)
    offset = back[[1, 0], 2]
    straight = abs(turned[0, 1]) + abs(turned[1, 0]) < 1e-12
    out = ndimage.affine_transform(
        image,
        np.diag(turned) if straight else turned,
        offset=offset,
        output_shape=shape,
        order=order,
        mode="nearest",
        prefilter=False,
    )
    return _zero_outside(out, back, image.shape[:2])


def _zero_outside(out: Floats, back: Matrix, source: tuple[int, ...]) -> Floats:
    """Repeated edge pixels stand for half a pixel only; what lies farther out is 0."""
    rows, cols = np.arange(out.shape[0])[:, None], np.arange(out.shape[1])[None]
    y = back[1, 0] * cols + back[1, 1] * rows + back[1, 2]
    x = back[0, 0] * cols + back[0, 1] * rows + back[0, 2]
    inside = (x >= -0.5) & (x <= source[1] - 0.5) & (y >= -0.5) & (y <= source[0] - 0.5)
    return np.where(inside, out, 0).astype(out.dtype)
