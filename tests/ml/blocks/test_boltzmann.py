"""RBM, belief net and autoencoder: closed forms, and that they learn."""

import pytest
import torch
from torch import nn

from ml.blocks.dbn import DBN
from ml.blocks.denoising_autoencoder import DenoisingAutoencoder
from ml.blocks.rbm import LEARNING_RATE, RBM, momentum_at
from tests.ml.blocks.counting import parameters

STATES = torch.tensor([[0.0, 0.0], [1, 0], [0, 1], [1, 1]])


def two_by_two():
    rbm = RBM(2, 2)
    with torch.no_grad():
        rbm.weight.copy_(torch.tensor([[1.0, -1.0], [0.5, 0.5]]))
        rbm.visible_bias.copy_(torch.tensor([0.0, 0.1]))
        rbm.hidden_bias.copy_(torch.tensor([0.2, -0.3]))
    return rbm


def blobs(n, side=15, seed=0):
    """(n, side^2) in [0, 1]: one soft disc a patch."""
    g = torch.Generator().manual_seed(seed)
    centre = torch.rand(n, 2, 1, 1, generator=g) * (side - 4) + 2
    radius = torch.rand(n, 1, 1, generator=g) * 2 + 1.5
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.exp(-((y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2) / (2 * radius**2)).flatten(1)


def learned(rbm, data, epochs=15, lr=0.1, seed=0):
    g = torch.Generator().manual_seed(seed)
    errors = []
    optimiser = torch.optim.SGD(rbm.parameters(), lr, momentum=0.5)
    for epoch in range(epochs):
        optimiser.param_groups[0]["momentum"] = momentum_at(epoch)
        parts = []
        for rows in torch.randperm(len(data), generator=g).split(100):
            parts.append(rbm.contrast(data[rows], g).item())
            optimiser.step()
        errors.append(sum(parts) / len(parts))
    return errors


@pytest.mark.parametrize(
    ("count", "build"),
    [
        (33_152, lambda: RBM(256, 128)),
        (65_725, lambda: DBN((225, 200, 100))),
        (45_425, lambda: DenoisingAutoencoder(225, 200)),
        (2_705, lambda: DenoisingAutoencoder(81, 32)),
        (343_300, lambda: nn.ModuleList(DenoisingAutoencoder(i, 200) for i in (225, 200) * 4)),
    ],
)
def test_a_block_has_the_parameters_of_its_table(count, build):
    assert parameters(build) == count


def test_free_energies_have_the_computed_values():
    energy = two_by_two().free_energy(STATES)
    torch.testing.assert_close(energy, torch.tensor([-1.35249, -1.70429, -2.00132, -2.33889]), atol=1e-5, rtol=0)
    p = torch.softmax(-energy, 0)
    torch.testing.assert_close(p, torch.tensor([0.14252, 0.20261, 0.27269, 0.38218]), atol=1e-5, rtol=0)


def test_free_energy_is_the_energy_summed_over_all_hidden_states():
    rbm = two_by_two()
    for kind in ("bernoulli", "gaussian"):
        rbm.kind = kind
        joint = (STATES @ rbm.weight)[:, None] @ STATES.T[None] + (rbm.hidden_bias @ STATES.T)[None, None]
        own = STATES @ rbm.visible_bias if kind == "bernoulli" else -((STATES - rbm.visible_bias) ** 2).sum(1) / 2
        torch.testing.assert_close(rbm.free_energy(STATES), -torch.logsumexp(joint[:, 0] + own[:, None], 1))


def test_contrast_sets_the_gradients_of_the_stated_statistics():
    torch.manual_seed(0)
    rbm, v0 = RBM(6, 4), torch.rand(50, 6)
    error = rbm.contrast(v0, torch.Generator().manual_seed(1), decay=0.0)
    p0 = rbm(v0)
    sampled = (torch.rand(p0.shape, generator=torch.Generator().manual_seed(1)) < p0).float()
    v1 = torch.sigmoid(sampled @ rbm.weight.T + rbm.visible_bias)
    torch.testing.assert_close(rbm.weight.grad, -(v0.T @ p0 - v1.T @ rbm(v1)) / 50)
    torch.testing.assert_close(rbm.visible_bias.grad, (v1 - v0).mean(0))
    torch.testing.assert_close(error, ((v1 - v0) ** 2).mean())
    assert not rbm.weight.grad.requires_grad


def test_mixed_precision_does_not_touch_the_gradients():
    torch.manual_seed(0)
    rbm, v0 = RBM(6, 4), torch.rand(50, 6)
    rbm.contrast(v0, torch.Generator().manual_seed(1))
    wanted = rbm.weight.grad
    with torch.autocast("cpu", torch.bfloat16):
        rbm.contrast(v0, torch.Generator().manual_seed(1))
    assert torch.equal(rbm.weight.grad, wanted)


def test_an_rbm_learns_blobs_and_tells_them_from_noise():
    torch.manual_seed(0)
    data, rbm = blobs(2000), RBM(225, 64)
    noise = torch.rand(500, 225, generator=torch.Generator().manual_seed(3)) * 2 * data.mean()
    gap_before = (rbm.free_energy(noise).mean() - rbm.free_energy(data).mean()).item()
    errors = learned(rbm, data)
    gap_after = (rbm.free_energy(noise).mean() - rbm.free_energy(blobs(500, seed=9)).mean()).item()
    assert errors[-1] < 0.5 * data.var(0).mean().item()
    assert errors[-1] < 0.25 * errors[0]
    assert gap_after > gap_before + 5


def test_a_gaussian_rbm_learns_standardised_inputs():
    torch.manual_seed(0)
    data = blobs(1000, 9)
    data = (data - data.mean(0)) / data.std(0)
    rbm = RBM(81, 32, "gaussian")
    errors = learned(rbm, data, epochs=30, lr=LEARNING_RATE["gaussian"])
    assert errors[-1] < 0.8  # of a variance of 1


def test_a_belief_net_unrolls_to_the_same_function():
    torch.manual_seed(0)
    net, x = DBN((12, 8, 5)), torch.rand(7, 12)
    torch.testing.assert_close(net(x), net.rbms[1](net.below(x, 1)))
    mlp = net.unrolled(classes=2)
    torch.testing.assert_close(mlp[:-1](x), net(x))
    assert mlp(x).shape == (7, 2)
    mlp(x).sum().backward()
    assert all(p.grad is not None for p in mlp.parameters())
    assert all(p.grad is None for p in net.parameters())


def test_an_autoencoder_restores_what_was_masked():
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(0)
    data = blobs(4000, 9) * 0.8 + 0.1
    train, held_out = data[:3500], data[3500:]
    net = DenoisingAutoencoder(81, 32)

    def error(x, clean):
        return ((x - clean) ** 2).mean() / held_out.var(0).mean()

    untrained = error(net.decode(net(held_out)), held_out)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(20):
        for rows in torch.randperm(len(train), generator=g).split(100):
            optimiser.zero_grad()
            net.loss(train[rows], g).backward()
            optimiser.step()
    corrupted = net.corrupt(held_out, g)
    assert error(net.decode(net(held_out)), held_out) < 0.5 < untrained
    assert error(net.decode(net(corrupted)), held_out) < error(corrupted, held_out)


def test_masking_noise_zeroes_its_share():
    net = DenoisingAutoencoder(100, 4, corruption=0.25)
    x = torch.ones(200, 100)
    assert (net.corrupt(x, torch.Generator().manual_seed(0)) == 0).float().mean().item() == pytest.approx(
        0.25, abs=0.01
    )
    assert (net.corrupt(x, torch.Generator().manual_seed(0), p=0.0) == x).all()


def test_codes_of_a_map_are_those_of_its_windows():
    torch.manual_seed(0)
    net, x = DenoisingAutoencoder(2 * 25, 7), torch.rand(2, 2, 14, 11)
    windows = nn.functional.unfold(x, 5, stride=3).transpose(1, 2)
    torch.testing.assert_close(net.encode_map(x, 5, 3).flatten(2).transpose(1, 2), net(windows))
