"""What networks said of images, kept on disk. The manner is that of the cache of pixels."""

import os

import numpy as np

from ml.pixels.features import FeatureCache, feature_key

ARRAYS = {"index": np.array([3, 5]), "features": np.float32([[0.1, -2.5e-7], [1e30, 3.0]])}


def test_arrays_come_back_as_they_were_in_another_process_too(tmp_path):
    FeatureCache(tmp_path).write("ab1", ARRAYS)
    found = FeatureCache(tmp_path).read("ab1")
    assert found.keys() == ARRAYS.keys()
    assert all(np.array_equal(found[name], own) and found[name].dtype == own.dtype for name, own in ARRAYS.items())
    assert FeatureCache(tmp_path).read("ab2") is None


def test_half_a_file_is_no_file(tmp_path):
    cache = FeatureCache(tmp_path)
    cache.write("ab1", ARRAYS)
    (path,) = tmp_path.glob("ab/*")
    whole = path.read_bytes()
    for part in (0, 40, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:part])
        assert cache.read("ab1") is None


def test_those_used_longest_ago_go_first(tmp_path):
    cache = FeatureCache(tmp_path)
    for n in range(4):
        cache.write(f"k{n}", ARRAYS)
        os.utime(tmp_path / f"k{n}"[:2] / f"k{n}.npz", (n, n))
    assert cache.read("k0")
    cache.limit_bytes = 2 * (tmp_path / "k0" / "k0.npz").stat().st_size
    cache.sweep()
    assert [n for n in range(4) if cache.read(f"k{n}")] == [0, 3]


def test_a_key_is_of_the_image_and_of_all_that_features_depend_on():
    one = feature_key("a", encoder="x", size=(4, 2))
    assert one == feature_key("a", size=(4, 2), encoder="x")
    assert len({one, feature_key("b", encoder="x", size=(4, 2)), feature_key("a", encoder="y", size=(4, 2))}) == 3
