"""What makes `frozen_mil` itself: an encoder that stays, and a bag of tiles. Figures: methods.md 3.19."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from ml.blocks.backbones import backbone
from ml.methods.frozen_mil import Descriptions, Encoder, Heads, MilHead, bag, cut
from ml.runs.errors import RunRefused
from ml.runs.request import Init
from ml.training.lent import Lent
from ml.training.starting import Start, require_trunk


@pytest.mark.parametrize(
    ("size", "features", "head"),  # golden numbers of this implementation
    [("tiny", 128, 37_781), ("base", 512, 138_005), ("large", 1024, 271_637)],
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
    tiles, views = torch.randn(2, 12, 128), torch.arange(4).repeat_interleave(3)
    mask = torch.ones(2, 12, dtype=torch.bool)
    before = heads(tiles, views, mask)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    after = heads(tiles[:, order], views[order], mask)
    torch.testing.assert_close(after["logits"], before["logits"])
    torch.testing.assert_close(before["attention"].sum(2), torch.ones(5, 2))
    air = torch.cat([tiles, torch.randn(2, 5, 128)], 1), torch.cat([views, torch.zeros(5, dtype=torch.long)])
    none = torch.cat([mask, torch.zeros(2, 5, dtype=torch.bool)], 1)
    more = heads(*air, none)
    torch.testing.assert_close(more["logits"], before["logits"])
    assert (more["attention"][..., 12:] == 0).all()
    # The view of a tile is part of it.
    assert (heads(tiles, views.flip(0), mask)["logits"] - before["logits"]).abs().max() > 1e-6


def test_tiles_lie_where_there_is_breast_and_views_that_are_not_there_are_left_out(made):
    setup, encoder, _ = made
    batch = setup.batch(n=2, split="test")
    tiles, views, there = bag(encoder, batch, setup.config, Descriptions())
    count = len(cut(batch.x[0, 0], 32))
    assert (tiles.shape, views.tolist()) == ((2, 4 * count, 128), [v for v in range(4) for _ in range(count)])
    shares = cut(batch.breast[0, 0].float(), 32).mean((1, 2, 3))
    assert there[0, :count].tolist() == (shares >= 0.02).tolist()
    assert 0 < int(there.sum()) < there.numel()
    mask = batch.view_mask.clone()
    mask[0, 2] = False
    there = bag(encoder, replace(batch, view_mask=mask), setup.config, Descriptions())[2]
    assert not there[0, 2 * count : 3 * count].any()


def test_an_image_is_looked_at_once_and_anew_by_another_encoder(made):
    setup, encoder, _ = made
    batch, kept = setup.batch(n=1, split="test"), Descriptions()
    first = bag(encoder, batch, setup.config, kept)[0]
    assert kept.looked == 4
    again = bag(encoder, batch, setup.config, kept)[0]
    assert kept.looked == 4
    assert torch.equal(first, again)
    assert torch.equal(first, bag(encoder, batch, setup.config, Descriptions())[0])
    encoder.trunk.bn1.running_mean += 0.5  # statistics are part of an encoder too
    other = bag(encoder, batch, setup.config, kept)[0]
    assert kept.looked == 8
    assert (other - first).abs().max() > 1e-4


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
