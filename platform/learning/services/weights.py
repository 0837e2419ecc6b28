"""Weights files that people bring: kept as they came, read by the learner alone."""

import json
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Project, Role, User
from accounts.queries import require_role
from archive import store
from core.audit import record
from learning import queries
from learning.errors import WeightsMissing, WeightsRefused, WeightsUsed
from learning.models import Run, WeightsFile
from ml.runs import atomic
from ml.runs.request import Init
from ml.runs.weight_names import MOST_HEADER

SUFFIXES = (".safetensors", ".pth", ".pt")
#: A zip, as torch writes since 1.6, and the pickle before it.
_TORCH_STARTS = (b"PK\x03\x04", b"\x80")


def add_weights(
    project: Project,
    name: str,
    chunks: Iterable[bytes],
    *,
    licence: str,
    origin: str,
    layout: str,
    by: User,
    expected: int | None = None,
) -> WeightsFile:
    """Keep a file of weights. It is on the disk, whole, when this returns; the same bytes in a project are one.

    Nothing of it is unpickled here. Raises RoleMissing, WeightsRefused, UploadTooLarge, UploadCut, DiskFull.
    """
    require_role(by, project, Role.ADMIN)
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise WeightsRefused("Weights are a .safetensors, .pth or .pt file.", name=name)
    folder = Path(settings.WEIGHTS_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    with store.received(folder, chunks, expected) as (part, size):
        _require_weights(part, suffix)
        made = WeightsFile(
            project=project, name=Path(name).name, suffix=suffix, sha256=atomic.sha256_of(part), bytes=size,
            licence=licence, origin=origin, layout=layout, created_by=by,
        )  # fmt: skip
        try:
            with transaction.atomic():
                made.save(force_insert=True)
                record(by, "weights.added", target=made, sha256=made.sha256)
                # The file has its name before the row is committed: nobody finds a row without one.
                part.replace(queries.weights_path(made))
                store.sync_folder(folder)
        except IntegrityError:
            return WeightsFile.objects.get(project=project, sha256=made.sha256)
    return made


def _require_weights(file: Path, suffix: str) -> None:
    """Look at the first bytes alone: a page that was saved as weights is told now, not when a training begins."""
    with file.open("rb") as opened:
        start = opened.read(8)
        if suffix == ".safetensors":
            length = int.from_bytes(start, "little")
            if not _is_header(opened.read(length) if length <= MOST_HEADER else b""):
                raise WeightsRefused("This file is not what safetensors writes.")
        elif not start.startswith(_TORCH_STARTS):
            raise WeightsRefused("This file is not what torch.save writes.")


def _is_header(text: bytes) -> bool:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and any(name != "__metadata__" for name in header)


def remove_weights(weights: WeightsFile, *, by: User) -> None:
    """Forget a file that no run started from. Raises RoleMissing, WeightsUsed."""
    require_role(by, weights.project_id, Role.ADMIN)
    with transaction.atomic():
        if Run.objects.filter(weights=weights).exists():
            raise WeightsUsed(weights=str(weights.pk))
        record(by, "weights.removed", target=weights, sha256=weights.sha256)
        weights.delete()


def bring_weights(weights: WeightsFile, folder: Path) -> Init:
    """Copy a file into a run folder, which must be whole on any machine. Raises WeightsMissing."""
    source = queries.weights_path(weights)
    if not source.is_file():
        raise WeightsMissing(weights=str(weights.pk))
    target = folder / "init" / f"weights{weights.suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as opened:
        store.write_atomically(target, iter(lambda: opened.read(2**20), b""))
    return Init(
        kind="weights_file", path=f"init/{target.name}", sha256=weights.sha256,
        layout=weights.layout,  # type: ignore[arg-type] # one of its choices
        licence=weights.licence, origin=weights.origin,
    )  # fmt: skip
