"""What makes `frozen_mil` itself: an encoder that stays, and a bag of tiles. Figures: methods.md 3.19."""

import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from ml.blocks.backbones import backbone
from ml.methods import frozen_mil
from ml.methods.frozen_mil import Heads, MilHead, bag
from ml.methods.frozen_parts import Descriptions, Encoder, version_of
from ml.methods.spec import Inference
from ml.pixels.features import FeatureCache
from ml.pixels.tiles import places
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.request import EvaluationOptions, Init, Request
from ml.training.lent import Lent
from ml.training.run import run
from ml.training.starting import Start, require_trunk
from tests.ml.methods import world as small


@pytest.mark.parametrize(
    ("size", "features", "head"),  # golden numbers of this implementation
    [("tiny", 32, 12_725), ("base", 512, 138_005), ("large", 1024, 271_637)],
)
def test_a_head_has_its_parameters(size, features, head, a_setup):
    with torch.device("meta"):
        config = a_setup("frozen_mil", size).config
        assert Encoder(config).trunk.embed_width == features <= 1024
        assert sum(p.numel() for p in MilHead(config, features).parameters()) == head
        assert len(Heads(config, features).members) == 5


@pytest.fixture
def made(a_setup):
    setup = a_setup("frozen_mil")
    torch.manual_seed(4)
    modules = {name: module.eval() for name, module in setup.modules().items()}
    return setup, modules["encoder"], modules["heads"]


def test_the_encoder_learns_nothing_from_the_heads(trained, made):
    """Neither weights nor running statistics, though the heads were trained on what it says."""
    run = trained("frozen_mil", "exam_classification")
    kept = load_file(run / "artefacts" / "encoder" / "weights.safetensors")
    model = load_file(run / "model" / "weights.safetensors")
    assert any("running_mean" in name for name in kept)
    assert all(torch.equal(model[f"encoder.{name}"], value) for name, value in kept.items())
    setup, encoder, heads = made
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder.train()
    stage = setup.stage("heads")
    batch = setup.batch(n=2)
    sum(stage.loss(stage.forward({"encoder": encoder, "heads": heads}, batch), batch).values()).backward()
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert all(p.grad is None for p in encoder.parameters())


def test_the_order_of_tiles_does_not_matter_and_air_is_nothing(made):
    _, _, heads = made
    tiles, views = torch.randn(2, 12, 32), torch.arange(4).repeat_interleave(3)
    mask = torch.ones(2, 12, dtype=torch.bool)
    before = heads(tiles, views, mask)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    after = heads(tiles[:, order], views[order], mask)
    torch.testing.assert_close(after["logits"], before["logits"])
    torch.testing.assert_close(before["attention"].sum(2), torch.ones(5, 2))
    air = torch.cat([tiles, torch.randn(2, 5, 32)], 1), torch.cat([views, torch.zeros(5, dtype=torch.long)])
    none = torch.cat([mask, torch.zeros(2, 5, dtype=torch.bool)], 1)
    more = heads(*air, none)
    torch.testing.assert_close(more["logits"], before["logits"])
    assert (more["attention"][..., 12:] == 0).all()
    # The view of a tile is part of it.
    assert (heads(tiles, views.flip(0), mask)["logits"] - before["logits"]).abs().max() > 1e-6


def test_tiles_lie_where_there_is_breast_and_views_that_are_not_there_are_left_out(made):
    setup, encoder, _ = made
    batch = setup.batch(n=2, split="test")
    # Weights of its own: nobody has kept what this encoder says.
    torch.nn.init.normal_(encoder.trunk.features.conv0.weight)
    shown, embed = [], encoder.embed
    encoder.embed = lambda own: shown.append(len(own)) or embed(own)
    tiles, views, there = bag(encoder, batch, setup.config, Descriptions())
    corners = list(places(batch.x.shape[-2:], 32, 16))
    count = len(corners)
    assert (tiles.shape, views.tolist()) == ((2, 4 * count, 32), [v for v in range(4) for _ in range(count)])
    shares = torch.stack([batch.breast[0, 0, 0, y : y + 32, x : x + 32].float().mean() for y, x in corners])
    assert there[0, :count].tolist() == (shares >= 0.02).tolist()
    # What shows no breast is not looked at either.
    assert 0 < int(there.sum()) == sum(shown) < there.numel()
    assert (tiles[~there] == 0).all() and (tiles[there].abs().sum(1) > 0).all()
    mask = batch.view_mask.clone()
    mask[0, 2] = False
    there = bag(encoder, replace(batch, view_mask=mask), setup.config, Descriptions())[2]
    assert not there[0, 2 * count : 3 * count].any()


