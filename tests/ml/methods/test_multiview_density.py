"""What makes `multiview_density` itself: two columns, shared by the sides, four views. Source: methods.md 3.6."""

import pytest
import torch

from ml.methods.multiview_density import NYU_VIEWS


def view(name):
    return NYU_VIEWS.index(name)


@pytest.mark.parametrize(("size", "count", "column"), [("large", 5_813_252, 2_379_776), ("tiny", 70_932, 31_208)])
def test_a_size_has_its_parameters(size, count, column, a_stage):
    with torch.device("meta"):
        network = a_stage("multiview_density", size)[2].build()
        assert sum(p.numel() for p in network.parameters()) == count
        assert [sum(p.numel() for p in own.parameters()) for own in network.trunk.encoders.values()] == [column] * 2


def test_the_large_columns_have_the_maps_of_the_public_code(a_stage):
    with torch.device("meta"):
        network = a_stage("multiview_density", "large")[2].build()
        maps = network.trunk.encoders["CC"].maps(torch.zeros(1, 1, 2600, 2000))
        assert [tuple(m.shape[1:]) for m in maps] == [
            (32, 1299, 999), (64, 212, 162), (128, 100, 75), (128, 44, 32), (256, 16, 10),
        ]  # fmt: skip
        assert network(torch.zeros(1, 4, 1, 2600, 2000))["logits"].shape == (1, 4)


@pytest.fixture
def a_network(a_stage):
    torch.manual_seed(0)
    return a_stage("multiview_density")[2].build().eval()


def test_every_view_matters_and_so_does_its_place(a_network):
    x = torch.rand(1, 4, 1, 256, 192)
    before = a_network(x)["logits"]
    for n in range(4):
        other = x.clone()
        other[:, n] = other[:, n] ** 3
        assert (a_network(other)["logits"] - before).abs().max() > 1e-6
    swapped = x[:, [view("L-MLO"), view("R-CC"), view("L-CC"), view("R-MLO")]]
    assert (a_network(swapped)["logits"] - before).abs().max() > 1e-6


def test_both_sides_share_a_column_and_the_kinds_of_view_do_not(a_network):
    x = torch.rand(1, 1, 1, 256, 192).expand(-1, 4, -1, -1, -1)
    features = a_network.features(x)[0]
    torch.testing.assert_close(features[view("L-CC")], features[view("R-CC")])
    torch.testing.assert_close(features[view("L-MLO")], features[view("R-MLO")])
    assert (features[view("L-CC")] - features[view("L-MLO")]).abs().max() > 1e-3


def test_what_the_cc_views_say_teaches_the_other_column_nothing(a_network):
    features = a_network.features(torch.rand(2, 4, 1, 256, 192))
    features[:, [view("L-CC"), view("R-CC")]].sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in a_network.trunk.encoders["MLO"].parameters())
    assert any(p.grad.any() for p in a_network.trunk.encoders["CC"].parameters())


def test_each_view_is_standardised_by_itself(a_network):
    x = torch.rand(1, 4, 1, 256, 192)
    brighter = x * torch.tensor([0.5, 1.0, 0.7, 0.9]).reshape(1, 4, 1, 1, 1) + 0.1
    torch.testing.assert_close(a_network(brighter)["logits"], a_network(x)["logits"], atol=1e-4, rtol=1e-4)
