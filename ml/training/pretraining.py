"""pretrain: a trunk taught from images alone, and whether that was worth it.

What it sees are the images of `train` and `pool`, without a label; those of val, test and audit are not even opened. A
probe then asks what the trunk knows that a fresh one does not: logistic regression on its vectors, learned on three
quarters of the labelled training patients and judged on the fourth, beside the same network as it was before. It asks
once, at the end, and of whole images: nothing is chosen by what it would say on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ml.datasets.splits import keyed_split
from ml.evaluation.baselines import regression
from ml.evaluation.comparing import NotComparable, compare
from ml.evaluation.report import Evaluation
from ml.evaluation.reports.asked import Asked
from ml.methods.aims import BINARY
from ml.methods.spec import Inputs, Reads, Stage
from ml.pretraining.record import AIM, COLLAPSED_BELOW, STAGE
from ml.runs.manifest import DENSITY_LABELS, ManifestRow
from ml.runs.records import to_dict
from ml.runs.truths import presence_of
from ml.training.checkpoints import Weights
from ml.training.context import Run
from ml.training.data import batches_of
from ml.training.fit import Fitted
from ml.training.images import StoredImages
from ml.training.sampling import key_seed
from ml.training.views import view_of

SEEN = ("train", "pool")
LEAST_HELD = 8
"""Held-out exams under which a probe says nothing."""
TARGETS = {"density": ("density", DENSITY_LABELS), "presence": ("exam_classification", BINARY)}


def unlabelled(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """The rows that may be seen, without what anybody said of them."""
    return [
        replace(row, density=None, findings=(), outcome=None, complete=False) for row in rows if row.split in SEEN
    ]  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """What was found out: figures of the taught trunk, of a fresh one (`baseline`), and the difference."""

    target: str
    metrics: list[dict[str, Any]]
    headline: dict[str, float | None]

    @property
    def task(self) -> str:
        """The task whose figures it has."""
        return TARGETS[self.target][0]


def probe(run: Run, images: StoredImages, stage: Stage, fitted: Fitted, rows: Sequence[ManifestRow]) -> Probe | None:
    """None, with a warning, where too few training exams are labelled."""
    chosen = _chosen(rows, run.request.seed)
    if chosen is None:
        run.warn("probe_too_small", "too few labelled training exams to ask the trunk what it knows", None)
        return None
    target, known, truth = chosen
    task, labels = TARGETS[target]
    asked = []
    for weights in (fitted.weights, None):
        network = _network(run, stage, weights)
        vectors = _vectors(run, images, stage, network, known)
        asked.append(_asked(run, known, truth, vectors, target, labels))
    try:
        found = compare(asked[0], asked[1], task, split="val")
    except NotComparable:
        run.warn("probe_too_small", "too few labelled training exams to ask the trunk what it knows", None)
        return None
    by_name = {(row["level"], row["name"]): row for row in found.metrics}
    headline: dict[str, float | None] = {}
    for row in found.headline:
        own, fresh = (by_name[row["level"], name] for name in (row["metric"], f"baseline:other:{row['metric']}"))
        headline[f"probe_{row['metric']}"] = own["value"]
        headline[f"probe_{row['metric']}_untaught"] = fresh["value"]
    return Probe(target, [{**row, "split": "train", "probe": target} for row in found.metrics], headline)


def collapsed(fitted: Fitted) -> float | None:
    """The spread of the last batch where it is below the alarm, else None."""
    spread = float(fitted.weights["spread"])
    return spread if spread < COLLAPSED_BELOW else None


def trunk_of(fitted: Fitted) -> dict[str, Weights]:
    """What is lent: the trunk alone."""
    return {STAGE: {name: value for name, value in fitted.weights.items() if name.startswith("trunk.")}}


def evaluation_of(found: Probe | None, spread: float) -> Evaluation:
    """The probe as metrics.json tells it."""
    headline: dict[str, float | None] = {"spread": spread}
    return Evaluation(found.metrics if found else [], {}, [], {**headline, **(found.headline if found else {})})


def _chosen(rows: Sequence[ManifestRow], seed: int) -> tuple[str, list[ManifestRow], dict[str, int]] | None:
    """What is asked, of which rows (split train or val, three to one), and the truth by image."""
    learned = [row for row in rows if row.split == "train"]
    density = {
        row.image_id: DENSITY_LABELS.index(row.density.label) for row in learned if row.density and row.density.label
    }
    presence = {row.image_id: shown for row in learned if (shown := presence_of([row])) is not None}
    for target, truth in (("density", density), ("presence", presence)):
        known = [
            replace(row, split=keyed_split(f"{seed}|probe", row.patient_id, {"train": 0.75, "val": 0.25}))  # type: ignore[arg-type] # one of these
            for row in learned
            if row.image_id in truth
        ]
        parts = {split: {row.image_id for row in known if row.split == split} for split in ("train", "val")}
        held = {row.exam_id for row in known if row.split == "val"}
        if len(held) >= LEAST_HELD and all(len({truth[i] for i in own}) > 1 for own in parts.values()):
            return target, known, truth
    return None


def _network(run: Run, stage: Stage, weights: Weights | None) -> nn.Module:
    """The network as taught, or as it was before the first step."""
    torch.manual_seed(key_seed(run.request.seed, stage.name, "weights"))
    network = stage.build()
    if weights is not None:
        network.load_state_dict(weights)
    return run.machine.place(network).eval().requires_grad_(False)


def _vectors(
    run: Run, images: StoredImages, stage: Stage, network: nn.Module, rows: Sequence[ManifestRow]
) -> dict[str, np.ndarray]:
    """Image to its vector (D,)."""
    assert stage.reads is not None
    reads = Reads(inputs=Inputs(unit="image"), pixels=stage.reads.pixels)
    view = view_of(run, reads, AIM, None, images, rows=rows)
    found: dict[str, np.ndarray] = {}
    embed: Any = network.embed
    for batch in batches_of(view.samples, view.loader, run.machine.device, 8):
        run.watch.stop.check()
        with torch.inference_mode(), run.machine.autocast():
            found |= dict(zip(batch.ids, embed(batch.x[:, 0]).float().cpu().numpy(), strict=True))
    return found


def _asked(
    run: Run, rows: Sequence[ManifestRow], truth: dict[str, int], vectors: dict[str, np.ndarray], target: str,
    labels: Sequence[str],
) -> Asked:  # fmt: skip
    """What a regression on these vectors says of the held-out images."""
    parts = {split: [row for row in rows if row.split == split] for split in ("train", "val")}
    x, held = (np.stack([vectors[row.image_id] for row in own]).astype(np.float64) for own in parts.values())
    y = np.array([truth[row.image_id] for row in parts["train"]], np.int64)
    model = regression.fit(x, y, [row.patient_id for row in parts["train"]], run.request.seed)
    p = regression.predict(model, held, len(labels))
    predictions = [
        {
            "level": "image", "kind": "prob", "target": target, "class_index": c, "label": label, "prob": float(q[c]),
            "member": -1, "image_id": row.image_id, "exam_id": row.exam_id, "patient_id": row.patient_id,
        }
        for row, q in zip(parts["val"], p, strict=True)
        for c, label in enumerate(labels)
    ]  # fmt: skip
    return Asked(
        predictions=predictions,
        manifest=[to_dict(row) for row in rows],
        splits=("val",),
        target="presence" if target == "presence" else None,
        labels=tuple(labels),
        replicates=run.request.evaluation.bootstrap,
        seed=run.request.seed,
    )
