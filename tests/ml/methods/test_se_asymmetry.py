"""What makes `se_asymmetry` itself: gates that look at both sides and prefer neither. Source: methods.md 3.19."""

import pytest
import torch

from ml.methods.se_asymmetry import PairGate


@pytest.mark.parametrize(
    ("size", "gates", "count"),
    [("large", 14, 44_757_857), ("tiny", 2, 121_205)],  # golden numbers of this implementation
)
def test_a_size_has_its_gates_and_parameters(size, gates, count, a_stage):
    with torch.device("meta"):
        network = a_stage("se_asymmetry", size)[2].build()
        assert len(network.trunk.gates) == gates
        assert sum(p.numel() for p in network.parameters()) == count


def test_a_gate_is_squeezed_from_twice_the_channels(a_stage):
    with torch.device("meta"):
        gate = a_stage("se_asymmetry", "large")[2].build().trunk.gates[-1].gate
        assert (gate.squeeze.in_features, gate.squeeze.out_features, gate.excite.out_features) == (3072, 96, 1536)


@pytest.fixture
def a_network(a_stage):
    torch.manual_seed(0)
    return a_stage("se_asymmetry")[2].build().eval()


def test_exchanging_the_sides_changes_nothing(a_setup):
    from dataclasses import replace

    setup = a_setup("se_asymmetry")
    torch.manual_seed(0)
    stage, batch = setup.stage("main"), setup.batch(n=2)
    modules = {"main": stage.build().eval()}
    other = replace(batch, x=batch.x.flip(1), breast=batch.breast.flip(1))
    torch.testing.assert_close(
        stage.forward(modules, batch)["z"], stage.forward(modules, other)["z"], atol=1e-6, rtol=1e-5
    )


def test_both_sides_have_one_gate_and_it_changes_when_only_one_side_does():
    torch.manual_seed(0)
    gate, x = PairGate(8, 4), torch.rand(2, 8, 5, 5)
    before = gate.values(x)
    assert before.shape == (1, 8)
    torch.testing.assert_close(gate(x), x * before[0][None, :, None, None])
    other = x.clone()
    other[1, 3] += 1.0
    assert (gate.values(other) - before).abs().max() > 1e-4
    torch.testing.assert_close(gate.values(x.flip(0)), before)


def test_what_the_sides_differ_in_opens_gates_and_reaches_the_logit(a_network):
    x = torch.rand(2, 2, 1, 96, 96)
    before = a_network(x)["z"]
    for gate in a_network.trunk.gates:
        gate.use_difference = False
    assert (a_network(x)["z"] - before).abs().max() > 1e-6


def test_equal_sides_differ_in_nothing(a_network):
    x = torch.rand(1, 1, 1, 96, 96).expand(-1, 2, -1, -1, -1)
    both, apart = a_network.embed(x).chunk(2, 1)
    assert apart.abs().max() < 1e-5
    assert both.abs().max() > 1e-3