@pytest.fixture
def kept_at(tmp_path):
    """A batch whose descriptions are kept in a folder of the test's own."""

    def make(batch):
        return replace(batch, origin=replace(batch.origin, features=FeatureCache(tmp_path / "features")))

    return make


def test_an_image_is_looked_at_once_in_all_runs_and_anew_by_another_encoder(made, kept_at):
    setup, encoder, _ = made
    batch, kept = kept_at(setup.batch(n=1, split="test")), Descriptions()
    first = bag(encoder, batch, setup.config, kept)[0]
    assert kept.looked == 4
    again = bag(encoder, batch, setup.config, kept)[0]
    another_run = Descriptions()
    from_disk = bag(encoder, batch, setup.config, another_run)[0]
    assert (kept.looked, another_run.looked) == (4, 0)
    assert torch.equal(first, again) and torch.equal(first, from_disk)
    encoder.head.bias.data += 1  # what an encoder learned of its images has no part in what it says of tiles
    assert torch.equal(first, bag(encoder, batch, setup.config, kept)[0]) and kept.looked == 4
    encoder.trunk.features.norm0.running_mean += 0.5  # statistics have
    other = bag(encoder, batch, setup.config, kept)[0]
    assert kept.looked == 8
    assert (other - first).abs().max() > 1e-4


def test_what_is_known_of_an_image_is_not_said_of_other_pixels(made, kept_at):
    setup, encoder, _ = made
    batch, kept = kept_at(setup.batch(n=1, split="test")), Descriptions()
    first = bag(encoder, batch, setup.config, kept)[0]
    darker = bag(encoder, replace(batch, x=batch.x / 2), setup.config, kept)[0]
    assert (darker - first).abs().max() > 1e-4
    half = batch.breast.clone()
    half[..., 40:, :] = False
    narrow = bag(encoder, replace(batch, breast=half), setup.config, kept)[2]
    assert 0 < int(narrow.sum()) < int(bag(encoder, batch, setup.config, kept)[2].sum())
    larger = replace(setup.config, tile_px=48)
    assert bag(encoder, batch, larger, kept)[0].shape[1] < first.shape[1]
    encoder_batch = setup.batch(n=1, seed=3, reads=setup.stage("encoder").reads)
    assert encoder_batch.known_as(0, 0) is None  # it is varied in every step
    assert batch.known_as(0, 0) != batch.known_as(0, 1)


def test_an_encoder_is_hashed_again_only_where_it_was_changed(made):
    _, encoder, _ = made
    first = version_of(encoder.trunk)
    read, encoder.trunk.state_dict = encoder.trunk.state_dict, None
    assert version_of(encoder.trunk) == first  # it could not have been read
    encoder.trunk.state_dict = read
    with torch.no_grad():
        encoder.trunk.features.conv0.weight[0] += 1
    assert version_of(encoder.trunk) != first


def test_memory_holds_no_more_than_it_may(made):
    setup, encoder, _ = made
    batch, kept = setup.batch(n=2, split="test"), Descriptions(limit_bytes=16_000)
    bag(encoder, batch, setup.config, kept)
    assert 1 <= len(kept._kept) < 8
    assert kept._bytes == sum(own.nbytes for arrays in kept._kept.values() for own in arrays.values()) <= 16_000


