"""What makes a method itself and shows only once it was taught: properties of methods-17.md, on phantoms it never saw.

One training a method, of seed 0, shared by its tests. What was measured stands beside each bound, which leaves room for
another machine: the same seed is another training on another processor, so figures of several seeds stand there, too.
What a method does not have with any seed is a strict xfail; of what it has with some, nothing is asserted.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.filters import threshold_otsu

from bench.methods.worlds import Phantoms
from ml.acquisition.uncertainty import mutual_information, two_class
from ml.blocks import detr
from ml.blocks.boxes import iou
from ml.methods.cascade_segmentation import guide_of, posteriors, refined
from ml.methods.dbn_steps import HIT_IOU, survivors
from ml.methods.frozen_mil import DESCRIBED, bag
from ml.methods.multiscale_patch import windows_of
from ml.pixels.tiles import places
from tests.ml.methods.slow.taught import lesion_boxes, teach

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LESION = Phantoms(
    family="small_lesion_large_image", layout="image", answer="outcome", count=(300, 0, 60), size=96, spacing_mm=1.6,
    options={"radius": 0.12},
)  # fmt: skip
#: A cluster in every image; the other family has masses and images without anything.
DOTS = Phantoms(
    family="calc_cluster", layout="image", answer="outcome", count=(40, 0, 20), size=64, spacing_mm=0.8, classes=(1,),
    options={"beta": 4.5, "dots": (14, 18)},
)  # fmt: skip
LARGE = Phantoms(
    family="mass_sizes", layout="image", answer="outcome", count=(60, 0, 40), size=64, spacing_mm=0.8,
    options={"radii": (0.12,)},
)  # fmt: skip
OUTLINES = Phantoms(family="mass_sizes", layout="image", answer="mask", count=(100, 0, 30), size=96, spacing_mm=1.6)
SHAPES = Phantoms(
    family="mass_shapes", layout="region", answer="pathology", count=(120, 0, 60), size=48, spacing_mm=0.2,
    classes=(0, 2),
)  # fmt: skip
MASSES = replace(OUTLINES, answer="boxes", count=(120, 0, 80))
#: Masses of 18 and of 46 px where 0.8 mm are a pixel: the first level of a pyramid has anchors for these, the second
#: for those.
TWO_SIZES = replace(MASSES, count=(400, 0, 80), options={"radii": (0.045, 0.12)})

#: Two masses or none, as in the learning check of `detr_lesion`.
TWO = Phantoms(
    family="two_lesions", layout="image", answer="boxes", count=(400, 0, 80), size=64, spacing_mm=1.6,
    options={"radii": (0.1, 0.15), "apart": 0.3},
)  # fmt: skip


@pytest.fixture(scope="module")
def gmic(tmp_path_factory):
    """Seeds 0, 1 and 3 find all lesions, 2 and 4 do not; with 3 hiding the first crop lowers half of the answers."""
    folder = tmp_path_factory.mktemp("gmic")
    return teach(folder, "gmic", LESION, target="outcome", rows_px=96, cols_px=96, steps=500)


@pytest.fixture(scope="module")
def frozen_mil(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frozen_mil")
    return teach(folder, "frozen_mil", LESION, target="outcome", rows_px=96, cols_px=96)


@pytest.fixture(scope="module")
def multiscale_patch(tmp_path_factory):
    """Its patch networks: the scans are another matter, and get two steps."""
    folder = tmp_path_factory.mktemp("multiscale_patch")
    return teach(folder, "multiscale_patch", DOTS, LARGE, target="outcome", patch_px=32, steps=2)


@pytest.fixture(scope="module")
def cascade_segmentation(tmp_path_factory):
    config = {"finest_px": 96, "crop_px": 48, "target_spacing_mm": 1.6, "coarse_steps": 150, "steps": 150}
    return teach(tmp_path_factory.mktemp("cascade_segmentation"), "cascade_segmentation", OUTLINES, **config)


@pytest.fixture(scope="module")
def dualcorenet(tmp_path_factory):
    config = {"lpl_steps": 60, "steps": 120}
    return teach(tmp_path_factory.mktemp("dualcorenet"), "dualcorenet", SHAPES, target="pathology", **config)


@pytest.fixture(scope="module")
def retinanet_mass(tmp_path_factory):
    config = {"target_spacing_mm": 0.8, "prepared_long_px": 192, "long_px": 192, "steps": 500}
    return teach(tmp_path_factory.mktemp("retinanet_mass"), "retinanet_mass", TWO_SIZES, **config)


@pytest.fixture(scope="module")
def dbn_forest(tmp_path_factory):
    return teach(tmp_path_factory.mktemp("dbn_forest"), "dbn_forest", MASSES, target_spacing_mm=0.96)


@pytest.fixture(scope="module")
def detr_lesion(tmp_path_factory):
    return teach(tmp_path_factory.mktemp("detr_lesion"), "detr_lesion", TWO, side_px=64, steps=1000)


#: A cell of the saliency, around a box.
CELL = np.array([-8, -8, 8, 8])


def middle(boxes):
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def holds(box, place):
    return bool(box[0] <= place[0] <= box[2] and box[1] <= place[1] <= box[3])


def probabilities(predictions):
    return torch.stack([own.probabilities[1] for own in predictions])


@pytest.mark.xdist_group("gmic")
def test_hiding_the_crop_that_counts_most_lowers_the_answer_and_hiding_the_other_does_not(gmic):
    batch = gmic.batch(marked=True)
    network = gmic.model.modules["main"]
    outputs, plain = network(batch.x, batch.valid), probabilities(gmic.said(batch))
    order = outputs["attention"].argsort(1, descending=True)
    size = gmic.model.config.crop_px

    def hidden(rank):
        """The answers, with the breast in the crop of that rank at its image's median."""
        x = batch.x.clone()
        for n, own in enumerate(x[:, 0, 0]):
            x0, y0 = outputs["corners"][n, order[n, rank]].tolist()
            part = own[y0 : y0 + size, x0 : x0 + size]
            part[part > 0] = float(own[own > 0].median())
        return probabilities(gmic.said(replace(batch, x=x)))

    first, second = hidden(0), hidden(1)
    # measured (seeds 0, 1): .98 and .99 as it is, .00 and .01 without the first crop, lower in all 30; .96 and .99
    # without the second
    assert (first < plain).float().mean() >= 0.9
    assert plain.mean() - first.mean() > 0.4
    assert abs(plain.mean() - second.mean()) < 0.2


