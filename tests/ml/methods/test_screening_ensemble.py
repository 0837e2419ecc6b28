"""What makes `screening_ensemble` itself: three looks, averaged as probabilities. Source: methods-17.md 3.11."""

from dataclasses import replace

import pytest
import torch

from ml.blocks.backbones import backbone
from ml.blocks.noisy_or import LEAST_LOGIT, noisy_or
from ml.methods.screening_ensemble import boxes_again, exam_scores, lesion_logits, plan, views_logits
from ml.methods.screening_parts import detector_config, moved, recalled
from ml.methods.spec import Inference
from ml.training.data import Recalled
from ml.training.lessons import Artefacts
from ml.training.model_folder import load_model

TASK = "exam_classification"


def test_the_large_networks_have_the_trunks_of_the_section(a_setup):
    with torch.device("meta"):
        modules = a_setup("screening_ensemble", "large").modules()
    count = {name: sum(p.numel() for p in own.parameters()) for name, own in modules.items()}
    # Grey stems: 6,272 weights less than the 3-channel counts of 2,223,872 and 23,508,032.
    assert count["lesion_classifier"] == 2_223_872 - 2 * 32 * 9 + 1280 + 1
    with torch.device("meta"):
        trunk = sum(p.numel() for p in backbone("resnet50", in_channels=3).parameters())
    assert trunk == 23_508_032
    assert count["case"] == trunk - 2 * 64 * 49 + (4 * 2048 * 512 + 512) + (512 + 1)
    assert 85e6 < sum(count.values()) < 95e6


def test_noisy_or_is_zero_without_a_box_and_grows_with_every_box():
    breast = torch.tensor([0, 0, 2])
    p = torch.sigmoid(noisy_or(torch.logit(torch.tensor([0.3, 0.5, 0.9])), breast, 3))
    torch.testing.assert_close(p, torch.tensor([1 - 0.7 * 0.5, torch.sigmoid(torch.tensor(LEAST_LOGIT)), 0.9]))
    base = torch.tensor([-1.0, 0.2, 2.0])
    for n in range(3):
        more = base.clone()
        more[n] += 0.5
        assert noisy_or(more, torch.zeros(3, dtype=torch.long), 1) > noisy_or(base, torch.zeros(3, dtype=torch.long), 1)


@pytest.fixture
def model(trained):
    found = load_model(trained("screening_ensemble", TASK) / "model")
    found.modules["calibrate"]["breast"].keep(slope=[0.7], offset=[0.2])
    return found


def test_the_answer_is_the_mean_of_the_three_calibrated_probabilities_of_the_exam(model, a_setup):
    batch = a_setup("screening_ensemble").batch(n=2)
    with torch.no_grad():
        said = model.method.predict(model.modules, batch, model.config, Inference(aim=model.aim, passes=1))
        logits, *_ = exam_scores(model.config, model.modules, batch)
    for n, own in enumerate(said):
        scores = [own.values[f"score_{name}"] for name in ("lesion_classifier", "breast", "case")]
        assert float(own.probabilities[1]) == pytest.approx(sum(scores) / 3, abs=1e-6)
        assert scores[1] == pytest.approx(float(torch.sigmoid(0.7 * logits[n, 1] + 0.2)), abs=1e-6)
        torch.testing.assert_close(own.samples[:, 1], torch.tensor(scores))
        assert own.samples[:, 1].var() > 0


def test_one_breast_does_not_speak_for_the_other_and_the_case_sees_all_views(model, a_setup):
    batch = a_setup("screening_ensemble").batch(n=1)
    right, left = [0, 2], [1, 3]
    with torch.no_grad():
        case = views_logits(model.modules["case"], batch.x, batch.view_mask)[0]
        own = views_logits(model.modules["breast"], batch.x[:, right], batch.view_mask[:, right])[0]
        for view in range(4):
            x = batch.x.clone()
            x[:, view] = x[:, view].flip(-2)
            assert (views_logits(model.modules["case"], x, batch.view_mask)[0] - case).abs().max() > 1e-7
            again = views_logits(model.modules["breast"], x[:, right], batch.view_mask[:, right])[0]
            assert torch.equal(again, own) == (view in left)


def test_boxes_of_a_view_that_is_not_there_do_not_count(model, a_setup):
    batch = a_setup("screening_ensemble").batch(n=1)
    x, mask = batch.x[:, [0, 2]], torch.tensor([[True, True]])
    with torch.no_grad():
        both = lesion_logits(model.config, model.modules, x, mask)
        one = lesion_logits(model.config, model.modules, x, torch.tensor([[True, False]]))
        alone = lesion_logits(model.config, model.modules, x[:, :1], torch.tensor([[True]]))
    assert (both > one).all()
    torch.testing.assert_close(one, alone, atol=1e-4, rtol=1e-4)


@pytest.fixture
def a_recalling_batch(trained, a_setup):
    """make(seed) -> training breasts as the lesion classifier's steps see them; without a seed as they are."""
    setup = a_setup("screening_ensemble")
    kept = Artefacts(trained("screening_ensemble", TASK) / "artefacts").read("proposals:boxes")
    samples, loader = setup.view(setup.stage("lesion_classifier").reads)
    rows = {samples[int(place)].id: row for row, place in enumerate(kept.pop("index"))}
    loader = replace(loader, recalled=Recalled(kept, rows))
    return lambda seed=None: loader.collate([loader.item(sample, seed) for sample in samples[:3]], torch.device("cpu"))


