"""What makes `densenet201_transfer` itself: dense blocks, and what each stage of a transfer leaves alone.

Source of the figures: methods.md 3.9.
"""

import json

import pytest
import torch
from safetensors.torch import load_file


@pytest.mark.parametrize(("size", "count"), [("large", 18_096_770), ("base", 6_955_906), ("tiny", 53_218)])
def test_a_size_has_its_parameters(size, count, a_setup):
    with torch.device("meta"):
        for stage in a_setup("densenet201_transfer", size, source="presence").stages:
            assert sum(p.numel() for p in stage.build().parameters()) == count


def test_the_channels_after_blocks_and_transitions_are_those_of_densenet_201(a_setup):
    with torch.device("meta"):
        network = a_setup("densenet201_transfer", "large").stage("pretrain").build()
        maps = network.trunk(torch.zeros(1, 3, 224, 224))
        assert [tuple(m.shape[1:]) for m in maps] == [(256, 56, 56), (512, 28, 28), (1792, 14, 14), (1920, 7, 7)]
        halved = [network.trunk.get_submodule(f"features.transition{n}.conv").out_channels for n in (1, 2, 3)]
        assert halved == [128, 256, 896]


@pytest.mark.parametrize(("size", "width"), [("tiny", 16), ("base", 64)])
def test_a_dense_block_keeps_its_input_bit_for_bit(size, width, a_setup):
    trunk = a_setup("densenet201_transfer", size).stage("pretrain").build().trunk.eval()
    x = torch.randn(1, width, 8, 8)
    out = trunk.features.denseblock1(x)
    assert torch.equal(out[:, :width], x)
    assert out.shape[1] > width


def stage_weights(run, stage):
    return load_file(run / "artefacts" / stage / "weights.safetensors")


def test_the_head_is_trained_on_a_trunk_that_does_not_move_then_everything_is(trained):
    """Neither weights nor running statistics of the trunk change before `transfer_all`."""
    run = trained("densenet201_transfer", "lesion_classification")
    before, head, everything = (stage_weights(run, name) for name in ("pretrain", "transfer_head", "transfer_all"))
    trunk = [name for name in before if name.startswith("trunk.")]
    assert all(torch.equal(before[name], head[name]) for name in trunk)
    assert any("running_mean" in name for name in trunk)
    changed = {name for name in head if not torch.equal(head[name], everything[name])}
    assert {"head.weight", "trunk.features.conv0.weight", "trunk.features.norm0.running_mean"} <= changed


def test_the_trunk_moves_at_a_tenth_of_the_rate(a_setup):
    stage = a_setup("densenet201_transfer").stage("transfer_all")
    assert stage.lr_factors == {"trunk.": 0.1}


def test_the_source_is_whole_images_and_needs_no_label_of_the_task(a_setup):
    setup = a_setup("densenet201_transfer", task="asymmetry")
    batch = setup.batch(n=4, reads=setup.stage("pretrain").reads)
    assert batch.x.shape == (4, 1, 1, 64, 64)
    assert set(batch.targets["class"].tolist()) == {0, 1}


def test_images_that_all_show_a_finding_get_phantoms_beside_them_however_many(a_setup):
    """A constant would answer `pretrain` otherwise, and the run would call it a transfer."""
    setup = a_setup("densenet201_transfer")
    ill = [row for row in setup.rows if row.findings]
    well = next(row for row in setup.rows if not row.findings)
    every = (ill * 100)[:600]
    own = setup.method.configured("tiny", {})
    assert [setup.method.plan(own, rows).source for rows in (every, [*every, well])] == ["phantoms", "presence"]
    names = [stage.name for stage in setup.method.stages(setup.method.plan(own, every), setup.aim)]
    assert names == ["phantoms", "pretrain", "transfer_head", "transfer_all"]


def test_the_phantoms_are_what_pretrain_learns_from_beside_the_images(trained):
    run = trained("densenet201_transfer", "lesion_classification")
    made = load_file(run / "artefacts" / "phantoms" / "made.safetensors")
    assert made["x"].shape == (200, 1, 64, 64)
    assert set(made["class"].tolist()) == {0, 1}


def test_without_a_source_no_transfer_is_claimed(a_setup):
    stages = a_setup("densenet201_transfer", source="none").stages
    assert [stage.name for stage in stages] == ["transfer_head", "transfer_all"]
    assert stages[0].starts_from == ()


def test_regions_of_asymmetries_stand_against_all_others(a_setup):
    setup = a_setup("densenet201_transfer", task="asymmetry")
    rows = {row.image_id: row for row in setup.rows}
    samples = [s for split in ("train", "val", "test") for s in setup.view(split=split)[0]]
    kinds = {(sample.roi.label, sample.roi.kind) for sample in samples}
    assert kinds == {("present", "mark"), ("absent", "mark"), ("absent", "background")}
    for sample in samples:
        types = {f.finding_id: f.type for f in rows[sample.roi.image_id].findings}
        assert (types.get(sample.roi.finding_id) == "asymmetry") == (sample.roi.label == "present")


def test_an_image_is_as_asymmetric_as_its_worst_region(trained):
    run = trained("densenet201_transfer", "asymmetry")
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    regions, images = {}, {}
    for row in rows:
        if row["kind"] == "prob" and row["class_index"] == 1:
            if row["level"] == "finding":
                regions.setdefault(row["image_id"], []).append(row["prob"])
            elif row["level"] == "image":
                images[row["image_id"]] = row["prob"]
    assert images == {image: max(own) for image, own in regions.items()}
    assert any(len(own) > 1 for own in regions.values())


def test_where_a_reader_marked_an_asymmetry_does_not_say_where_to_look_for_one(trained, a_setup):
    """Exams are judged, and an image with a mark is asked about in the squares of one without."""
    run = trained("densenet201_transfer", "asymmetry")
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    marked = {row.image_id for row in a_setup("densenet201_transfer").rows if row.findings}
    asked = {(row["roi"], row["finding_id"], row["truth"]) for row in rows if row["level"] == "finding"}
    assert asked == {("window", None, None)}
    assert marked & {row["image_id"] for row in rows}
