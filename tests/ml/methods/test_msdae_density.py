"""What makes `msdae_density` itself: codes of patches in several scales, without labels. Source: methods.md 3.1."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.blocks.denoising_autoencoder import DenoisingAutoencoder
from ml.methods.msdae_density import MsdaeNet, drawn_points, every, normed, patches_at, pyramid
from ml.simulation.streams import stream
from ml.simulation.texture import power_law
from ml.training.freezing import frozen_modules
from ml.training.optimisers import trainable


@pytest.mark.parametrize(
    ("size", "autoencoders", "tissue"), [("large", 343_300, 2_403), ("tiny", 5_410, 195), ("base", 125_955, 1_083)]
)
def test_a_size_has_its_parameters(size, autoencoders, tissue, a_setup):
    with torch.device("meta"):
        network = a_setup("msdae_density", size).stage("main").build()
        assert sum(p.numel() for p in network.layers.parameters()) == autoencoders
        assert sum(p.numel() for p in network.tissue.parameters()) == tissue
        ordinal = {name for name, _ in network.named_parameters() if not name.startswith(("layers.", "tissue."))}
        assert ordinal == {"slope", "first", "steps"}


def test_there_is_a_stage_for_each_layer_and_none_of_them_reads_labels(a_setup):
    setup = a_setup("msdae_density", "large")
    assert [stage.name for stage in setup.stages] == ["dae1", "dae2", "main"]
    assert all(not stage.reads.targets for stage in setup.stages[:-1])


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_the_dense_map_is_what_each_patch_says_alone(scale):
    torch.manual_seed(0)
    x = torch.rand(2, 1, 37, 30)
    rows, cols = 10, 8
    level = pyramid(x, (scale,))[0]
    dense = every(level, scale, 9, 4, (rows, cols))
    points = torch.stack(torch.meshgrid(torch.arange(rows) * 4, torch.arange(cols) * 4, indexing="ij"), -1)
    alone = patches_at(level, scale, points.reshape(1, -1, 2).expand(2, -1, -1), 9)
    torch.testing.assert_close(dense.mT, alone, atol=1e-5, rtol=1e-5)
    dae = DenoisingAutoencoder(81, 6)
    torch.testing.assert_close(dae(dense.mT), dae(alone), atol=1e-5, rtol=1e-5)


def test_a_patch_is_centred_about_its_point():
    x = torch.zeros(1, 1, 20, 20)
    x[0, 0, 11, 6] = 1.0
    patch = patches_at(x, 1, torch.tensor([[[11, 6]]]), 5)[0, 0].reshape(5, 5)
    assert patch.argmax() == 12


def test_patches_forget_brightness_and_contrast_and_lie_between_limits():
    patches = torch.rand(4, 81)
    torch.testing.assert_close(normed(patches * 3 + 5), normed(patches), atol=0.02, rtol=0)
    assert normed(patches * 1000 * (torch.rand(4, 81) > 0.98)).min() >= 0.1
    assert normed(patches).max() <= 0.9
    assert torch.equal(normed(torch.zeros(1, 81)), torch.full((1, 81), 0.5))


def test_points_lie_in_the_breast():
    breast = torch.zeros(2, 1, 12, 9, dtype=torch.bool)
    breast[0, :, 3:5, 2:7] = True
    points = drawn_points(breast, 40)
    assert breast[0, 0, points[0, :, 0], points[0, :, 1]].all()
    assert points[1].max() > 4  # nothing is known: anywhere


def test_a_learned_autoencoder_restores_what_noise_took():
    """Figures of methods.md 3.1: clean under half of the patches' variance, and nearer than the corrupted patch."""
    textures = [power_law(stream(0, "texture", str(n)), (64, 64), 1.0, beta=3.0, coarsest_mm=16) for n in range(50)]
    x = torch.from_numpy(np.stack(textures)).float()[:, None]
    torch.manual_seed(0)
    patches = patches_at(x, 1, drawn_points(torch.ones_like(x), 100), 9).flatten(0, 1)
    learned, held_out = patches[:4000], patches[4000:]
    dae, generator = DenoisingAutoencoder(81, 32), torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(dae.parameters(), 1e-2)
    for _ in range(800):  # 20 epochs of 4,000 patches
        at = torch.randint(len(learned), (100,), generator=generator)
        optimiser.zero_grad()
        dae.loss(learned[at], generator).backward()
        optimiser.step()
    with torch.no_grad():
        variance = held_out.var()
        noisy = dae.corrupt(held_out, generator)
        assert (dae.decode(dae(held_out)) - held_out).square().mean() < 0.5 * variance
        assert (dae.decode(dae(noisy)) - held_out).square().mean() < (noisy - held_out).square().mean()


