"""The report of outlines: overlap of images and findings, tissues and percent density, baselines, what is left out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ml.evaluation import segmentation
from ml.evaluation.report import evaluate
from ml.pixels.mark_masks import MaskUnreadable, filled
from tests.ml.evaluation.reports.factories import SIZE, a_row, an_image
from tests.ml.evaluation.reports.test_binary import the as named

DISC = [24, 48, 12]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "pixels").mkdir()
    return tmp_path


def outlined(n, kind="circle", geometry=DISC, split="test", **more):
    row = a_row(n, split, findings=[("mass", [0, 0, 1, 1])], **more)
    row["findings"][0]["marks"] = [{"mark_id": "m", "kind": kind, "geometry": geometry}]
    return row


def save(path, mask):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.asarray(mask, np.uint8)).save(path)


def said(folder, row, mask, target="any"):
    name = f"{row['image_id']}-{target}.png"
    save(folder / "run" / "masks" / name, np.asarray(mask, np.uint8) * (1 if target == "tissue" else 255))
    about = {key: row[key] for key in ("image_id", "exam_id", "patient_id")}
    answer = {"level": "image", "kind": "mask", "target": target, "mask_path": f"masks/{name}", "score": 0.8}
    return {**answer, "member": -1, **about}


def disc(x=24, y=48, r=12):
    return filled("circle", [x, y, r], SIZE, SIZE)


def run(folder, rows, predictions, **more):
    options = {"task": "segmentation", "splits": ("test",), "bootstrap": 100, "seed": 1, "findings": ("mass",), **more}
    return evaluate(
        predictions=predictions, manifest=rows, run_dir=folder / "run", pixels_root=folder / "pixels", **options
    )


def the(found, name, level="image", **more):
    return named(found.metrics, name, level, **more)


@pytest.mark.parametrize("kind", ["circle", "ellipse", "polygon", "mask"])
def test_every_kind_of_outline_is_judged_in_source_pixels(folder, kind):
    ring = [[24 + 12 * np.cos(t), 48 + 12 * np.sin(t)] for t in np.linspace(0, 2 * np.pi, 90)[:-1]]
    geometry = {"circle": DISC, "ellipse": [24, 48, 12, 12, 0], "polygon": [ring], "mask": {"path": "m.png"}}[kind]
    save(folder / "pixels" / "m.png", disc() * 255)
    row = outlined(1, kind, geometry)
    found = run(folder, [row], [said(folder, row, disc())])
    assert the(found, "dice")["value"] == pytest.approx(1.0, abs=0.02)
    assert the(found, "hd95_mm")["value"] <= 1.0


def test_the_means_are_those_of_the_plain_measures(folder):
    rows = [outlined(n, spacing=(0.5, 0.25)) for n in range(4)]
    masks = [disc(24 + 3 * n) for n in range(4)]
    found = run(folder, rows, [said(folder, row, mask) for row, mask in zip(rows, masks, strict=True)])
    each = [segmentation.compare(mask, disc(), (0.5, 0.25)) for mask in masks]
    for name in ("dice", "iou", "hd95_mm", "assd_mm", "hd95_mm_or_diagonal"):
        row = the(found, name)
        assert row["value"] == pytest.approx(np.mean([one[name] for one in each]))
        assert row["ci"][0] <= row["value"] <= row["ci"][1] and row["n_units"] == 4
    assert found.headline["any:dice"] == pytest.approx(the(found, "dice")["value"])
    json.dumps([found.metrics, found.curves, found.worst], allow_nan=False)


def test_a_missed_outline_has_no_distance_and_its_price(folder):
    rows = [outlined(0), outlined(1)]
    found = run(folder, rows, [said(folder, rows[0], disc()), said(folder, rows[1], disc() & False)])
    assert the(found, "dice")["value"] == 0.5
    assert the(found, "hd95_mm")["value"] == 0.0 and the(found, "hd95_mm")["params"]["undefined"] == 1
    assert the(found, "hd95_mm_or_diagonal")["value"] == pytest.approx(np.hypot(SIZE, SIZE) / 2)
    assert [miss["image_id"] for miss in found.worst] == ["i1"] and found.worst[0]["what"] == "outline missed"


def test_without_spacing_no_millimetres_are_told(folder):
    row = outlined(1, spacing=None)
    found = run(folder, [row], [said(folder, row, disc())])
    assert (the(found, "hd95_mm")["value"], the(found, "hd95_mm")["reason"]) == (None, "no_spacing")


def test_images_with_nothing_to_find_are_counted_apart(folder):
    rows = [outlined(0), a_row(1, "test"), a_row(2, "test"), a_row(3, "test", complete=False)]
    masks = [disc(), disc() & False, disc(), disc()]
    found = run(folder, rows, [said(folder, row, mask) for row, mask in zip(rows, masks, strict=True)])
    assert (the(found, "dice")["value"], the(found, "dice")["n_units"]) == (1.0, 1)
    whole = the(found, "dice:complete")
    assert whole["value"] == pytest.approx(2 / 3) and whole["n_units"] == 3
    assert (whole["params"]["both_empty"], whole["params"]["outlined_where_nothing_is"]) == (1, 1)
    assert whole["params"]["without_outline"] == 1


def test_a_box_is_no_outline_and_silence_no_answer(folder):
    rows = [outlined(0), outlined(1, "box", [10, 10, 30, 30]), outlined(2)]
    row = the(run(folder, rows, [said(folder, rows[0], disc())]), "dice")
    assert row["n_units"] == 1
    assert (row["params"]["without_outline"], row["params"]["unanswered"]) == (1, 1)


def test_a_finding_is_judged_by_what_touches_it_and_by_the_mean_of_its_views(folder):
    rows = [outlined(1), outlined(1, image="j")]
    elsewhere = filled("circle", [40, 10, 6], SIZE, SIZE)
    found = run(folder, rows, [said(folder, rows[0], disc() | elsewhere), said(folder, rows[1], elsewhere)])
    assert (the(found, "dice", "finding")["value"], the(found, "dice", "finding")["n_units"]) == (0.5, 1)
    assert the(found, "dice")["value"] < 0.5


def test_kinds_of_image_are_told_apart(folder):
    rows = [outlined(n, image_kind="subtracted" if n % 2 else "low_energy") for n in range(24)]
    found = run(folder, rows, [said(folder, row, disc() if n % 2 else disc(30)) for n, row in enumerate(rows)])
    assert the(found, "dice", subgroup={"image_kind": "subtracted"})["value"] == 1.0
    assert the(found, "dice", subgroup={"image_kind": "low_energy"})["value"] < 0.9


def test_baselines_outline_what_is_bright(folder):
    rows = [outlined(n) for n in range(3)]
    rng = np.random.default_rng(0)
    affine = np.diag([0.5, 0.5, 1.0])

    def pixels(row):
        half = 0.3 + 0.5 * disc()[::2, ::2] + rng.normal(0, 0.01, (SIZE // 2, SIZE // 2))
        return an_image(half, affine=affine)

    found = run(folder, rows, [said(folder, row, disc(40)) for row in rows], pixels=pixels)
    assert the(found, "baseline:otsu:dice")["value"] > 0.9
    assert the(found, "baseline:blob_disc:dice")["value"] > 0.7
    assert the(found, "difference:otsu:dice")["params"]["better"] is False


def test_beside_a_model_of_regions_the_baselines_look_into_the_same_squares(folder):
    """A disc that is not the brightest thing of the breast, in squares of 36 px: it fills a third of them."""
    rows = [outlined(n, split="train" if n < 2 else "test") for n in range(5)]
    rng = np.random.default_rng(0)

    def pixels(row):
        brighter = filled("box", [2, 80, 40, 94], SIZE, SIZE)
        return an_image(0.3 + 0.3 * disc() + 0.6 * brighter + rng.normal(0, 0.01, (SIZE, SIZE)))

    answers = [said(folder, row, disc()) for row in rows[2:]]
    whole = run(folder, rows, answers, pixels=pixels)
    assert the(whole, "baseline:otsu:dice")["value"] < 0.7 and the(whole, "baseline:blob_disc:dice")["value"] == 0.0
    found = run(folder, rows, answers, pixels=pixels, roi={"margin": 1.5})
    assert the(found, "baseline:otsu:dice")["value"] > 0.95
    assert the(found, "baseline:mean_disc:dice")["value"] == pytest.approx(1.0, abs=0.05)
    assert not [row for row in found.metrics if row["baseline"] == "blob_disc"]


def test_a_mask_of_another_size_is_refused(folder):
    row = outlined(1)
    answer = said(folder, row, disc())
    save(folder / "run" / "masks" / "small.png", np.zeros((5, 5)))
    for path in ("masks/small.png", "masks/absent.png", "../pixels/m.png"):
        with pytest.raises(MaskUnreadable):
            run(folder, [row], [{**answer, "mask_path": path}])


# Tissues


def a_tissue_row(folder, n, dense=10):
    """Columns 0-47 are breast, the first `dense` of them dense, the last 8 muscle; stored with values of their own."""
    stored = np.zeros((SIZE, SIZE), np.uint8)
    stored[:, :48], stored[:, :dense], stored[:, 40:48] = 100, 200, 50
    save(folder / "pixels" / f"t{n}.png", stored)
    row = a_row(n, "test", findings=[("other", [0, 0, 1, 1])])
    classes = {"background": 0, "fat": 100, "dense": 200, "pectoral": 50}
    row["findings"][0]["marks"] = [
        {"mark_id": "t", "kind": "label_map", "geometry": {"path": f"t{n}.png", "classes": classes}}
    ]
    return row


def tissue(dense):
    classes = np.zeros((SIZE, SIZE), np.uint8)
    classes[:, :48], classes[:, :dense], classes[:, 40:48] = 1, 2, 3
    return classes


def test_tissues_are_told_by_class_and_as_percent_density(folder):
    rows = [a_tissue_row(folder, n, dense=4 + 4 * n) for n in range(5)]
    answers = [said(folder, row, tissue(8 + 4 * n), "tissue") for n, row in enumerate(rows)]
    found = run(folder, rows, answers)
    assert the(found, "dice:pectoral")["value"] == the(found, "dice:background")["value"] == 1.0
    expected = np.mean([2 * d / (2 * d + 4) for d in (4, 8, 12, 16, 20)])
    assert the(found, "dice:dense")["value"] == pytest.approx(expected)
    assert the(found, "pd_mae")["value"] == the(found, "pd_bias")["value"] == pytest.approx(10.0)
    assert the(found, "pd_spearman")["value"] == pytest.approx(1.0)
    assert the(found, "pd_mae")["target"] == "percent_density"
    assert not [row for row in found.metrics if row["target"] == "any"]


def test_percent_density_may_be_said_as_a_number(folder):
    rows = [a_tissue_row(folder, n, dense=8 + 4 * n) for n in range(3)]
    answers = [{"level": "image", "kind": "scalar", "target": "percent_density", "value": 20.0 + 10 * n - 3,
                "member": -1, "image_id": row["image_id"], "exam_id": row["exam_id"]}
               for n, row in enumerate(rows)]  # fmt: skip
    found = run(folder, rows, answers)
    assert the(found, "pd_bias")["value"] == pytest.approx(-3.0) and the(found, "pd_mae")["value"] == pytest.approx(3.0)


def test_otsu_splits_the_breast_in_two_tissues(folder):
    rows = [a_tissue_row(folder, n, dense=12) for n in range(2)]

    def pixels(row):
        return an_image(0.2 + 0.6 * (tissue(12) == 2) + np.random.default_rng(0).normal(0, 0.01, (SIZE, SIZE)))

    found = run(folder, rows, [said(folder, row, tissue(20), "tissue") for row in rows], pixels=pixels)
    assert the(found, "baseline:otsu:dice:dense")["value"] == pytest.approx(1.0)
    assert the(found, "difference:otsu:pd_mae")["value"] > 0
