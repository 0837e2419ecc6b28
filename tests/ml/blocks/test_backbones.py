"""The backbones: parameters, keys and shapes of methods.md 4.3 on the meta device, a pass of every tiny one."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ml.blocks.backbones import NAMES, backbone
from ml.blocks.channel_gate import ChannelGate
from ml.blocks.convnext import ConvNeXt
from ml.blocks.convnext_block import ConvNeXtBlock
from ml.blocks.dense_layer import DenseBlock, DenseLayer, Transition
from ml.blocks.densenet import DenseNet
from ml.blocks.drop_path import DropPath
from ml.blocks.inception_parts import AveragePool
from ml.blocks.inverted_residual import InvertedResidual
from ml.blocks.preact import PreActBlock

TINY = [name for name in NAMES if name.startswith("tiny_")]


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def on_meta(name, **options):
    with torch.device("meta"):
        return backbone(name, **options)


def plain_gate(reduction=16):
    return lambda channels: ChannelGate(channels, reduction, residual=False)


# name, options; 3 channels and 1000 classes, 1 channel and 1000, 1-channel trunk; features; keys with classifier
TABLE = [
    ("resnet18", {}, 11_689_512, 11_683_240, 11_170_240, 512, 122),
    ("resnet34", {}, 21_797_672, 21_791_400, 21_278_400, 512, 218),
    ("resnet50", {}, 25_557_032, 25_550_760, 23_501_760, 2048, 320),
    ("resnet101", {}, 44_549_160, 44_542_888, 42_493_888, 2048, 626),
    ("densenet121", {}, 7_978_856, 7_972_584, 6_947_584, 1024, 727),
    ("densenet201", {}, 20_013_928, 20_007_656, 18_086_656, 1920, 1207),
    ("alexnet", {}, 61_100_840, 61_085_352, 56_988_352, 256, 16),
    ("vgg16", {}, 138_357_544, 138_356_392, 138_356_392 - 4_097_000, 512, 32),
    ("inception_v3", {"aux": True}, 27_161_264, 27_160_688, 21_784_992, 2048, 580),
    ("mobilenet_v2", {}, 3_504_872, 3_504_296, 2_223_296, 1280, 314),
    ("convnext_t", {}, 28_589_128, 28_586_056, 27_817_056, 768, 182),
]


@pytest.mark.parametrize(("name", "options", "colour", "grey", "trunk", "features", "keys"), TABLE)
def test_a_backbone_has_the_counts_of_the_table(name, options, colour, grey, trunk, features, keys):
    whole = on_meta(name, in_channels=3, classes=1000, **options)
    assert parameters(whole) == colour
    assert len(whole.state_dict()) == keys
    assert parameters(on_meta(name, classes=1000, **options)) == grey
    bare = on_meta(name)
    assert (parameters(bare), bare.feature_width) == (trunk, features)


@pytest.mark.parametrize(
    ("count", "name", "options"),
    [
        (2_454_208, "alexnet", {"hidden": None}),
        (57_004_740, "alexnet", {"classes": 4}),
        (56_876_418, "alexnet_caffe", {"in_channels": 3, "classes": 2}),
        (56_861_380, "alexnet_caffe", {"classes": 4}),
        (58_289_538, "alexnet_caffe", {"in_channels": 3, "classes": 2, "groups": 1}),
        (14_713_536, "vgg16", {"hidden": None}),
        (11_171_266, "resnet18", {"classes": 2}),
        (23_508_032, "resnet50", {"in_channels": 3}),
        (23_494_080, "resnet50_v2", {}),
        (25_549_352, "resnet50_v2", {"in_channels": 3, "classes": 1000}),
        (2_799_536, "resnet22", {}),
        (11_188_576, "resnet22_f32", {}),
        (18_090_498, "densenet201", {"classes": 2}),
        (18_096_770, "densenet201", {"in_channels": 3, "classes": 2}),
        (6_955_906, "densenet121", {"in_channels": 3, "classes": 2}),
        (21_785_568, "inception_v3", {"in_channels": 3}),
        (23_834_568, "inception_v3", {"in_channels": 3, "classes": 1000}),
        (41_142_816, "inception_v4", {"in_channels": 3}),
        (42_679_816, "inception_v4", {"in_channels": 3, "classes": 1000}),
        (43_039_076, "inception_v4", {"in_channels": 3, "classes": 4, "gate": plain_gate()}),
        (2_223_872, "mobilenet_v2", {"in_channels": 3}),
        (4_314_912, "mobilenet_v2_x1.4", {}),
        (49_451_616, "convnext_s", {}),
        (307_888, "tiny_resnet_basic", {}),
        (504_816, "tiny_resnet_bottleneck", {}),
        (307_256, "tiny_resnet22", {}),
        (26_992, "tiny_densenet", {}),
        (117_272, "tiny_alexnet", {}),
        (230_424, "tiny_vgg16", {"hidden": None}),
        (344_188, "tiny_inception_v3", {}),
        (237_968, "tiny_mobilenet_v2", {}),
        (268_496, "tiny_convnext", {}),
    ],
)
def test_a_variant_has_its_published_count(count, name, options):
    assert parameters(on_meta(name, **options)) == count


@pytest.mark.parametrize(
    ("count", "build"),
    [
        (73_984, lambda: PreActBlock(64, 64)),
        (229_760, lambda: PreActBlock(64, 128, 2, down=True)),
        (45_440, lambda: DenseLayer(64, 32)),
        (335_040, lambda: DenseBlock(64, 6, 32)),
        (33_280, lambda: Transition(256)),
        (53_218, lambda: DenseNet((2, 4, 4, 4), growth=8, width=16, classes=2)),
        (96_848, lambda: ConvNeXt((1, 1, 2), (16, 32, 64))),
    ],
)
def test_a_part_has_the_count_of_its_table(count, build):
    with torch.device("meta"):
        assert parameters(build()) == count


SPOTS = {
    "resnet50": ("layer3.5.conv3.weight", (1024, 256, 1, 1)),
    "resnet22": ("layer_list.4.0.downsample.0.weight", (256, 128, 1, 1)),
    "densenet121": ("features.denseblock3.denselayer24.conv2.weight", (32, 128, 3, 3)),
    "alexnet": ("classifier.1.weight", (4096, 9216)),
    "vgg16": ("features.28.weight", (512, 512, 3, 3)),
    "inception_v3": ("Mixed_6c.branch7x7dbl_2.conv.weight", (160, 160, 7, 1)),
    "inception_v4": ("features.19.branch2_3b.conv.weight", (256, 512, 3, 1)),
    "mobilenet_v2": ("features.1.conv.0.0.weight", (32, 1, 3, 3)),
    "convnext_t": ("features.5.8.block.3.weight", (1536, 384)),
}


@pytest.mark.parametrize("name", SPOTS)
def test_a_name_of_torchvision_or_timm_is_where_it_was(name):
    key, shape = SPOTS[name]
    network = on_meta(name, in_channels=3, classes=1000)
    assert tuple(network.state_dict()[key].shape) == shape
    assert tuple(network.state_dict()[f"{network.stem_name}.weight"].shape)[1] == 3
    heads = [key for key in network.state_dict() if key.startswith(network.classifier_names)]
    assert len(heads) == 2


@pytest.mark.parametrize(
    ("name", "options", "size", "last"),
    [
        ("resnet50", {}, (224, 224), (2048, 7, 7)),
        ("resnet50_v2", {}, (2048, 1024), (2048, 64, 32)),
        ("resnet22", {}, (2944, 1920), (256, 46, 30)),
        ("resnet22", {"stem_padding": 0}, (512, 384), (256, 8, 6)),
        ("densenet201", {}, (224, 224), (1920, 7, 7)),
        ("alexnet", {}, (224, 224), (256, 6, 6)),
        ("alexnet_caffe", {}, (227, 227), (256, 6, 6)),
        ("tiny_alexnet_caffe", {}, (67, 67), (32, 3, 3)),
        ("vgg16", {}, (224, 224), (512, 7, 7)),
        ("inception_v3", {}, (299, 299), (2048, 8, 8)),
        ("inception_v4", {}, (299, 299), (1536, 8, 8)),
        ("mobilenet_v2", {}, (512, 512), (1280, 16, 16)),
        ("convnext_t", {}, (1536, 768), (768, 48, 24)),
    ],
)
def test_the_last_map_has_the_size_of_the_paper(name, options, size, last):
    network = on_meta(name, **options)
    with torch.device("meta"):
        maps = network(torch.zeros(2, 1, *size))
    assert tuple(maps[-1].shape) == (2, *last)
    assert [m.shape[1] for m in maps] == network.widths


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("training", [True, False])
def test_a_tiny_backbone_maps_embeds_and_learns(name, training):
    torch.manual_seed(0)
    network = backbone(name, classes=3).train(training)
    x = torch.rand(2, 1, 96, 96)
    maps = network(x)
    assert [m.shape[1] for m in maps] == network.widths
    assert network.summary(maps[-1]).shape == (2, network.embed_width)
    logits = network.logits(x)
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()
    logits.square().sum().backward()
    still = [key for key, p in network.named_parameters() if p.grad is None]
    assert not still
    with pytest.raises(TypeError):
        backbone(name).logits(x)


@pytest.mark.parametrize("name", ["tiny_inception_v3", "tiny_inception_v4"])
def test_the_auxiliary_head_reaches_the_middle_blocks_and_is_no_part_of_the_logits(name):
    torch.manual_seed(0)
    network = backbone(name, classes=4, aux=True)
    network.auxiliary(network(torch.rand(2, 1, 96, 96))).square().sum().backward()
    middle = "Mixed_6e" if name == "tiny_inception_v3" else "features.4"
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.get_submodule(middle).parameters())
    assert network.head().weight.grad is None


def test_inception_v4_has_a_gate_after_each_of_its_fourteen_blocks():
    network = on_meta("inception_v4", gate=plain_gate())
    assert [gate.excite.out_features for gate in network.gates] == [384] * 4 + [1024] * 7 + [1536] * 3
    torch.manual_seed(0)
    small = backbone("tiny_inception_v4", gate=plain_gate(4)).eval()
    x = torch.rand(1, 1, 96, 96)
    before = small(x)
    torch.nn.init.constant_(small.gates[0].excite.bias, -1e4)  # the gate of the last A shut
    after = small(x)
    assert after[0].abs().max() == 0
    assert not torch.equal(before[1], after[1])


@pytest.mark.parametrize("name", ["tiny_inception_v3", "tiny_inception_v4"])
def test_padded_means_are_taken_row_by_row_in_any_format(name, monkeypatch):
    """The gradient of such a mean in the channels-last format is wrong on a GPU (pytorch issue 188344)."""
    taken = []
    mean = functional.avg_pool2d

    def looked_at(x, size, stride=None, padding=0, *rest, **options):
        taken.append((padding, x.is_contiguous()))
        return mean(x, size, stride, padding, *rest, **options)

    monkeypatch.setattr(functional, "avg_pool2d", looked_at)
    network = backbone(name).to(memory_format=torch.channels_last)
    network.embed(torch.rand(2, 1, 96, 96).to(memory_format=torch.channels_last))
    padded = [plain for padding, plain in taken if padding]
    assert padded and all(padded)


@pytest.mark.parametrize("padded", [True, False])
def test_a_padded_mean_is_that_of_torch(padded):
    x = torch.rand(2, 3, 7, 5)
    assert AveragePool(padded=padded)(x).equal(nn.AvgPool2d(3, 1, 1, count_include_pad=padded)(x))


def test_a_dense_block_begins_with_its_input_and_widens_as_published():
    torch.manual_seed(0)
    x = torch.randn(1, 16, 8, 8)
    torch.testing.assert_close(DenseBlock(16, 3, 8)(x)[:, :16], x, rtol=0, atol=0)
    assert on_meta("densenet201").widths == [256, 512, 1792, 1920]


def test_the_two_groups_of_the_caffe_net_do_not_see_each_other():
    torch.manual_seed(0)
    conv2 = [m for m in backbone("tiny_alexnet_caffe").features if isinstance(m, torch.nn.Conv2d)][1]
    x = torch.randn(1, 12, 9, 9)
    cut = x.clone()
    cut[:, :6] = 0
    torch.testing.assert_close(conv2(cut)[:, 16:], conv2(x)[:, 16:], rtol=0, atol=0)
    assert not torch.equal(conv2(cut)[:, :16], conv2(x)[:, :16])


def test_the_caffe_net_damps_a_map_by_its_neighbours():
    lrn = [m for m in backbone("alexnet_caffe", hidden=None).features if isinstance(m, torch.nn.LocalResponseNorm)]
    x = torch.ones(1, 8, 1, 1)
    louder = x.clone()
    louder[:, 3] = 100
    changed = (lrn[0](louder) != lrn[0](x)).flatten()
    assert changed.tolist() == [False, True, True, True, True, True, False, False]
    assert lrn[0](x)[0, 3, 0, 0] == pytest.approx((1 + 1e-4) ** -0.75)


def test_a_convnext_block_without_scale_is_the_identity_and_filters_each_map_alone():
    torch.manual_seed(0)
    block, x = ConvNeXtBlock(6, layer_scale=0.0), torch.randn(2, 6, 9, 9)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)
    cut = x.clone()
    cut[:, 2] = 0
    same = [torch.equal(a, b) for a, b in zip(block.block[0](x)[0], block.block[0](cut)[0], strict=True)]
    assert same == [True, True, False, True, True, True]


def test_stochastic_depth_drops_whole_samples_and_keeps_the_mean():
    torch.manual_seed(0)
    drop, x = DropPath(0.25), torch.ones(4000, 2, 2)
    y = drop(x)
    assert y.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert (y.flatten(1).std(1) == 0).all()
    assert y.mean().item() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(drop.eval()(x), x)
    rates = [
        block.drop_path.p for block in ConvNeXt((1, 2), (8, 16), drop=0.4).modules() if hasattr(block, "drop_path")
    ]
    assert rates == pytest.approx([0.0, 0.2, 0.4])


def test_an_inverted_residual_adds_its_input_only_where_the_shape_stays():
    torch.manual_seed(0)
    x = torch.randn(1, 8, 6, 6)
    same, wider, strided = InvertedResidual(8, 8), InvertedResidual(8, 12), InvertedResidual(8, 8, 2)
    torch.testing.assert_close(same(x) - same.conv(x), x)
    assert wider(x).shape == (1, 12, 6, 6)
    assert strided(x).shape == (1, 8, 3, 3)


def test_a_preactivation_shortcut_is_untouched():
    torch.manual_seed(0)
    block, x = PreActBlock(4, 4), torch.randn(1, 4, 5, 5)
    torch.nn.init.zeros_(block.conv2.weight)
    torch.testing.assert_close(block(x), x, rtol=0, atol=0)


def test_names_are_one_to_one():
    assert len(NAMES) == len(set(NAMES))
    with pytest.raises(KeyError):
        backbone("resnet19")


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_of_a_trunk_lies_in_the_stem_or_in_one_stage(name):
    network = on_meta(name)
    depth = [network.stage_of(key) for key, _ in network.named_parameters()]
    assert depth == sorted(depth), "weights are listed from the stem on"
    assert depth[0] == 0
    assert set(depth) - {0} == set(range(1, len(network.stage_prefixes) + 1))


def test_stages_are_those_of_the_paper():
    network = on_meta("mobilenet_v2")
    of = {n: network.stage_of(f"features.{n}.conv.0.0.weight") for n in range(1, 18)}
    assert [n for n in of if of[n] != of.get(n - 1, of[n])] == [2, 4, 7, 14]  # where the strides are
    assert on_meta("convnext_t").stage_of("features.4.1.weight") == 3
    assert on_meta("vgg16").stage_of("features.28.weight") == 5
    assert on_meta("resnet22").stage_of("final_bn.weight") == 5


@pytest.mark.parametrize(("name", "px"), [("tiny_alexnet_caffe", 67), ("tiny_alexnet", 96), ("tiny_vgg16", 96)])
def test_without_norms_two_images_still_differ_at_the_end_of_an_untaught_trunk(name, px):
    """By fan-out: 0.006, 0.005 and 0.003; 300 steps of SGD 5e-3 then left the loss of four classes at 1.39."""
    torch.manual_seed(0)
    network = backbone(name).eval()
    with torch.no_grad():
        one, other = network.embed(torch.randn(2, 1, px, px))
    assert 0.1 < float((one - other).abs().mean()) < 10