@pytest.fixture
def a_network(a_setup):
    torch.manual_seed(0)
    return a_setup("msdae_density").stage("main").build().eval()


def test_every_scale_has_a_part_in_the_map(a_network):
    x, breast = torch.rand(1, 1, 48, 40), torch.ones(1, 1, 48, 40, dtype=torch.bool)
    before = a_network(x, breast)["tissue"]
    assert before.shape == (1, 3, 12, 10)
    for dae in a_network.layers[-1].scales:
        kept = dae.weight.detach().clone()
        with torch.no_grad():
            dae.weight.zero_()
        assert (a_network(x, breast)["tissue"] - before).abs().max() > 1e-4
        with torch.no_grad():
            dae.weight.copy_(kept)


def test_percent_density_is_the_dense_share_of_the_tissue_in_the_breast(a_network):
    x = torch.rand(1, 1, 48, 40)
    breast = torch.zeros(1, 1, 48, 40, dtype=torch.bool)
    breast[..., 10:40, :20] = True
    said = a_network(x, breast)
    inside = said["tissue"][0][:, breast[0, 0, ::4, ::4]]
    torch.testing.assert_close(said["percent"][0], 100 * inside[2].sum() / (inside[1] + inside[2]).sum())
    everywhere = a_network(x, torch.ones_like(breast))
    assert (everywhere["percent"] - said["percent"]).abs() > 1e-4


def test_classes_are_an_ordered_logistic_curve_of_the_share(a_network):
    shares = torch.linspace(0, 1, 21)
    log_p = a_network.classes(shares)
    torch.testing.assert_close(log_p.exp().sum(1), torch.ones(21))
    assert (a_network.thresholds().diff() > 0).all()
    above = torch.sigmoid(a_network.slope.exp() * (shares[:, None] - a_network.thresholds()))
    torch.testing.assert_close(log_p[:, 3].exp(), above[:, 2])
    torch.testing.assert_close(log_p[:, 1].exp(), above[:, 0] - above[:, 1], atol=1e-6, rtol=1e-5)
    assert (log_p.exp() @ torch.arange(4.0)).diff().min() > 0


def test_the_encoders_go_on_slowly_and_what_decodes_rests(a_setup):
    setup = a_setup("msdae_density")
    stage = setup.stage("main")
    moving = {name for name, _ in trainable(stage.build(), stage)}
    assert not any("visible" in name for name in moving)
    assert {"layers.0.scales.0.weight", "layers.0.scales.1.hidden_bias", "tissue.weight", "slope"} <= moving
    assert stage.lr_factors == {"layers.": 0.1}


def test_the_softmax_sees_codes_about_zero_with_a_spread_of_one(a_setup):
    """About one half with a spread of a tenth they leave tissues untold: 0.48 of four classes are right, so 1.00."""
    setup = a_setup("msdae_density")
    stage = setup.stage("main")
    torch.manual_seed(0)
    network = stage.build().train()
    for module in frozen_modules(network, stage):
        module.eval()
    seen = []
    network.tissue.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.rand(2, 1, 48, 40), torch.ones(2, 1, 48, 40, dtype=torch.bool))
    assert seen[0].mean((0, 2)).abs().max() < 1e-4
    assert torch.allclose(seen[0].std((0, 2)), torch.ones(64), atol=0.05)
    assert float(network.norm.running_mean.abs().min()) > 0  # what prediction goes by has begun to move


def test_labels_say_nothing_to_the_autoencoders(a_setup):
    """The same weights whatever the labels are, since nothing of them is read."""
    setup = a_setup("msdae_density")
    stage = setup.stage("dae1")
    batch = setup.batch(n=2, reads=stage.reads)
    assert not batch.targets
    found = []
    for rows in (setup.rows, [replace(row, density=None, findings=()) for row in setup.rows]):
        other = replace(setup, rows=rows)
        torch.manual_seed(0)
        modules = {"dae1": stage.build()}
        batch = other.batch(n=2, reads=stage.reads)
        sum(stage.loss(stage.forward(modules, batch), batch).values()).backward()
        found.append(modules["dae1"].scales[0].weight.grad)
    assert torch.equal(*found)


def test_the_codes_of_a_stage_are_those_that_density_starts_from(a_setup):
    from ml.training.starting import load_copied

    setup = a_setup("msdae_density", hidden=(8, 6))
    modules = setup.modules()
    load_copied(modules["main"], setup.stage("main"), modules)
    network = modules["main"]
    assert isinstance(network, MsdaeNet)
    for n in range(2):
        for own, taught in zip(network.layers[n].scales, modules[f"dae{n + 1}"].scales, strict=True):
            assert torch.equal(own.weight, taught.weight)