@pytest.mark.xdist_group("gmic")
def test_attention_and_saliency_are_highest_on_the_lesion(gmic):
    batch = gmic.batch(marked=True)
    boxes = lesion_boxes(batch, gmic.rows)
    outputs = gmic.model.modules["main"](batch.x, batch.valid)
    size = gmic.model.config.crop_px
    held = torch.tensor(
        [[holds([x, y, x + size, y + size], place) for x, y in corners.tolist()]
         for corners, place in zip(outputs["corners"], middle(boxes), strict=True)]
    )  # fmt: skip
    # measured (seeds 0, 1): a crop holds the middle of the lesion in 30 of 30, and has .98 and 1.00 of the attention
    some = held.any(1)
    assert some.float().mean() > 0.7
    assert (outputs["attention"] * held).sum(1)[some].mean() > 0.75
    heat = gmic.model.method.heat(gmic.model.modules, batch, gmic.model.config)[:, 0]
    # measured (seeds 0, 1): 30 of 30, give or take a cell
    assert np.mean([holds(box, highest(own)) for box, own in zip(boxes + CELL, heat, strict=True)]) > 0.75


def highest(heat):
    """(x, y) of the middle of the highest pixel of a map (H, W)."""
    row, col = divmod(int(heat.argmax()), heat.shape[1])
    return col + 0.5, row + 0.5


