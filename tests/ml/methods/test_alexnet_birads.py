"""What makes `alexnet_birads` itself: groups, LRN, slow convolutions, two classes. Source: methods.md 3.3."""

from dataclasses import replace

import pytest
import torch

from ml.methods import get
from ml.methods.alexnet_birads import Centre, drawn_part, seen
from ml.methods.pretraining import settled as source_of
from ml.methods.spec import Inference
from ml.runs.manifest import Finding, ManifestRow
from ml.training.model_folder import load_model
from ml.training.optimisers import make_optimisers
from ml.training.parts import Varied, taken
from ml.training.starting import load_copied
from ml.training.targets.density import density_shares


@pytest.mark.parametrize(
    ("size", "options", "count"),
    [
        ("large", {"classes": ("B", "C")}, 56_876_418),
        ("large", {"in_channels": 1}, 56_861_380),
        ("large", {"variant": "one_tower", "in_channels": 1}, 57_004_740),
        # golden numbers of this implementation
        ("base", {}, 6_354_276),
        ("tiny", {}, 59_580),
    ],
)
def test_a_size_has_its_parameters(size, options, count, a_setup):
    with torch.device("meta"):
        network = a_setup("alexnet_birads", size, **options).stage("transfer").build()
        assert sum(p.numel() for p in network.parameters()) == count


def test_the_large_convolutions_end_in_6_by_6_maps_of_256(a_setup):
    with torch.device("meta"):
        network = a_setup("alexnet_birads", "large").stage("transfer").build()
        assert tuple(network.trunk(torch.zeros(1, 3, 227, 227))[-1].shape) == (1, 256, 6, 6)
        assert network(torch.zeros(1, 3, 227, 227))["embedding"].shape == (1, 4096)


@pytest.fixture
def a_network(a_setup):
    torch.manual_seed(0)
    return a_setup("alexnet_birads").stage("transfer").build().eval()


