"""What makes `multiscale_patch` itself: patches before scans, and an image's best window. Figures: methods.md 3.2."""

import json

import pytest
import torch
from torch.nn import functional

from ml.methods.multiscale_patch import SCALES, PatchNet, ScanNet, cell_px, over_cells, peaks, windows_of
from ml.methods.multiscale_views import CLASSES, LESIONS, allowed, patch_view
from ml.methods.spec import Inference
from ml.training.parts import Varied, taken
from ml.training.schedule import factor
from ml.training.starting import load_copied
from ml.training.targets.boxes import LESION_TYPES


@pytest.mark.parametrize(("size", "count"), [("large", 11_186_784), ("base", 2_798_896), ("tiny", 19_512)])
def test_a_trunk_has_its_parameters(size, count, a_setup):
    with torch.device("meta"):
        config = a_setup("multiscale_patch", size).config
        patches, scan = PatchNet(config), ScanNet(config)
        assert sum(p.numel() for p in patches.trunk.parameters()) == count
        assert sum(p.numel() for p in scan.trunk.parameters()) == count
        assert patches.trunk(torch.zeros(1, 1, config.patch_px, config.patch_px)).shape[2:] == (8, 8)


def a_net(kind, config, seed=0):
    torch.manual_seed(seed)
    return kind(config).eval()


def test_a_scan_starts_from_the_trunk_of_its_patches(a_setup):
    setup = a_setup("multiscale_patch")
    modules = {name: module.eval() for name, module in setup.modules().items()}
    for scale in ("fine", "coarse"):
        scan = modules[f"scan_{scale}"]
        load_copied(scan, setup.stage(f"scan_{scale}"), modules)
        for name, value in modules[f"patches_{scale}"].trunk.state_dict().items():
            assert torch.equal(scan.trunk.state_dict()[name], value)


def test_a_window_of_the_scan_is_the_patch_that_was_cut_out(a_setup):
    """A lesion so far inside the patch that its edge is out of reach: there, padding cannot tell both apart."""
    config = a_setup("multiscale_patch").config
    patches, scan = a_net(PatchNet, config), a_net(ScanNet, config, 1)
    scan.trunk.load_state_dict(patches.trunk.state_dict())
    x = torch.zeros(1, 1, 192, 192)
    x[..., 60:68, 60:68] = torch.rand(8, 8)
    window = scan.windows(x)[..., 1, 1]
    assert window.abs().max() > 1e-4
    torch.testing.assert_close(window, patches.trunk(x[..., 32:96, 32:96]).mean((2, 3)))


def test_an_image_is_as_its_best_window_is_feature_by_feature_and_padding_is_none(a_setup):
    net = a_net(ScanNet, a_setup("multiscale_patch").config)
    x, valid = torch.rand(2, 1, 128, 128), torch.ones(2, 1, 128, 128, dtype=torch.bool)
    windows = net.windows(x).flatten(2)
    best = net.embed(x, valid)
    torch.testing.assert_close(best, windows.max(2).values)
    assert (best > windows.mean(2)).any()  # not their mean
    valid[:, :, :, 64:] = False
    assert (net.embed(x, valid) <= best).all()
    assert (net.embed(x, valid) < best).any()


def test_each_scale_alone_changes_the_answer_which_is_their_mean(a_setup):
    setup = a_setup("multiscale_patch")
    torch.manual_seed(2)
    modules = {name: module.eval() for name, module in setup.modules().items()}
    batch = setup.batch(n=2, split="test")

    def said():
        with torch.no_grad():
            return setup.method.predict(modules, batch, setup.config, Inference(aim=setup.aim))

    before = said()
    for one in before:
        assert float(one.probabilities[1]) == pytest.approx((one.values["fine"] + one.values["coarse"]) / 2, abs=1e-5)
    for scale, other in (("fine", "coarse"), ("coarse", "fine")):
        torch.nn.init.constant_(modules[f"scan_{scale}"].head.bias, 3.0)
        after = said()
        assert abs(after[0].values[scale] - before[0].values[scale]) > 0.1
        assert after[0].values[other] == before[0].values[other]
        before = after


