from dataclasses import replace

import numpy as np
import pytest

from ml.geometry.affine import apply_points, invert
from ml.pixels.augment import AugmentConfig, augment
from ml.pixels.prepare import Prepared
from tests.ml.pixels.files import a_breast

MOVES = [
    {"flip_x": 1.0},
    {"flip_y": 1.0},
    {"rotation_degrees": 10.0, "move_probability": 1.0},
    {"rotation_degrees": 180.0, "move_probability": 1.0},
    {"scale": 0.1, "move_probability": 1.0},
    {"translate_mm": 5.0},
    {
        "rotation_degrees": 15.0,
        "scale": 0.1,
        "translate_mm": 5.0,
        "flip_x": 0.5,
        "flip_y": 0.5,
        "move_probability": 1.0,
    },
]
SPOT = (113.37, 147.81)


def an_image(spot: tuple[float, float] | None = None) -> Prepared:
    mask = a_breast()
    y, x = np.mgrid[:300, :220] + 0.5
    picture = np.where(mask, 0.4, 0.0)
    if spot:
        picture = np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 9.0**2))
        mask = np.ones_like(mask)
    # The source is twice as fine and mirrored, so that composing the maps the wrong way round shows.
    matrix = np.array([[-0.5, 0, 220], [0, 0.5, 0], [0, 0, 1]])
    return Prepared(picture.astype(np.float32), mask, matrix, (), 0.8)


@pytest.mark.parametrize("options", MOVES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_content_and_affine_move_together(options: dict[str, float], seed: int) -> None:
    # methods.md 2.8 (c): within 0.05 source pixels after every augmentation that moves pixels.
    image = an_image(SPOT)
    varied = augment(image, AugmentConfig.of(options), seed=seed)
    j, i = np.mgrid[:300, :220] + 0.5
    seen = [float((i * varied.x).sum() / varied.x.sum()), float((j * varied.x).sum() / varied.x.sum())]
    source = apply_points(invert(image.affine), [SPOT])[0]
    assert apply_points(invert(varied.affine), [seen])[0] == pytest.approx(source, abs=0.05)
    assert varied.x.shape == image.x.shape


@pytest.mark.parametrize("seed", range(12))
def test_no_gap_opens_at_the_chest_wall(seed: int) -> None:
    options = {"rotation_degrees": 10.0, "scale": 0.1, "translate_mm": 5.0, "move_probability": 1.0}
    varied = augment(an_image(), AugmentConfig.of(options), seed=seed)
    middle = slice(120, 180)
    assert varied.mask[middle, 0].all() and (varied.x[middle, 0] > 0.39).all()


def test_an_oblique_view_is_never_stood_on_its_head() -> None:
    image = an_image()
    config = AugmentConfig.of({"flip_y": 1.0})
    assert np.array_equal(augment(image, config, seed=1, view="MLO").affine, image.affine)
    assert augment(image, config, seed=1, view="CC").affine[1, 1] < 0


def test_the_seed_decides_everything() -> None:
    options = {**MOVES[-1], "gamma": 0.25, "contrast": 0.1, "brightness": 0.05, "noise": 0.02}
    one, same = (augment(an_image(), AugmentConfig.of(options), seed=7) for _ in range(2))
    other = augment(an_image(), AugmentConfig.of(options), seed=8)
    assert np.array_equal(one.x, same.x) and np.array_equal(one.affine, same.affine)
    assert not np.array_equal(one.x, other.x)


def test_what_is_outside_is_varied_too_where_it_was_left_visible() -> None:
    image = replace(an_image(), air=True)
    image.x[~image.mask] = 0.3
    varied = augment(image, AugmentConfig.of({"contrast": 0.1, "rotation_degrees": 5.0}), seed=3)
    assert varied.air and (varied.x[~varied.mask] > 0.2).mean() > 0.5


def test_grey_stays_in_its_range_and_air_stays_dark() -> None:
    config = AugmentConfig.of({"gamma": 0.25, "contrast": 0.1, "brightness": 0.05, "noise": 0.02})
    for seed in range(10):
        varied = augment(an_image(), config, seed=seed)
        assert varied.x.min() >= 0 and varied.x.max() <= 1 and not varied.x[~varied.mask].any()


def test_nothing_asked_is_nothing_done_and_an_unknown_option_is_refused() -> None:
    image = an_image()
    assert np.array_equal(augment(image, AugmentConfig(), seed=1).x, image.x)
    with pytest.raises(TypeError, match="sharpen"):
        AugmentConfig.of({"sharpen": 1})
