"""The closing table."""

import json

from mammoloop_client import report

METRICS = [
    {"name": "qwk", "target": "density", "level": "exam", "split": "test", "value": 0.5, "ci": [0.1, 0.9]},
    {"name": "qwk", "target": "density", "level": "exam", "split": "val", "value": 0.9, "ci": None},
    {"name": "accuracy", "target": "density", "level": "exam", "split": "test", "value": None, "reason": "no patient"},
]


def test_the_report_keeps_the_figures_of_the_table_with_their_baselines():
    names = [
        "qwk",
        "baseline:majority:qwk",
        "qwk:mark",
        "froc_sens@1",
        "froc_sens@1:complete",
        "ece",
        "difference:x:accuracy",
    ]
    model = {"metrics": [{"name": name, "split": "test", "value": 1.0} for name in names]}
    kept = [metric["name"] for metric in report.test_metrics(model)]
    assert kept == ["qwk", "baseline:majority:qwk", "froc_sens@1", "difference:x:accuracy"]


def a_report(**more):
    model = {"id": "m", "number": 1, "metrics": report.test_metrics({"metrics": METRICS})}
    entry = {
        "round": 1,
        "exams_read": 40,
        "findings": 31,
        "seconds": {"read": 3.0, "retrain": 60.5},
        "models": {"density": model},
    }
    return {"ok": True, "failure": None, "rounds": [entry], "seconds": {"upload": 1.0}, "total_seconds": 65.0, **more}


def test_the_table_shows_each_round_with_its_figures_on_test_patients():
    table = report.table(a_report())
    assert "kappa 0.500 [0.10, 0.90]; accuracy - (no patient)" in table
    assert "every step held; 65 s in all" in table
    assert "0.9" not in table.replace("0.90", "")


def test_a_failure_is_the_last_line():
    assert report.table(a_report(ok=False, failure="It broke.")).splitlines()[-1].startswith("FAILED: It broke.")


def test_a_play_that_broke_before_its_first_round_has_a_table_too():
    assert "FAILED" in report.table(a_report(ok=False, failure="No answer", rounds=[]))


def test_the_report_is_json(tmp_path):
    report.write(a_report(), tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == a_report()