def test_the_rate_of_the_patches_falls_to_a_tenth_twice(a_setup):
    """At 60 % and at 85 % of the steps, but at `tiny`."""
    assert a_setup("multiscale_patch").stage("patches_fine").optimiser.kind == "adamw"
    optimiser = a_setup("multiscale_patch", "base").stage("patches_fine").optimiser
    assert (optimiser.kind, optimiser.lr, optimiser.momentum) == ("sgd", 0.01, 0.9)
    assert [factor(optimiser, step, 100) for step in (59, 60, 84, 85, 99)] == pytest.approx([1, 0.1, 0.1, 0.01, 0.01])


def test_the_norms_of_a_scan_rest_and_their_weights_learn(a_setup):
    net = ScanNet(a_setup("multiscale_patch").config).train()
    before = net.trunk.norm.running_mean.clone()
    net.logits(net.embed(torch.rand(2, 1, 96, 96), torch.ones(2, 1, 96, 96, dtype=torch.bool)))[:, 1].sum().backward()
    assert torch.equal(net.trunk.norm.running_mean, before)
    assert net.trunk.norm.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("scale", "kind"), [("fine", "calcification"), ("coarse", "mass")])
def test_images_that_give_a_patch_of_a_lesion_are_those_with_one_of_the_scale_s_own_type(scale, kind, a_setup):
    samples, loader = (setup := a_setup("multiscale_patch")).view(setup.stage(f"patches_{scale}").reads)
    groups = {sample.id: loader.group(sample) for sample in samples}
    types = {sample.id: {finding.type for finding in sample.row.findings} for sample in samples}
    assert groups == {name: int(kind in own) for name, own in types.items()}
    assert set(groups.values()) == {0, 1} and set().union(*types.values()) >= {"mass", "calcification"}


def test_a_type_that_the_run_does_not_learn_gives_no_patch_of_a_lesion(a_setup):
    samples, loader = (setup := a_setup("multiscale_patch", findings=("mass",))).view(setup.stage("patches_fine").reads)
    assert {loader.group(sample) for sample in samples} == {0}


@pytest.mark.parametrize(("scale", "kind"), [("fine", "calcification"), ("coarse", "mass")])
def test_a_patch_shows_half_of_a_lesion_of_its_scale_or_none_at_all(scale, kind, a_setup):
    setup = a_setup("multiscale_patch")
    view, own = patch_view(scale), LESIONS.index(kind)
    x = torch.zeros(1, 220, 180)
    x[:, 90:110, 70:90] = 1.0  # the lesion, in a dark breast
    targets = {
        "boxes": torch.tensor([[70.0, 90.0, 90.0, 110.0]]), "labels": torch.tensor([0]), "types": torch.tensor([own]),
        "malignant": torch.tensor([1]), "ignore": torch.zeros(0, 4), "complete": torch.tensor(True),
    }  # fmt: skip
    area = 400 / (1 if scale == "fine" else 4)
    seen = set()
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        part = view(Varied(x), targets, setup.config, generator)
        patch, kept = taken(part, x), part.targets
        assert patch.shape == (1, 64, 64)
        assert patch.sum() >= 0.49 * area
        assert kept["malignant"].tolist() == [1]
        seen.add(int(patch.argmax()))
        none = view(Varied(x), {**targets, "types": torch.tensor([1 - own])}, setup.config, generator)
        assert len(none.targets["types"]) == 0
    assert len(seen) > 3  # never at the same place of the patch


def test_what_nobody_knows_of_a_lesion_is_left_open(a_setup):
    setup = a_setup("multiscale_patch")
    assert LESION_TYPES[:2] == LESIONS
    batch = setup.batch(n=2, reads=setup.stage("patches_coarse").reads)
    mass = LESIONS.index("mass")
    batch.targets["types"][:] = [torch.tensor([mass]), torch.tensor([mass])]
    batch.targets["malignant"][:] = [torch.tensor([1]), torch.tensor([-1])]
    assert allowed(batch, "coarse").nonzero().tolist() == [[0, 4], [1, 3], [1, 4]]
    assert allowed(batch, "fine").nonzero().tolist() == [[0, 0], [1, 0]]  # the other finding is background
    logits = torch.randn(2, len(CLASSES))
    loss = setup.stage("patches_coarse").loss({"logits": logits}, batch)["cross_entropy"]
    p = functional.softmax(logits, 1)
    torch.testing.assert_close(loss, -(p[0, 4].log() + (p[1, 3] + p[1, 4]).log()) / 2)


