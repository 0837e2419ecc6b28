import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.pixels.cache import PixelCache, cache_key
from ml.pixels.prepare import PixelsConfig, Prepared

CONFIG = PixelsConfig(target_spacing_mm=0.4)


def an_image(seed: int = 0, rows: int = 40) -> Prepared:
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, 30)) > 0.3
    x = np.where(mask, rng.random((rows, 30)), 0).astype(np.float32)
    return Prepared(x, mask, np.array([[-0.35, 0, 94.15], [0, 0.35, -4.2], [0, 0, 1]]), ("spacing_assumed",), 0.571)


def never() -> Prepared:
    raise AssertionError("it was in the cache")


@pytest.mark.trap(15)
def test_an_image_is_made_once_and_keeps_its_contrast(tmp_path: Path) -> None:
    made = PixelCache(tmp_path).get_or_make("a", CONFIG, an_image)
    again = PixelCache(tmp_path).get_or_make("a", CONFIG, never)
    assert np.abs(again.x - an_image().x).max() < 2e-5
    assert np.array_equal(again.x, made.x) and (again.mask == an_image().mask).all()
    assert np.array_equal(again.affine, an_image().affine)
    assert again.flags == ("spacing_assumed",) and again.mm_per_px == 0.571
    assert not again.air and PixelCache(tmp_path).get_or_make("b", CONFIG, lambda: replace(an_image(), air=True)).air


def test_the_key_knows_the_source_the_code_and_every_option() -> None:
    key = cache_key("a", CONFIG.as_ops())
    assert key == cache_key("a", PixelsConfig(target_spacing_mm=0.4 + 1e-13).as_ops())
    others = [
        cache_key("b", CONFIG.as_ops()),
        cache_key("a", CONFIG.as_ops(), code="pixels/0"),
        cache_key("a", PixelsConfig(target_spacing_mm=0.41).as_ops()),
        cache_key("a", PixelsConfig(target_spacing_mm=0.4, window="density").as_ops()),
    ]
    assert len({key, *others}) == 5


def test_a_torn_file_is_made_again(tmp_path: Path) -> None:
    cache = PixelCache(tmp_path)
    cache.get_or_make("a", CONFIG, an_image)
    for path in tmp_path.glob("*/*.npy"):
        path.write_bytes(path.read_bytes()[:50])
    assert np.abs(cache.get_or_make("a", CONFIG, an_image).x - an_image().x).max() < 2e-5


def test_a_file_of_a_version_that_noted_less_is_made_again(tmp_path: Path) -> None:
    cache = PixelCache(tmp_path)
    cache.get_or_make("a", CONFIG, an_image)
    for path in tmp_path.glob("*/*.json"):
        note = json.loads(path.read_text())
        del note["air"]
        path.write_text(json.dumps(note))
    assert cache.get_or_make("a", CONFIG, lambda: replace(an_image(), air=True)).air


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = PixelCache(tmp_path, limit_bytes=6000)
    for n, name in enumerate("abc"):
        cache.get_or_make(name, CONFIG, lambda n=n: an_image(n))
        path = next(iter(tmp_path.glob(f"*/{cache_key(name, CONFIG.as_ops())}.npy")))
        os.utime(path, (1000 + n, 1000 + n))
    cache.get_or_make("a", CONFIG, never)  # used now
    cache.sweep()
    left = {path.stem for path in tmp_path.glob("*/*.npy")}
    assert left == {cache_key("a", CONFIG.as_ops()), cache_key("c", CONFIG.as_ops())}
    assert {path.stem for path in tmp_path.glob("*/*.json")} == left


def test_many_writers_share_a_folder(tmp_path: Path) -> None:
    found: list[Prepared] = []
    work = [
        threading.Thread(target=lambda: found.append(PixelCache(tmp_path).get_or_make("a", CONFIG, an_image)))
        for _ in range(8)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(found) == 8 and all(np.array_equal(image.x, found[0].x) for image in found)
    assert len(list(tmp_path.glob("*/*"))) == 2
