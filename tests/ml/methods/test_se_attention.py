"""What makes `se_attention` itself: gates after every block, an auxiliary head in training. Source: methods.md 3.12."""

import pytest
import torch

from ml.blocks.channel_gate import ChannelGate, gates_seen
from ml.methods.se_attention import seen


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("size", "gates", "parameters"),
    [
        ("large", 14, 43_039_076),
        # golden numbers of this implementation
        ("base", 14, 10_780_564),
        ("tiny", 2, 100_536),
    ],
)
def test_a_size_has_its_gates_and_parameters(size, gates, parameters, a_setup):
    with torch.device("meta"):
        network = a_setup("se_attention", size).stage("transfer").build()
        assert len(network.trunk.gates) == gates
        assert count(network.trunk) + count(network.head) == parameters  # without the auxiliary head


def test_the_large_trunk_without_gates_is_the_published_one(a_setup):
    with torch.device("meta"):
        trunk = a_setup("se_attention", "large").stage("transfer").build().trunk
        assert count(trunk) - count(trunk.gates) == 41_142_816
        assert [tuple(m.shape[1:]) for m in trunk(torch.zeros(1, 3, 299, 299))] == [
            (384, 35, 35), (1024, 17, 17), (1536, 8, 8),
        ]  # fmt: skip


@pytest.fixture
def a_network(a_setup):
    torch.manual_seed(0)
    return a_setup("se_attention").stage("transfer").build()


def test_gates_lie_between_0_and_1_and_depend_on_the_image(a_network, a_setup):
    setup = a_setup("se_attention")
    a_network.eval()
    with torch.no_grad(), gates_seen(a_network.trunk) as gates:
        a_network(seen(setup.config, setup.batch(n=4)))
    assert len(gates) == 2
    for gate in gates:
        assert (gate > 0).all()
        assert (gate < 1).all()
        assert (gate[0] - gate[1]).abs().max() > 1e-6


def test_a_gate_stands_after_every_block_and_multiplies(a_network):
    """Half-open gates halve the maps: the network is not the one whose gates are constant."""
    a_network.eval()
    x = torch.rand(1, 1, 96, 96)
    before = a_network(x)["logits"]
    for gate in a_network.trunk.gates:
        torch.nn.init.zeros_(gate.excite.weight)
        torch.nn.init.zeros_(gate.excite.bias)
    with gates_seen(a_network.trunk) as gates:
        after = a_network(x)["logits"]
    assert all((gate == 0.5).all() for gate in gates)
    assert (after - before).abs().max() > 1e-5


def test_a_gate_says_which_channel_and_never_where():
    torch.manual_seed(0)
    gate, x = ChannelGate(8, 4, residual=False), torch.rand(1, 8, 5, 5)
    moved = x.flatten(2)[..., torch.randperm(25)].reshape(x.shape)
    torch.testing.assert_close(gate.gate(x), gate.gate(moved))


def test_the_auxiliary_head_teaches_the_blocks_and_is_silent_at_rest(a_network):
    x = torch.rand(2, 1, 96, 96)
    said = a_network.train()(x)
    said["auxiliary"].sum().backward()
    last = a_network.trunk.features[max(a_network.trunk._gate_of)]
    assert all(p.grad is not None and p.grad.any() for p in last.parameters() if p.dim() > 1)
    assert a_network.head.weight.grad is None
    assert "auxiliary" not in a_network.eval()(x)


def test_the_trunk_is_tuned_at_a_tenth_of_the_rate_and_starts_where_the_first_stage_ended(a_setup):
    stage = a_setup("se_attention", source="presence").stage("transfer")
    assert stage.lr_factors == {"trunk.": 0.1}
    (copied,) = stage.starts_from
    assert (copied.stage, copied.prefix, copied.to) == ("pretrain", "trunk.", "trunk.")
    assert [own.name for own in a_setup("se_attention", source="none").stages] == ["transfer"]
