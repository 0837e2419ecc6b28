"""The lesion report: FROC figures beside their baselines, curves, and the worst misses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ml.evaluation.report import evaluate, evaluate_folds
from ml.evaluation.reports.asked import Asked
from ml.pixels import mark_masks
from tests.ml.evaluation.reports.factories import SIZE, a_box, a_row, an_image

BOX = [20, 30, 34, 44]
FINDINGS = ("mass", "calcification")


@pytest.fixture
def study():
    """30 training and 30 test exams of one image; every second has a mass of 14 mm that is bright in the picture."""
    rows = [a_row(n, "train" if n < 30 else "test", findings=[("mass", BOX)] if n % 2 else ()) for n in range(60)]
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    rng = np.random.default_rng(0)

    def pixels(row):
        disc = 0.5 * (np.hypot(x - 27, y - 37) < 7) if row["findings"] else 0.0
        return an_image(0.3 + disc + rng.normal(0, 0.01, (SIZE, SIZE)))

    return rows, pixels


def run(rows, predictions, **more):
    options = {
        "task": "lesion_detection",
        "findings": FINDINGS,
        "splits": ("test",),
        "bootstrap": 200,
        "seed": 1,
        **more,
    }
    return evaluate(predictions=predictions, manifest=rows, **options)


def the(metrics, name, target="mass"):
    found = [row for row in metrics if row["name"] == name and row["target"] == target]
    assert len(found) == 1, name
    return found[0]


def right(rows):
    return [a_box(r, "mass", 0.9, BOX) for r in rows if r["findings"]]


def wrong(rows):
    return [a_box(r, "mass", 0.5 + k / 1000, [60, 60, 70, 70]) for k, r in enumerate(rows)]


def test_a_right_model_finds_all_without_a_false_mark(study):
    rows, _ = study
    found = run(rows, right(rows))
    for target in ("mass", "any"):
        assert [the(found.metrics, f"froc_sens@{r}", target)["value"] for r in ("0.25", "0.5", "1", "2")] == [1.0] * 4
        assert the(found.metrics, "cpm", target)["value"] == the(found.metrics, "cpm:complete", target)["value"] == 1.0
    assert the(found.metrics, "ap@0.5")["value"] == the(found.metrics, "auc_image")["value"] == 1.0
    assert found.headline["mass:cpm"] == found.headline["any:froc_sens@1"] == 1.0
    row = the(found.metrics, "froc_sens@1")
    assert row["params"]["criterion"] == "iou>=0.2" and row["params"]["fp_on"] == "normal"
    assert (row["n_units"], row["n_neg"], row["n_patients"], row["level"]) == (15, 15, 30, "finding")


def test_the_mean_average_precision_is_over_the_types_that_have_marks(study):
    rows, _ = study
    alone = run(rows, right(rows))
    assert the(alone.metrics, "ap@0.5", "calcification")["value"] is None
    mean = the(alone.metrics, "map@0.5", "any")
    assert (mean["value"], mean["params"]["mean_over"]) == (1.0, ["mass"])
    assert (mean["level"], mean["n_units"], mean["n_neg"]) == ("mark", 15, 30)
    rows[30]["findings"] = a_row(30, "test", findings=[("calcification", BOX)])["findings"]
    both = run(rows, right(rows[:30]) + right(rows[31:45]))
    each = [the(both.metrics, "ap@0.5:0.95", target)["value"] for target in FINDINGS]
    mean = the(both.metrics, "map@0.5:0.95", "any")
    assert 0 == each[1] < mean["value"] == pytest.approx(sum(each) / 2) and mean["n_units"] == 16
    healthy = the(run([row for row in rows if not row["findings"]], []).metrics, "map@0.1", "any")
    assert (healthy["value"], healthy["reason"]) == (None, "no_marks")


def test_every_row_is_whole_and_plain_json(study):
    rows, pixels = study
    found = run(rows, right(rows) + wrong(rows), pixels=pixels)
    json.dumps([found.metrics, found.curves, found.worst, found.headline], allow_nan=False)
    assert len({(r["name"], r["target"], r["level"], r["split"]) for r in found.metrics}) == len(found.metrics)
    for row in found.metrics:
        assert (row["value"] is None) == ("reason" in row)
        assert row["ci"] is None or row["ci"][0] <= row["ci"][1]


def test_findings_that_do_not_occur_are_null_with_a_reason(study):
    rows, _ = study
    row = the(run(rows, right(rows)).metrics, "froc_sens@1", "calcification")
    assert (row["value"], row["reason"], row["ci"]) == (None, "no_marks", None)


def test_without_normal_images_the_headline_is_null_and_the_curve_on_all_images_stays():
    rows = [a_row(n, "test", findings=[("mass", BOX)]) for n in range(6)]
    found = run(rows, right(rows))
    assert the(found.metrics, "froc_sens@1")["reason"] == "no_normals"
    assert the(found.metrics, "froc_sens@1:complete")["value"] == 1.0
    assert found.headline["any:froc_sens@1"] is None and found.headline["any:froc_sens@1:complete"] == 1.0


def test_the_brightest_blob_is_found_and_chance_is_not(study):
    rows, pixels = study
    found = run(rows, wrong(rows), pixels=pixels)
    assert the(found.metrics, "baseline:brightest_blob:froc_sens@1")["value"] > 0.9
    assert the(found.metrics, "baseline:random:froc_sens@1")["value"] < 0.6
    gap = the(found.metrics, "difference:brightest_blob:froc_sens@1")
    assert gap["value"] == pytest.approx(-the(found.metrics, "baseline:brightest_blob:froc_sens@1")["value"])
    assert not gap["params"]["better"]


def test_a_right_model_is_better_than_chance(study):
    rows, pixels = study
    gap = the(run(rows, right(rows), pixels=pixels).metrics, "difference:random:cpm")
    assert gap["ci"][0] > 0 and gap["params"]["better"]


def test_an_unmarked_finding_makes_no_false_positive_and_is_said():
    rows = [a_row(0, "test", findings=[("mass", BOX)]), a_row(1, "test"), a_row(2, "test", findings=[("mass", None)])]
    found = run(rows, [*right(rows[:1]), a_box(rows[2], "mass", 0.95, [60, 60, 70, 70])])
    row = the(found.metrics, "froc_sens@0.25:complete")
    assert row["value"] == 1.0 and row["params"]["findings_without_mark"] == 1


def test_a_mark_to_ignore_is_on_neither_side_of_the_image_auc():
    rows = [a_row(0, "test", findings=[("mass", BOX)]), a_row(1, "test"), a_row(2, "test", findings=[("mass", BOX)])]
    rows[2]["findings"][0]["difficulty"] = "ignore"
    row = the(run(rows, right(rows)).metrics, "auc_image")
    assert (row["value"], row["n_pos"], row["n_neg"]) == (1.0, 1, 1)
    assert the(run(rows, right(rows)).metrics, "froc_sens@1")["n_units"] == 1


def test_synthetic_and_subtracted_images_are_left_out(study):
    rows, _ = study
    extra = [{**row, "image_id": row["image_id"] + "s", "image_kind": "subtracted"} for row in rows]
    assert the(run(rows + extra, right(rows)).metrics, "froc_sens@1")["n_units"] == 15


def test_the_worst_show_the_missed_mark_and_the_surest_false_alarm(study):
    rows, _ = study
    predictions = right(rows[:31]) + wrong(rows)
    found = run(rows, predictions)
    misses = [w for w in found.worst if w["kind"] == "missed_finding"]
    alarms = [w for w in found.worst if w["kind"] == "false_alarm"]
    assert misses[0]["image_id"] == "i31" and misses[0]["exam_id"] == "e31"
    assert misses[0]["mark"] == {"kind": "box", "geometry": BOX} and misses[0]["what"] == "mass missed"
    assert misses[0]["candidates"][0]["box"] == [60, 60, 70, 70]
    assert alarms[0]["image_id"] == "i58" and alarms[0]["score"] == pytest.approx(0.558)


def test_a_low_scored_hit_under_many_false_alarms_counts_as_missed(study):
    rows, _ = study
    predictions = [a_box(r, "mass", 0.1, BOX) for r in rows if r["findings"]] + wrong(rows) + wrong(rows)
    assert {w["what"] for w in run(rows, predictions).worst if w["kind"] == "missed_finding"} == {"mass scored too low"}


def test_curves_start_at_nothing_and_never_fall(study):
    rows, pixels = study
    curves = run(rows, right(rows) + wrong(rows), pixels=pixels).curves["froc"]
    assert {curve["series"] for curve in curves} == {"model", "baseline:brightest_blob", "baseline:random"}
    for curve in curves:
        assert (curve["fp_per_image"][0], curve["sensitivity"][0], curve["threshold"][0]) == (0, 0, None)
        assert (np.diff(curve["sensitivity"]) >= 0).all() and (np.diff(curve["fp_per_image"]) >= 0).all()


def test_shuffling_the_rows_changes_nothing(study):
    rows, _ = study
    predictions = right(rows)[::2] + wrong(rows)
    once = run(rows, predictions)
    again = run(rows[::-1], predictions[::-1])
    assert once.metrics == again.metrics and once.curves == again.curves and once.worst == again.worst


def cells_of(found, target="mass"):
    return {next(iter(r["subgroup"].items())): r for r in found.metrics if r["subgroup"] and r["target"] == target}


def test_dense_breasts_are_told_apart_with_their_own_normal_images():
    rows = [a_row(n, "test", density="AD"[n // 2 % 2], findings=[("mass", BOX)] if n % 2 else ()) for n in range(80)]
    fatty = [row for row in rows if row["density"]["label"] == "A"]
    cells = cells_of(run(rows, right(fatty)))
    assert (cells["density", "A+B"]["value"], cells["density", "C+D"]["value"]) == (1.0, 0.0)
    assert (cells["density", "A+B"]["n_units"], cells["density", "A+B"]["n_neg"]) == (20, 20)
    gap = cells["density", "A+B minus C+D"]
    assert (gap["name"], gap["value"], gap["params"]["verdict"]) == ("dense_gap", 1.0, "worse in dense")


def test_sizes_are_told_apart_where_the_spacing_is_known():
    small = [20, 30, 26, 36]
    rows = [a_row(n, "test", findings=[("mass", small if n % 4 == 1 else BOX)] if n % 2 else ()) for n in range(60)]
    predictions = [a_box(r, "mass", 0.9, BOX) for r in rows if r["findings"]]
    cells = cells_of(run(rows, predictions))
    assert (cells["size", "<10 mm"]["value"], cells["size", "10-20 mm"]["value"]) == (0.0, 1.0)
    unknown = [{**row, "spacing_mm": None} for row in rows]
    assert not [cell for cell in cells_of(run(unknown, predictions)) if cell[0] == "size"]


def test_a_finding_of_two_views_is_counted_once_by_its_larger_mark():
    small = [20, 30, 26, 36]
    rows = [
        a_row(n, "test", image=view, findings=[("mass", own)] if n % 2 else ())
        for n in range(60)
        for view, own in (("cc", small), ("mlo", BOX if n % 4 == 1 else [20, 30, 27, 37]))
    ]
    cells = cells_of(run(rows, right(rows)))
    assert [cells["size", size]["n_units"] for size in ("<10 mm", "10-20 mm")] == [15, 15]


def test_a_cell_of_few_shows_its_counts_and_no_figure():
    rows = [
        a_row(n, "test", findings=[("mass", BOX)] if n % 2 else (), view="CC" if n < 10 else "MLO") for n in range(60)
    ]
    cell = cells_of(run(rows, right(rows)))["view", "CC"]
    assert (cell["value"], cell["reason"], cell["n_units"]) == (None, "too_few", 5)


def test_an_empty_split_gives_nulls_and_no_error():
    found = run([a_row(0, "train")], [])
    assert {row["value"] for row in found.metrics} == {None}
    assert found.worst == []


def test_two_thousand_draws_of_three_hundred_images_are_drawn():
    rng = np.random.default_rng(3)
    rows = [
        a_row(n, "test", findings=[("mass", BOX), ("calcification", [50, 50, 80, 80])][: n % 3]) for n in range(300)
    ]
    corners = rng.uniform(0, 60, (300, 20, 2))
    predictions = [
        a_box(row, FINDINGS[k % 2], float(rng.random()), [x, y, x + 20, y + 20])
        for row, own in zip(rows, corners, strict=True)
        for k, (x, y) in enumerate(own)
    ]
    found = run(rows, predictions, bootstrap=2000)
    assert {row["params"]["replicates"] for row in found.metrics if row["ci"] and not row["subgroup"]} == {2000}


def test_the_headline_is_of_all_test_patients_and_not_of_a_subgroup(study):
    rows, _ = study
    found = run(rows, right(rows))
    whole = {row["name"]: row["value"] for row in found.metrics if row["target"] == "mass" and not row["subgroup"]}
    for name in ("froc_sens@0.25", "froc_sens@1", "cpm"):
        assert found.headline[f"mass:{name}"] == whole[name] == 1.0


@pytest.fixture
def masked(study, tmp_path):
    """The study, each mass known by a stored mask alone."""
    rows, pixels = study
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[30:44, 20:34] = 255
    Image.fromarray(mask).save(tmp_path / "m.png")
    for finding in (finding for row in rows for finding in row["findings"]):
        finding["marks"] = [{"mark_id": "m", "kind": "mask", "geometry": {"path": "m.png"}}]
    return rows, pixels, tmp_path


def test_a_mass_that_only_a_stored_mask_marks_is_found_like_any_other(masked):
    rows, pixels, folder = masked
    found = run(rows, right(rows), pixels=pixels, pixels_root=folder)
    assert the(found.metrics, "froc_sens@1")["value"] == the(found.metrics, "ap@0.5")["value"] == 1.0
    assert the(found.metrics, "froc_sens@1:centre_in_mark")["value"] == 1.0
    assert "findings_without_mark" not in the(found.metrics, "froc_sens@1")["params"]
    assert the(found.metrics, "baseline:brightest_blob:froc_sens@1")["value"] > 0.9
    nowhere = the(run(rows, right(rows)).metrics, "froc_sens@1:complete")
    assert (nowhere["value"], nowhere["params"]["findings_without_mark"]) == (None, 15)


def test_a_missed_stored_mask_is_drawn_as_its_box(masked):
    rows, _, folder = masked
    found = run(rows, wrong(rows), pixels_root=folder)
    json.dumps(found.worst, allow_nan=False)
    assert found.worst[0]["mark"] == {"kind": "box", "geometry": BOX}


def test_each_stored_mask_is_read_once_for_all_figures(masked, monkeypatch):
    rows, pixels, folder = masked
    read = []
    stored = mark_masks.stored
    monkeypatch.setattr(mark_masks, "stored", lambda *asked: read.append(asked) or stored(*asked))
    run(rows, right(rows), pixels=pixels, pixels_root=folder)
    assert len(read) == 30


def parted(split="val"):
    """20 images of `split` and 20 of test, every second with a mass; boxes score lower the later the image."""
    rows = [a_row(n, split if n < 20 else "test", findings=[("mass", BOX)] if n % 2 else ()) for n in range(40)]
    hits = [a_box(row, "mass", 0.9 - n / 100, BOX) for n, row in enumerate(rows) if n % 2]
    alarms = [a_box(row, "mass", 0.895 - n / 100, [60, 60, 70, 70]) for n, row in enumerate(rows)]
    return rows, hits + alarms


def test_the_threshold_of_validation_is_applied_unchanged_to_test():
    rows, said = parted()
    found = run(rows, said, splits=("val", "test"))
    # Six alarms in 20 images are 0.3 an image: the sixth scores .845, the mass after it .84, the next alarm less.
    assert found.thresholds["score"]["mass"] == found.thresholds["score"]["any"] == pytest.approx(0.845)
    assert {key: found.thresholds[key] for key in ("split", "false_positives_per_image")} == {
        "split": "val", "false_positives_per_image": 0.3,
    }  # fmt: skip
    again = run(rows, said)  # of test alone: the same
    assert again.thresholds == found.thresholds
    whole = [row for row in found.metrics if row["name"] in ("sensitivity", "fp_per_image", "fp_per_image:complete")]
    assert {row["split"] for row in whole} == {"test"} and {row["target"] for row in whole} == {"any", *FINDINGS}


def test_what_is_found_at_validation_s_threshold_is_told_with_its_false_positives():
    rows, said = parted()
    shifted = [{**box, "score": box["score"] + 0.2} if box["split"] == "test" else box for box in said]
    metrics = run(rows, shifted).metrics
    threshold = run(rows, shifted).thresholds["score"]["mass"]
    hits = [box for box in shifted if box["split"] == "test" and box["x0"] == BOX[0]]
    alarms = [box for box in shifted if box["split"] == "test" and box["x0"] == 60]
    row = the(metrics, "sensitivity")
    assert row["value"] == pytest.approx(np.mean([box["score"] >= threshold for box in hits])) and 0 < row["value"] < 1
    assert row["ci"][0] <= row["value"] <= row["ci"][1]
    assert (row["n_pos"], row["params"]["threshold"], row["params"]["chosen_on"]) == (10, threshold, "val")
    assert the(metrics, "fp_per_image:complete")["value"] == np.mean([box["score"] >= threshold for box in alarms])
    normal = {row["image_id"] for row in rows if not row["findings"]}
    of_normal = [box["score"] >= threshold for box in alarms if box["image_id"] in normal]
    assert the(metrics, "fp_per_image")["value"] == pytest.approx(np.mean(of_normal))
    assert the(metrics, "sensitivity", "calcification")["reason"] == "no_threshold"


def test_without_validation_there_is_no_threshold_unless_the_model_brings_its_own():
    rows, said = parted("train")
    assert run(rows, said).thresholds == {}
    assert not [row for row in run(rows, said).metrics if row["name"].startswith(("sensitivity", "fp_per_image"))]
    stored = {"false_positives_per_image": 0.3, "split": "val", "score": {"mass": 0.61, "any": None}}
    metrics = run(rows, said, thresholds=stored).metrics
    assert the(metrics, "sensitivity")["value"] == 0.5 and the(metrics, "sensitivity")["params"]["threshold"] == 0.61
    assert the(metrics, "sensitivity", "any")["reason"] == "no_threshold"


def test_folds_are_pooled_each_at_the_threshold_of_its_own_validation():
    rows, said = parted()
    other = [{**row, **{key: f"x{row[key]}" for key in ("image_id", "exam_id", "patient_id")}} for row in rows]
    again = [{**box, "image_id": f"x{box['image_id']}", "score": box["score"] / 2} for box in said]
    asked = [
        Asked(predictions=p, manifest=m, splits=("test",), findings=FINDINGS, replicates=20)
        for m, p in ((rows, said), (other, again))
    ]
    found = evaluate_folds(asked, "lesion_detection")
    alone = the(run(rows, said).metrics, "fp_per_image:complete")["value"]
    assert the(found.metrics, "fp_per_image:complete")["value"] == pytest.approx(alone)
    assert the(found.metrics, "sensitivity")["params"]["threshold"] is None and found.thresholds == {}
