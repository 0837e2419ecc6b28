"""Regions of interest told apart: lesion from background, benign from malignant, one type from another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.evaluation import calibration, categories, classification
from ml.evaluation.intervals import SUBGROUP_REPLICATES, Resample, resample
from ml.evaluation.reports.asked import Asked, Report
from ml.evaluation.reports.matched_sizes import in_pairs
from ml.evaluation.reports.region_baselines import PROBABILITIES, baseline_answers
from ml.evaluation.reports.region_units import Regions, labels_of, regions_of
from ml.evaluation.reports.rows import Figure, Rows, Scope, ece_row, point_row, rows_of
from ml.evaluation.subgroups import LEAST
from ml.pixels.rois import BACKGROUND, mm_per_source_px

Floats = npt.NDArray[np.float64]
FigureOf = Callable[[Regions, Floats], Figure]
WORST = 12


def gather(asked: Asked) -> dict[str, Regions]:
    """Split to its regions with what model and baselines say. Without pixels prior and size stand beside the model."""
    labels = labels_of(asked)
    found = {split: regions_of(asked, labels, split) for split in asked.splits}
    others = baseline_answers(asked, labels, found)
    return {split: replace(own, others=others[split]) for split, own in found.items()}


def tell(asked: Asked, split: str, regions: Regions) -> Report:
    """Rows, curves and the regions that were most wrong, of a split."""
    full = Report(curves={"confusion": [], "reliability": [], "roc": []})
    full.metrics.extend(_metrics(regions, _scope(regions, split, asked.replicates, asked.seed)))
    full.metrics.extend(_group_rows(regions, split, asked.replicates, asked.seed))
    for kind, curve in _curves(regions, split):
        full.curves[kind].append(curve)
    full.worst.extend(_worst(regions, split))
    return full


def _scope(regions: Regions, split: str, replicates: int, seed: int) -> Scope:
    draws = _draws(regions, replicates, seed)
    here = sorted(set(regions.truth.tolist()))
    params: dict[str, Any] = {"labels": list(regions.labels), "classes_in_truth": [regions.labels[c] for c in here]}
    if regions.unknown:
        params["truth_unknown"] = regions.unknown
    return Scope(
        split=split,
        target=regions.target,
        level="finding",
        weights=draws.of_units(regions.patients),
        n_patients=len(draws.patients),
        n_pos_patients=draws.n_pos,
        n_units=len(regions.truth),
        n_pos=int((regions.truth > 0).sum()),
        n_neg=int((regions.truth == 0).sum()),
        params=params,
        folds=regions.folds,
    )


def _draws(regions: Regions, replicates: int, seed: int) -> Resample:
    """Positive are patients with a region of any class but the first."""
    positive: dict[str, bool] = {}
    for patient, truth in zip(regions.patients, regions.truth, strict=True):
        positive[patient] = positive.get(patient, False) or bool(truth)
    return resample(positive, replicates=replicates, seed=seed)


def _metrics(regions: Regions, scope: Scope) -> Rows:
    why = "one_class" if len(regions.truth) else "empty"
    rows: Rows = []
    for name, figure_of in _FIGURES.items():
        against = {side: figure_of(regions, p) for side, p in regions.others.items()}
        rows += rows_of(scope, name, figure_of(regions, regions.p), against, why, within=name in _RANKED)
    sides = {side: _brier(regions, p) for side, p in regions.others.items() if side in PROBABILITIES}
    rows += rows_of(scope, "brier", _brier(regions, regions.p), sides, why, lower_is_better=True)
    return rows + _malignant_rows(regions, scope) + _matched_rows(regions, scope) + _tables(regions, scope)


def _malignant_rows(regions: Regions, scope: Scope) -> Rows:
    """AUC of malignant against benign regions, whatever else the classes tell apart."""
    malignant, benign = (regions.of_pathology(word) for word in ("malignant", "benign"))
    if not malignant or not benign:
        return []
    keep = np.isin(regions.truth, [*malignant, *benign])
    y = np.isin(regions.truth[keep], malignant).astype(np.int64)

    def figure(p: Floats) -> Figure:
        both = p[:, [*malignant, *benign]].sum(axis=1)
        s = np.divide(p[:, malignant].sum(axis=1), both, out=np.full(len(p), 0.5), where=both > 0)[keep]
        return lambda w: classification.auc_weighted(y, s, w[:, keep])

    return _part_rows("auc_malignant", figure, regions, scope, y, keep)


def _matched_rows(regions: Regions, scope: Scope) -> Rows:
    """AUC of lesions against backgrounds of their size, where there is both."""
    if BACKGROUND not in regions.labels:
        return []
    background = regions.labels.index(BACKGROUND)
    sides = (regions.boxes[:, 2:] - regions.boxes[:, :2]).max(axis=1, initial=0)
    keep = in_pairs(sides * [mm_per_source_px(row) for row in regions.rows], regions.truth != background)
    y = (regions.truth[keep] != background).astype(np.int64)

    def figure(p: Floats) -> Figure:
        s = 1 - p[keep, background]
        return lambda w: classification.auc_weighted(y, s, w[:, keep])

    return _part_rows("auc_matched", figure, regions, scope, y, keep)


def _part_rows(
    name: str,
    figure: Callable[[Floats], Figure],
    regions: Regions,
    scope: Scope,
    y: npt.NDArray[np.int64],
    keep: npt.NDArray[np.bool_],
) -> Rows:
    """A figure of some of the regions, `keep` (N,), whose truth is y: the model's and each baseline's."""
    part = replace(scope, n_units=int(keep.sum()), n_pos=int(y.sum()), n_neg=int((1 - y).sum()))
    against = {side: figure(p) for side, p in regions.others.items()}
    return rows_of(part, name, figure(regions.p), against, "one_class" if len(y) else "empty", within=True)


def _tables(regions: Regions, scope: Scope) -> Rows:
    rows = [ece_row(scope, regions.truth, _asked_of(regions.p))]
    if not len(regions.truth):
        return rows
    matrix = categories.confusion(regions.truth, regions.p.argmax(axis=1), len(regions.labels))
    return rows + [
        point_row(scope, f"f1:{label}", None if np.isnan(value) else float(value), "empty")
        for label, value in zip(regions.labels, categories.f1(matrix), strict=True)
    ]


def _group_rows(regions: Regions, split: str, replicates: int, seed: int) -> Rows:
    """AUC and accuracy of each finding type, size, kind of image, machine; under ten of a class only the counts.

    The regions of a type, size or pathology are judged together with the background regions, which have none.
    """
    rows: Rows = []
    for (attribute, group), keep in regions.cells().items():
        if keep.all():
            continue
        part = regions.only(keep)
        scope = _scope(part, split, min(replicates, SUBGROUP_REPLICATES), seed)
        scope = replace(scope, subgroup={attribute: group})
        for name in ("auc", "accuracy"):
            if min(scope.n_pos, scope.n_neg) < LEAST:
                rows.append(point_row(scope, name, None, "too_few"))
            else:
                rows += rows_of(scope, name, _FIGURES[name](part, part.p), {}, "one_class", within=name in _RANKED)
    return rows


def _auc(regions: Regions, p: Floats) -> Figure:
    """One against the rest, the mean over the classes; of two classes it is the plain AUC."""

    def figure(w: Floats) -> Floats:
        if len(set(regions.truth.tolist())) < 2:
            return np.full(len(w), np.nan)
        return classification.auc_one_vs_rest_weighted(regions.truth, p, w)

    return figure


def _by_matrix(of: Callable[[Floats], Floats]) -> FigureOf:
    def figure_of(regions: Regions, p: Floats) -> Figure:
        said = p.argmax(axis=1) if len(p) else np.zeros(0, np.int64)
        return lambda w: of(categories.confusion_weighted(regions.truth, said, len(regions.labels), w))

    return figure_of


def _brier(regions: Regions, p: Floats) -> Figure:
    told = _asked_of(p)
    return lambda w: calibration.brier_weighted(regions.truth, told, w) if len(p) else np.full(len(w), np.nan)


def _asked_of(p: Floats) -> Floats:
    """What calibration is asked of: of two classes p (N,) of the second, which is positive; of more all, (N, C)."""
    return p[:, 1] if p.shape[1] == 2 else p


_FIGURES: Mapping[str, FigureOf] = {
    "auc": _auc,
    "accuracy": _by_matrix(categories.accuracy),
    "balanced_accuracy": _by_matrix(categories.balanced_accuracy),
    "macro_f1": _by_matrix(categories.macro_f1),
}
_RANKED = frozenset({"auc"})


def _curves(regions: Regions, split: str) -> list[tuple[str, dict[str, Any]]]:
    if not len(regions.truth):
        return []
    about = {"split": split, "target": regions.target}
    matrix = categories.confusion(regions.truth, regions.p.argmax(axis=1), len(regions.labels))
    bins = calibration.reliability(regions.truth, _asked_of(regions.p))
    lists = {"n": bins.n.astype(int).tolist(), "confidence": bins.confidence.tolist()}
    curves: list[tuple[str, dict[str, Any]]] = [
        ("confusion", {**about, "labels": list(regions.labels), "matrix": matrix.astype(int).tolist()}),
        ("reliability", {**about, **lists, "observed": bins.observed.tolist()}),
    ]
    drawn = range(1, 2) if len(regions.labels) == 2 else range(len(regions.labels))
    for fold, own in regions.each_fold():
        for series, p in {"model": own.p, **{f"baseline:{k}": v for k, v in own.others.items()}}.items():
            for c in drawn:
                if len(set((own.truth == c).tolist())) == 2:
                    x, y, _ = classification.roc(own.truth == c, p[:, c])
                    names = {**fold, "series": series, "positive": own.labels[c]}
                    curves.append(("roc", {**about, **names, "fpr": x.tolist(), "tpr": y.tolist()}))
    return curves


def _worst(regions: Regions, split: str) -> list[dict[str, Any]]:
    """Regions put in a wrong class, those first whose true class was least believed."""
    said = regions.p.argmax(axis=1) if len(regions.truth) else regions.truth
    own = regions.p[np.arange(len(said)), regions.truth]
    order = sorted(np.flatnonzero(said != regions.truth), key=lambda i: (own[i], regions.ids[i]))[:WORST]
    return [
        {
            "split": split,
            "target": regions.target,
            "kind": "wrong_class",
            "exam_id": regions.rows[i]["exam_id"],
            "image_id": regions.rows[i]["image_id"],
            "finding_id": regions.finding_ids[i],
            "mark": {"kind": "box", "geometry": regions.boxes[i].tolist()},
            "score": float(own[i]),
            "truth": regions.labels[regions.truth[i]],
            "predicted": regions.labels[said[i]],
            "what": f"{regions.labels[regions.truth[i]]} read as {regions.labels[said[i]]}".replace("_", " "),
        }
        for i in order
    ]


def join(folds: Sequence[Regions]) -> Regions:
    """The regions of several folds as one."""
    names = set.intersection(*(set(fold.others) for fold in folds))
    return replace(
        folds[0],
        ids=tuple(one for fold in folds for one in fold.ids),
        finding_ids=tuple(one for fold in folds for one in fold.finding_ids),
        rows=tuple(one for fold in folds for one in fold.rows),
        truth=np.concatenate([fold.truth for fold in folds]),
        p=np.concatenate([fold.p for fold in folds]),
        boxes=np.concatenate([fold.boxes for fold in folds]),
        others={name: np.concatenate([fold.others[name] for fold in folds]) for name in sorted(names)},
        unknown=sum(fold.unknown for fold in folds),
        folds=np.repeat(np.arange(len(folds)), [len(fold.truth) for fold in folds]),
    )
