"""Maps of where a score came from, on networks whose answer is known, and through the run folder."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ml.blocks.cells import over_pixels
from ml.blocks.grad_cam import grad_cam
from ml.blocks.occlusion import occlusion, squares
from ml.geometry.affine import apply_points, invert
from ml.methods import get
from ml.methods.spec import Prediction
from ml.runs.cancel import StopRequest
from ml.runs.exits import Exit
from ml.runs.explanations import read_explanations
from ml.runs.request import Init, OutputOptions, read_request, write_request
from ml.training.explaining import Drawing, draw
from ml.training.feature_maps import last_maps, watched
from ml.training.heat import Speech, heat_of
from ml.training.run import run as run_folder
from tests.ml.methods import world as small

CPU = small.CPU


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return small.world(folder), folder


class Corner(nn.Module):
    """Answers with the mean of the upper left quarter of its one map, for each view by itself."""

    def __init__(self, views):
        super().__init__()
        self.trunk = nn.Conv2d(1, 2, 3, 2, 1)
        nn.init.constant_(self.trunk.weight, 0.1)
        nn.init.zeros_(self.trunk.bias)
        self.weights = torch.arange(1.0, views + 1)

    def forward(self, x):
        maps = self.trunk(x.flatten(0, 1)).relu().unflatten(0, x.shape[:2])
        rows, cols = maps.shape[-2:]
        quarter = maps[..., : rows // 2, : cols // 2].mean((2, 3, 4))
        return (quarter * self.weights).sum(1)


def corner_method(views):
    """A method of that network, as far as its explanation needs one."""

    def predict(modules, batch, config, inference):
        z = modules["main"](batch.x)
        logits = torch.stack([-z, z], 1)
        return [Prediction(probabilities=own.softmax(0), logits=own) for own in logits]

    return replace(get("gmic"), predict=predict, heat=None), {"main": Corner(views)}


def a_batch(setup, **more):
    samples, loader = setup.view(split="test")
    return replace(loader.collate([loader.item(samples[0])], CPU.device), **more)


def test_the_map_lies_over_what_the_answer_was_made_of_and_views_keep_their_share(world):
    setup = small.settled(*world, "convnext_breast")
    method, modules = corner_method(2)
    batch = a_batch(setup)
    heat = heat_of(Speech(method, modules, None, setup.aim), batch)
    assert (heat.kind, heat.label) == ("grad_cam", "positive") and heat.maps.shape == (2, *batch.x.shape[-2:])
    # The plain activations are everywhere; the weights are the mean gradient, so the map follows the picture.
    means = heat.maps.mean((1, 2))
    assert means[1] > 1.5 * means[0] > 0


def test_covering_finds_the_square_that_the_score_came_from():
    x = torch.full((1, 2, 1, 32, 32), 0.2)
    x[0, 1, 0, 8:16, 16:24] = 1.0
    breast = torch.ones(2, 1, 32, 32, dtype=torch.bool)
    breast[:, :, :, 24:] = False
    heat = occlusion(lambda x: x[:, 1, 0, 8:16, 16:24].mean((1, 2)), x, breast, 8)
    assert heat.shape == (2, 4, 4) and squares(breast, 8) == 24
    assert heat.flatten().argmax() == 16 + 1 * 4 + 2 and (heat > 0).sum() == 1


def test_grad_cam_is_all_zero_where_nothing_speaks_for_the_score():
    maps = torch.rand(1, 3, 4, 4, requires_grad=True)
    cam, highest = grad_cam(-maps.sum((1, 2, 3)), maps)
    assert cam.abs().max() == 0 and highest == 0


def test_views_are_told_apart_by_what_the_maps_depend_on():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Conv2d(1, 2, 1)

        def forward(self, x):
            return self.trunk(x[:, [2, 0, 1]].flatten(0, 1))

    x = torch.rand(1, 3, 1, 8, 8, requires_grad=True)
    network = Turned()
    with watched({"main": network}) as seen:
        maps = network(x)
    found = last_maps(seen, maps.square().sum(), x)
    assert sorted(found) == [0, 1, 2]
    for view, row in ((2, 0), (0, 1), (1, 2)):
        torch.testing.assert_close(found[view][0], maps[row].detach())


@pytest.mark.parametrize(
    ("name", "task", "kind", "views"),
    [
        ("dcse_resnet50", "density", "grad_cam", 4),
        ("multiview_density", "density", "grad_cam", 4),
        ("bilateral_asymmetry", "asymmetry", "own", 2),
        ("detr_lesion", "lesion_detection", "grad_cam", 1),
        ("aunet", "segmentation", "own", 1),
        ("aunet", "lesion_detection", "own", 1),
        ("gmic", "exam_classification", "own", 1),
        ("multiscale_patch", "exam_classification", "own", 1),
        ("convnext_breast", "exam_classification", "own", 2),
        ("frozen_mil", "exam_classification", "own", 4),
    ],
)
def test_a_method_is_explained_by_its_own_map_or_by_its_last_feature_maps(world, name, task, kind, views):
    torch.manual_seed(0)
    setup = small.settled(*world, name, task=task)
    modules = {stage: network.requires_grad_(False) for stage, network in setup.modules().items()}
    batch = a_batch(setup)
    heat = heat_of(Speech(setup.method, modules, setup.config, setup.aim), batch)
    assert heat.kind == kind and heat.maps.shape == (views, *batch.x.shape[-2:])
    assert torch.isfinite(heat.maps).all() and heat.maps.min() >= 0


def test_what_is_hot_in_the_prepared_image_is_hot_where_it_lies_in_the_stored_one(world, tmp_path):
    """A map that is the image itself points at the bright disc, on right breasts (mirrored before reading) as well."""
    rows, _ = world
    setup = small.settled(*world, "gmic")
    method = replace(setup.method, heat=lambda modules, batch, config: batch.x[:, :, 0])
    samples, loader = setup.view()
    ill = [sample for sample in samples if sample.row.findings and sample.row.laterality == "R"]
    drawn = draw(ill, Drawing(Speech(method, setup.modules(), setup.config, setup.aim), loader, CPU, tmp_path / "out",
                              StopRequest(tmp_path)))  # fmt: skip
    assert len(drawn.maps) == len(ill) > 2
    for one in read_explanations(tmp_path / "out"):
        row = next(row for row in rows if row.image_id == one.image_id)
        picture = np.asarray(Image.open(tmp_path / "out" / one.path.removeprefix("explanations/")))
        y, x = (float(np.mean(own)) + 0.5 for own in np.nonzero(picture >= 0.9 * picture.max()))
        at = apply_points(invert(np.array(one.affine)), [[x, y]])[0]
        assert np.hypot(at[0] - (small.COLS - 28.0), at[1] - 48.0) < 2.0, row.image_id


def test_cells_lie_over_the_pixels_that_they_cover():
    cells = torch.zeros(1, 3, 4)
    cells[0, 1, 2] = 1.0
    over = over_pixels(cells, 8.0, 20, 40)  # three rows of cells overhang, four columns do not reach
    assert over.shape == (1, 20, 40)
    # The cell's middle is a corner of pixels: half a pixel of eight to either side is 15/16 of it.
    assert [float(over[0, y, x]) for y in (11, 12) for x in (19, 20)] == [pytest.approx((15 / 16) ** 2)] * 4
    assert over[0, :4].max() == 0 and over[0, :, 32:].max() == 0


def test_a_run_leaves_pictures_that_lie_on_the_stored_pixels(world, tmp_path):
    rows, folder = world
    trained = small.tried(tmp_path / "run", rows, folder, "gmic", "exam_classification")
    assert not (trained / "explanations").exists()
    again = tmp_path / "predict"
    again.mkdir()
    (again / "init").mkdir()
    (trained / "model").rename(again / "init" / "model")
    small.write_manifest(again, [row for row in rows if row.split == "test"], pixels_root=folder.resolve())
    request = replace(
        read_request(trained), run_id="predict", command="predict", output=OutputOptions(explanations=1),
        init=Init(kind="model_dir", path="init/model"),
    )  # fmt: skip
    write_request(again, request)
    assert run_folder(again, command="predict") is Exit.FINISHED
    maps = read_explanations(again / "explanations")
    assert len({one.exam_id for one in maps}) == 1 and len(maps) == 4  # four views of one exam
    for one in maps:
        row = next(row for row in rows if row.image_id == one.image_id)
        picture = np.asarray(Image.open(again / one.path))
        assert picture.dtype == np.uint8 and picture.shape == (one.rows, one.cols)
        assert picture.max() == 255 and not one.empty and one.maximum > 0 and one.kind == "own"
        # Right breasts are mirrored before they are read: the chest wall is at the picture's left on both sides.
        wall, nipple = apply_points(np.array(one.affine), [[row.cols if row.laterality == "R" else 0, row.rows / 2],
                                                           [row.cols / 2, row.rows / 2]])  # fmt: skip
        assert wall[0] < nipple[0] and 0 <= nipple[0] <= one.cols and 0 <= nipple[1] <= one.rows