def test_a_later_round_with_the_same_encoder_looks_at_no_image_again(trained, world, tmp_path, monkeypatch):
    """A continued run takes its encoder over: its weights and answers are those of a run that had to look."""
    rows, folder = world
    cache = tmp_path / "cache"

    def train(name, cache, **more):
        monkeypatch.setattr(frozen_mil, "DESCRIBED", Descriptions())
        request = Request(
            run_id="round", method="frozen_mil", task="exam_classification", compute=small.TWO_STEPS,
            evaluation=EvaluationOptions(bootstrap=20), pixels={"cache_dir": str(cache)}, **more,
        )  # fmt: skip
        path = small.run_folder(tmp_path / name, rows, folder, request)
        if more:
            shutil.copytree(before / "model", path / "init" / "model")
        assert run(path, command="train") is Exit.FINISHED, (path / "events.jsonl").read_text()[-2000:]
        return path, frozen_mil.DESCRIBED.looked

    before = trained("frozen_mil", "exam_classification")
    init = Init(kind="model_dir", path="init/model")
    first, looked = train("first", cache, init=init)
    assert looked == 48  # each image once, whatever the steps and looks at validation
    second, looked = train("second", cache, init=init)
    assert looked == 0
    for name in ("model/weights.safetensors", "predictions.jsonl"):
        assert (second / name).read_bytes() == (first / name).read_bytes()


def test_heads_learn_as_if_each_were_alone(made):
    setup, encoder, heads = made
    stage, batch = setup.stage("heads"), setup.batch(n=2)
    outputs = stage.forward({"encoder": encoder, "heads": heads}, batch)
    sum(stage.loss(outputs, batch).values()).backward()
    together = heads.members[2].exam.weight.grad.clone()
    heads.zero_grad()
    outputs = stage.forward({"encoder": encoder, "heads": heads}, batch)
    own = {name: value[2:3] for name, value in outputs.items()}
    sum(stage.loss(own, batch).values()).backward()
    torch.testing.assert_close(heads.members[2].exam.weight.grad, together)
    assert heads.members[0].exam.weight.grad.abs().sum() == 0


def test_a_given_encoder_keeps_its_trunk_and_must_be_given(a_setup):
    given = a_setup("frozen_mil", encoder="given").stages
    assert given[0].trainable == ("head.",)
    with pytest.raises(RunRefused, match="start from a model or a weights file") as error:
        require_trunk(given, Start())
    assert error.value.code == "init_needed"
    require_trunk(a_setup("frozen_mil").stages, Start())
    trunk = {f"trunk.{name}": value for name, value in backbone("tiny_vgg16").state_dict().items()}
    lent = Lent(trunk, "", Init(kind="weights_file", path="init/weights.safetensors"))
    with pytest.raises(RunRefused) as error:
        require_trunk(given, Start(lent=lent))
    assert error.value.code == "init_mismatch"


def test_marks_are_the_tiles_that_add_most_to_the_answer(made):
    setup, encoder, heads = made
    batch = setup.batch(n=2, split="test")
    modules = {"encoder": encoder, "heads": heads}
    with torch.no_grad():
        for head in heads.members:
            head.exam.bias.fill_(3.0)  # something speaks for cancer
        said = heads(*bag(encoder, batch, setup.config, Descriptions()))
        answers = setup.method.predict(modules, batch, setup.config, Inference(aim=setup.aim))
        heat = setup.method.heat(modules, batch, setup.config)
    # What the tiles add is all that the answer is made of.
    total = (said["attention"] * said["tiles"]).sum(2)
    torch.testing.assert_close(total, said["logits"][..., 1], atol=1e-4, rtol=1e-4)
    spoken = (said["attention"] * said["tiles"]).mean(0).clamp(min=0)
    best = spoken.max(1).values / spoken.sum(1)
    for n, own in enumerate(answers):
        assert [where.slot for where in own.where] == [0, 1, 2, 3]
        assert {where.names for where in own.where} == {("weak",)}
        scores = torch.cat([where.scores for where in own.where])
        assert float(scores.max()) == pytest.approx(float(best[n]))
        assert float(scores.min()) > 1 / int((spoken[n] > 0).sum()) and float(scores.sum()) <= 1.0
        loudest = max((where for where in own.where if len(where.scores)), key=lambda where: float(where.scores[0]))
        x0, y0, x1, y1 = map(int, loudest.boxes[0])
        assert (x1 - x0, y1 - y0) == (32, 32) and batch.breast[n, loudest.slot, 0, y0:y1, x0:x1].any()
        assert float(heat[n, loudest.slot].max()) > 0
    with torch.no_grad():
        for head in heads.members:
            head.exam.bias.fill_(-30.0)
        nothing = setup.method.predict(modules, batch, setup.config, Inference(aim=setup.aim))
    assert all(len(where.boxes) == 0 for own in nothing for where in own.where)
