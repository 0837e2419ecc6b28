"""What makes `msdae_density` itself: codes of patches in several scales, without labels. Source: methods.md 3.1."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.blocks.denoising_autoencoder import DenoisingAutoencoder
from ml.blocks.patch_pyramid import every, normed, patches_at, pyramid
from ml.methods.msdae_density import MsdaeNet, drawn_points, fit_scale, tissue_loss
from ml.runs.manifest import Finding, Mark
from ml.simulation.streams import stream
from ml.simulation.texture import power_law
from ml.training.freezing import frozen_modules
from ml.training.heat import Speech, heat_of
from ml.training.model_folder import load_model
from ml.training.optimisers import trainable
from tests.ml.methods.world import settled, tried


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


@pytest.fixture
def outlined(world):
    """(rows, folder): the right CC views of training and validation have outlined tissue."""
    rows, folder = world
    geometry = {"path": "tissue.png", "classes": {"background": 0, "fat": 64, "dense": 128}}
    mark = Mark(mark_id="t", kind="label_map", geometry=geometry)
    tissue = Finding(finding_id="t", type="other", subtype="tissue", marks=(mark,))
    own = [row.split != "test" and (row.laterality, row.view) == ("R", "CC") for row in rows]
    return [replace(row, findings=(tissue,)) if there else row for row, there in zip(rows, own, strict=True)], folder


def test_tissue_is_learned_from_outlines_where_there_are_enough(outlined, world):
    rows, folder = outlined
    names = [stage.name for stage in settled(rows, folder, "msdae_density").stages]
    assert names == ["dae1", "tissue", "main"]
    one = [row if row.patient_id == "p0" else known for row, known in zip(rows, world[0], strict=True)]
    assert [stage.name for stage in settled(one, folder, "msdae_density").stages] == ["dae1", "main"]
    asked = settled(rows, folder, "msdae_density", head="weak")
    assert [stage.name for stage in asked.stages] == ["dae1", "main"]


def test_only_outlined_images_teach_tissue_and_all_of_them_do(outlined):
    setup = settled(*outlined, "msdae_density")
    samples, loader = setup.view(setup.stage("tissue").reads)
    assert {sample.id for sample in samples if loader.group(sample) is not None} == {f"p{p}-R-CC" for p in range(6)}


def test_each_tissue_weighs_the_same_and_the_muscle_is_outside(outlined):
    setup = settled(*outlined, "msdae_density")
    batch = setup.batch(n=1, reads=setup.stage("tissue").reads)
    truth, breast = torch.zeros(1, 32, 32, dtype=torch.long), torch.ones(1, 1, 1, 32, 32, dtype=torch.bool)
    truth[0, :4, :4], truth[0, 4:8, :4], truth[0, 8:, :] = 2, 3, 1  # dense, muscle, fat
    breast[..., 28:, :] = False
    batch = replace(batch, x=breast.float(), breast=breast, targets={"tissue": truth})
    loss = tissue_loss(setup.config)
    told = torch.zeros(1, 3, 8, 8)
    told[0, 1] = 2.0  # fat everywhere
    log_p = told[0, :, 0, 0].log_softmax(0)
    torch.testing.assert_close(loss({"told": told}, batch)["tissue"], -log_p.mean())
    known = torch.tensor([0, 1, 2, 0])[truth[:, ::4, ::4]]
    right = 20.0 * torch.nn.functional.one_hot(known, 3).movedim(3, 1)
    assert loss({"told": right}, batch)["tissue"] < 1e-6
    right[:, :, 7] = -right[:, :, 7]  # not of the breast
    assert loss({"told": right}, batch)["tissue"] < 1e-6


def test_the_scale_is_fitted_to_classes_and_to_them_alone(a_network):
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(200, generator=generator)
    limits = torch.tensor([0.1, 0.3, 0.8])
    truth = torch.nn.functional.one_hot(torch.bucketize(shares, limits), 4).float()
    kept = {name: value.clone() for name, value in a_network.state_dict().items()}
    fit_scale(a_network, shares, truth)
    torch.testing.assert_close(a_network.thresholds(), limits, atol=0.02, rtol=0)
    moved = {name for name, value in a_network.state_dict().items() if not torch.equal(value, kept[name])}
    assert moved == {"slope", "first", "steps"}
    fit_scale(a_network, shares[:40], truth[:40] * torch.tensor([1.0, 1, 1, 0]))  # nobody is in the last class
    assert torch.isfinite(a_network.thresholds()).all()


def test_a_model_that_learned_from_outlines_answers_by_its_map_and_shows_it(outlined, tmp_path):
    run = tried(tmp_path / "run", *outlined, "msdae_density", "density")
    model = load_model(run / "model")
    assert model.config.head == "pixel"
    tissue, main = (model.modules[name].state_dict() for name in ("tissue", "main"))
    assert {name for name in main if not torch.equal(main[name], tissue[name])} == {"slope", "first", "steps"}
    batch = settled(*outlined, "msdae_density").batch(n=2, split="test")
    heat = model.method.heat(model.modules, batch, model.config)
    said = model.modules["main"](batch.x[:, 0], batch.breast[:, 0])
    inside = batch.breast[:, 0, 0, ::4, ::4]
    assert heat.shape == (2, 1, *inside.shape[1:])
    torch.testing.assert_close(heat[:, 0].sum((1, 2)) / inside.sum((1, 2)), said["share"])
    one = settled(*outlined, "msdae_density").batch(n=1, split="test")
    assert heat_of(Speech(model.method, model.modules, model.config, model.aim), one).kind == "own"
