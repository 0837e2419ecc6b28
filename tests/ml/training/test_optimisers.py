"""Which weights decay, and how slowly each moves."""

import pytest
from torch import nn

from ml.blocks.backbones import backbone
from ml.methods.spec import Optimiser, Stage
from ml.training.optimisers import make_optimisers

STAGE = Stage(name="main", build=nn.Module, loss=lambda outputs, batch: {}, head_prefixes=("head.",))


class Net(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.trunk = backbone(name)
        self.neck = nn.Linear(self.trunk.embed_width, 8)
        self.head = nn.Linear(8, 2)


def groups(network, **rates):
    """Name of a weight to its rate's factor and its decay."""
    optimiser = make_optimisers(network, STAGE, **rates)[""]
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {
        names[id(p)]: (group["lr_factor"], group["weight_decay"])
        for group in optimiser.param_groups
        for p in group["params"]
    }


@pytest.mark.parametrize(
    ("trunk", "names"),
    [
        ("tiny_resnet_basic", ("conv1.weight", "layer1.0.conv1.weight", "layer4.0.conv2.weight")),
        ("tiny_densenet", ("features.conv0.weight", "features.transition1.conv.weight", "features.norm5.weight")),
        ("tiny_convnext", ("features.0.0.weight", "features.1.0.block.0.weight", "features.6.1.weight")),
    ],
)
def test_rates_fall_with_depth_in_every_family(trunk, names):
    found = groups(Net(trunk), layer_decay=0.5, head_factor=3.0)
    stem, first, last = (found[f"trunk.{name}"][0] for name in names)
    assert (stem, first, last) == (0.5**5, 0.5**4, 0.5)
    assert (found["neck.weight"][0], found["head.weight"][0]) == (0.5, 3.0)


def test_vectors_and_layer_scales_never_decay():
    found = groups(Net("tiny_convnext"))
    still = {name for name, (_, decay) in found.items() if decay == 0}
    assert {"trunk.features.1.0.layer_scale", "trunk.features.0.1.weight", "head.bias"} <= still
    assert not {"trunk.features.1.0.block.0.weight", "head.weight"} & still
    assert all(factor == 1.0 for factor, _ in found.values())


@pytest.mark.parametrize(("kind", "decay"), [("adamw", 0.05), ("adam", 0.0), ("nadam", 0.0), ("sgd", 0.0)])
def test_only_adamw_decays_without_being_told(kind, decay):
    assert Optimiser(kind=kind).decay == decay
    assert Optimiser(kind=kind, weight_decay=1e-4).decay == 1e-4
    assert Optimiser(kind=kind, weight_decay=0.0).decay == 0.0
