"""What makes `gmic` itself: crops where the saliency points, and who learns from whom. Figures: methods.md 3.19."""

import json

import pytest
import torch
from torch.nn import functional

from ml.methods.gmic import classes_of, names
from ml.methods.spec import Inference


@pytest.fixture
def net(a_setup):
    torch.manual_seed(3)
    return a_setup("gmic").stages[0].build().eval()


@pytest.mark.parametrize(
    ("size", "count"),
    [("large", 14_110_322), ("base", 14_104_050), ("tiny", 27_174)],  # the last two are golden numbers
)
def test_a_size_has_its_parameters(size, count, a_setup):
    with torch.device("meta"):
        assert sum(p.numel() for p in a_setup("gmic", size).stages[0].build().parameters()) == count


def test_the_maps_of_the_paper_and_of_tiny(a_setup):
    with torch.device("meta"):
        large = a_setup("gmic", "large").stages[0].build()
        assert large.trunk(torch.zeros(1, 1, 2944, 1920))[-1].shape == (1, 256, 46, 30)
        tiny = a_setup("gmic", "tiny").stages[0].build()
        assert tiny.trunk(torch.zeros(1, 1, 128, 96))[-1].shape == (1, 16, 16, 12)


def test_the_global_score_is_the_mean_of_the_highest_cells_and_attention_sums_to_one(net):
    out = net(torch.rand(2, 1, 1, 128, 96))
    cells = out["saliency"].flatten(2)
    k = round(0.03 * cells.shape[2])
    torch.testing.assert_close(out["pooled"], cells.topk(k, dim=2).values.mean(2))
    torch.testing.assert_close(out["attention"].sum(1), torch.ones(2))


def test_crops_follow_the_highest_window_of_the_saliency_and_never_count_a_cell_twice(net):
    x = torch.rand(3, 1, 1, 128, 96)
    out = net(x)
    for n, maps in enumerate(out["saliency"].detach()):
        low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
        total = ((maps - low) / (high - low)).sum(0)
        for x0, y0 in out["corners"][n].tolist():
            means = functional.avg_pool2d(total[None, None], 4, 1)[0, 0]
            row, col = divmod(int(means.argmax()), means.shape[1])
            assert (x0, y0) == (col * 8, row * 8)
            total[row : row + 4, col : col + 4] = 0  # what was seen speaks for no other crop


def test_the_crops_are_pixels_of_the_image(net):
    seen = []
    net.local.register_forward_hook(lambda module, args, out: seen.append(args[0]))
    x = torch.rand(1, 1, 1, 128, 96)
    out = net(x)
    whole = (x[0, 0, 0] - x.mean()) / x.std(unbiased=False)
    for crop, (x0, y0) in zip(seen[0], out["corners"][0].tolist(), strict=True):
        torch.testing.assert_close(crop[0], whole[y0 : y0 + 32, x0 : x0 + 32])


@pytest.mark.parametrize(
    ("output", "reached"),
    [
        ("logits", {"trunk", "local", "attention", "fusion"}),
        ("local", {"local", "attention", "local_head"}),
        ("pooled", {"trunk", "saliency"}),
    ],
)
def test_the_saliency_learns_from_the_global_score_alone(output, reached, net):
    """The crops' corners carry no gradient: neither fusion nor crops move the saliency."""
    net.train()
    net(torch.rand(4, 1, 1, 128, 96))[output].sum().backward()
    found = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert found == reached


def test_what_the_crops_show_is_in_the_answer(net):
    x = torch.rand(2, 1, 1, 128, 96)
    before = net(x)
    net.local.register_forward_hook(lambda module, args, maps: [torch.zeros_like(m) for m in maps])
    after = net(x)
    assert (before["logits"] - after["logits"]).abs().max() > 1e-4
    torch.testing.assert_close(before["pooled"], after["pooled"])


def test_benign_and_malignant_are_two_questions_and_an_unknown_label_teaches_nothing(a_setup):
    setup = a_setup("gmic")
    assert classes_of(setup.aim) == ("benign", "malignant")
    stage, batch = setup.stages[0], setup.batch(n=4)
    labels = torch.stack([batch.targets["benign"], batch.targets["class"]], 1)
    assert {tuple(row) for row in labels.tolist()} <= {(0, 0), (0, 1), (1, 0)}
    net = stage.build()
    outputs = net(batch.x)
    wanted = functional.binary_cross_entropy_with_logits(outputs["logits"], labels.float())
    torch.testing.assert_close(stage.loss(outputs, batch)["fusion"], wanted)
    batch.targets["benign"].fill_(-1)
    wanted = functional.binary_cross_entropy_with_logits(outputs["logits"][:, 1], labels[:, 1].float())
    torch.testing.assert_close(stage.loss(outputs, batch)["fusion"], wanted)


def test_without_outcomes_any_lesion_is_the_one_class(a_setup):
    setup = a_setup("gmic", target="presence")
    assert setup.stages[0].build().saliency.out_channels == 1
    assert setup.stages[0].loss(setup.stages[0].build()(setup.batch(n=4).x), setup.batch(n=4))["fusion"] > 0


def test_copies_are_networks_of_their_own_whose_mean_is_the_answer(a_setup):
    setup = a_setup("gmic", copies=3)
    assert names(setup.config) == ("main", "copy2", "copy3") == tuple(stage.name for stage in setup.stages)
    modules = {name: module.eval() for name, module in setup.modules().items()}
    batch = setup.batch(n=1, split="test")
    with torch.no_grad():
        (said,) = setup.method.predict(modules, batch, setup.config, Inference(aim=setup.aim))
    own = [module(batch.x)["logits"][0, 1].sigmoid() for module in modules.values()]
    torch.testing.assert_close(said.samples[:, 1], torch.stack(own))
    torch.testing.assert_close(said.probabilities[1], torch.stack(own).mean())


def test_heat_is_the_saliency_of_what_the_run_is_about_over_the_pixels(a_setup):
    setup = a_setup("gmic")
    modules = {name: module.eval() for name, module in setup.modules().items()}
    batch = setup.batch(n=2, split="test")
    with torch.no_grad():
        saliency = modules["main"](batch.x, batch.valid)["saliency"][:, -1]
        heat = setup.method.heat(modules, batch, setup.config)
    assert heat.shape == (2, 1, *batch.x.shape[-2:])
    side = batch.x.shape[-2] / saliency.shape[1]
    for n, (row, col) in enumerate(divmod(int(own.argmax()), own.shape[1]) for own in saliency):
        middle = heat[n, 0, int((row + 0.5) * side), min(int((col + 0.5) * side), heat.shape[3] - 1)]
        assert float(middle) > 0.9 * float(saliency[n].max())
    assert float(heat.max()) <= float(saliency.max())


def test_the_crops_that_count_are_kept_for_people(trained):
    run = trained("gmic", "exam_classification")
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    images = {row["image_id"] for row in rows if row["kind"] == "prob"}
    crops = [row for row in rows if row["kind"] == "box"]
    assert {row["image_id"] for row in crops} == images  # of two crops one has at least half of the attention
    assert all(row["target"] == "attention" and row["score"] > 0.2 for row in crops)
    assert {row["kind"] for row in rows} <= {"prob", "scalar", "box"}  # maps are drawn in explanations/ alone
