"""What is in a mammogram and is no finding: markers of side and view, vessels, skin folds, lymph nodes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ml.simulation.breast import Woman
from ml.simulation.frame import Frame
from ml.simulation.model import Floats
from ml.simulation.outline import Anatomy
from ml.simulation.streams import stream

#: Letters of 5 x 7, rows from the top.
_GLYPHS = {
    "R": "1111010001100011111010100100101 0001".replace(" ", ""),
    "L": "10000100001000010000100001000011111",
    "C": "01110100011000010000100001000101110",
    "M": "10001110111010110101100011000110001",
    "O": "01110100011000110001100011000101110",
    "-": "00000000000000011111000000000000000",
}
_PIXEL_MM = 0.75
_LETTER_VALUE = 4095
VESSELS = 5


def vessels(anatomy: Anatomy, woman: Woman) -> Floats:
    """(rows, cols) blood vessels: curves from the chest wall forwards; one vessel is one vessel in both views."""
    frame = anatomy.frame
    drawn = np.zeros(frame.shape)
    generator = stream(woman.seed, "vessels", frame.side)
    for _ in range(VESSELS):
        points = _vessel(generator, woman)
        places = frame.project(points)
        rows, cols = (np.floor(places[:, axis] / frame.spacing_mm).astype(int) for axis in (1, 0))
        fits = (rows >= 0) & (rows < frame.shape[0]) & (cols >= 0) & (cols < frame.shape[1])
        np.maximum.at(drawn, (rows[fits], cols[fits]), np.linspace(1.0, 0.3, len(points))[fits])
    sigma = 0.55 / frame.spacing_mm
    return ndimage.gaussian_filter(drawn, sigma) * max(1.0, 2.5 * sigma) * np.clip(anatomy.depth / 3, 0, 1)


def _vessel(generator: np.random.Generator, woman: Woman) -> Floats:
    along = np.linspace(0, 1, 900)
    length = woman.depth * generator.uniform(0.6, 0.95)
    start, end = woman.half_width * generator.uniform(-0.8, 0.8, 2), woman.half_width * generator.uniform(-0.4, 0.4, 2)
    bends = sum(
        np.outer(np.sin(np.pi * (order * along + generator.random())), generator.normal(0, 6.0 / order, 2))
        for order in (1, 2, 3, 5)
    )
    across = (1 - along)[:, None] * start + along[:, None] * end + bends
    return np.column_stack([along * length, across])


def fold(anatomy: Anatomy, seed: int) -> Floats:
    """(rows, cols) a skin fold at the lower end of the chest wall: a bright line, dark on one side."""
    frame = anatomy.frame
    generator = stream(seed, "fold", frame.view)
    inside = np.flatnonzero((anatomy.depth > 0)[:, frame.shape[1] // 40])
    bottom = (inside[-1] if len(inside) else frame.shape[0] - 1) * frame.spacing_mm
    start = bottom - float(generator.uniform(14, 24))
    line = start + 0.10 * frame.u + 0.004 * frame.u**2 * float(generator.uniform(-1, 1))
    distance = frame.v - line
    reach = np.clip(1 - frame.u / float(generator.uniform(30, 45)), 0, 1)
    return (np.exp(-((distance / 0.9) ** 2)) - 0.5 * np.exp(-(((distance - 2.4) / 1.6) ** 2))) * reach


def node(anatomy: Anatomy, seed: int) -> Floats:
    """(rows, cols) a lymph node in the armpit of an MLO view: a bean with a dark hilum, over the muscle."""
    frame = anatomy.frame
    generator = stream(seed, "node", frame.side)
    u, v = float(generator.uniform(22, 40)), float(generator.uniform(16, 40))
    a, b, angle = float(generator.uniform(4, 6)), float(generator.uniform(6, 10)), float(generator.uniform(-0.6, 0.2))
    du, dv = frame.u - u, frame.v - v
    across, along = du * np.cos(angle) + dv * np.sin(angle), dv * np.cos(angle) - du * np.sin(angle)
    body = np.sqrt(np.clip(1 - (across / a) ** 2 - (along / b) ** 2, 0, None))
    hilum = np.exp(-(((across - 0.35 * a) / (0.42 * a)) ** 2) - (along / (0.4 * b)) ** 2)
    return body * (1 - 0.85 * hilum)


def marker(stored: np.ndarray, frame: Frame) -> None:
    """Lead letters in the air beside the breast, upright as stored; changes the image."""
    size = max(1, round(_PIXEL_MM / frame.spacing_mm))
    glyphs = [np.array(list(_GLYPHS[letter]), dtype=int).reshape(7, 5) for letter in frame.view]
    word = np.concatenate([np.pad(glyph, ((0, 0), (0, 1))) for glyph in glyphs], axis=1)
    word = np.kron(word, np.ones((size, size), dtype=int)).astype(bool)
    height, width = word.shape
    top = round(10 / frame.spacing_mm)
    left = round(8 / frame.spacing_mm)
    left = left if frame.side == "R" else frame.shape[1] - left - width
    place = stored[top : top + height, max(left, 0) : max(left, 0) + width]
    word = word[: place.shape[0], : place.shape[1]]
    place[word & (place == 0)] = _LETTER_VALUE