def test_the_classifier_learns_from_boxes_that_were_proposed_once(model, a_setup, a_recalling_batch):
    batch, stage = a_recalling_batch(), a_setup("screening_ensemble").stage("lesion_classifier")
    alone = {"lesion_classifier": model.modules["lesion_classifier"]}  # no detector to ask
    with torch.no_grad():
        kept = stage.forward(alone, batch)["members"]
        asked = lesion_logits(model.config, model.modules, batch.x, batch.view_mask)
        # Where one of the samples was not asked about in training, the detector is.
        known = batch.targets["proposed"].clone()
        known[0] = False
        new = replace(batch, targets={**batch.targets, "proposed": known})
        assert recalled(new) is None
        torch.testing.assert_close(stage.forward(model.modules, new)["members"], asked)
    torch.testing.assert_close(kept, asked, atol=1e-4, rtol=1e-4)


def test_kept_boxes_move_with_the_image(a_recalling_batch):
    plain = a_recalling_batch()
    still, count = recalled(plain), 0
    for seed in range(1, 5):
        varied = a_recalling_batch(seed)
        for n, (before, after) in enumerate(zip(still, recalled(varied), strict=True)):
            forth = varied.affine.flatten(0, 1)[n] @ torch.linalg.inv(plain.affine.flatten(0, 1)[n])
            points = torch.cat([(before[:, :2] + before[:, 2:]) / 2, torch.ones(len(before), 1)], 1).double()
            centre = (points @ forth.T)[:, :2]
            inside = ((centre >= 0) & (centre < torch.tensor(varied.x.shape[:-3:-1]))).all(1)
            torch.testing.assert_close((after[:, :2] + after[:, 2:]).double() / 2, centre[inside], atol=1e-2, rtol=0)
            sides = (before[:, 2:] - before[:, :2])[inside] * float(forth[:2, :2].det()) ** 0.5
            torch.testing.assert_close(after[:, 2:] - after[:, :2], sides, atol=1e-2, rtol=0)
            count += int((centre - points[:, :2]).abs().max() > 1)
    assert count > 3  # most images were turned or scaled
    turn = torch.tensor([[0.0, -2, 10], [2, 0, 0], [0, 0, 1]], dtype=torch.float64)
    assert moved(torch.tensor([[1.0, 2, 3, 6]]), turn).tolist() == [[0.0, 0.0, 4.0, 8.0]]


def test_marks_are_the_boxes_of_the_lesion_model_on_the_views_that_are_there(model, a_setup):
    batch = a_setup("screening_ensemble").batch(n=2)
    mask = batch.view_mask.clone()
    mask[1, 3] = False
    batch = replace(batch, view_mask=mask)
    right = [0, 2]
    with torch.no_grad():
        said = model.method.predict(model.modules, batch, model.config, Inference(aim=model.aim))
        breast = lesion_logits(model.config, model.modules, batch.x[:, right], mask[:, right])[0]
    for n, own in enumerate(said):
        where = {one.slot: one for one in own.where}
        assert sorted(where) == [0, 1, 2, 3]
        # A breast's score is that at least one of its boxes is true.
        scores = torch.cat([where[slot].scores for slot in right])
        assert len(scores) > 0
        torch.testing.assert_close(1 - (1 - scores).prod(), torch.sigmoid(breast[n]), atol=1e-4, rtol=1e-4)
        for one in where.values():
            assert one.scores.tolist() == sorted(one.scores.tolist(), reverse=True)
            assert len(one.boxes) == len(one.scores) <= model.config.boxes
    assert len(said[0].where[-1].boxes) > 0
    assert not any(len(one.boxes) for one in said[1].where if one.slot == 3)


def test_positives_weigh_by_their_rarity_but_never_more_than_twenty_times(a_setup):
    setup = a_setup("screening_ensemble")
    train = [row for row in setup.rows if row.split == "train"]
    unsettled = replace(setup.config, pos_weight=None)
    assert setup.config.pos_weight == plan(unsettled, train).pos_weight == 12 / 2 - 1
    assert plan(unsettled, [replace(row, outcome=None, findings=()) for row in train]).pos_weight == 12


def test_the_detector_looks_at_the_image_and_its_sections_and_learns_from_both(a_setup):
    setup = a_setup("screening_ensemble", sections=True)
    torch.manual_seed(0)
    modules = {name: module.eval() for name, module in setup.modules().items()}
    looks = []
    pyramid = modules["lesion_detector"].pyramid
    modules["lesion_detector"].pyramid = lambda x: looks.append(tuple(x.shape[-2:])) or pyramid(x)
    _, image, crops = boxes_again(setup.config, modules, torch.rand(1, 1, 96, 64))
    assert len(looks) == 26
    assert (len(crops), image.tolist()) == (10, [0] * 10)
    reads = setup.stage("lesion_detector").reads
    sizes = {tuple(setup.batch(n=1, seed=seed, reads=reads).x.shape[-2:]) for seed in range(1, 9)}
    assert len(sizes) > 1
    large = detector_config(a_setup("screening_ensemble", "large").config)
    assert (large.sections, setup.config.sections, a_setup("screening_ensemble").config.sections) == (True, True, False)
