"""Blocks that are computed twice: the same outputs, gradients and running statistics, for less memory."""

import copy

import pytest
import torch

from ml.blocks.backbones import NAMES, backbone
from ml.blocks.block import Block
from ml.blocks.detr import DETRLite
from ml.blocks.unet import UNet
from ml.training.norms import statistics_kept
from ml.training.recomputing import recompute_blocks

#: Their layers lie in one row, by torchvision's names: there is nothing between the layers and the whole.
FLAT = ("alexnet", "vgg16")
TINY = [name for name in NAMES if name.startswith("tiny_") and not any(flat in name for flat in FLAT)]
QUICK = ("tiny_resnet_bottleneck", "tiny_densenet", "tiny_convnext")
NETWORKS = ["unet", *(name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TINY)]


def a_network(name):
    torch.manual_seed(0)
    if name == "unet":
        return UNet(width=4, depth=2, dropout=0.5, dropout_levels=1), torch.rand(2, 1, 48, 48)
    options = {"drop": 0.5} if "convnext" in name else {}
    return backbone(name, classes=3, **options), torch.rand(2, 1, 96, 96)


def trained_once(network, x, *, half):
    """Output, gradients and buffers after a forward and a backward pass with dropout."""
    network.train()
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        out = network(x)
    total = sum(o.float().square().mean() for o in (out if isinstance(out, list) else [out]))
    total.backward()
    gradients = {key: p.grad for key, p in network.named_parameters() if p.grad is not None}
    return {"loss": total.detach(), **gradients}, dict(network.named_buffers())


@pytest.mark.parametrize("name", NETWORKS)
def test_computing_blocks_twice_changes_no_gradient_and_no_running_statistic(name):
    network, x = a_network(name)
    again = copy.deepcopy(network)
    assert recompute_blocks(again) > 0
    half = name == "unet"
    found, expected = trained_once(again, x, half=half), trained_once(network, x, half=half)
    for own, other in zip(found, expected, strict=True):
        assert own.keys() == other.keys()
        assert all(torch.equal(own[key], other[key]) for key in own)
    assert again.state_dict().keys() == network.state_dict().keys()
    assert all(int(count) == 1 for key, count in found[1].items() if key.endswith("num_batches_tracked"))


def test_a_transformer_computes_its_layers_twice():
    torch.manual_seed(0)
    network = DETRLite(16, 16, 1, 1, hidden=32, queries=3, heads=2, dropout=0.5).train()
    again = copy.deepcopy(network)
    assert recompute_blocks(again) == 2
    x = torch.rand(2, 16, 4, 4)
    gradients = []
    for own in (network, again):
        torch.manual_seed(1)
        said = own(x)
        (said["logits"].sum() + said["boxes"].sum()).backward()
        gradients.append([p.grad for p in own.parameters() if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) > 10
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


@pytest.mark.parametrize("name", ["tiny_vgg16", "tiny_alexnet"])
def test_a_network_without_blocks_says_that_there_is_nothing_to_compute_twice(name):
    assert recompute_blocks(backbone(name, classes=2)) == 0


def kept_bytes(network, x):
    """What a forward pass keeps for the backward pass, the blocks' inputs included."""
    found = []

    def note(tensor):
        found.append(tensor.nbytes)
        return tensor

    for block in network.modules():
        if isinstance(block, Block):
            block.register_forward_pre_hook(lambda _, given: found.append(given[0].nbytes))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(x)
    return sum(found)


def test_less_is_kept_for_the_backward_pass():
    network = backbone("resnet18", width=8).train()
    x = torch.rand(2, 1, 128, 128)
    whole = kept_bytes(network, x)
    assert recompute_blocks(network)
    assert kept_bytes(network, x) < 0.6 * whole


def test_nothing_is_computed_twice_where_no_gradient_is_asked_for():
    network = backbone("tiny_resnet_basic", classes=2).eval()
    x = torch.rand(1, 1, 64, 64)
    expected = network.logits(x)
    recompute_blocks(network)
    with torch.inference_mode():
        torch.testing.assert_close(network.logits(x), expected)


@pytest.mark.parametrize(
    ("norm", "shape"), [(torch.nn.BatchNorm2d(2), (4, 2, 3, 3)), (torch.nn.BatchNorm1d(2), (4, 2))]
)
def test_norms_use_their_batch_and_keep_their_statistics(norm, shape):
    norm.train()
    x = torch.rand(shape) + 5
    with statistics_kept(norm):
        seen = norm(x)
    assert abs(seen.mean().item()) < 1e-5
    assert norm.running_mean.tolist() == [0, 0] and int(norm.num_batches_tracked) == 0
    torch.testing.assert_close(norm(x), seen)
    assert int(norm.num_batches_tracked) == 1
