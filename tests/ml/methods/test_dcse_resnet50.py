"""What makes `dcse_resnet50` itself: dilation, residual gates, shared views. Source of the figures: methods.md 3.10."""

import pytest
import torch
from torch import nn

from ml.blocks.residual import Bottleneck
from ml.blocks.resnet import ResNet
from ml.methods import get
from ml.methods.dcse_resnet50 import DcseNet, plan
from ml.methods.spec import Inference
from ml.runs.manifest import ManifestRow


@pytest.mark.parametrize(
    ("size", "views", "count"),
    [
        ("large", "single", 24_217_208),
        ("large", "four", 42_039_416),
        ("tiny", "four", 1_664_673),
        # golden numbers of this implementation
        ("tiny", "single", 551_457),
        ("tiny", "two", 1_140_385),
        ("base", "single", 3_673_854),
        ("base", "four", 8_128_510),
        ("large", "two", 33_650_808),
    ],
)
def test_a_size_has_its_parameters(size, views, count, a_stage):
    with torch.device("meta"):
        _, _, stage = a_stage("dcse_resnet50", size, views=views)
        assert sum(p.numel() for p in stage.build().parameters()) == count


def test_the_large_network_ends_in_28_by_28_maps_of_2048(a_stage):
    with torch.device("meta"):
        _, _, stage = a_stage("dcse_resnet50", "large", views="four")
        network = stage.build()
        maps = network.trunk(torch.zeros(1, 3, 224, 224))
        assert [tuple(m.shape[1:]) for m in maps] == [
            (64, 112, 112),
            (256, 56, 56),
            (512, 28, 28),
            (1024, 28, 28),
            (2048, 28, 28),
        ]
        assert network(torch.zeros(1, 4, 1, 224, 224))["logits"].shape == (1, 4)


@pytest.mark.parametrize(
    ("strides", "dilations", "scope", "field"),
    [
        ((1, 2, 1, 1), (1, 1, 2, 4), "all", 267),
        ((1, 2, 1, 1), (1, 1, 2, 4), "first", 187),
        ((1, 2, 2, 2), (1, 1, 1, 1), "all", 219),
    ],
)
def test_the_receptive_field_is_the_analytic_one(strides, dilations, scope, field):
    """Absolute weights, norms at rest, average instead of maximum pooling: the gradient of the central cell."""
    net = ResNet(Bottleneck, (1, 2, 3, 2), width=4, strides=strides, dilations=dilations, dilation_scope=scope)
    net = net.double().eval()
    net.maxpool = nn.AvgPool2d(3, 2, 1)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.abs() + 1e-3)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                module.weight.fill_(1.0)
    x = torch.ones(1, 1, 640, 640, dtype=torch.float64, requires_grad=True)
    last = net(x)[-1]
    last[0, :, last.shape[-2] // 2, last.shape[-1] // 2].sum().backward()
    columns = torch.where(x.grad[0, 0].abs().sum(0) > 0)[0]
    assert int(columns.max() - columns.min()) + 1 == field


def test_there_are_five_gates_and_closing_them_leaves_the_identity(a_stage):
    _, _, stage = a_stage("dcse_resnet50", views="single")
    network = stage.build().eval()
    assert len(network.trunk.gates) == 5
    x = torch.rand(2, 1, 96, 96)
    for gate in network.trunk.gates:
        nn.init.constant_(gate.excite.bias, -1e4)
    closed = network.trunk(x)[-1]
    network.trunk.gates = nn.ModuleList()
    torch.testing.assert_close(closed, network.trunk(x)[-1])


def test_each_view_matters_and_their_order_too(a_stage):
    _, _, stage = a_stage("dcse_resnet50", views="four")
    torch.manual_seed(1)
    network, x = stage.build().eval(), torch.rand(1, 4, 1, 96, 96)
    before = network(x)["logits"]
    for view in range(4):
        other = x.clone()
        other[:, view] = 1 - other[:, view]
        assert (network(other)["logits"] - before).abs().max() > 1e-6
    assert (network(x.flip(1))["logits"] - before).abs().max() > 1e-6


def test_the_trunk_learns_from_every_view(a_stage):
    _, _, stage = a_stage("dcse_resnet50", views="four")
    network = stage.build()
    x = torch.rand(2, 4, 1, 96, 96, requires_grad=True)
    network(x)["logits"].sum().backward()
    assert (x.grad.abs().sum((0, 2, 3, 4)) > 0).all()


def test_a_wrong_number_of_views_is_refused(a_stage):
    _, config, _ = a_stage("dcse_resnet50", views="four")
    with pytest.raises(ValueError, match="reads 4 views, got 1"):
        DcseNet(config, 4)(torch.zeros(1, 1, 1, 96, 96))


def rows(exams, views):
    return [
        ManifestRow(
            image_id=f"{e}-{v}", exam_id=f"e{e}", patient_id=f"p{e}", laterality=v[0], view=v[2:], rows=9, cols=9,
            pixel_path="x", split="train",
        )
        for e in range(exams)
        for v in views
    ]  # fmt: skip


@pytest.mark.parametrize(("full", "mode"), [(10, "four"), (9, "four"), (8, "single"), (0, "single")])
def test_four_views_are_read_where_nine_exams_in_ten_have_them(full, mode):
    config = get("dcse_resnet50").configured("tiny", {})
    four = ("R-CC", "L-CC", "R-MLO", "L-MLO")
    some = rows(10, ("R-MLO", "L-MLO")) + [row for row in rows(full, four) if row.view == "CC"]
    assert plan(config, some).views == mode


@pytest.mark.parametrize(("views", "epochs", "halved"), [("single", 30, ()), ("four", 100, (0.3, 0.6, 0.9))])
def test_the_plan_is_that_of_the_code_for_its_views(views, epochs, halved, a_stage):
    """Halved every 30 epochs, of 30 or of 100."""
    _, _, stage = a_stage("dcse_resnet50", "large", views=views)
    assert stage.epochs == epochs
    assert stage.optimiser.steps_at == pytest.approx(halved)
    assert a_stage("dcse_resnet50", "large", views=views, epochs=12)[2].epochs == 12


def test_the_mean_of_each_gate_is_told_beside_the_answer(a_setup):
    setup = a_setup("dcse_resnet50")
    modules, batch = setup.modules(), setup.batch(n=2)
    network = modules["main"].eval()
    for n, gate in enumerate(network.trunk.gates):
        torch.nn.init.zeros_(gate.excite.weight)
        torch.nn.init.constant_(gate.excite.bias, float(n))
    with torch.no_grad():
        said = setup.method.predict(modules, batch, setup.config, Inference(aim=setup.aim))
    wanted = {f"gate_{n + 1:02d}": float(torch.sigmoid(torch.tensor(float(n)))) for n in range(5)}
    assert [own.values for own in said] == [pytest.approx(wanted, rel=1e-5)] * 2
