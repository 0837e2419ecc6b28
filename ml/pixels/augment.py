"""Varied copies of a prepared image for training; image, mask and marks move by one affine. Source: methods.md 2.10."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from ml.geometry import affine
from ml.pixels.prepare import Prepared
from ml.pixels.resample import resample, resample_mask

SMALL_TURN_DEGREES = 45.0
"""Up to here an image is a whole one, whose chest wall stays at the edge."""
UPRIGHT_VIEWS = frozenset({"MLO", "ML", "LM"})
STILL = 1e-12 + 1e-5 * np.eye(3)
"""How far a matrix may be from one that moves nothing."""


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Ranges of the variation; 0 is none.

    flip_x, flip_y: probability (up-down never in an oblique view: head and foot differ). rotation_degrees, scale
    (share), translate_mm: uniform in plus and minus. gamma: exponent exp(uniform). contrast: factor 1 plus uniform;
    brightness: added uniform. noise: largest standard deviation, of x in [0, 1]. move_probability: of turning and
    scaling at all.
    """

    flip_x: float = 0.0
    flip_y: float = 0.0
    rotation_degrees: float = 0.0
    scale: float = 0.0
    translate_mm: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0
    move_probability: float = 0.7

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> AugmentConfig:
        """The config of a method's `augment`. Raises TypeError on an option that does not exist."""
        known = {item.name for item in fields(cls)}
        for name in options:
            if name not in known:
                raise TypeError(f"AugmentConfig has no option {name!r}")
        return cls(**options)

    @property
    def none(self) -> bool:
        """Whether no draw changes anything."""
        return not any(getattr(self, item.name) for item in fields(self) if item.name != "move_probability")

    @property
    def moves(self) -> bool:
        """Whether any draw moves pixels."""
        return any((self.flip_x, self.flip_y, self.rotation_degrees, self.scale, self.translate_mm))


@dataclass(frozen=True)
class Tones:
    """What happens to grey values, in this order: x ** exponent, x * factor + added, plus noise of that deviation.

    None = left out. `rng` draws the noise.
    """

    exponent: float | None
    line: tuple[float, float] | None
    noise: float | None
    rng: np.random.Generator


@dataclass(frozen=True)
class Variation:
    """One draw: a matrix from network pixels to network pixels, and tones. Whoever has the pixels applies it."""

    matrix: affine.Matrix
    tones: Tones

    @cached_property
    def still(self) -> bool:
        """Whether nothing moves."""
        return bool((np.abs(self.matrix - np.eye(3)) <= STILL).all())

    @cached_property
    def back(self) -> affine.Matrix:
        """Where the pixels of the varied image come from."""
        return affine.invert(self.matrix)


def drawn(image: Prepared, config: AugmentConfig, *, seed: int, view: str | None = None) -> Variation:
    """The variation of an image that a seed draws."""
    rng = np.random.default_rng(seed)
    return Variation(_movement(image, config, view, rng), _tones(config, rng))


def augment(image: Prepared, config: AugmentConfig, *, seed: int, view: str | None = None) -> Prepared:
    """A varied copy of the same shape, a pure function of its arguments; `affine` goes from source pixels as before."""
    variation = drawn(image, config, seed=seed, view=view)
    return _toned(_moved(image, variation), variation.tones)


def toned(image: Prepared, config: AugmentConfig, *, seed: int) -> Prepared:
    """A copy with other grey values and the same geometry."""
    return _toned(image, _tones(config, np.random.default_rng(seed)))


def placed(image: Prepared, variation: Variation) -> Prepared:
    """The image with the affine and the scale that it has once it is moved, and its pixels as they were."""
    if variation.still:
        return image
    mm_per_px = image.mm_per_px / affine.scale_of(variation.matrix)
    return replace(image, affine=affine.compose(image.affine, variation.matrix), mm_per_px=mm_per_px)


def turn_of(config: AugmentConfig, seed: int) -> tuple[float, bool]:
    """(degrees, mirrored) for a region that is cut as it is turned."""
    turn, still, mirror = np.random.default_rng([seed, 1]).uniform(0, 1, 3)
    degrees = config.rotation_degrees * (2 * turn - 1) if still < config.move_probability else 0.0
    return float(degrees), bool(mirror < config.flip_x)


def _movement(image: Prepared, config: AugmentConfig, view: str | None, rng: np.random.Generator) -> affine.Matrix:
    """Draw one matrix, network pixels to network pixels. All numbers are drawn whatever is used, so that one option
    does not change what another draws."""
    height, width = image.x.shape
    turn, zoom, right, down = rng.uniform(-1, 1, 4)
    keep_still, mirror, overturn = rng.uniform(0, 1, 3)
    if not config.moves:
        return affine.identity()
    steps: list[affine.Matrix] = []
    if keep_still < config.move_probability:
        k = 1.0 + config.scale * zoom
        steps += [
            affine.shift(-width / 2, -height / 2),
            affine.scale(k, k),
            affine.shift(width / 2, height / 2),
            affine.rotation(config.rotation_degrees * turn, width / 2, height / 2),
        ]
    reach = config.translate_mm / image.mm_per_px
    steps.append(affine.shift(reach * right, reach * down))
    whole = affine.compose(*steps)
    if config.rotation_degrees <= SMALL_TURN_DEGREES:
        whole = affine.compose(whole, affine.shift(-_gap(whole, height), 0.0))
    if mirror < config.flip_x:
        whole = affine.compose(whole, affine.flip_x(width))
    if overturn < config.flip_y and view not in UPRIGHT_VIEWS:
        whole = affine.compose(whole, affine.flip_y(height))
    return whole


def _gap(matrix: affine.Matrix, height: float) -> float:
    """How far the image must move left so that nothing opens between it and the chest wall, in network pixels."""
    back = affine.invert(matrix)
    behind = affine.apply_points(back, [[0.0, 0.0], [0.0, height]])[:, 0].min()
    return max(0.0, -float(behind)) / float(back[0, 0])


def _moved(image: Prepared, variation: Variation) -> Prepared:
    if variation.still:
        return image
    x = resample(image.x, variation.matrix, image.x.shape)
    mask = resample_mask(image.mask, variation.matrix, image.x.shape)
    return replace(placed(image, variation), x=x, mask=mask)


def _tones(config: AugmentConfig, rng: np.random.Generator) -> Tones:
    """Draw the tones; all numbers are drawn whatever is used."""
    bend, stretch, lift, grain = rng.uniform(-1, 1, 4)
    apply_gamma, apply_noise = rng.uniform(0, 1, 2)
    return Tones(
        exponent=float(np.exp(config.gamma * bend)) if config.gamma and apply_gamma < 0.5 else None,
        line=(1 + config.contrast * stretch, config.brightness * lift)
        if config.contrast or config.brightness
        else None,
        noise=config.noise * abs(grain) if config.noise and apply_noise < 0.5 else None,
        rng=rng,
    )


def _toned(image: Prepared, tones: Tones) -> Prepared:
    x = image.x
    if tones.exponent is not None:
        x = np.power(x, np.float32(tones.exponent))
    if tones.line is not None:
        x = x * np.float32(tones.line[0]) + np.float32(tones.line[1])
    if tones.noise is not None:
        x = x + np.float32(tones.noise) * tones.rng.standard_normal(x.shape, dtype=np.float32)
    x = np.clip(x, 0, 1) if image.air else np.where(image.mask, np.clip(x, 0, 1), 0)
    return replace(image, x=x.astype(np.float32))
