"""What makes `retinanet_mass` itself: pyramid, anchors, focal loss, sections. Source of the figures: methods.md 3.4."""

from dataclasses import replace

import pytest
import torch

from ml.methods import get
from ml.methods.retinanet_mass import _Candidates, _settle, centres_inside, detection_loss, over_sections, train_view
from ml.methods.spec import Inference
from ml.training.parts import Varied, taken

FOUR = ("mass", "calcification", "asymmetry", "architectural_distortion")


@pytest.mark.parametrize(
    ("size", "findings", "count"),
    [
        ("large", ("mass",), 36_329_837),
        ("large", FOUR, 36_392_072),
        ("tiny", ("mass",), 339_781),
        ("tiny", FOUR, 347_584),
        ("base", ("mass",), 13_698_157),  # golden number of this implementation
    ],
)
def test_a_size_has_its_parameters(size, findings, count, a_stage):
    with torch.device("meta"):
        _, _, stage = a_stage("retinanet_mass", size, findings)
        assert sum(p.numel() for p in stage.build().parameters()) == count


def test_the_large_network_has_nine_anchors_a_cell_of_five_levels(a_stage):
    with torch.device("meta"):
        _, _, stage = a_stage("retinanet_mass", "large", ("mass",))
        levels = stage.build().pyramid(torch.zeros(1, 1, 1, 800, 1024))
        assert [tuple(m.shape[1:]) for m in levels] == [
            (256, 100, 128), (256, 50, 64), (256, 25, 32), (256, 13, 16), (256, 7, 8),
        ]  # fmt: skip


def test_all_four_findings_are_open_by_default(a_setup):
    assert a_setup("retinanet_mass").aim.labels == FOUR


def test_a_fresh_network_gives_every_anchor_about_one_percent(a_stage):
    _, _, stage = a_stage("retinanet_mass")
    torch.manual_seed(0)
    p = stage.build()(torch.rand(1, 1, 1, 128, 128))["logits"].sigmoid()
    assert 0.008 < p.mean() < 0.013


def test_an_image_that_may_hold_unmarked_findings_gives_no_negatives(a_setup):
    setup = a_setup("retinanet_mass")
    stage, batch = setup.stage("main"), setup.batch(n=2)
    unsure = {**batch.targets, "complete": torch.zeros(2, dtype=torch.bool)}
    nothing = {**unsure, "boxes": [torch.zeros(0, 4)] * 2, "labels": [torch.zeros(0, dtype=torch.long)] * 2}
    outputs = stage.build()(batch.x, batch.valid)
    full = detection_loss(outputs, batch)["focal"]
    assert 0 < detection_loss(outputs, replace(batch, targets=unsure))["focal"] < full
    assert detection_loss(outputs, replace(batch, targets=nothing))["focal"] == 0


def test_anchors_on_the_padding_of_a_batch_are_left_out():
    valid = torch.zeros(1, 64, 64, dtype=torch.bool)
    valid[:, :40, :20] = True
    anchors = torch.tensor([[0.0, 0, 10, 10], [15, 5, 27, 15], [0, 36, 8, 48]])
    assert centres_inside(anchors, valid).tolist() == [True, False, False]


def test_the_passes_repeat_the_last_layers_and_agree_with_whole_runs(a_setup):
    """The shortcut (towers once, mean mask for the codes) equals running the network with each pass's masks."""
    from ml.blocks.dropout import held, pass_masks

    setup = a_setup("retinanet_mass")
    torch.manual_seed(3)
    network, batch = setup.stage("main").build().eval(), setup.batch(n=1)
    x, valid, masks = batch.x, batch.valid, pass_masks(network, 3, 7)
    inference = Inference(aim=setup.aim, passes=3, masks={"main": masks}, min_score=0.0, per_finding=20)
    with torch.no_grad():
        (said,) = setup.method.predict({"main": network}, batch, setup.config, inference)
        whole = []
        for t in range(3):
            with held(network, masks, t):
                whole.append(network(x, valid)["logits"].sigmoid()[0])
    best = torch.stack(whole).mean(0).max()
    torch.testing.assert_close(said.scores[0], best)
    torch.testing.assert_close(said.samples.mean(0), said.scores)


def test_candidates_overlap_by_less_than_the_limit_within_a_finding(a_setup):
    setup = a_setup("retinanet_mass")
    found = _Candidates(
        torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]]),
        torch.tensor([[0.9, 0.1], [0.8, 0.7], [0.5, 0.0]]),
        torch.zeros(1, 3, 2),
    )
    said = _settle(found, setup.config, Inference(aim=setup.aim), torch.zeros(4))
    assert [(round(float(s), 1), int(k)) for s, k in zip(said.scores, said.labels, strict=True)] == [
        (0.9, 0), (0.7, 1), (0.5, 0),
    ]  # fmt: skip


def sections_config(**changes):
    return get("retinanet_mass").configured("base", {"short_px": 120, "long_px": 240, **changes})


def test_a_section_keeps_boxes_that_are_mostly_inside_and_ignores_cut_ones():
    config = sections_config()
    targets = {
        "boxes": torch.tensor([[10.0, 10, 30, 30], [100, 20, 160, 60]]),
        "labels": torch.tensor([0, 1]),
        "ignore": torch.zeros(0, 4),
        "complete": torch.tensor(True),
    }
    seen = set()
    for seed in range(60):
        whole = torch.rand(1, 600, 360)
        part = train_view(Varied(whole), targets, config, torch.Generator().manual_seed(seed))
        x, moved = taken(part, whole), part.targets
        assert min(x.shape[-2:]) == 120
        assert len(moved["boxes"]) == len(moved["labels"])
        seen.add((len(moved["boxes"]), len(moved["ignore"])))
        assert (moved["boxes"] >= 0).all()
    assert {(2, 0), (0, 0), (1, 1)} <= seen


def bright_square(crop):
    """A detector that always finds the bright square, wherever its window lies."""
    rows, cols = torch.where(crop[0, 0, 0] > 0.5)
    if not len(rows):
        return _Candidates(torch.zeros(0, 4), torch.zeros(0, 1), torch.zeros(1, 0, 1)), torch.zeros(4)
    box = torch.stack([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]).float()[None]
    return _Candidates(box, torch.ones(1, 1), torch.ones(1, 1, 1)), torch.zeros(4)


def test_a_mass_on_a_seam_of_sections_gives_one_box(a_setup):
    x = torch.zeros(1, 1, 600, 360)
    x[..., 190:215, 110:130] = 1.0
    valid = torch.ones(1, 600, 360, dtype=torch.bool)
    said = over_sections(bright_square, x, valid, sections_config(), Inference(aim=a_setup("retinanet_mass").aim))
    torch.testing.assert_close(said.boxes, torch.tensor([[110.0, 190, 130, 215]]), atol=1.5, rtol=0)
