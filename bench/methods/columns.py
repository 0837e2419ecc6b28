"""What is measured on real data: a column is a public set with one task and one figure, asked of all who serve it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ml.runs.catalogue import read_catalogue
from ml.runs.request import ImageKind, TargetKind


@dataclass(frozen=True, kw_only=True)
class Column:
    """One figure on one set, by patient in `folds` folds.

    metric, level and row name a row of metrics.json (row None: whatever it is called); a method that does not answer
    at that level is judged at `else_level`, and its cell says so. `variant` is how the figure's name goes
    on (`:complete`: false positives are counted on all images, not on normal ones alone). kinds: images that are read.
    findings: those that are asked of; none = the method's own. config: options for methods that have them. note: why
    methods do no better, as far as it is known.
    """

    name: str
    title: str
    dataset: str
    task: str
    metric: str
    level: str
    else_level: str | None = None
    variant: str = ""
    row: str | None = None
    target: TargetKind | None = None
    findings: tuple[str, ...] = ()
    kinds: tuple[ImageKind, ...] = ("standard", "low_energy")
    note: str = ""
    folds: int = 5
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def training(self) -> tuple[Any, ...]:
        """What a training is asked for: columns that agree in it differ by their figure alone."""
        asked = (self.dataset, self.task, self.target, self.findings, self.kinds, self.folds)
        return (*asked, tuple(sorted(self.config.items())))


COLUMNS: tuple[Column, ...] = (
    Column(name="mias-density", title="tissue class, mini-MIAS (kappa)", dataset="mini-mias", task="density",
           metric="qwk", level="exam",
           note="Three classes and 76 patients. The histogram of a film says much of its class here. "
                "`alexnet_birads` learns slowly: on phantoms of two classes it was anywhere between .52 and .82 "
                "after 150 steps and at .92 after 500; here it has 300."),
    Column(name="cesm-density", title="ACR density, cdd-cesm-seg512 DM (kappa)", dataset="cdd-cesm-seg512",
           task="density", metric="qwk", level="exam", kinds=("low_energy",),
           note="58 patients, 46 images of B, 43 of C, 7 of D and none of A: the interval of every method that was "
                "run holds 0."),
    Column(name="ddsm-percent", title="percent density, ddsm-tissue-seg (Spearman)", dataset="ddsm-tissue-seg",
           task="segmentation", target="tissue", metric="pd_spearman", level="image"),
    Column(name="cesm-outline", title="lesion outline, cdd-cesm-seg512 DM (Dice)", dataset="cdd-cesm-seg512",
           task="segmentation", metric="dice", level="image", kinds=("low_energy",)),
    Column(name="cesm-outline-cm", title="lesion outline, cdd-cesm-seg512 CM (Dice)", dataset="cdd-cesm-seg512",
           task="segmentation", metric="dice", level="image", kinds=("subtracted",)),
    Column(name="ddsm-tissue", title="dense tissue, ddsm-tissue-seg (Dice)", dataset="ddsm-tissue-seg",
           task="segmentation", target="tissue", metric="dice:dense", level="image"),
    Column(name="mias-boxes", title="circles, mini-MIAS (CPM)", dataset="mini-mias", task="lesion_detection",
           metric="cpm", level="finding", row="any",
           note="72 circles, from 3 to 197 pixels in radius. `detr_lesion` has no anchors to begin with: its check "
                "needed 1,400 steps on 800 phantoms. `dbn_forest` sets the thresholds of two cascades on what few "
                "circles its training films have."),
    Column(name="cesm-boxes", title="boxes, cdd-cesm-seg512 DM (CPM over all images: none is normal)",
           dataset="cdd-cesm-seg512", task="lesion_detection", metric="cpm", variant=":complete", level="finding",
           row="any", kinds=("low_energy",)),
    Column(name="mias-regions", title="benign or malignant region, mini-MIAS (AUC)", dataset="mini-mias",
           task="lesion_classification", target="pathology", row="pathology", metric="auc", level="finding",
           note="Chance is what to expect: 29 malignant findings in all, and methods that are about masses are "
                "asked about 37 masses alone, 12 of them malignant. The five folds are told as one; where so few "
                "teach, a fold with more malignant regions to test has fewer to learn from, which can pull a figure "
                "under one half."),
    Column(name="cesm-regions", title="lesion or background of its size, cdd-cesm-seg512 DM (AUC)",
           dataset="cdd-cesm-seg512", task="lesion_classification", target="presence", row="presence",
           metric="auc_matched", level="finding", kinds=("low_energy",),
           note="The mean, spread and contrast of a region are enough to tell it from background of its size (.96 and "
                "more): nothing is left to be better at."),
    Column(name="cesm-regions-cm", title="lesion or background of its size, cdd-cesm-seg512 CM (AUC)",
           dataset="cdd-cesm-seg512", task="lesion_classification", target="presence", row="presence",
           metric="auc_matched", level="finding", kinds=("subtracted",)),
    Column(name="cesm-images", title="malignant image, cdd-cesm-cm512 (AUC)", dataset="cdd-cesm-cm512",
           task="exam_classification", target="outcome", metric="auc", level="breast", else_level="exam",
           kinds=("subtracted",),
           note="Chance is what to expect: 7 malignant patients of 15. Baselines that hardly learn do as well."),
    Column(name="mias-asymmetry", title="asymmetry of pairs, mini-MIAS (AUC)", dataset="mini-mias",
           task="asymmetry", metric="auc", level="exam",
           note="Chance is what to expect: 10 pairs are asymmetric."),
)  # fmt: skip


def cells() -> Iterator[tuple[Column, str]]:
    """Every column with every method that serves its task, in the order of the registry."""
    for column in COLUMNS:
        for method in read_catalogue():
            if column.task in [entry["task"] for entry in method["serves"]]:
                yield column, str(method["name"])
