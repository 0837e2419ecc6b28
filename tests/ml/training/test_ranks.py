"""Parts of a batch for several processes; what one process alone does is nothing."""

import pytest
import torch

from ml.training.data import TrainLoader
from ml.training.ranks import ALONE, Ranks


@pytest.mark.parametrize(("count", "size"), [(8, 2), (7, 3), (2, 4), (1, 1)])
def test_the_parts_of_a_batch_are_the_batch(count, size):
    parts = [Ranks(rank, size).part(count) for rank in range(size)]
    places = [place for first, own in parts for place in range(first, first + own)]
    assert places == list(range(count))
    assert max(own for _, own in parts) - min(own for _, own in parts) <= 1


@pytest.mark.parametrize(
    ("part", "asked"), [(None, [0, 1, 2, 3]), ((8, 4, 4), [4, 5, 6, 7, 12]), ((5, 0, 2), [0, 1, 5])]
)
def test_a_loader_looks_ahead_at_its_own_part_alone(part, asked):
    loader = TrainLoader.__new__(TrainLoader)
    loader.part = part
    found = [asked[0]]
    while len(found) < len(asked):
        found.append(loader.following(found[-1]))
    assert found == asked


def test_alone_nothing_is_waited_for_and_nothing_changes():
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.full((2,), 3.0)
    ALONE.add_gradients([weight])
    ALONE.meet()
    assert weight.grad.tolist() == [3.0, 3.0] and ALONE.most(2) == 2 and ALONE.first


@pytest.mark.parametrize(("count", "size", "batch"), [(8, 2, 8), (7, 3, 6), (2, 4, 4), (5, 1, 5)])
def test_a_batch_of_one_part_size_for_all_is_not_larger_but_for_one_sample_each(count, size, batch):
    ranks = Ranks(0, size)
    assert ranks.even(count) == batch
    assert len({Ranks(rank, size).part(batch)[1] for rank in range(size)}) == 1
