"""A copy is known again whatever was done to it; another breast is not taken for one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ml.pixels.alike import alike, fingerprint, same
from ml.simulation.phantom import exam


def view(seed: int) -> np.ndarray:
    return exam(seed, views=("L-MLO",), spacing_mm=0.6).images["L-MLO"].pixels.astype(np.float32)


def jpeg(pixels: np.ndarray, folder: Path) -> np.ndarray:
    grey = Image.fromarray((pixels / pixels.max() * 255).astype(np.uint8))
    grey.resize((pixels.shape[1] * 2 // 3, pixels.shape[0] * 2 // 3)).save(folder / "x.jpg", quality=60)
    return np.asarray(Image.open(folder / "x.jpg"), np.float32)


@pytest.mark.parametrize("change", ["brighter", "smaller and lossy", "noisier"])
def test_a_copy_is_known_again(tmp_path: Path, change: str) -> None:
    pixels = view(1)
    noise = np.random.default_rng(0).normal(0, 0.004 * pixels.max(), pixels.shape)
    copies = {"brighter": 1.7 * pixels + 30, "smaller and lossy": jpeg(pixels, tmp_path), "noisier": pixels + noise}
    assert same(fingerprint(pixels), fingerprint(copies[change].astype(np.float32)))


def test_another_woman_is_another_picture() -> None:
    prints = {str(seed): fingerprint(view(seed)) for seed in range(6)}
    assert alike(prints, {name: name for name in prints}) == []


def test_pairs_are_named_once_and_only_across_patients() -> None:
    prints = {"a": fingerprint(view(1)), "b": fingerprint(view(2)), "c": fingerprint(2 * view(1))}
    assert alike(prints, {"a": "p1", "b": "p2", "c": "p3"}) == [("a", "c")]
    assert alike(prints, {"a": "p1", "b": "p2", "c": "p1"}) == []


def test_pictures_without_content_are_not_the_same() -> None:
    assert not same(fingerprint(np.zeros((80, 70), np.float32)), fingerprint(np.zeros((80, 70), np.float32)))
    fingerprint(np.arange(12, dtype=np.float32).reshape(3, 4))
