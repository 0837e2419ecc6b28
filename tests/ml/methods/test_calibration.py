"""What the calibration says of its own figures, the committed files, and the page that is made of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bench.methods import page
from bench.methods.calibrate import figure, read, record_of, verdict
from bench.methods.checks import CHECKS
from bench.methods.columns import COLUMNS, cells
from bench.methods.page import CALIBRATION, values
from bench.methods.trivial import statistics
from bench.methods.worlds import Phantoms, made
from ml.methods import NAMES, get
from ml.runs.catalogue import read_catalogue

AUC = next(check for check in CHECKS if check.metric == "auc")


def test_the_worked_example_of_the_rule():
    found = verdict(AUC, [0.982, 0.968, 0.982], [0.557, 0.586, 0.551], 0.467)
    assert found == {"threshold": 0.777, "accepted": True, "reasons": []}


@pytest.mark.parametrize(
    ("true", "stub", "baseline", "why"),
    [
        ([0.80, 0.80], [0.75, 0.74], 0.5, "the gap"),
        ([0.95, 0.95], [0.50, 0.50], 0.7, "the baseline"),
        ([0.95, 0.80], [0.55, 0.55], 0.5, "the spread"),
        ([0.95], [0.55], 0.5, "one seed"),
    ],
)
def test_a_check_that_does_not_meet_the_rule_is_not_accepted_and_says_why(true, stub, baseline, why):
    found = verdict(AUC, true, stub, baseline)
    assert not found["accepted"] and any(reason.startswith(why) for reason in found["reasons"])


def test_an_accuracy_is_near_chance_and_not_under_an_area():
    check = replace(AUC, metric="accuracy", chance=0.25)
    assert not verdict(check, [0.95, 0.95], [0.3, 0.3], 0.45)["accepted"]
    assert verdict(check, [0.95, 0.95], [0.3, 0.3], 0.35)["accepted"]


def test_checks_have_names_of_their_own_and_options_that_their_methods_have():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        method = get(check.method)
        method.configured("tiny", {**check.config, **check.stub_config})
        assert check.task in {None, *(own.task for own in method.serves)}


def test_committed_figures_are_of_the_checks_as_they_are_and_judged_by_the_rule():
    known = {check.name: check for check in CHECKS}
    for path in CALIBRATION.glob("*.json"):
        document = json.loads(path.read_text())
        check = known[path.stem]
        assert document["check"] == record_of(check), f"measure again: make calibrate-methods METHODS={check.name}"
        true, stub = values(document, "true"), values(document, "stub")
        if true and stub:
            judged = verdict(check, true, stub, max(document["baselines"].values()))
            assert {key: document[key] for key in judged} == judged, path.name


def test_a_record_that_changed_has_no_figures():
    changed = replace(AUC, config={**AUC.config, "steps": 7})
    assert read(changed) is None


def test_phantoms_become_rows_of_what_they_show(tmp_path):
    pairs = made(tmp_path / "p", Phantoms(family="mirrored_pair", layout="pair", answer="asymmetry", count=(4, 0, 2)))
    assert [row.laterality for row in pairs.rows[:2]] == ["L", "R"]
    marked = {row.exam_id for row in pairs.rows if row.findings}
    exams = dict.fromkeys(row.exam_id for row in pairs.rows)
    assert [exam in marked for exam in exams] == (pairs.y == 1).tolist()
    right = np.load(tmp_path / "p" / pairs.rows[1].pixel_path)
    assert np.array_equal(right[:, ::-1], np.rint(pairs.x[0, 1] * 4095))
    assert statistics(pairs.x).shape == (6, 6)


def test_a_patch_is_cut_out_of_its_breast_as_it_was_drawn(tmp_path):
    from ml.pixels.rois import RoiOptions, rois_of
    from ml.runs.records import to_dict

    made_of = Phantoms(family="equal_spectrum", layout="region", answer="pathology", count=(2, 0, 0), size=48)
    world = made(tmp_path, made_of)
    for row, x in zip(world.rows, world.x, strict=True):
        (roi,) = rois_of([to_dict(row)], ("benign", "malignant"), RoiOptions(), 0)
        x0, y0, x1, y1 = (round(side) for side in roi.box)
        assert np.array_equal(np.load(tmp_path / row.pixel_path)[y0:y1, x0:x1], np.rint(x[0] * 4095))


def test_a_figure_is_that_of_the_test_set_and_no_variant():
    about = {"split": "test", "level": AUC.level, "target": AUC.row or "outcome", "subgroup": None, "metric": "auc"}
    rows = [
        {**about, "series": "model", "name": "auc", "value": 0.7},
        {**about, "series": "model", "name": "auc:complete", "value": 0.9},
        {**about, "series": "model", "name": "auc", "value": 0.95, "split": "val"},
        {**about, "series": "baseline", "name": "baseline:a:auc", "value": 0.6},
        {**about, "series": "baseline", "name": "baseline:b:auc", "value": 0.5},
    ]
    assert figure(rows, AUC) == 0.7 and figure(rows, AUC, series="baseline") == 0.6
    with pytest.raises(KeyError):
        figure(rows[3:], AUC)


def test_every_method_has_a_row_and_every_column_a_method():
    assert [method["name"] for method in read_catalogue()] == list(NAMES)
    assert {column.name for column, _ in cells()} == {column.name for column in COLUMNS}


def test_a_cell_is_never_a_bare_number_and_better_only_where_the_interval_says_so():
    def cell(low):
        gap = {"value": 0.1, "ci": [low, 0.2]}
        return {"value": 0.5, "ci": [0.4, 0.6], "baselines": {"otsu": {"value": 0.4, "ci": [0.3, 0.5]}},
                "differences": {"otsu": gap}}  # fmt: skip

    assert page.cell_text(cell(0.01)).endswith("difference 0.10 [0.01, 0.20], better")
    assert page.cell_text(cell(-0.01)).endswith("difference 0.10 [-0.01, 0.20], no better")
    assert page.cell_text({**cell(0.01), "patients": 9}).startswith("0.50 [0.40, 0.60], 9 patients; ")
    assert page.verdict({"ci": [-0.3, -0.1]}) == "worse" and page.verdict({"ci": None}) == "nothing to be said"
    assert page.interval({"value": 0.5, "ci": None}) == "0.50 [no interval]"
    assert page.cell_text(None) == "not run" and page.cell_text({"refuses": "few"}) == "refuses: few"
