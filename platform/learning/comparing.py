"""Two versions as `ml.evaluation.comparing` compares them, with the curves of both: for the worker, not for the web."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings

from exchange.queries import items_of
from learning import queries
from learning.manifest import labelled_rows
from learning.models import ModelVersion, Prediction
from ml.evaluation.comparing import NotComparable, compare
from ml.evaluation.report import report_of
from ml.evaluation.reports.asked import Asked
from ml.runs.records import to_dict

REPLICATES = 1000
SPLITS = ("test", "audit", "val")


def compared(first: ModelVersion, second: ModelVersion) -> dict[str, Any]:
    """What is kept of a comparison: rows as in metrics.json by split, patients, curves of both, and refusals in words.

    Labels may have been amended between the two snapshots: the later one is the truth for both.
    """
    truth = max((first, second), key=lambda version: version.snapshot.number)
    manifest = [to_dict(row) for row in labelled_rows(items_of(truth.snapshot))]
    asked = [_asked(version, manifest) for version in (first, second)]
    document: dict[str, Any] = {
        "rows": [], "patients": {}, "refusals": {}, "first": {}, "second": {}, "truth_snapshot": truth.snapshot.number,
    }  # fmt: skip
    shared = _exams_of(first) & _exams_of(second)
    for split in SPLITS:
        if not any(row["split"] == split for row in manifest):
            continue
        # A patient whom one of them learned from is no patient that both never saw.
        rows = [row for row in manifest if (row["exam_id"], row["split"]) in shared or row["split"] != split]
        own, theirs = (replace(one, manifest=rows, splits=(split,)) for one in asked)
        try:
            found = compare(own, theirs, first.task, split=split)
        except NotComparable as error:
            document["refusals"][split] = str(error)
            continue
        document["rows"] += found.metrics
        document["patients"][split] = found.patients
        for name, one in (("first", own), ("second", theirs)):
            for kind, curves in _curves(one, first.task, split).items():
                document[name].setdefault(kind, []).extend(curves)
    return document


def _curves(asked: Asked, task: str, split: str) -> dict[str, list[dict[str, Any]]]:
    report = report_of(task)
    return report.tell(replace(asked, replicates=2), split, report.gather(asked)[split]).curves


def _exams_of(version: ModelVersion) -> set[tuple[str, str]]:
    return {(str(exam), split) for exam, split in version.snapshot.items.values_list("exam_id", "split").iterator()}


def _asked(version: ModelVersion, manifest: list[dict[str, Any]]) -> Asked:
    spec = queries.model_spec(version)
    predictions = Prediction.objects.filter(version=version, split__in=SPLITS).values_list("rows", flat=True)
    return Asked(
        predictions=[row for rows in predictions.iterator(chunk_size=500) for row in rows],
        manifest=manifest,
        splits=SPLITS,
        findings=tuple(spec.get("findings") or version.run.findings),
        target=spec.get("target"),
        labels=tuple(spec.get("labels") or ()),
        replicates=REPLICATES,
        run_dir=queries.run_folder(version.run_id),
        pixels_root=Path(settings.STORE_DIR),
    )
