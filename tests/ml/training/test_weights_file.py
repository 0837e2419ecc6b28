"""A weights file of every family and layout: what is loaded, what a grey image sees, what is refused."""

import os
import pickle
import re
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ml.blocks.backbones import backbone
from ml.blocks.channel_gate import ChannelGate
from ml.blocks.mobilenet_v2 import PLAN
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.layouts import HALF, IMAGENET
from ml.runs.weight_names import family_in
from ml.training.grey_stem import own_stem
from ml.training.weights_file import load_into, read_weights, understood

GREY = (0.449, 0.226)


def lived_in(network, seed=0):
    """Weights and running statistics as a training would leave them: nothing at 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.dim() == 1 or name.endswith("layer_scale"):
            value.copy_(torch.randn(value.shape, generator=generator) * 0.2 + name.endswith(("weight", "layer_scale")))
    return network.eval()


def colour_net(name, **options):
    torch.manual_seed(0)
    return lived_in(backbone(name, in_channels=3, classes=7, **options))


def vgg_of_timm(state):
    names = {"classifier.0.": "pre_logits.fc1.", "classifier.3.": "pre_logits.fc2.", "classifier.6.": "head.fc."}
    renamed = {}
    for key, value in state.items():
        new = next((to + key.removeprefix(own) for own, to in names.items() if key.startswith(own)), key)
        renamed[new] = value.reshape(len(value), -1, 7, 7) if new == "pre_logits.fc1.weight" else value
    renamed["pre_logits.fc2.weight"] = renamed["pre_logits.fc2.weight"][:, :, None, None]
    return renamed


def convnext_of_timm(state):
    parts = {"block.0": "conv_dw", "block.2": "norm", "block.3": "mlp.fc1", "block.5": "mlp.fc2"}
    renamed = {}
    for key, value in state.items():
        if match := re.fullmatch(r"features\.0\.(.+)", key):
            renamed[f"stem.{match[1]}"] = value
        elif match := re.fullmatch(r"features\.(\d)\.(\d+)\.layer_scale", key):
            renamed[f"stages.{int(match[1]) // 2}.blocks.{match[2]}.gamma"] = value.flatten()
        elif match := re.fullmatch(r"features\.(\d)\.(\d+)\.(block\.\d)\.(.+)", key):
            renamed[f"stages.{int(match[1]) // 2}.blocks.{match[2]}.{parts[match[3]]}.{match[4]}"] = value
        elif match := re.fullmatch(r"features\.(\d)\.(\d)\.(.+)", key):
            renamed[f"stages.{int(match[1]) // 2}.downsample.{match[2]}.{match[3]}"] = value
        else:
            renamed[key.replace("classifier.0", "head.norm").replace("classifier.2", "head.fc")] = value
    return renamed


def mobilenet_of_timm(state):
    places = [(stage, n) for stage, (_, _, blocks, _) in enumerate(PLAN) for n in range(blocks)]
    first = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
    others = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "2": "conv_pwl", "3": "bn3"}
    ends = {"features.0.0": "conv_stem", "features.0.1": "bn1", "features.18.0": "conv_head", "features.18.1": "bn2",
            "classifier.1": "classifier"}  # fmt: skip
    renamed = {}
    for key, value in state.items():
        stem, _, leaf = key.rpartition(".")
        if match := re.fullmatch(r"features\.(\d+)\.conv\.(.+)", stem):
            stage, n = places[int(match[1]) - 1]
            renamed[f"blocks.{stage}.{n}.{(first if stage == 0 else others)[match[2]]}.{leaf}"] = value
        else:
            renamed[f"{ends[stem]}.{leaf}"] = value
    return renamed


def resnet_v2_of_timm(state):
    renamed = {}
    for key, value in state.items():
        new = re.sub(r"^layer(\d)\.(\d+)\.", lambda m: f"stages.{int(m[1]) - 1}.blocks.{m[2]}.", key)
        new = re.sub(r"\.bn(\d)\.", r".norm\1.", new).replace("downsample.0.", "downsample.conv.")
        new = re.sub(r"^conv1\.", "stem.conv.", new)
        renamed[re.sub(r"^fc\.", "head.fc.", new)] = value
    renamed["head.fc.weight"] = renamed["head.fc.weight"][:, :, None, None]
    return renamed


def old_densenet(state):
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key): value for key, value in state.items()}


def without_auxiliary(state):
    return {key: value for key, value in state.items() if not key.startswith("AuxLogits.")}


def as_it_is(state):
    return state


# trunk, layout in the report, family, how the file names things, its images' norm
FILES = [
    ("tiny_resnet_basic", "torchvision", "resnet", as_it_is, IMAGENET),
    ("tiny_resnet_bottleneck", "torchvision", "resnet", as_it_is, IMAGENET),
    ("tiny_densenet", "torchvision", "densenet", as_it_is, IMAGENET),
    ("tiny_densenet", "torchvision", "densenet", old_densenet, IMAGENET),
    ("tiny_alexnet", "torchvision", "alexnet", as_it_is, IMAGENET),
    ("tiny_vgg16", "torchvision", "vgg16", as_it_is, IMAGENET),
    ("tiny_vgg16", "timm", "vgg16", vgg_of_timm, IMAGENET),
    ("tiny_inception_v3", "torchvision", "inception_v3", as_it_is, HALF),
    ("tiny_inception_v3", "torchvision", "inception_v3", without_auxiliary, HALF),
    ("tiny_inception_v4", "timm", "inception_v4", as_it_is, HALF),
    ("tiny_mobilenet_v2", "torchvision", "mobilenet_v2", as_it_is, IMAGENET),
    ("tiny_mobilenet_v2", "timm", "mobilenet_v2", mobilenet_of_timm, IMAGENET),
    ("tiny_convnext", "torchvision", "convnext", as_it_is, IMAGENET),
    ("tiny_convnext", "timm", "convnext", convnext_of_timm, IMAGENET),
    ("tiny_resnet50_v2", "timm", "resnet_v2", resnet_v2_of_timm, HALF),
    ("tiny_resnet22", "own", "resnet22", as_it_is, IMAGENET),
]
IDS = [f"{name}-{layout}-{made.__name__}" for name, layout, _, made, _ in FILES]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize(("name", "layout", "family", "made", "colour"), FILES, ids=IDS)
def test_a_file_of_every_family_and_layout_fills_its_trunk(name, layout, family, made, colour, suffix, tmp_path):
    options = {"aux": True} if name == "tiny_inception_v3" else {}
    donor = colour_net(name, **options)
    state = {key: value.contiguous() for key, value in made(donor.state_dict()).items()}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 90}, path)
    file = understood(read_weights(path))
    assert (file.layout, file.family, file.colour) == (layout, family, colour)
    trunk = backbone(name, in_channels=3).eval()
    report = load_into(trunk, file)
    assert (report.missing, report.unexpected, report.shape_mismatch, report.share) == ((), (), (), 1.0)
    assert len(report.loaded) == len(trunk.state_dict())
    ours = {report.renamed.get(key, key) for key in state}
    assert set(report.dropped) == {key for key in ours if key.startswith(donor.classifier_names)} != set()
    x = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(trunk.embed(x), donor.embed(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        ("tiny_resnet_basic", "bn1"), ("tiny_resnet50_v2", "layer1.0.bn1"), ("tiny_resnet22", "layer_list.0.0.bn1"),
        ("tiny_densenet", "features.norm0"), ("tiny_alexnet", "features.0"), ("tiny_vgg16", "features.0"),
        ("tiny_inception_v3", "Conv2d_1a_3x3.bn"), ("tiny_inception_v4", "features.0.bn"),
        ("tiny_mobilenet_v2", "features.0.1"), ("tiny_convnext", "features.0.1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("input_norm", [GREY, (0.5, 0.5)])
def test_a_grey_stem_says_what_the_colour_stem_says_inside_the_border(name, norm, input_norm):
    donor = colour_net(name)
    file = understood(donor.state_dict())
    grey = backbone(name).eval()
    assert load_into(grey, file, input_norm=input_norm).stem.startswith("grey for")
    colour, ours = _seen(donor, grey, norm, file.colour, input_norm)
    inner = slice(4, -4)
    torch.testing.assert_close(ours[:, :, inner, inner], colour[:, :, inner, inner], rtol=1e-4, atol=1e-4)


def _seen(donor, grey, norm, colour, input_norm):
    """What leaves `norm` in both networks for one random grey image."""
    image = torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(2))
    seen = []
    for network, x in (
        (donor, torch.cat([(image - m) / s for m, s in zip(*colour, strict=True)], 1)),
        (grey, (image - input_norm[0]) / input_norm[1]),
    ):
        handle = network.get_submodule(norm).register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
        network(x)
        handle.remove()
    return seen


@pytest.mark.parametrize("name", ["tiny_inception_v3", "tiny_convnext", "tiny_alexnet_caffe"])
def test_without_padding_in_the_stem_the_whole_networks_agree_to_the_edge(name):
    donor = colour_net(name)
    file = understood(donor.state_dict())
    grey = backbone(name).eval()
    load_into(grey, file)
    image = torch.rand(2, 1, 96, 96, generator=torch.Generator().manual_seed(3))
    colour = torch.cat([(image - m) / s for m, s in zip(*file.colour, strict=True)], 1)
    torch.testing.assert_close(grey.embed((image - 0.449) / 0.226), donor.embed(colour), rtol=1e-3, atol=1e-4)


def test_a_trunk_of_three_channels_keeps_its_stem_unless_it_says_how_it_norms():
    donor = colour_net("tiny_alexnet_caffe")
    file = understood(donor.state_dict())
    ours = backbone("tiny_alexnet_caffe", in_channels=3).eval()
    assert load_into(ours, file).stem == "as it is"
    assert torch.equal(ours.features[0].weight, donor.features[0].weight)
    assert load_into(ours, file, input_norm=(0.5, 0.5)).stem == "colour for (x - 0.5) / 0.5"
    image = torch.rand(2, 1, 96, 96, generator=torch.Generator().manual_seed(4))
    colour = torch.cat([(image - m) / s for m, s in zip(*file.colour, strict=True)], 1)
    copied = ((image - 0.5) / 0.5).expand(-1, 3, -1, -1)
    torch.testing.assert_close(ours.embed(copied), donor.embed(colour), rtol=1e-3, atol=1e-4)


def test_the_rule_of_the_stem_is_the_written_one():
    weight = torch.arange(1.0, 13.0).reshape(1, 3, 2, 2)
    made, raised = own_stem(weight, *IMAGENET)
    mean, sd = IMAGENET
    expected = 0.226 * sum(weight[:, c] / sd[c] for c in range(3))
    torch.testing.assert_close(made[:, 0], expected)
    assert raised.item() == pytest.approx(sum(weight[0, c].sum().item() * (0.449 - mean[c]) / sd[c] for c in range(3)))


def test_the_requests_mean_and_sd_replace_the_familys():
    donor = colour_net("tiny_alexnet")
    file = understood(donor.state_dict(), mean=(0.1, 0.2, 0.3), sd=(1.0, 1.0, 1.0))
    grey = backbone("tiny_alexnet")
    load_into(grey, file, input_norm=(0.0, 1.0))
    torch.testing.assert_close(grey.features[0].weight, donor.features[0].weight.sum(1, keepdim=True))


def test_our_own_model_lends_the_trunk_of_a_stage_with_its_gates():
    def gated():
        return backbone("tiny_resnet_basic", gate=ChannelGate)

    donor = lived_in(gated())
    state = {f"main.trunk.{key}": value for key, value in donor.state_dict().items()} | {
        "main.head.bias": torch.ones(4)
    }
    file = understood(state)
    assert (file.layout, file.family, file.heads) == ("own", "resnet", ("main.head.bias",))
    trunk = gated()
    report = load_into(trunk, file)
    assert (report.share, report.fresh, report.dropped) == (1.0, (), ("main.head.bias",))
    assert all(torch.equal(trunk.state_dict()[key], value) for key, value in donor.state_dict().items())
    two = {**state, **{f"other.trunk.{key}": value for key, value in donor.state_dict().items()}}
    assert code_of(lambda: understood(two)) == "weights_ambiguous"
    assert understood(two, stage="other").layout == "own"


def test_gates_are_no_part_of_a_published_file_and_start_fresh():
    file = understood(colour_net("tiny_resnet_basic").state_dict())
    report = load_into(backbone("tiny_resnet_basic", gate=ChannelGate), file)
    assert len(report.fresh) == 20
    assert (report.missing, report.share) == ((), 1.0)


def test_a_trunk_that_is_none_of_ours_takes_a_file_with_its_own_names():
    trunk, donor = nn.Sequential(nn.Conv2d(1, 4, 3)), nn.Sequential(nn.Conv2d(1, 4, 3))
    file = understood({**donor.state_dict(), "decoder.weight": torch.ones(1)})
    report = load_into(trunk, file)
    assert (file.family, report.share, report.unexpected) == (None, 1.0, ("decoder.weight",))
    assert torch.equal(trunk[0].weight, donor[0].weight)


def test_half_precision_files_and_files_without_counters_load():
    donor = colour_net("tiny_resnet_basic")
    state = {k: v.half() for k, v in donor.state_dict().items() if not k.endswith("num_batches_tracked")}
    trunk = backbone("tiny_resnet_basic")
    assert load_into(trunk, understood(state)).share == 1.0
    assert trunk.conv1.weight.dtype == torch.float32


def code_of(call):
    with pytest.raises(RunRefused) as error:
        call()
    assert error.value.exit == Exit.INVALID_REQUEST
    return error.value.code


def state_of(name="tiny_resnet_basic", **options):
    return backbone(name, classes=7, **options).state_dict()


def test_a_part_of_the_trunk_must_be_allowed_to_be_missing():
    state = {key: value for key, value in state_of().items() if not key.startswith("bn1.")}
    trunk = backbone("tiny_resnet_basic")
    before = trunk.conv1.weight.clone()
    with pytest.raises(RunRefused) as error:
        load_into(trunk, understood(state | {"layer1.0.bn1.weight": torch.ones(3)}))
    assert error.value.code == "weights_incomplete"
    assert error.value.detail["missing"] == ["bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"]
    assert error.value.detail["shape_mismatch"] == ["layer1.0.bn1.weight"]
    assert torch.equal(trunk.conv1.weight, before), "a refused file leaves the trunk as it was"
    report = load_into(trunk, understood(state), allow_partial=True)
    assert report.share == pytest.approx(1 - 32 / 307_888, abs=1e-4)


def test_below_nine_tenths_a_file_is_refused_whatever_is_allowed():
    state = {key: value for key, value in state_of().items() if not key.startswith("layer4.0.conv2")}
    assert code_of(lambda: load_into(backbone("tiny_resnet_basic"), understood(state), allow_partial=True)) == (
        "weights_incomplete"
    )


def test_another_familys_file_is_refused():
    file = understood(state_of("tiny_vgg16"))
    assert code_of(lambda: load_into(backbone("tiny_convnext"), file, allow_partial=True)) == "weights_incomplete"


def test_a_named_layout_must_be_the_files():
    assert code_of(lambda: understood(state_of("tiny_convnext"), layout="timm")) == "weights_layout"
    assert code_of(lambda: understood(state_of("tiny_convnext"), layout="own")) == "weights_layout"
    assert understood(state_of("tiny_resnet_basic"), layout="timm").layout == "torchvision"  # named alike in both


def test_a_colour_stem_without_a_batchnorm_is_refused():
    state = state_of(in_channels=3, norm="gn")
    assert code_of(lambda: load_into(backbone("tiny_resnet_basic", norm="gn"), understood(state))) == "weights_stem"


def test_our_own_colour_model_must_say_how_it_was_normed():
    state = {f"main.trunk.{key}": value for key, value in state_of(in_channels=3).items()}
    assert code_of(lambda: load_into(backbone("tiny_resnet_basic"), understood(state))) == "weights_stem"
    file = understood(state, mean=(0.5,) * 3, sd=(0.5,) * 3)
    assert load_into(backbone("tiny_resnet_basic"), file).stem == "grey for (x - 0.449) / 0.226"


class Planted:
    """Unpickling this would make a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pt", b"not a file of torch"),
        ("a.safetensors", b"\x10\x00\x00\x00\x00\x00\x00\x00{ no json at all"),
        ("a.pth", b""),
    ],
)
def test_what_cannot_be_read_as_weights_alone_is_refused_for_good(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert code_of(lambda: read_weights(tmp_path / name)) == "weights_unreadable"


def test_code_in_a_pickle_is_not_run(tmp_path):
    content = pickle.dumps({"conv1.weight": Planted(str(tmp_path / "made"))}, protocol=2)
    (tmp_path / "a.pth").write_bytes(content)
    assert code_of(lambda: read_weights(tmp_path / "a.pth")) == "weights_unreadable"
    assert not (tmp_path / "made").exists()


def test_a_pickled_network_is_refused_though_torch_wrote_it(tmp_path):
    torch.save(backbone("tiny_resnet_basic"), tmp_path / "whole.pth")
    assert zipfile.is_zipfile(tmp_path / "whole.pth")
    assert code_of(lambda: read_weights(tmp_path / "whole.pth")) == "weights_unreadable"


def test_files_of_another_kind_or_without_weights_are_refused(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"")
    assert code_of(lambda: read_weights(tmp_path / "a.onnx")) == "weights_kind"
    torch.save({"state_dict": {}}, tmp_path / "a.pth")
    assert code_of(lambda: read_weights(tmp_path / "a.pth")) == "weights_empty"
    torch.save([torch.ones(1)], tmp_path / "b.pth")
    assert code_of(lambda: read_weights(tmp_path / "b.pth")) == "weights_empty"
    save_file({"a": torch.tensor([float("nan")])}, tmp_path / "c.safetensors")
    assert code_of(lambda: read_weights(tmp_path / "c.safetensors")) == "weights_not_finite"
    save_file({"a": torch.ones(1), "module.a": torch.zeros(1)}, tmp_path / "d.safetensors")
    assert code_of(lambda: read_weights(tmp_path / "d.safetensors")) == "weights_ambiguous"


@pytest.mark.parametrize("zipped", [True, False])
def test_the_names_of_what_torch_saves_tell_its_family_without_torch(tmp_path, zipped):
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": backbone("resnet18").state_dict()}, path, _use_new_zipfile_serialization=zipped)
    found = family_in(path)
    assert found is not None and (found.name, found.layout) == ("resnet", "torchvision")
