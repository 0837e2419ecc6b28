"""The model card: what a model is, learned from, and is worth, for people (card.md) and programs (card.json)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ml.evaluation.report import Evaluation
from ml.methods.spec import MethodSpec
from ml.runs import versions
from ml.runs.manifest import ManifestMeta, ManifestRow
from ml.runs.records import to_dict
from ml.training.model_folder import ModelSpec

UNSURE = {
    "dropout": "20 passes with dropout masks held over all images; mutual information",
    "members": "the disagreement of the method's own members; mutual information",
    "entropy": "the entropy of the answer: the method has neither dropout nor members",
}
USE = "For research, not a medical device. It must not decide about a patient."


def card_of(
    spec: ModelSpec, method: MethodSpec, rows: Sequence[ManifestRow], found: Evaluation, meta: ManifestMeta
) -> dict[str, Any]:
    """card.json."""
    train = [row for row in rows if row.split == "train"]
    return {
        "schema": versions.tag("card"),
        "method": method.name,
        "seed_row": method.seed_row,
        "serves": to_dict(method.serves),
        "reference": method.reference,
        "size": spec.size,
        "parameters": spec.parameters,
        "intended_use": USE,
        "task": spec.task,
        "labels": list(spec.labels),
        "snapshot_id": meta.snapshot_id,
        "sources": list(meta.sources),
        "training": {
            "patients": len({row.patient_id for row in train}),
            "exams": len({row.exam_id for row in train}),
            "images": len(train),
            **_counts(train),
        },
        "pixels": spec.pixels,
        "config": spec.config,
        "headline": found.headline,
        "headline_split": found.headline_split,
        "metrics": [row for row in found.metrics if row["series"] != "model" or row["ci"] is not None][:200],
        "not_better_than_baseline": _not_better(found),
        "temperature": spec.temperature,
        "thresholds": spec.thresholds,
        "uncertainty": UNSURE[method.unsure_by],
        "code_version": spec.code_version,
        "remarks": _remarks(train),
    }


def _counts(rows: Sequence[ManifestRow]) -> dict[str, Any]:
    exams = {row.exam_id: row for row in rows}.values()
    return {
        "density": dict(Counter(row.density.label for row in exams if row.density and row.density.label)),
        "findings": dict(Counter(finding.type for row in rows for finding in row.findings if finding.marks)),
        "dataset": dict(Counter(row.dataset or "unknown" for row in rows)),
        "manufacturer": dict(Counter(row.manufacturer or "unknown" for row in rows)),
        "marks": dict(Counter(m.provenance for row in rows for f in row.findings for m in f.marks)),
    }


def _not_better(found: Evaluation) -> list[str]:
    """Headline figures whose difference from a baseline does not stay above 0 in its interval."""
    return [
        f"{row['target']} {row['metric']} on {row['split']} against {row['baseline']}"
        for row in found.metrics
        if row["series"] == "difference" and row["metric"] in ("qwk", "cpm") and not row["params"].get("better")
    ]


def _remarks(train: Sequence[ManifestRow]) -> list[str]:
    remarks = []
    if any(row.density and row.density.scale == "tissue3" for row in train):
        remarks.append("Density comes from three tissue classes (F, G, D as a, b, c); class d is absent.")
    return remarks


def card_text(card: dict[str, Any]) -> str:
    """card.md."""
    training = card["training"]
    lines = [
        f"# {card['method']} ({card['size']}), {card['task']}",
        "",
        f"**{card['intended_use']}**",
        "",
        f"- Reference: {card['reference']}",
        *(f"- Serves {s['task']}, fidelity {s['fidelity']}: {s['claim_note']}" for s in card["serves"]),
        f"- Parameters: {card['parameters']:,}; labels: {', '.join(card['labels'])}",
        f"- Trained on {training['patients']} patients, {training['exams']} exams, {training['images']} images; "
        f"density {training['density']}; findings {training['findings']}",
        *(f"- {remark}" for remark in card["remarks"]),
        "",
        "## Headline",
        "",
        *_of_whom(card["headline_split"]),
        *(f"- {name}: {_shown(value)}" for name, value in card["headline"].items()),
        "",
        "## Not better than a baseline",
        "",
        *([f"- {text}" for text in card["not_better_than_baseline"]] or ["- nothing: better than all"]),
        "",
    ]
    return "\n".join(lines)


OF_WHOM = {
    "test": "On test patients, whom the model never saw.",
    "audit": "On audit patients, whom the model never saw.",
    "val": "On validation patients, who chose the weights and the temperature: no test patient was there to tell how "
    "good the model is.",
}


def _of_whom(split: str | None) -> list[str]:
    return [OF_WHOM[split], ""] if split in OF_WHOM else []


def _shown(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"
