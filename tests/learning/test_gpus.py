"""One training a GPU."""

import pytest

from learning.errors import GpuBusy
from learning.gpus import gpu_numbers, one_gpu


def test_without_a_gpu_none_is_needed(tmp_path):
    with one_gpu(tmp_path, []) as gpu:
        assert gpu is None


def test_each_training_gets_a_gpu_of_its_own_and_the_next_one_waits(tmp_path):
    with one_gpu(tmp_path, [0, 1]) as first, one_gpu(tmp_path, [0, 1]) as second:
        assert {first, second} == {0, 1}
        with pytest.raises(GpuBusy) as busy, one_gpu(tmp_path, [0, 1]):
            pass
        assert busy.value.transient
    with one_gpu(tmp_path, [0]) as again:
        assert again == 0


def test_gpus_are_counted_and_limited_to_those_that_are_visible(tmp_path, monkeypatch):
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu_numbers(tmp_path) == [0, 1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert gpu_numbers(tmp_path) == [1]