@pytest.mark.xdist_group("frozen_mil")
def test_the_tile_that_speaks_most_for_cancer_holds_the_lesion(frozen_mil):
    batch = frozen_mil.batch(marked=True)
    said, places = frozen_mil.said(batch), middle(lesion_boxes(batch, frozen_mil.rows))
    hits = []
    for own, place in zip(said, places, strict=True):
        scores, boxes = (torch.cat([getattr(where, part) for where in own.where]) for part in ("scores", "boxes"))
        hits.append(len(scores) > 0 and holds(boxes[scores.argmax()], place))
    # measured (seeds 0, 1, 2): in 29, 30 and 30 of 30 images, where chance would in 4
    assert np.mean(hits) > 0.6


@pytest.mark.xdist_group("frozen_mil")
def test_attention_alone_is_higher_on_the_tiles_that_hold_the_lesion(frozen_mil):
    """The mean of the heads' attention: a head by itself may learn to look away, and to speak against what it sees.

    Seeds 0, 1, 2: one, one and three of the five heads have less attention on the lesion's tiles than on others.
    """
    batch, config, modules = frozen_mil.batch(marked=True), frozen_mil.model.config, frozen_mil.model.modules
    tiles, views, there = bag(modules["encoder"], batch, config, DESCRIBED)
    with torch.no_grad():
        attention = modules["heads"](tiles, views, there)["attention"].mean(0)
    corners = list(places(tuple(batch.x.shape[-2:]), config.tile_px, config.tile_px // 2))
    side, looks, tops = config.tile_px, [], []
    for n, place in enumerate(middle(lesion_boxes(batch, frozen_mil.rows))):
        held = torch.tensor([holds([x, y, x + side, y + side], place) for y, x in corners] * batch.x.shape[1])
        own = held & there[n] & (views == int(batch.view_mask[n].nonzero()[0]))
        looks.append(float(attention[n, own].mean() / attention[n, there[n] & ~own].mean()))
        tops.append(bool(own[attention[n].argmax()]))
    # measured (seeds 0, 1, 2): the least ratio of 30 images 11, 19 and 3.2, the median 21, 22 and 4.0; the tile with
    # most attention holds the lesion in 30 of 30 with each, where chance would in 4
    assert np.mean(np.array(looks) > 2) > 0.9
    assert np.mean(tops) > 0.9


@pytest.mark.xdist_group("multiscale_patch")
def test_a_cluster_of_dots_says_more_to_the_fine_trunk_than_to_the_coarse_one(multiscale_patch):
    model, batch = multiscale_patch.model, multiscale_patch.batch()
    dots = torch.tensor([name.startswith("0-") for name in batch.ids])
    said = {
        scale: windows_of(model.modules, batch, model.config, scale).flatten(1).amax(1) for scale in ("fine", "coarse")
    }
    # measured: in all images; the fine one has .86 with dots and .02 without, the coarse one .14 and .11
    assert (said["fine"] > said["coarse"])[dots].float().mean() > 0.75
    assert said["fine"][dots].mean() > said["fine"][~dots].mean() + 0.2


def dice(found, wanted):
    """(N,) of probabilities (N, H, W) at one half."""
    found, wanted = found >= 0.5, wanted >= 0.5
    both = (found & wanted).sum((1, 2))
    return 2 * both / (found.sum((1, 2)) + wanted.sum((1, 2))).clamp(min=1)


@pytest.mark.xdist_group("cascade_segmentation")
def test_without_what_the_coarse_level_said_the_fine_one_outlines_worse(cascade_segmentation):
    model, batch = cascade_segmentation.model, cascade_segmentation.batch(marked=True)
    network, x, wanted = model.modules["level_1"], batch.x[:, 0], batch.targets["mask"]
    with torch.no_grad():
        guides = guide_of(posteriors(model.modules, x, 0, model.config)[0][-1])
        said = {
            name: torch.stack([refined(network, own, guide, model.config)[0]
                               for own, guide in zip(x, told, strict=True)])
            for name, told in (("told", guides), ("not told", torch.zeros_like(guides)))
        }  # fmt: skip
    found = {name: float(dice(own, wanted).mean()) for name, own in said.items()}
    assert (said["told"] - said["not told"]).abs().max() > 0.01
    # measured: Dice .19 with what the coarse level said (which has .20 itself), 0 without
    assert found["told"] > found["not told"] + 0.1


@pytest.mark.xdist_group("dualcorenet")
def test_its_outlines_are_better_than_a_threshold(dualcorenet):
    batch = dualcorenet.batch()
    x, wanted = batch.x[:, 0, 0], batch.targets["mask"]
    own = dualcorenet.model.modules["joint"](batch.x[:, 0])["mask"][:, 0].sigmoid()
    bright = torch.stack([(image > threshold_otsu(image.numpy())).float() for image in x])
    # measured: Dice .95 against .53 of Otsu's threshold
    assert dice(own, wanted).mean() > dice(bright, wanted).mean() + 0.2


@pytest.mark.xdist_group("dualcorenet")
def test_shapes_are_told_apart_by_their_outline_and_worse_without_it(dualcorenet, monkeypatch):
    """Smooth and spiculated masses have the same inside and the same area.

    Pixels alone are not at chance: the image shows the contour to both paths, too.
    """
    network, batch = dualcorenet.model.modules["joint"], dualcorenet.batch()

    def right():
        said = network(batch.x[:, 0])["logits"].argmax(1)
        return float((said == batch.targets["class"]).float().mean())

    with torch.no_grad():
        own = right()
        monkeypatch.setattr(network, "shown", lambda z, truth, marked: torch.ones_like(z))
        ones = right()
    # measured (seeds 0, 1, 2): .98, 1.00, 1.00 of 60 by its own mask, .80, .60, .57 by ones (areas under the curve
    # 1.00 and .94, .78, .86); of 200, 1.00 and .81, .59, .56. Asked for is half of the smallest difference.
    assert own > 0.9
    assert own > ones + 0.09


def hit_by(boxes, marks):
    """(M,) which of the marks (M, 4) a box hits, or which boxes a mark, if they change places."""
    return (iou(boxes, marks) >= HIT_IOU).any(0) if len(boxes) else torch.zeros(len(marks), dtype=torch.bool)


@pytest.mark.xdist_group("retinanet_mass")
def test_without_the_finest_level_of_its_pyramid_it_finds_no_small_mass_and_all_large_ones(retinanet_mass, monkeypatch):
    batch, network = retinanet_mass.batch(marked=True), retinanet_mass.model.modules["main"]
    marks = batch.targets["boxes"]
    small = torch.cat([boxes[:, 2] - boxes[:, 0] < 30 for boxes in marks])
    pyramid = network.pyramid

    def recall():
        """Of small and of large masses: whether one of an image's best three boxes is on it."""
        said = retinanet_mass.said(batch, min_score=0.0, max_boxes=3)
        hit = torch.cat([hit_by(own.boxes, boxes) for own, boxes in zip(said, marks, strict=True)]).float()
        return float(hit[small].mean()), float(hit[~small].mean())

    whole = recall()
    monkeypatch.setattr(network, "pyramid", lambda x: [torch.zeros_like(own) if n == 0 else own
                                                       for n, own in enumerate(pyramid(x))])  # fmt: skip
    cut = recall()
    # measured (seeds 0 to 3): 1.00, .79, .95, .95 of small ones, none without the level; all large ones either way.
    # Without the second level as many small ones, and .76, .95, .48, .67 of the large.
    assert whole[0] > 0.6 and cut[0] < 0.2
    assert min(whole[1], cut[1]) > 0.8


@pytest.fixture
def overlaps(detr_lesion, monkeypatch):
    """Of each mass, the overlap of the better of an image's two best boxes: with positions, and without them."""
    batch = detr_lesion.batch(marked=True)
    positions = detr.sine_positions

    def found():
        said = detr_lesion.said(batch, min_score=0.0, max_boxes=2)
        return torch.cat(
            [iou(own.boxes, marks).amax(0) for own, marks in zip(said, batch.targets["boxes"], strict=True)]
        )

    whole = found()
    monkeypatch.setattr(detr, "sine_positions", lambda *shape: torch.zeros_like(positions(*shape)))
    return whole, found()


@pytest.mark.xdist_group("detr_lesion")
def test_without_positions_its_boxes_lie_worse_on_the_masses(overlaps):
    whole, without = overlaps
    # measured (seeds 0, 1, 2): .84, .78, .69 of 80 masses at an overlap of .5, .65, .58, .58 without positions; mean
    # overlaps .62, .59, .55, without .49, .48, .48. Asked for is half of the smallest differences.
    assert (whole >= 0.5).float().mean() > 0.5
    assert (whole >= 0.5).float().mean() > (without >= 0.5).float().mean() + 0.05
    assert whole.mean() > without.mean() + 0.035


@pytest.mark.xdist_group("detr_lesion")
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=".78, .74, .84 of what it finds is left")
def test_without_positions_it_finds_less_than_half_as_many(overlaps):
    """The trunk's padding and the breast's outline tell its tokens where they are, too.

    Seed 0: .75 is left after 1400 steps, and .74 where images have 96 pixels. Taught without any positions it finds .52
    and .36 of the masses with seeds 0 and 1, where it finds .84 and .78 with them.
    """
    whole, without = overlaps
    assert (without >= 0.5).float().mean() < (whole >= 0.5).float().mean() / 2


@pytest.mark.xdist_group("dbn_forest")
def test_each_step_of_the_cascade_leaves_fewer_false_boxes_and_nearly_all_masses(dbn_forest):
    batch, model = dbn_forest.batch(), dbn_forest.model
    false, hit = [], []
    for n, marks in enumerate(batch.targets["boxes"]):
        left, _, _ = survivors(model.config, model.modules, batch, n)
        false.append([int((~hit_by(marks, boxes)).sum()) for boxes in left])
        hit.append([int(hit_by(boxes, marks).sum()) for boxes in left])
    nets, *cnns, forest = np.mean(false, 0)
    # measured (seeds 0, 1, 2), false boxes an image: 7.3, 6.0, 5.4, 3.3; 7.3, 6.3, 5.4, 5.4; 7.1, 6.6, 6.4, 5.1.
    # All 40 masses are proposed; 39, 39 and 40 are left. With seed 1 the first forest drops none, so it may.
    assert nets > cnns[0] > cnns[1] >= forest
    assert forest < 0.85 * nets
    proposed, *_, kept = np.sum(hit, 0)
    assert proposed > 0 and kept >= 0.9 * proposed


def disagreement(predictions):
    """(N,) mean mutual information, in nats, of what an image's passes or members say."""
    found = []
    for own in predictions:
        if own.mask_samples is not None:
            found.append(mutual_information(two_class(own.mask_samples.double().numpy())).mean())
        else:
            found.append(mutual_information(own.samples.double().numpy()))
    return np.array(found)


def noise(x):
    """Every pixel of the breast drawn anew."""
    return torch.where(x > 0, torch.rand(x.shape, generator=torch.Generator().manual_seed(0)), x)


def negative(x):
    """Bright where it was dark."""
    return torch.where(x > 0, 1 - x, x)


def shared(name, turned, lacks=""):
    lacking = [pytest.mark.xfail(strict=True, raises=AssertionError, reason=lacks)] if lacks else []
    return pytest.param(name, turned, marks=[pytest.mark.xdist_group(name), *lacking], id=f"{name}-{turned.__name__}")


@pytest.mark.parametrize(
    ("name", "turned"),
    [
        # Measured with seeds 0, 1, 2: nats about what is out of range, as a multiple of those about what it knows.
        shared("dualcorenet", negative),  # 6, 9, 57; noise: .4, 1.1, .5, and 250 on another processor
        shared("frozen_mil", noise, lacks=".82, .88, .86"),
        shared("frozen_mil", negative, lacks=".83, .71, .84"),
        shared("cascade_segmentation", noise, lacks=".73, .27, .33"),
        shared("cascade_segmentation", negative, lacks=".93, .73, .90"),
    ],
)
def test_passes_and_members_disagree_more_about_what_is_out_of_range(name, turned, request):
    taught = request.getfixturevalue(name)
    known = disagreement(taught.said(taught.batch())).mean()
    assert 0 < known < disagreement(taught.said(taught.batch(turned=turned))).mean()
