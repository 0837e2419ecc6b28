"""The labelled exams that a version finds most like another one: by the cosine of their embeddings."""

import json
from typing import Any
from uuid import UUID

import numpy as np

from archive.models import Exam
from archive.queries import hung_images
from exchange.models import SnapshotItem
from learning.models import ExamEmbedding, ModelVersion


def nearest_labelled(version: ModelVersion, exam_id: UUID, count: int) -> list[dict[str, Any]] | None:
    """The exams of the version's snapshot nearest to an exam, itself and its patient's others left out, nearest first.

    None where the version has no embedding of the exam. Labels are those that the version learned from.
    """
    known = ExamEmbedding.objects.filter(version=version)
    own = known.filter(exam_id=exam_id).first()
    if own is None:
        return None
    patient = Exam.objects.filter(pk=exam_id).values("patient_id")
    theirs = set(Exam.objects.filter(patient_id__in=patient).values_list("pk", flat=True))
    labelled = SnapshotItem.objects.filter(snapshot=version.snapshot_id).exclude(exam_id__in=theirs)
    items = {item.exam_id: item for item in labelled.filter(exam_id__in=known.values("exam_id"))}
    if not items:
        return []
    # Of the pool nothing is fetched: it is the larger part by far, and nobody has labelled it.
    places = {row.exam_id: row for row in known.filter(exam_id__in=labelled.values("exam_id"))}
    ids = sorted(items)
    vectors = np.stack([np.frombuffer(places[exam].vector, "<f4") for exam in ids])
    cosine = vectors @ np.frombuffer(own.vector, "<f4")
    order = sorted(range(len(ids)), key=lambda n: (-float(cosine[n]), str(ids[n])))[:count]
    exams = Exam.objects.in_bulk([ids[n] for n in order])
    return [_told(items[ids[n]], exams[ids[n]], float(cosine[n])) for n in order if ids[n] in exams]


def _told(item: SnapshotItem, exam: Exam, cosine: float) -> dict[str, Any]:
    body = json.loads(item.body)
    return {
        "exam": exam.pk,
        "label": exam.label,
        "split": item.split,
        "cosine": min(1.0, max(-1.0, cosine)),
        "reading": item.reading_id,
        "density": body["density"]["label"],
        "findings": [
            {name: finding.get(name) for name in ("type", "laterality", "birads", "pathology")}
            for finding in body["findings"]
        ],
        "images": sorted(hung_images(exam), key=lambda image: (image.view, image.laterality != "R", str(image.pk))),
    }
