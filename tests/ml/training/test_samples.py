"""Which image stands in for a view that an exam does not have."""

from dataclasses import replace

import pytest
import torch

from ml.methods.spec import Aim, Inputs, Reads
from ml.training.data import Recalled, Sample, SampleLoader
from ml.training.samples import build_samples, grouped
from ml.training.targets import TARGETS
from ml.training.targets.shown import Shown

FOUR = ("L-CC", "R-CC", "L-MLO", "R-MLO")


@pytest.mark.parametrize(
    ("missing", "there", "filled"),
    [
        ("other_breast", "R-CC R-MLO", ["R-CC", "R-CC", "R-MLO", "R-MLO"]),
        ("other_breast", "R-CC L-CC", None),
        ("other_side", "R-CC L-CC", ["L-CC", "R-CC", "L-CC", "R-CC"]),
        ("refuse", "L-CC R-CC L-MLO", None),
    ],
)
def test_a_missing_view_is_filled_as_the_method_wants(missing, there, filled, a_row):
    rows = [
        a_row(n, exam_id="e", image_id=f"i{n}", laterality=name[0], view=name[2:])
        for n, name in enumerate(there.split())
    ]
    samples, left_out = grouped(rows, Inputs(unit="exam", views=FOUR, missing=missing), lambda row: 1.0)
    if filled is None:
        assert not samples
        assert left_out
    else:
        (sample,) = samples
        assert [f"{row.laterality}-{row.view}" for row in sample.rows] == filled
        assert sum(sample.present) == len(there.split())


def test_presence_is_learned_whatever_the_run_is_about(a_row):
    aim = Aim(task="density", labels=("A", "B", "C", "D"), target="density")
    rows = [a_row(0, box=(1, 1, 9, 9)), a_row(1), a_row(2, complete=False)]
    shown = [Shown((row,), aim, lambda *_: None) for row in rows]
    assert [TARGETS["presence"].group(own) for own in shown] == [1, 0, None]
    assert [int(TARGETS["presence"].build(own)["class"]) for own in shown] == [1, 0, -1]


def test_what_was_kept_of_a_sample_comes_with_it_varied_or_not_and_zeros_where_nothing_was(a_row, images):
    samples = [Sample(id=f"i{n}", rows=(a_row(n),), present=(True,)) for n in range(2)]
    aim = Aim(task="lesion_detection", labels=("mass",), target="boxes", findings=("mass",))
    reads = Reads(inputs=Inputs(unit="image"), pixels={}, targets=("boxes",))
    kept = Recalled({"seen": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}, {"i1": 1})
    loader = SampleLoader(images, reads, aim, None, kept)
    items = [loader.item(samples[0]), loader.item(samples[1]), loader.item(samples[1], seed=7)]
    assert not torch.equal(items[1].x[0], items[2].x[0])
    assert loader.collate(items, torch.device("cpu")).targets["seen"].tolist() == [[0, 0], [3, 4], [3, 4]]


def test_what_is_asked_about_is_the_mark_where_there_is_one_and_a_grid_elsewhere(a_row, images):
    aim = Aim(task="lesion_classification", labels=("benign", "malignant"), target="pathology", findings=("mass",))
    reads = Reads(inputs=Inputs(unit="roi"), pixels={}, targets=("class",), roi={"size_px": 16, "margin": 1.5})
    marked, unknown, bare = a_row(0, box=(20, 20, 32, 32)), a_row(1, box=(40, 8, 48, 16)), a_row(2)
    other = a_row(3, box=(20, 20, 32, 32))
    rows = [
        replace(marked, findings=(replace(marked.findings[0], pathology="malignant"),)),
        unknown,
        bare,
        replace(other, findings=(replace(other.findings[0], type="calcification"),)),  # not what the run is about
    ]
    heard = []
    asked, _ = build_samples(rows, reads, aim, images, windows=True, warn=lambda *words: heard.append(words))
    found = {}
    for sample in asked:
        found.setdefault(sample.row.image_id, []).append(sample.roi)
    assert [(roi.kind, roi.box, roi.label, roi.finding_id) for roi in found["i0"]] == [
        ("mark", (17.0, 17.0, 35.0, 35.0), "malignant", "f0")
    ]
    assert [(roi.kind, roi.label, roi.finding_id) for roi in found["i1"]] == [("mark", "", "f1")]
    for image in ("i2", "i3"):
        assert len(found[image]) > 4 and {(roi.kind, roi.label) for roi in found[image]} == {("window", "")}
    ((code, text, example),) = heard
    assert (code, example) == ("regions_unmarked", "i2") and text.startswith("2 of 4 images")
    taught, _ = build_samples(rows, reads, aim, images)
    assert [sample.roi.finding_id for sample in taught] == ["f0"]
    heard.clear()
    presence = replace(aim, labels=("background", "lesion"), target="presence")
    asked, _ = build_samples(rows, reads, presence, images, windows=True, warn=lambda *words: heard.append(words))
    assert not heard and {s.roi.kind for s in asked if s.row.image_id == "i0"} == {"mark"}
    whole = Aim(task="asymmetry", labels=("absent", "present"), target="asymmetry", findings=())
    asked, _ = build_samples(rows, reads, whole, images, windows=True)
    assert {(s.roi.kind, s.roi.label) for s in asked} == {("window", "")}
