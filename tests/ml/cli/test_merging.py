"""Folds told as one: ranks within a fold, classes pooled, patients drawn over the union."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from ml.cli.main import main
from ml.datasets.folds import fold_rows
from ml.evaluation import categories, classification
from ml.evaluation.report import evaluate_folds
from ml.evaluation.reports.asked import Asked
from ml.runs.manifest import Density, Finding, ManifestRow, Mark, Outcome, write_manifest
from ml.runs.request import Data, EvaluationOptions, Request, Target, write_request

FOLDS = 3


def rows_of(n=60):
    """One exam of one image a patient; density by turns, cancer and a mass in every second."""
    mark = Mark(mark_id="m", kind="box", geometry=[20, 20, 40, 40])
    return [
        ManifestRow(
            image_id=f"i{k:02d}", exam_id=f"e{k:02d}", patient_id=f"p{k:02d}", laterality="R", view="MLO", rows=100,
            cols=80, pixel_path=f"{k}.png", split="train", spacing_mm=(1.0, 1.0), complete=True,
            density=Density(label="ABCD"[k % 4]), outcome=Outcome(cancer=k % 2),
            findings=(Finding(finding_id="f", type="mass", marks=(mark,)),) if k % 2 else (),
        )
        for k in range(n)
    ]  # fmt: skip


def density(row, rng, fold):
    p = np.full(4, 0.1)
    p["ABCD".index(row.density.label) if rng.random() < 0.6 else int(rng.integers(4))] = 0.7
    return [said(row, "exam", "density", c, "ABCD"[c], q) for c, q in enumerate(p)]


def outcome(row, rng, fold):
    # Every fold's model has a scale of its own: pooled, the ranks would mean nothing.
    p = 0.2 * fold + 0.1 * float(np.clip(rng.normal(0.3 + 0.4 * row.outcome.cancer, 0.2), 0, 1))
    return [said(row, "image", "outcome", c, ("negative", "positive")[c], q) for c, q in ((0, 1 - p), (1, p))]


def boxes(row, rng, fold):
    found = [{"score": 0.1 * fold + 0.05 * float(rng.random()), "at": 60.0}] if rng.random() < 0.5 else []
    found += [{"score": 0.1 * fold + 0.03 + 0.05 * float(rng.random()), "at": 20.0}] if row.findings else []
    return [
        {**said(row, "image", "mass", None, None, None), "kind": "box", "score": box["score"], "x0": box["at"],
         "y0": box["at"], "x1": box["at"] + 20, "y1": box["at"] + 20}
        for box in found
    ]  # fmt: skip


def said(row, level, target, index, label, p):
    return {"level": level, "kind": "prob", "target": target, "class_index": index, "label": label, "prob": p,
            "member": -1, "image_id": row.image_id if level == "image" else None, "exam_id": row.exam_id,
            "patient_id": row.patient_id}  # fmt: skip


def written(root, task, answer, *, folds=FOLDS, target=None):
    """The run folders of a cross-validation; each model also answers on its own training patients."""
    rng = np.random.default_rng(0)
    made = []
    for k in range(folds):
        folder = root / f"fold{k}"
        folder.mkdir(parents=True)
        write_manifest(folder, rows_of(), pixels_root=".")
        request = Request(
            run_id=folder.name, method="dcse_resnet50", task=task, findings=("mass",), target=target, seed=4,
            data=Data(folds=FOLDS, fold=k), evaluation=EvaluationOptions(bootstrap=100),
        )  # fmt: skip
        write_request(folder, request)
        lines = [json.dumps(row) for own in rows_of() for row in answer(own, rng, k)]
        (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
        made.append(folder)
    return made


def merged(folders, tmp_path):
    assert main(["evaluate", "--merge", *map(str, folders), "--out", str(tmp_path / "out")]) == 0
    return json.loads((tmp_path / "out" / "metrics.json").read_text())


def the(document, name, level, target=None):
    found = [
        row for row in document["metrics"]
        if (row["name"], row["level"], row["subgroup"]) == (name, level, None) and target in (None, row["target"])
    ]  # fmt: skip
    assert len(found) == 1
    return found[0]


def out_of_fold(folder, k):
    rows = {row.exam_id: row for row in fold_rows(rows_of(), FOLDS, k, 4) if row.split == "test"}
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    return rows, [line for line in lines if line["exam_id"] in rows]


def test_kappa_is_pooled_and_the_auc_is_the_mean_of_the_folds(tmp_path):
    folders = written(tmp_path, "density", density)
    document = merged(folders, tmp_path)
    truth, called, aucs = [], [], []
    for k, folder in enumerate(folders):
        rows, lines = out_of_fold(folder, k)
        exams = sorted(rows)
        p = np.zeros((len(exams), 4))
        for line in lines:
            p[exams.index(line["exam_id"]), line["class_index"]] = line["prob"]
        own = ["ABCD".index(rows[exam].density.label) for exam in exams]
        truth, called = truth + own, called + p.argmax(axis=1).tolist()
        aucs.append(classification.auc(np.array(own) >= 2, p[:, 2:].sum(axis=1)))
    qwk = the(document, "qwk", "exam")
    assert qwk["value"] == pytest.approx(float(categories.kappa(categories.confusion(truth, called, 4))))
    assert (qwk["n_patients"], qwk["n_units"]) == (60, 60) and qwk["ci"]
    auc = the(document, "auc_dense", "exam")
    assert auc["value"] == pytest.approx(np.mean(aucs)) and auc["params"]["folds"] == FOLDS
    assert [curve["fold"] for curve in document["curves"]["roc"]] == [0, 1, 2]


def test_scores_of_different_models_are_never_ranked_together(tmp_path):
    folders = written(tmp_path, "exam_classification", outcome, target=Target(kind="outcome"))
    document = merged(folders, tmp_path)
    aucs, pooled = [], ([], [])
    for k, folder in enumerate(folders):
        rows, lines = out_of_fold(folder, k)
        own = [line for line in lines if line["class_index"] == 1]
        y, s = [rows[line["exam_id"]].outcome.cancer for line in own], [line["prob"] for line in own]
        aucs.append(classification.auc(y, s))
        pooled[0].extend(y)
        pooled[1].extend(s)
    row = the(document, "auc", "exam")
    assert row["value"] == pytest.approx(np.mean(aucs))
    assert row["value"] > classification.auc(*pooled) + 0.05
    assert row["ci_method"] == "patient_bootstrap_percentile" and row["n_units"] == 60
    sensitivity = the(document, "sensitivity", "exam")
    assert sensitivity["params"]["of"] == 30 and sensitivity["value"] is not None


def test_froc_is_a_mean_of_the_folds(tmp_path):
    folders = written(tmp_path, "lesion_detection", boxes)
    document = merged(folders, tmp_path)
    row = the(document, "froc_sens@0.25", "finding", "mass")
    assert row["params"]["over_folds"] == "mean" and row["n_pos"] == 30
    each = []
    for k, folder in enumerate(folders):
        rows, lines = out_of_fold(folder, k)
        false = sorted((line["score"] for line in lines if line["x0"] > 50 and not rows[line["exam_id"]].findings),
                       reverse=True)  # fmt: skip
        normal = sum(not own.findings for own in rows.values())
        hits = [line["score"] for line in lines if line["x0"] < 50]
        # The largest sensitivity with at most a quarter of a false mark an image.
        bar = false[int(0.25 * normal)] if len(false) > int(0.25 * normal) else -1.0
        each.append(np.mean([score > bar for score in hits]))
    assert row["value"] == pytest.approx(np.mean(each))
    drawn = {curve["fold"] for curve in document["curves"]["froc"] if curve["target"] == "mass"}
    assert drawn == {0, 1, 2} and document["headline"]["mass:cpm"] is not None


def test_json_is_the_whole_document_and_torch_is_not_needed(tmp_path):
    folders = written(tmp_path, "density", density)
    code = (
        "import sys; from ml.cli.main import main; "
        f"done = main(['evaluate', '--json', '--merge', *{[str(f) for f in folders]!r}]); "
        "sys.exit(done or 9 * ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["folds"] == [{"run_id": f"fold{k}", "fold": k} for k in range(FOLDS)]
    assert "qwk: 0." in done.stderr


@pytest.mark.parametrize("what", ["twice", "seed", "absent"])
def test_folds_that_do_not_belong_together_are_refused(tmp_path, what, capsys):
    folders = written(tmp_path, "density", density)
    if what == "twice":
        folders[1] = folders[0]
    if what == "seed":
        request = json.loads((folders[1] / "request.json").read_text())
        (folders[1] / "request.json").write_text(json.dumps({**request, "seed": 5}))
    if what == "absent":
        (folders[1] / "predictions.jsonl").unlink()
    assert main(["evaluate", "--merge", *map(str, folders)]) == 2
    assert ("predictions_unreadable" if what == "absent" else "folds_differ") in capsys.readouterr().err


def test_intervals_are_drawn_as_often_as_is_asked(tmp_path, capsys):
    folders = [str(folder) for folder in written(tmp_path, "density", density)]
    ends = {}
    for n in ("20", "400"):
        assert main(["evaluate", "--merge", *folders, "--json", "--no-pixels", "--bootstrap", n]) == 0
        row = the(json.loads(capsys.readouterr().out), "qwk", "exam")
        ends[n] = (row["value"], tuple(row["ci"]))
    assert ends["20"][0] == ends["400"][0] and ends["20"][1] != ends["400"][1]
    assert main(["evaluate", "--merge", *folders, "--bootstrap", "0"]) == 2
    assert "bootstrap_invalid" in capsys.readouterr().err


def test_a_patient_in_two_test_sets_is_refused():
    row = {"image_id": "i", "exam_id": "e", "patient_id": "p", "split": "test"}
    with pytest.raises(ValueError, match="fold 0 and in fold 1"):
        evaluate_folds([Asked(predictions=[], manifest=[row], splits=("test",))] * 2, "density")