def test_the_second_convolution_has_two_groups(a_network):
    layers = a_network.trunk.features
    first, *_, conv2 = [layer for layer in layers if isinstance(layer, torch.nn.Conv2d)][:2]
    x = torch.rand(1, first.out_channels, 9, 9)
    half = x.clone()
    half[:, : first.out_channels // 2] = 0
    before, after = conv2(x), conv2(half)
    assert torch.equal(before[:, conv2.out_channels // 2 :], after[:, conv2.out_channels // 2 :])
    assert not torch.equal(before[:, : conv2.out_channels // 2], after[:, : conv2.out_channels // 2])


def test_a_channel_is_normed_by_its_neighbours(a_network):
    lrn = next(layer for layer in a_network.trunk.features if isinstance(layer, torch.nn.LocalResponseNorm))
    assert (lrn.size, lrn.alpha, lrn.beta, lrn.k) == (5, 1e-4, 0.75, 1.0)
    x = torch.rand(1, 12, 3, 3)
    louder = x.clone()
    louder[:, 5] *= 1000
    changed = (lrn(louder) - lrn(x)).abs().amax((0, 2, 3)) > 1e-6
    assert changed.tolist() == [3 <= n <= 7 for n in range(12)]


def test_a_transfer_begins_with_the_first_stages_weights_and_moves_its_convolutions_least(a_setup):
    setup = a_setup("alexnet_birads", source="presence")
    torch.manual_seed(0)
    modules = setup.modules()
    stage, network = setup.stage("transfer"), modules["transfer"]
    load_copied(network, stage, modules)
    start = {name: value.clone() for name, value in network.state_dict().items()}
    taught = modules["pretrain"].state_dict()
    assert all(torch.equal(start[name], taught[name]) for name in start if name.startswith("trunk."))
    optimiser = make_optimisers(network, stage)[""]
    for step in range(10):
        batch = setup.batch(n=4, seed=step)
        sum(stage.loss(stage.forward(modules, batch), batch).values()).backward()
        optimiser.step()
        optimiser.zero_grad()

    def moved(name):
        return float((network.state_dict()[name] - start[name]).norm() / start[name].norm())

    convolutions = [name for name in start if name.startswith("trunk.features.") and name.endswith("weight")]
    assert len(convolutions) == 5
    assert max(map(moved, convolutions)) < moved("head.weight")


def test_from_scratch_has_no_first_stage_and_one_rate(a_setup):
    setup = a_setup("alexnet_birads", source="none")
    assert [stage.name for stage in setup.stages] == ["centre", "transfer", "components"]
    assert not setup.stage("transfer").lr_factors
    assert not setup.stage("transfer").starts_from


def test_what_has_no_past_learns_faster_than_what_is_transferred(a_setup):
    transferred, alone = a_setup("alexnet_birads", source="presence"), a_setup("alexnet_birads", source="none")
    assert transferred.stage("transfer").optimiser.lr == transferred.config.lr == 5e-3
    assert transferred.stage("pretrain").optimiser.lr == alone.stage("transfer").optimiser.lr == 2e-2
    assert a_setup("alexnet_birads", "large").config.lr == 1e-3  # the paper's, for its fine-tuning


def test_the_papers_mode_knows_two_classes_and_is_taught_by_those_alone(a_setup):
    setup = a_setup("alexnet_birads", classes=("B", "C"))
    assert setup.aim.labels == ("B", "C")
    taught = [row for row in setup.rows if density_shares(row, setup.aim.labels) is not None]
    assert {row.density.label for row in taught} == {"B", "C"}
    assert setup.stage("transfer").build()(torch.zeros(1, 1, 67, 67))["logits"].shape == (1, 2)


def test_phantoms_join_where_little_is_known_of_findings_or_all_images_are_alike(a_setup):
    alike = [
        ManifestRow(
            image_id=f"i{n}", exam_id="e", patient_id="p", laterality="L", view="CC", rows=9, cols=9, pixel_path="x",
            split="train", complete=True,
        )
        for n in range(500)
    ]  # fmt: skip
    ill = (Finding(finding_id="f", type="mass"),)
    known = [*alike[1:], replace(alike[0], findings=ill)]
    assert source_of("auto", known) == "presence"
    assert source_of("auto", alike) == source_of("auto", [replace(row, findings=ill) for row in alike]) == "phantoms"
    assert source_of("auto", known[1:]) == "phantoms"
    assert source_of("none", known) == "none"
    stages = [stage.name for stage in a_setup("alexnet_birads").stages]
    assert stages == ["centre", "phantoms", "pretrain", "transfer", "components"]


def test_training_sees_a_drawn_part_and_prediction_the_middle(a_setup):
    setup = a_setup("alexnet_birads")
    x = torch.rand(1, 76, 76)
    parts = {
        float(taken(drawn_part(Varied(x), {}, setup.config, torch.Generator().manual_seed(seed)), x)[0, 0, 0])
        for seed in range(20)
    }
    assert len(parts) > 10
    assert setup.batch(n=1).x.shape[-2:] == (76, 76)
    assert setup.batch(n=1, seed=3).x.shape[-2:] == (67, 67)


def test_the_mean_and_spread_are_those_of_the_training_images(a_setup):
    setup = a_setup("alexnet_birads")
    samples, loader = setup.view()
    centre, pixels = Centre(), torch.cat([loader.item(sample).x[0].flatten() for sample in samples])
    centre.learn(loader.collate([loader.item(sample)], torch.device("cpu")) for sample in samples)
    torch.testing.assert_close(centre.mean, pixels.mean())
    torch.testing.assert_close(centre.sd, pixels.std(correction=0))


def test_the_record_says_that_four_classes_are_ours():
    (served,) = get("alexnet_birads").serves
    assert served.fidelity == "adapted"
    assert "figures of the paper" in served.claim_note


def test_the_embedding_is_fc7_along_its_principal_components_on_training_images(a_setup, trained):
    model = load_model(trained("alexnet_birads", "density") / "model")
    setup = a_setup("alexnet_birads")
    network, components = model.modules["transfer"], model.modules["components"]
    train = setup.batch(n=24)
    said = model.method.predict(model.modules, train, model.config, Inference(aim=model.aim))
    found = torch.stack([own.embedding for own in said]).double()
    with torch.no_grad():
        fc7 = network.trunk.embed(seen(model.config, model.modules, train)).double()
    torch.testing.assert_close(found, (fc7 - components.mean) @ components.components.T, atol=1e-4, rtol=1e-4)
    assert found.shape == (24, 24)  # as many as there are training images, 256 at most
    assert (components.explained[:-1] >= components.explained[1:]).all()
    # What a balanced draw did to the prior is still undone: the stage that answers is not the last one.
    assert len(model.spec.prior_shift) == 4
