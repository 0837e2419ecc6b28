"""The model card: what a model is, learned from, and is worth, for people (card.md) and programs (card.json)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ml.evaluation.comparing import OTHER
from ml.evaluation.report import Evaluation, leading, report_of
from ml.evaluation.subgroups import GAP
from ml.methods.spec import MethodSpec
from ml.runs import versions
from ml.runs.manifest import ManifestMeta, ManifestRow
from ml.runs.records import to_dict
from ml.training.images import TOLD
from ml.training.making import Making
from ml.training.model_folder import ModelSpec

UNSURE = {
    "dropout": "20 passes with dropout masks held over all images; mutual information",
    "members": "the disagreement of the method's own members; mutual information",
    "entropy": "the entropy of the answer: the method has neither dropout nor members",
}
#: Baselines whose name in the rows says nothing to a reader of the card.
BASELINES = {OTHER: "the same trunk untaught"}
VERDICTS = ("better", "no_better", "worse", "too_few_to_tell", "not_compared")
USE = "For research, not a medical device. It must not decide about a patient."


def card_of(
    spec: ModelSpec, method: MethodSpec, rows: Sequence[ManifestRow], found: Evaluation, meta: ManifestMeta,
    judged: str | None, made: Making | None = None,
) -> dict[str, Any]:  # fmt: skip
    """card.json. judged: the task whose leading figures are compared with baselines; None where nothing was judged.

    made: how it was made; what is not said of it is empty.
    """
    made, own = made or Making(), _models(found.metrics)
    train = [row for row in rows if row.split == "train"]
    return {
        "schema": versions.tag("card"),
        "run_id": made.run_id,
        "method": method.name,
        "seed_row": method.seed_row,
        "serves": to_dict(method.serves),
        "reference": method.reference,
        "size": spec.size,
        "parameters": spec.parameters,
        "intended_use": USE,
        "task": spec.task,
        "target": spec.target,
        "findings": list(spec.findings),
        "labels": list(spec.labels),
        "snapshot_id": meta.snapshot_id,
        "manifest_sha256": made.manifest_sha256 or spec.trained_on.manifest_sha256,
        "sources": list(meta.sources),
        "training": {
            "patients": len({row.patient_id for row in train}),
            "exams": len({row.exam_id for row in train}),
            "images": len(train),
            **_counts(train),
        },
        "init": to_dict(spec.init),
        "earlier": [
            {"method": one.method, "size": one.size, "weights_sha256": one.weights_sha256, "init": to_dict(one.init)}
            for one in spec.earlier
        ],
        "pixels": spec.pixels,
        "config": spec.config,
        "stages": to_dict(made.stages),
        "headline": found.headline,
        "headline_split": found.headline_split,
        "metrics": [row for row in found.metrics if row["series"] != "model" or row["ci"] is not None][:200],
        "leading": leading_rows(found.metrics, judged),
        "subgroups": _briefly(row for row in own if row["subgroup"] and row["metric"] != GAP),
        "dense_gap": _briefly(row for row in own if row["metric"] == GAP),
        "against_baselines": against_baselines(found.metrics, judged),
        "temperature": spec.temperature,
        "calibration": _briefly(row for row in own if row["metric"] == "ece" and not row["subgroup"]),
        "thresholds": spec.thresholds,
        "known_failures": to_dict(made.flagged),
        "uncertainty": UNSURE[method.unsure_by],
        "cost": dict(made.cost),
        "code_version": spec.code_version,
        "remarks": _remarks(train),
    }


def _counts(rows: Sequence[ManifestRow]) -> dict[str, Any]:
    exams = {row.exam_id: row for row in rows}.values()
    origins = Counter(m.provenance for row in rows for f in row.findings for m in f.marks)
    return {
        "density": dict(Counter(row.density.label for row in exams if row.density and row.density.label)),
        "findings": dict(Counter(finding.type for row in rows for finding in row.findings if finding.marks)),
        "dataset": dict(Counter(row.dataset or "unknown" for row in rows)),
        "manufacturer": dict(Counter(row.manufacturer or "unknown" for row in rows)),
        "age_band": dict(Counter(row.age_band or "unknown" for row in exams)),
        "marks": dict(origins),
        "marks_model_accepted_share": round(origins["model_accepted"] / origins.total(), 4) if origins else None,
    }


def _models(metrics: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The model's own rows, on patients who chose nothing where there are such."""
    own = [row for row in metrics if row["series"] == "model"]
    return [row for row in own if row["split"] != "val"] or own


BRIEF = ("name", "target", "level", "split", "subgroup", "value", "reason", "ci", "n_patients", "n_units")


def _briefly(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: row.get(key) for key in BRIEF} for row in rows]


def leading_rows(metrics: Sequence[Mapping[str, Any]], task: str | None) -> list[dict[str, Any]]:
    """The figures that a task leads with, on every split that chose nothing, with their intervals; none without one."""
    return _briefly(leading(report_of(task), [dict(row) for row in _models(metrics)])) if task else []


