import numpy as np
import pytest

from ml.methods.spec import Optimiser
from ml.training import schedule
from ml.training.sampling import SampleOrder, key_seed


@pytest.mark.parametrize("kind", ["plain", "class_balanced", "half_marked", "mostly_marked"])
def test_the_order_is_a_function_of_seed_and_position(kind):
    groups = [0, 1, 1, 0, 0, 0, 1]
    a, b = SampleOrder(kind, groups, 3), SampleOrder(kind, groups, 3)
    forwards = [a.at(n) for n in range(30)]
    backwards = [b.at(n) for n in reversed(range(30))][::-1]
    assert forwards == backwards
    assert forwards != [SampleOrder(kind, groups, 4).at(n) for n in range(30)]


def test_plain_sampling_shows_every_sample_once_an_epoch():
    order = SampleOrder("plain", [0] * 9, 0)
    assert sorted(order.at(n)[0] for n in range(9, 18)) == list(range(9))


def test_half_of_every_batch_of_four_holds_a_mark():
    order = SampleOrder("half_marked", [1, 0, 0, 0, 0, 0, 0, 0], 0)
    drawn = [order.at(n)[0] for n in range(40)]
    assert all(sum(n == 0 for n in drawn[k : k + 4]) == 2 for k in range(0, 40, 4))


def test_four_of_every_five_hold_a_mark():
    order = SampleOrder("mostly_marked", [1, 0, 0, 0, 0, 0, 1, 0], 0)
    drawn = [order.at(n)[0] for n in range(8)]
    assert [n in (0, 6) for n in drawn] == [True, True, True, True, False, True, True, True]


def test_rare_classes_are_drawn_by_the_root_of_their_frequency_and_the_prior_is_put_back():
    groups = [0] * 90 + [1] * 10
    order = SampleOrder("class_balanced", groups, 0)
    drawn = np.mean([order.at(n)[0] >= 90 for n in range(4000)])
    assert drawn == pytest.approx(10**0.5 / (90**0.5 + 10**0.5), abs=0.03)
    shift = np.array(order.prior_shift(4))
    p = np.array([0.75, 0.25])  # what the draw made of the prior
    back = np.exp(np.log(p) + shift[:2])
    assert back / back.sum() == pytest.approx([0.9, 0.1])
    assert shift[2] == shift[3] == -8.0


def test_the_schedule_has_the_computed_values():
    assert [schedule.cosine(s, 100, 1000) for s in (0, 99, 550)] == pytest.approx([0.01, 1.0, 0.5])
    steps = Optimiser(schedule="step")
    assert [schedule.factor(steps, s, 90) for s in (0, 29, 30, 59, 60, 89)] == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    assert schedule.ema_decay(0) == pytest.approx(0.1)
    assert schedule.ema_decay(10**6) == 0.999


def test_seeds_from_keys_are_the_same_on_every_machine():
    assert key_seed(0, "order") == key_seed("0", "order") < 2**63
    assert key_seed(0, 1) != key_seed(1, 0)
