"""What makes `cascade_segmentation` itself: coarse maps guide finer networks. Figures: methods-17.md 3.7."""

import pytest
import torch

from ml.blocks.dropout import pass_masks
from ml.methods.cascade_segmentation import Config, blending, corrupted, cropped, places, posteriors, refined
from ml.methods.spec import Inference
from ml.runs.errors import RunRefused
from ml.training.loop import forward_of


@pytest.mark.parametrize(
    ("size", "counts"),
    [("large", (7_762_465, 7_762_753, 7_762_753)), ("base", (7_762_465, 7_762_753)), ("tiny", (121_033, 121_105))],
)
def test_a_size_has_its_levels_and_their_parameters(size, counts, a_setup):
    with torch.device("meta"):
        modules = a_setup("cascade_segmentation", size).modules()
        assert [sum(p.numel() for p in module.parameters()) for module in modules.values()] == list(counts)
        assert sum(counts) == {"large": 23_287_971, "base": 15_525_218, "tiny": 242_138}[size]


def cascade(a_setup, **config):
    torch.manual_seed(0)
    setup = a_setup("cascade_segmentation", **config)
    modules = setup.modules()
    for module in modules.values():
        module.eval()
    return setup, modules


def test_each_level_has_twice_the_pixels_of_the_one_before(a_setup):
    setup, modules = cascade(a_setup, levels=3, finest_px=256)
    with torch.no_grad():
        found, summary = posteriors(modules, torch.rand(2, 1, 256, 192), 2, setup.config)
    assert [tuple(p.shape) for p in found] == [(2, 1, 64, 48), (2, 1, 128, 96), (2, 1, 256, 192)]
    assert summary.shape == (2, 64)
    assert all(((p > 0) & (p < 1)).all() for p in found)


def test_the_finer_level_looks_at_the_coarser_ones_map(a_setup):
    setup, modules = cascade(a_setup)
    x, guide = torch.rand(1, 128, 96), torch.rand(1, 128, 96)
    with torch.no_grad():
        told, _ = refined(modules["level_1"], x, guide, setup.config)
        untold, _ = refined(modules["level_1"], x, guide * 0, setup.config)
    assert (told - untold).abs().max() > 1e-3


def test_crops_are_read_where_the_coarse_map_says_something_and_everywhere_if_it_is_silent(a_setup):
    setup, modules = cascade(a_setup)
    guide = torch.zeros(1, 128, 128)
    guide[0, 10, 10] = 0.9
    assert places(guide[0], setup.config) == [(0, 0)]
    assert len(places(guide[0] * 0, setup.config)) == 9
    with torch.no_grad():
        found, _ = refined(modules["level_1"], torch.rand(1, 128, 128), guide, setup.config)
    assert (found[64:] == 0).all() and (found[:64, :64] > 0).all()


def test_crops_of_a_network_that_always_says_the_same_are_blended_to_the_same(a_setup):
    setup, modules = cascade(a_setup)
    torch.nn.init.zeros_(modules["level_1"].out.weight)
    torch.nn.init.constant_(modules["level_1"].out.bias, 0.3)
    with torch.no_grad():
        found, _ = refined(modules["level_1"], torch.rand(1, 128, 96), torch.zeros(1, 128, 96), setup.config)
    torch.testing.assert_close(found, torch.full((128, 96), 0.3).sigmoid())
    assert blending(64, 64).argmax() in (31 * 64 + 31, 31 * 64 + 32, 32 * 64 + 31, 32 * 64 + 32)


def test_parts_are_erased_whole_and_others_invented():
    p = torch.zeros(1, 1, 64, 64)
    p[0, 0, 4:10, 4:10], p[0, 0, 40:50, 40:50] = 0.8, 0.9
    erased = corrupted(p, Config(erase_probability=1.0, invent_probability=0.0))
    assert (erased == 0).all()
    torch.manual_seed(0)
    half = [corrupted(p, Config(erase_probability=0.5, invent_probability=0.0)) for _ in range(20)]
    assert {(float(h[0, 0, 5, 5]) > 0, float(h[0, 0, 45, 45]) > 0) for h in half} == {
        (a, b) for a in (True, False) for b in (True, False)
    }
    invented = corrupted(p, Config(erase_probability=0.0, invent_probability=1.0))
    assert (invented >= p).all() and (invented - p).max() > 0.5
    torch.testing.assert_close(corrupted(p, Config(erase_probability=0.0, invent_probability=0.0)), p)


def test_most_crops_lie_on_a_mark():
    torch.manual_seed(0)
    where = torch.zeros(200, 1, 256, 256, dtype=torch.bool)
    where[:, :, 200, 30] = True
    part = cropped({"mask": where.float()}, where, Config(crop_px=32))
    assert part["mask"].shape == (200, 1, 32, 32)
    assert 0.6 < float(part["mask"].amax((1, 2, 3)).mean()) < 0.85


def test_a_finer_level_moves_no_weight_of_a_coarser_one(a_setup):
    setup, modules = cascade(a_setup)
    stage = setup.stage("level_1")
    before = {name: value.clone() for name, value in modules["level_0"].state_dict().items()}
    for own in modules["level_0"].parameters():
        own.requires_grad_(False)
    modules["level_1"].train()
    batch = setup.batch(n=2)
    outputs = forward_of(stage, modules, batch)
    assert outputs["logits"].shape[-2:] == (64, 64)
    sum(stage.loss(outputs, batch).values()).backward()
    torch.optim.SGD(modules["level_1"].parameters(), 0.1).step()
    assert all(torch.equal(value, before[name]) for name, value in modules["level_0"].state_dict().items())
    assert all(p.grad is None for p in modules["level_0"].parameters())
    assert all(layer.held is None for layer in modules["level_0"].dropout.values())


def test_a_pass_thins_all_levels_and_levels_that_disagree_are_told(a_setup):
    setup, modules = cascade(a_setup)
    batch = setup.batch(n=1)
    masks = {name: pass_masks(module, 2, 0) for name, module in modules.items()}
    masks["level_1"] = {name: torch.ones_like(mask) for name, mask in masks["level_1"].items()}
    with torch.no_grad():
        (said,) = setup.method.predict(modules, batch, setup.config, Inference(aim=setup.aim, passes=2, masks=masks))
    assert said.mask_samples.shape == (2, *said.mask.shape)
    assert said.mask_samples.var(0).max() > 1e-12  # through the guide alone
    assert 0 <= said.values["level_disagreement"] <= 1


def test_it_learns_no_tissues(a_setup):
    with pytest.raises(RunRefused, match="learns no tissues"):
        a_setup("cascade_segmentation", target="tissue")