def test_the_hard_half_of_the_backgrounds_counts_twice(a_setup):
    setup = a_setup("multiscale_patch")
    batch = setup.batch(n=3, reads=setup.stage("patches_fine").reads)
    batch.targets["types"][:] = [torch.zeros(0, dtype=torch.long)] * 3
    batch.targets["malignant"][:] = [torch.zeros(0, dtype=torch.long)] * 3
    logits = torch.tensor([[5.0, 0, 0, 0, 0], [2.0, 0, 0, 0, 0], [-2.0, 0, 0, 0, 0]])
    losses = functional.cross_entropy(logits, torch.zeros(3, dtype=torch.long), reduction="none")
    wanted = (losses[0] + 2 * losses[1] + 2 * losses[2]) / 5
    torch.testing.assert_close(setup.stage("patches_fine").loss({"logits": logits}, batch)["cross_entropy"], wanted)


def test_peaks_of_the_windows_are_boxes_and_heat_lies_over_the_cells_that_they_cover():
    windows = torch.zeros(4, 3)
    windows[2, 1], windows[2, 2], windows[0, 0] = 0.9, 0.7, 0.4
    boxes, scores = peaks(windows, cell_px=8.0, side=8)
    assert boxes.tolist() == [[32.0, 64.0, 96.0, 128.0]]  # the second window by fours of cells, eight cells wide
    assert scores.tolist() == [pytest.approx(0.9)]
    heat = over_cells(windows, 8)
    assert heat.shape == (20, 16)
    assert (heat[8:16, 4:12] == 0.9).all()
    assert (heat[8:16, 12:16] == 0.7).all()
    assert (heat[:8, :4] == 0.4).all()
    assert heat[16:].max() == 0


def test_a_window_is_judged_as_the_patch_net_judges_it_alone(a_setup):
    net = PatchNet(a_setup("multiscale_patch").config).eval()
    torch.manual_seed(1)
    x = torch.rand(1, 1, 192, 160)
    with torch.no_grad():
        maps = net.trunk(x)
        alone = 1 - net.head(maps[:, :, 8:16, 4:12].mean((2, 3))).softmax(1)[0, 0]
        assert float(net.windows(x)[0, 2, 1]) == pytest.approx(float(alone), abs=1e-5)


def test_a_window_is_as_large_as_a_patch(a_setup):
    for size in ("tiny", "base", "large"):
        config = a_setup("multiscale_patch", size).config
        assert config.cells == 8 and config.cells * config.cell_px == config.patch_px
    small = a_setup("multiscale_patch", patch_px=32)
    net = PatchNet(small.config).eval()
    assert net.windows(torch.zeros(1, 1, 64, 64)).shape == (1, 3, 3)


def test_heat_is_the_higher_of_what_the_two_scales_say_of_a_pixel(a_setup):
    setup = a_setup("multiscale_patch")
    modules = {name: module.eval() for name, module in setup.modules().items()}
    batch = setup.batch(n=1, split="test")
    with torch.no_grad():
        said = {scale: windows_of(modules, batch, setup.config, scale)[0] for scale in SCALES}
        heat = setup.method.heat(modules, batch, setup.config)[0, 0]
    assert heat.shape == batch.x.shape[-2:]
    assert float(heat.max()) == pytest.approx(max(float(own.max()) for own in said.values()), abs=1e-6)
    for scale, windows in said.items():
        side = cell_px(setup.config, scale)
        middle = int(8 / 2 * side)  # of the first window
        if middle < min(heat.shape):
            assert float(heat[middle, middle]) > float(windows[0, 0]) - 0.05


def test_peaks_of_an_image_are_kept_in_its_own_pixels(trained, world):
    run = trained("multiscale_patch", "exam_classification")
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    stored = {row.image_id: row for row in world[0]}
    boxes = [row for row in rows if row["kind"] == "box"]
    assert {row["kind"] for row in rows} <= {"prob", "scalar", "box"}  # maps are drawn in explanations/ alone
    for row in boxes:
        assert row["target"] in LESIONS and row["score"] > 0.5
        assert 0 <= row["x0"] < row["x1"] <= stored[row["image_id"]].cols
        assert 0 <= row["y0"] < row["y1"] <= stored[row["image_id"]].rows
