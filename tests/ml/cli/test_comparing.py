"""Two runs on the same patients: the figures of each, their difference, and an interval drawn for both at once."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ml.cli.main import main
from ml.evaluation import categories
from ml.runs.manifest import Density, Finding, ManifestRow, Mark, Outcome, read_manifest, write_manifest
from ml.runs.request import EvaluationOptions, Request, write_request

CLASSES = {"density": "ABCD", "outcome": ("negative", "positive"), "pathology": ("benign", "malignant")}


def rows_of(n=40):
    """A patient each; every second one is ill, with a mass at the same place."""
    mark = Mark(mark_id="m", kind="box", geometry=[20, 20, 40, 40])
    return [
        ManifestRow(
            image_id=f"i{k:02d}", exam_id=f"e{k:02d}", patient_id=f"p{k:02d}", laterality="R", view="MLO", rows=100,
            cols=80, pixel_path=f"{k}.png", split="test" if k >= 10 else "train", spacing_mm=(1.0, 1.0), complete=True,
            density=Density(label="ABCD"[k % 4]), outcome=Outcome(cancer=k % 2),
            findings=(Finding(finding_id="f", type="mass", pathology="malignant", marks=(mark,)),) if k % 2 else (),
        )
        for k in range(n)
    ]  # fmt: skip


def truth_of(row, task):
    if task == "density":
        return "ABCD".index(row.density.label)
    return row.outcome.cancer


def answers(row, task, right):
    """Prediction rows of an image by a model that is right, or wrong, about it."""
    about = {"exam_id": row.exam_id, "patient_id": row.patient_id, "image_id": row.image_id, "member": -1}
    truth = truth_of(row, task)
    if task in ("density", "exam_classification"):
        target = "density" if task == "density" else "outcome"
        labels = CLASSES[target]
        said = truth if right else (truth + 1) % len(labels)
        p = [0.7 if c == said else 0.3 / (len(labels) - 1) for c in range(len(labels))]
        return [
            {**about, "level": "image", "kind": "prob", "target": target, "class_index": c, "label": labels[c],
             "prob": q}
            for c, q in enumerate(p)
        ]  # fmt: skip
    at = 20.0 if right else 60.0
    box = {"x0": at, "y0": at, "x1": at + 20, "y1": at + 20}
    if task == "lesion_detection":
        return [{**about, "level": "image", "kind": "box", "target": "mass", "score": 0.9, **box}] if truth else []
    if task == "segmentation":
        return (
            [{**about, "level": "image", "kind": "mask", "target": "mass", "mask_path": f"{at:g}.png"}] if truth else []
        )
    return [
        {**about, "level": "finding", "kind": "prob", "target": "pathology", "class_index": c, "finding_id": "f",
         "label": CLASSES["pathology"][c], "prob": 0.8 if (c == truth) == right else 0.2,
         "truth": CLASSES["pathology"][truth], "x0": 20.0, "y0": 20.0, "x1": 40.0, "y1": 40.0}
        for c in (0, 1)
    ]  # fmt: skip


def a_run(root, name, task, right, change=lambda rows: rows):
    """A finished run, as far as it is compared: manifest, request, predictions."""
    folder = root / name
    folder.mkdir()
    write_manifest(folder, change(rows_of()), pixels_root=".")
    options = EvaluationOptions(bootstrap=200)
    write_request(
        folder, Request(run_id=name, method="dcse_resnet50", task=task, findings=("mass",), evaluation=options)
    )
    if task == "segmentation":
        for at in (20, 60):
            mask = np.zeros((100, 80), np.uint8)
            mask[at : at + 20, at : at + 20] = 255
            Image.fromarray(mask).save(folder / f"{at}.png")
    lines = [json.dumps(line) for n, row in enumerate(rows_of()) for line in answers(row, task, right(n))]
    (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def compared(one, other, capsys):
    assert main(["compare", str(one), str(other), "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def often(n):
    return n % 10 > 0


def seldom(n):
    """Never where `often` is wrong."""
    return often(n) and n % 3 > 0


TASKS = ("density", "exam_classification", "lesion_detection", "segmentation", "lesion_classification")


@pytest.mark.parametrize("task", TASKS)
def test_the_better_of_two_is_found_in_every_task_and_a_run_is_as_good_as_itself(task, tmp_path, capsys):
    def change(rows):
        if task != "segmentation":
            return rows
        ring = [[20, 20], [40, 20], [40, 40], [20, 40]]
        mark = Mark(mark_id="m", kind="polygon", geometry=[ring])
        return [replace(r, findings=tuple(replace(f, marks=(mark,)) for f in r.findings)) for r in rows]

    good, bad = a_run(tmp_path, "good", task, often, change), a_run(tmp_path, "bad", task, lambda n: n % 4 > 1, change)
    document, text = compared(good, bad, capsys)
    assert document["patients"] == 30 and document["headline"]
    assert any(value is not None and value > 0.1 for value in document["headline"].values())
    assert "good is better" in text and "bad is better" not in text
    assert not [row for row in document["metrics"] if row["baseline"] not in (None, "other")]
    same, text = compared(good, good, capsys)
    gaps = [row for row in same["metrics"] if row["series"] == "difference" and row["value"] is not None]
    assert gaps and all(row["value"] == 0 and row["ci"] in ([0, 0], None) for row in gaps)
    assert "better" not in text


def test_the_difference_is_of_the_two_figures_and_its_interval_is_paired(tmp_path, capsys):
    document, _ = compared(
        a_run(tmp_path, "a", "density", often), a_run(tmp_path, "b", "density", seldom), capsys
    )  # fmt: skip
    by_hand = []
    for right in (often, seldom):
        tested = list(enumerate(rows_of()))[10:]
        truth = [truth_of(row, "density") for _, row in tested]
        said = [truth_of(row, "density") if right(n) else (truth_of(row, "density") + 1) % 4 for n, row in tested]
        by_hand.append(float(categories.kappa(categories.confusion(truth, said, 4))))
    found = {row["name"]: row for row in document["metrics"] if row["metric"] == "qwk"}
    assert found["qwk"]["value"] == pytest.approx(by_hand[0])
    assert found["baseline:other:qwk"]["value"] == pytest.approx(by_hand[1])
    gap = found["difference:other:qwk"]
    assert gap["value"] == pytest.approx(by_hand[0] - by_hand[1])
    own = sum(found[name]["params"]["se"] ** 2 for name in ("qwk", "baseline:other:qwk")) ** 0.5
    assert gap["params"]["se"] < own  # independent draws would have been this wide


def of_test(change):
    return lambda rows: [change(row) if row.split == "test" else row for row in rows]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (of_test(lambda row: replace(row, density=Density(label="A"))), "density"),
        (of_test(lambda row: replace(row, split="val")), "no image is in the test set of both"),
        (of_test(lambda row: replace(row, split="train") if row.image_id < "i20" else row), None),
    ],
)
def test_what_would_compare_different_things_is_refused(change, why, tmp_path, capsys):
    one, other = a_run(tmp_path, "a", "density", often), a_run(tmp_path, "b", "density", often, change)
    code = main(["compare", str(one), str(other)])
    said = capsys.readouterr().err
    if why is None:  # tested where both test, and nobody of them was learned from
        assert code == 0 and "20 patients" in said
    else:
        assert code == 3 and "not_comparable" in said and why in said


def test_a_model_that_learned_from_the_others_test_patients_is_refused(tmp_path, capsys):
    def second_image(rows):
        return [*rows, replace(rows[20], image_id="i99", split="val")]

    one, other = a_run(tmp_path, "a", "density", often), a_run(tmp_path, "b", "density", often, second_image)
    assert len(read_manifest(other)) == 41
    assert main(["compare", str(one), str(other)]) == 3
    assert "learned from patients" in capsys.readouterr().err


def test_runs_of_other_tasks_are_refused(tmp_path, capsys):
    one, other = a_run(tmp_path, "a", "density", often), a_run(tmp_path, "b", "exam_classification", often)
    assert main(["compare", str(one), str(other)]) == 2
    assert "another task" in capsys.readouterr().err
