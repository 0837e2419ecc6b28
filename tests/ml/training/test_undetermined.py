"""What a deterministic run could not do the same way twice is named in its record."""

import warnings

import pytest
import torch
from torch.nn import functional

from ml.training.undetermined import undetermined_told


@pytest.fixture(autouse=True)
def deterministic():
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def unpooled():
    maps, where = functional.max_pool2d(torch.rand(1, 1, 4, 4), 2, return_indices=True)
    return functional.max_unpool2d(maps, where, 2)


def test_an_operation_is_named_once_in_every_run_of_a_process():
    for _ in range(2):
        with pytest.warns(UserWarning, match="max_unpooling2d"), undetermined_told() as found:
            assert found == set()
            unpooled()
            unpooled()
        assert found == {"max_unpooling2d_forward_out"}


def test_what_names_no_operation_is_kept_as_it_was_said_and_other_warnings_are_left_alone():
    said = "Memory Efficient attention defaults to a non-deterministic algorithm. To explicitly enable"
    with pytest.warns(UserWarning) as shown, undetermined_told() as found:
        warnings.warn(said, stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert [str(own.message) for own in shown] == [said, "something else"]
    assert found == {said}
