"""The report of regions: figures by class, cells of finding types and kinds of image, baselines on the same squares."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ml.evaluation import calibration, categories
from ml.evaluation.comparing import compare
from ml.evaluation.report import evaluate
from ml.evaluation.reports.asked import Asked
from ml.evaluation.undefined import NotAScore
from ml.pixels.rois import RoiOptions, rois_of
from tests.ml.evaluation.reports.factories import SIZE, a_row, an_image
from tests.ml.evaluation.reports.test_binary import the as named

LABELS = ("background", "lesion")


def a_study(n=120, seed=0):
    """Training and test images by turns; every second has a mass (or a calcification) of a random size and place."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        x, y, side = rng.integers(2, 20), rng.integers(5, 60), rng.integers(8, 14)
        box = [int(x), int(y), int(x + side), int(y + side)]
        kind = "mass" if i % 8 < 4 else "calcification"
        own = [(kind, box)] if (i // 2) % 2 else ()
        rows.append(a_row(i, "train" if i % 2 else "test", findings=own, image_kind="low_energy"))
        for finding in rows[-1]["findings"]:
            finding["pathology"] = "malignant" if i % 16 < 8 else "benign"
    return rows


def pictures(row):
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    rng = np.random.default_rng(int(row["image_id"][1:]))
    picture = 0.3 + rng.normal(0, 0.05, (SIZE, SIZE))
    for finding in row["findings"]:
        x0, y0, x1, y1 = finding["marks"][0]["geometry"]
        picture += 0.4 * (np.hypot(x - (x0 + x1) / 2, y - (y0 + y1) / 2) < (x1 - x0) / 2)
    return an_image(np.clip(picture, 0, 1))


def regions(rows, labels=LABELS):
    return [roi for roi in rois_of(rows, labels, RoiOptions(), 3, image=pictures) if roi.split == "test"]


def said(roi, p, labels=LABELS, target="presence"):
    x0, y0, x1, y1 = roi.box
    return [
        {"level": "finding", "kind": "prob", "target": target, "class_index": c, "label": labels[c], "prob": float(q),
         "member": -1, "image_id": roi.image_id, "exam_id": roi.exam_id, "patient_id": roi.patient_id,
         "split": roi.split, "finding_id": roi.finding_id, "truth": roi.label, "number": roi.number,
         "x0": x0, "y0": y0, "x1": x1, "y1": y1}
        for c, q in enumerate(p)
    ]  # fmt: skip


def answers(rois, sure=0.7, seed=1, labels=LABELS, target="presence"):
    """The true class is believed by `sure` on the average."""
    rng = np.random.default_rng(seed)
    found = []
    for roi in rois:
        own = float(np.clip(rng.normal(sure, 0.25), 0.02, 0.98))
        p = np.full(len(labels), (1 - own) / (len(labels) - 1))
        p[labels.index(roi.label)] = own
        found += said(roi, p, labels, target)
    return found


def run(rows, predictions, **more):
    options = {"task": "lesion_classification", "splits": ("test",), "bootstrap": 200, "seed": 3, **more}
    return evaluate(predictions=predictions, manifest=rows, **options)


def the(found, name, **more):
    return named(found.metrics, name, "finding", **more)


def test_figures_are_those_of_the_confusion_matrix():
    rows = a_study()
    rois = regions(rows)
    predictions = answers(rois)
    found = run(rows, predictions, target="presence", labels=LABELS)
    truth = np.array([LABELS.index(roi.label) for roi in rois])
    lesion = np.array([row["prob"] for row in predictions if row["class_index"] == 1])
    matrix = categories.confusion(truth, lesion > 0.5, 2)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert the(found, name)["value"] == pytest.approx(float(getattr(categories, name)(matrix)))
    (confusion,) = found.curves["confusion"]
    assert np.sum(confusion["matrix"]) == len(rois) and confusion["labels"] == list(LABELS)
    wins = lesion[truth == 1][:, None] - lesion[truth == 0][None]
    assert the(found, "auc")["value"] == pytest.approx(((wins > 0) + 0.5 * (wins == 0)).mean())
    assert found.headline.keys() == {"auc", "accuracy", "balanced_accuracy", "macro_f1", "auc_matched"}
    json.dumps([found.metrics, found.curves, found.worst], allow_nan=False)


def test_two_classes_are_calibrated_as_yes_or_no_and_more_by_the_class_believed_most():
    rows = a_study()
    rois = regions(rows)
    predictions = answers(rois)
    found = run(rows, predictions, labels=LABELS)
    y = np.array([roi.label == "lesion" for roi in rois], np.int64)
    p = np.array([row["prob"] for row in predictions if row["class_index"] == 1])
    assert the(found, "brier")["value"] == pytest.approx(calibration.brier(y, p))
    ece = the(found, "ece")
    by_width, by_count = (calibration.reliability(y, p, binning=how) for how in ("width", "count"))
    assert ece["value"] == pytest.approx(by_width.ece) and ece["params"]["mce"] == pytest.approx(by_width.mce)
    assert ece["params"]["equal_count"] == pytest.approx(by_count.ece)
    (drawn,) = found.curves["reliability"]
    assert drawn["confidence"] == pytest.approx(by_width.confidence.tolist()) and min(drawn["confidence"]) < 0.5
    labels = ("background", "mass", "calcification")
    three = [roi for roi in rois_of(rows, labels, RoiOptions(), 3, image=pictures) if roi.split == "test"]
    predictions = answers(three, labels=labels)
    found = run(rows, predictions, labels=labels)
    p = np.array([row["prob"] for row in predictions]).reshape(-1, 3)
    truth = np.array([labels.index(roi.label) for roi in three])
    assert the(found, "brier")["value"] == pytest.approx(calibration.brier(truth, p))
    assert the(found, "ece")["value"] == pytest.approx(calibration.reliability(truth, p).ece)


def test_texture_sees_the_lesions_and_the_size_alone_does_not():
    rows = a_study(400)
    found = run(rows, answers(regions(rows), 0.5), labels=LABELS, pixels=pictures)
    assert the(found, "baseline:roi_regression:auc")["value"] > 0.95
    size = the(found, "baseline:size_only:auc")
    assert abs(size["value"] - 0.5) < 0.1 and size["ci"][0] < 0.5 < size["ci"][1]
    assert the(found, "baseline:prior:auc")["value"] == 0.5
    assert the(found, "difference:roi_regression:auc")["params"]["better"] is False


def test_a_types_cell_has_its_own_regions_and_the_background():
    rows = a_study(400)
    rois = regions(rows)
    kinds = {(r["image_id"], f["finding_id"]): f["type"] for r in rows for f in r["findings"]}
    own = [p for roi in rois for p in said(roi, [0.2, 0.8] if kinds.get((roi.image_id, roi.finding_id)) == "mass"
                                           else [0.9, 0.1])]  # fmt: skip
    found = run(rows, own, labels=LABELS)
    masses = sum(kind == "mass" for (image, _), kind in kinds.items() if any(roi.image_id == image for roi in rois))
    cell = the(found, "auc", subgroup={"finding_type": "mass"})
    assert (cell["value"], cell["n_pos"]) == (1.0, masses)
    assert the(found, "auc", subgroup={"finding_type": "calcification"})["value"] == 0.5


def test_sizes_and_pathologies_have_their_own_regions_and_the_background():
    rows = a_study(400)
    found = run(rows, answers(regions(rows)), labels=LABELS)
    lesions = [f for row in rows if row["split"] == "test" for f in row["findings"]]
    small = sum(f["marks"][0]["geometry"][2] - f["marks"][0]["geometry"][0] < 10 for f in lesions)
    assert the(found, "auc", subgroup={"size": "<10 mm"})["n_pos"] == small
    assert the(found, "auc", subgroup={"size": "10-20 mm"})["n_pos"] == len(lesions) - small
    malignant = the(found, "auc", subgroup={"pathology": "malignant"})
    assert malignant["n_pos"] == sum(f["pathology"] == "malignant" for f in lesions) and malignant["n_neg"] > 50
    labels = ("benign", "malignant")
    rois = [roi for roi in rois_of(rows, labels, RoiOptions(), 3) if roi.split == "test"]
    told = run(rows, answers(rois, labels=labels, target="pathology"), labels=labels, target="pathology").metrics
    assert "size" in {key for row in told for key in row["subgroup"] or ()}
    assert not [row for row in told if "pathology" in (row["subgroup"] or ())]


def test_kinds_of_image_are_told_apart():
    rows = a_study(400)
    for row in rows:
        row["image_kind"] = "subtracted" if int(row["image_id"][1:]) % 3 else "low_energy"
    both = RoiOptions(image_kinds=("low_energy", "subtracted"))
    rois = [roi for roi in rois_of(rows, LABELS, both, 3, image=pictures) if roi.split == "test"]
    found = run(rows, answers(rois), labels=LABELS)
    cells = {row["subgroup"]["image_kind"]: row["n_units"] for row in found.metrics
             if row["subgroup"] and "image_kind" in row["subgroup"] and row["name"] == "auc"}  # fmt: skip
    assert sum(cells.values()) == len(rois) and set(cells) == {"low_energy", "subtracted"}


@pytest.mark.parametrize("labels", [("benign", "malignant"), ("mass:benign", "mass:malignant", "calcification")])
def test_malignant_is_told_from_benign_whatever_the_classes(labels):
    rows = a_study(400)
    rois = [roi for roi in rois_of(rows, labels, RoiOptions(), 3) if roi.split == "test"]
    found = run(rows, answers(rois, 0.6, labels=labels, target="pathology"), labels=labels, target="pathology")
    row = the(found, "auc_malignant")
    asked = [roi for roi in rois if roi.label != "calcification"]
    assert row["n_units"] == len(asked) and 0.5 < row["value"] < 1
    assert row["n_pos"] == sum(roi.label.endswith("malignant") for roi in asked)
    if len(labels) == 2:
        assert row["value"] == pytest.approx(the(found, "auc")["value"], abs=1e-3)


def test_lesions_are_compared_with_backgrounds_of_their_size_by_themselves():
    rows = a_study(400)
    rois = regions(rows)
    found = run(rows, answers(rois, 0.6), labels=LABELS, pixels=pictures)
    row, size = the(found, "auc_matched"), the(found, "baseline:size_only:auc_matched")
    assert row["n_pos"] == row["n_neg"] > 10 and row["n_units"] < len(rois)
    assert abs(size["value"] - 0.5) < 0.1 and the(found, "difference:size_only:auc_matched")["ci"] is not None


def test_labels_are_read_from_the_rows_where_they_are_not_given():
    rows = a_study()
    found = run(rows, answers(regions(rows)))
    assert the(found, "auc")["params"]["labels"] == list(LABELS) and the(found, "auc")["target"] == "presence"


def test_a_region_of_no_class_is_counted_and_nan_refused():
    rows = a_study()
    rois = regions(rows)
    predictions = answers(rois)
    odd = [{**row, "truth": "asymmetry", "x0": -1.0} for row in predictions[:2]]
    row = the(run(rows, predictions + odd, labels=LABELS), "auc")
    assert row["n_units"] == len(rois) and row["params"]["truth_unknown"] == 1
    with pytest.raises(NotAScore):
        run(rows, [{**predictions[0], "prob": float("nan")}])


def test_a_finding_is_what_the_manifest_says_today():
    labels = ("benign", "malignant")
    rows = a_study()
    rois = [roi for roi in rois_of(rows, labels, RoiOptions(), 3) if roi.split == "test"]
    predictions = [row for roi in rois for row in said(roi, [0.9, 0.1], labels, "pathology")]
    benign = sum(roi.label == "benign" for roi in rois)
    asked = {"labels": labels, "target": "pathology"}
    assert the(run(rows, predictions, **asked), "accuracy")["value"] == pytest.approx(benign / len(rois))
    shown = [row["findings"] for row in rows if row["split"] == "test" and row["findings"]]
    changed, ignored, gone = [own for own in shown if own[0]["pathology"] == "malignant"][:3]
    changed[0]["pathology"], ignored[0]["difficulty"] = "benign", "ignore"
    gone.clear()
    row = the(run(rows, predictions, **asked), "accuracy")
    assert row["value"] == pytest.approx((benign + 1) / (len(rois) - 2)) and row["params"]["truth_unknown"] == 2


def test_a_background_where_something_was_marked_since_is_no_background():
    rows = a_study()
    rois = regions(rows)
    square = next(roi for roi in rois if roi.kind == "background")
    row = next(row for row in rows if row["image_id"] == square.image_id)
    mark = {"mark_id": "late", "kind": "box", "geometry": list(square.box)}
    row["findings"].append({"finding_id": "late", "type": "mass", "marks": [mark]})
    found = the(run(rows, answers(rois), labels=LABELS), "auc")
    assert found["n_units"] == len(rois) - 1 and found["params"]["truth_unknown"] == 1


@pytest.mark.parametrize("numbered", [True, False])
def test_versions_of_other_seeds_and_margins_are_compared_on_all_regions(numbered):
    rows = a_study(400)
    asked = []
    for seed, margin in ((3, 1.5), (4, 1.0)):
        drawn = rois_of(rows, LABELS, RoiOptions(margin=margin), seed, image=pictures)
        predictions = answers([roi for roi in drawn if roi.split == "test"], 0.6, seed)
        if not numbered:
            predictions = [{key: value for key, value in row.items() if key != "number"} for row in predictions]
        asked.append(Asked(predictions=predictions, manifest=rows, splits=("test",), labels=LABELS, replicates=50))
    squares = [{(p["image_id"], p["x0"], p["x1"]) for p in own.predictions} for own in asked]
    assert len(squares[0] & squares[1]) < 10
    found = next(row for row in compare(*asked, "lesion_classification").headline if row["metric"] == "auc")
    assert found["value"] is not None and found["n_units"] >= 0.98 * min(map(len, squares)) > 150


def test_the_worst_say_what_was_read_and_where():
    rows = a_study()
    worst = run(rows, answers(regions(rows), 0.5), labels=LABELS).worst
    assert worst and all(miss["truth"] != miss["predicted"] for miss in worst)
    assert [miss["score"] for miss in worst] == sorted(miss["score"] for miss in worst)
    assert worst[0]["mark"]["kind"] == "box" and "read as" in worst[0]["what"]


def test_without_regions_there_are_nulls():
    found = run(a_study(), [], labels=LABELS)
    assert {row["value"] for row in found.metrics} == {None}