def against_baselines(metrics: Sequence[Mapping[str, Any]], task: str | None) -> dict[str, list[str]]:
    """What may be said of each figure that the task leads with beside each baseline, on patients who chose nothing.

    `better` needs an interval of the difference that leaves out 0 on the good side, of ten patients with a positive or
    more. A figure without a baseline, or whose difference is not defined, is `not_compared`: silence is not a proof. No
    task: nothing is said.
    """
    said: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS}
    splits = {row["split"] for row in metrics}
    held = splits - {"val"} or splits
    found = leading(report_of(task), [dict(row) for row in metrics]) if task else []
    for own in (row for row in found if row["split"] in held):
        figure = f"{own['target']} {own['name']} on {own['split']}"
        gaps = [row for row in metrics if _is_gap(row, own)]
        if not gaps:
            said["not_compared"].append(figure)
        for gap in gaps:
            said[_verdict(gap)].append(f"{figure} against {BASELINES.get(gap['baseline'], gap['baseline'])}")
    return said


def _verdict(gap: Mapping[str, Any]) -> str:
    """What a difference from a baseline says, in the words of the models' page (frontend `report.ts`)."""
    ci, params = gap["ci"], gap["params"]
    if gap["value"] is None:
        return "not_compared"
    if ci is None or params.get("wide"):
        return "too_few_to_tell"
    if params["better"]:
        return "better"
    return "no_better" if ci[0] <= 0 <= ci[1] else "worse"


def _is_gap(row: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether a row is the difference of this figure from a baseline."""
    return (
        row["series"] == "difference"
        and row["name"] == f"difference:{row['baseline']}:{own['name']}"
        and all(row[key] == own[key] for key in ("target", "level", "split", "subgroup"))
    )


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
        "## Where its weights began",
        "",
        *_beginnings(card),
        "",
        "## Headline",
        "",
        *_of_whom(card["headline_split"]),
        *(f"- {name}: {_shown(value)}" for name, value in card["headline"].items()),
        "",
        *_section("With intervals", map(_figure, card["leading"])),
        "## Against baselines",
        "",
        *_compared(card["against_baselines"]),
        "",
        *_section("By group of patients", map(_figure, [*card["dense_gap"], *card["subgroups"]])),
        *_section("Calibration", [f"temperature {card['temperature']:.3f}", *map(_figure, card["calibration"])]),
        *_section("Operating points", (f"{name}: {value}" for name, value in card["thresholds"].items())),
        *_section("Known failures", _failures(card["known_failures"])),
        *_section("What it cost", _cost(card["cost"])),
    ]
    return "\n".join(lines)


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """A heading and a line each; nothing where there is nothing to say."""
    listed = [f"- {line}" for line in lines]
    return [f"## {title}", "", *listed, ""] if listed else []


def _figure(row: Mapping[str, Any]) -> str:
    """`t auc on test, density C: 0.812 (0.700 to 0.901), 40 patients`."""
    group = "".join(f", {key} {value}" for key, value in (row["subgroup"] or {}).items())
    ci = row["ci"]
    interval = f" ({_shown(ci[0])} to {_shown(ci[1])})" if ci else ""
    patients = "" if row["n_patients"] is None else f", {row['n_patients']} patients"
    return f"{row['target']} {row['name']} on {row['split']}{group}: {_shown(row['value'])}{interval}{patients}"


def _failures(flagged: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """`mask_failed, 3 of 100 images (3.0 %): ...`."""
    return [
        f"{flag}, {own['images']} of {own['of']} images ({100 * own['share']:.1f} %)"
        + (f": {TOLD[flag].format('these images')}" if flag in TOLD else "")
        for flag, own in flagged.items()
    ]


def _cost(cost: Mapping[str, Any]) -> list[str]:
    if not cost:
        return []
    where = cost["gpu"] or cost["device"]
    peaks = {"": cost["peak_ram_mb"], " on the GPU": cost["peak_gpu_mb"]}
    memory = ", ".join(f"{peak} MB{where}" for where, peak in peaks.items() if peak) or "not measured here"
    return [
        f"{cost['seconds']:.0f} s on {where}, {cost['gpu_hours']:.3f} GPU hours; attempts: {cost['attempts']}",
        f"memory at most: {memory}",
    ]


def _beginnings(card: dict[str, Any]) -> list[str]:
    """One line for this model and for each that it goes back to, whose terms hold for it, too."""
    models = [card, *card["earlier"]]
    return [f"- {model['method']} ({model['size']}): {_begun(model['init'])}" for model in models]


def _begun(init: dict[str, Any] | None) -> str:
    if init is None:
        return "not recorded"
    stages = ", ".join(f"{stage} {how}" for stage, how in init["stages"].items())
    if init["kind"] == "none":
        return f"from scratch ({stages})"
    if init["kind"] == "model_dir":
        return f"from {init['version'] or 'an earlier model'}, weights {init['sha256']} ({stages})"
    terms = f"licence: {init['licence'] or 'not said'}; origin: {init['origin'] or 'not said'}"
    return f"from a weights file, {init['sha256']} ({stages}); {terms}"


def _compared(said: Mapping[str, Sequence[str]]) -> list[str]:
    lines = [f"- {verdict.replace('_', ' ')}: {text}" for verdict, texts in said.items() for text in texts]
    return lines or ["- not compared: no figure of this model stands beside a baseline"]


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
