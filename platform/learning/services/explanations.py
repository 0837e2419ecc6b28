"""What a finished folder says beside its scores: heat maps with the images that they lie on, and embeddings."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from archive.models import Image
from archive.store import derived_file, write_atomically
from learning.errors import ResultUnreadable
from learning.models import ExamEmbedding, Explanation, ModelVersion
from ml.runs.errors import RunRefused
from ml.runs.explanations import HeatMap, read_explanations
from ml.runs.manifest import read_manifest

_CHUNK = 500


def picture_of(explanation: Explanation) -> Path:
    """Where a map's picture lies: it goes with what else is made of the image."""
    return derived_file(explanation.image.sha256, f"heat-{explanation.pk}.png")


def store_explanations(version: ModelVersion, folder: Path) -> int:
    """Store the maps of a finished folder, each picture before its row; a map that is there stays.

    Raises ResultUnreadable.
    """
    try:
        maps = read_explanations(folder / "explanations")
    except (ValueError, RunRefused) as error:
        raise ResultUnreadable(file="explanations/index.json") from error
    images = {str(image.pk): image for image in Image.objects.filter(pk__in={one.image_id for one in maps})}
    known = set(Explanation.objects.filter(version=version).values_list("image_id", "unit"))
    rows = []
    for one in maps:
        image = images.get(one.image_id)
        if image is None or (image.pk, one.unit) in known:
            continue
        row = _row(version, image, one)
        write_atomically(picture_of(row), [(folder / one.path).read_bytes()])
        rows.append(row)
    Explanation.objects.bulk_create(rows, batch_size=_CHUNK, ignore_conflicts=True)
    return len(rows)


def _row(version: ModelVersion, image: Image, one: HeatMap) -> Explanation:
    return Explanation(
        version=version,
        image=image,
        exam_id=image.exam_id,
        unit=one.unit,
        split=one.split,
        kind=one.kind,
        target=one.target,
        label=one.label,
        score=one.score,
        rows=one.rows,
        cols=one.cols,
        affine=one.affine,
        maximum=one.maximum,
        empty=one.empty,
        box=one.box,
        finding_id=one.finding_id,
    )


def store_embeddings(version: ModelVersion, folder: Path) -> int:
    """Store an exam's place as the mean of its samples' directions. Raises ResultUnreadable."""
    path = folder / "embeddings.safetensors"
    if not path.exists():
        return 0
    try:
        with safe_open(path, framework="numpy") as file:
            ids, vectors = json.loads(file.metadata()["ids"]), file.get_tensor("embeddings")
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ResultUnreadable(file=path.name) from error
    manifest = read_manifest(folder)
    exams = {row.image_id: row.exam_id for row in manifest} | {row.exam_id: row.exam_id for row in manifest}
    splits = {row.exam_id: row.split for row in manifest}
    named = [exams.get(sample_owner(name)) for name in ids]
    rows = [
        ExamEmbedding(version=version, exam_id=exam, split=splits[exam], vector=vector.tobytes())
        for exam, vector in directions(named, vectors).items()
    ]
    ExamEmbedding.objects.bulk_create(rows, batch_size=_CHUNK, ignore_conflicts=True)
    return len(rows)


def sample_owner(name: str) -> str:
    """The image or exam that a sample is of: its id is theirs, or `exam/part`, or `image:region`."""
    return name.split("/")[0].split(":")[0]


def directions(exams: Iterable[str | None], vectors: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
    """Exam to the mean of its samples' vectors (N, D), each of length 1 before, and of length 1 again.

    Samples of no exam are left out, as are those whose vector is not finite or all zero: they have no direction.
    """
    sums: dict[str, npt.NDArray[np.float64]] = {}
    for exam, vector in zip(exams, vectors, strict=True):
        length = float(np.linalg.norm(vector))
        if exam is not None and np.isfinite(length) and length > 0:
            sums[exam] = sums.get(exam, np.zeros(len(vector))) + vector / length
    lengths = {exam: np.linalg.norm(total) for exam, total in sums.items()}
    return {exam: (total / lengths[exam]).astype("<f4") for exam, total in sums.items() if lengths[exam] > 0}
