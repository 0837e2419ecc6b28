"""`python -m ml manifest`, `phantoms` and `init`: a run folder for people without the platform. No torch."""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml import pretraining
from ml.cli.settings import settings
from ml.cli.telling import Countdown
from ml.datasets import own
from ml.datasets.alike import rows_alike
from ml.datasets.reading import DatasetError
from ml.datasets.splits import keyed_split
from ml.datasets.table import SETS
from ml.runs import atomic, catalogue
from ml.runs.errors import invalid
from ml.runs.manifest import ManifestRow, read_manifest, read_meta, write_manifest
from ml.runs.records import to_dict
from ml.runs.request import (
    FINDINGS,
    TARGETS,
    Compute,
    Data,
    Init,
    OutputOptions,
    Request,
    Target,
    parse_request,
    write_request,
)

#: Options of `init` that are said of a weights file, named as the fields of the request.
OF_WEIGHTS = ("layout", "mean", "std", "allow_partial", "licence", "origin")
SUFFIXES = (".safetensors", ".pth", ".pt")


def manifest(arguments: argparse.Namespace) -> int:
    """Write manifest.jsonl of a data set, with splits by patient. Raises RunRefused (exit 2)."""
    if not arguments.folder.is_dir():
        raise invalid("dataset_unreadable", f"{arguments.folder} is not a folder")
    folder = arguments.folder.resolve()
    if (arguments.name == own.NAME) != (arguments.rows is not None):
        raise invalid("arguments_invalid", "--rows FILE has the rows of data of your own, and goes with the name own")
    if arguments.name == own.NAME:
        rows, pairs = own.read_own(arguments.rows, folder, seed=arguments.seed, told=Countdown("images"))
        sources: list[dict[str, str]] = []
    else:
        rows, sources = _of_set(arguments.name, folder, arguments.seed)
        pairs = None
    rows = [_pooled(row, arguments.pool, arguments.seed) for row in rows]
    arguments.run_dir.mkdir(parents=True, exist_ok=True)
    write_manifest(arguments.run_dir, rows, pixels_root=folder, sources=sources)
    for one, other in rows_alike(rows, folder) if pairs is None else pairs:
        print(f"warning: {one} and {other} show the same picture under two patients", file=sys.stderr)
    _print_counts(rows)
    return 0


def _of_set(name: str, folder: Path, seed: int) -> tuple[list[ManifestRow], list[dict[str, str]]]:
    """The rows of a public set, and where they come from. Raises RunRefused (exit 2)."""
    if name not in SETS:
        raise invalid("dataset_unknown", f"no data set is named {name!r}; there is {', '.join((*SETS, own.NAME))}")
    try:
        return SETS[name].rows(folder, seed), [SETS[name].credit()]
    except DatasetError as error:
        raise invalid("dataset_unreadable", str(error)) from None


def phantoms(arguments: argparse.Namespace) -> int:
    """Write synthetic exams as DICOM and their manifest into RUN_DIR. Raises RunRefused (exit 2)."""
    from ml.simulation.manifest import CREDIT, cohort

    if arguments.exams < 1 or not 0.05 <= arguments.spacing <= 2:
        raise invalid("phantoms_invalid", "--exams is 1 or more, --spacing from 0.05 to 2 mm")
    folder, countdown = arguments.run_dir / "images", Countdown("exams")
    made = cohort(
        folder, arguments.exams, seed=arguments.seed, spacing_mm=arguments.spacing,
        told=lambda done: countdown(done, arguments.exams),
    )  # fmt: skip
    rows = [_pooled(row, arguments.pool, arguments.seed) for row in made]
    write_manifest(arguments.run_dir, rows, pixels_root="images", sources=[CREDIT])
    _print_counts(rows)
    return 0


def _print_counts(rows: Sequence[ManifestRow]) -> None:
    counts = {split: sum(row.split == split for row in rows) for split in ("train", "val", "test", "audit", "pool")}
    told = ", ".join(f"{split} {count}" for split, count in counts.items() if count)
    print(f"{len(rows)} images, {len({row.patient_id for row in rows})} patients: {told}", file=sys.stderr)
    for split in ("train", "val", "test"):
        if not counts[split]:
            print(f"warning: no image is in {split}; a row's split says where its patient belongs", file=sys.stderr)


def _pooled(row: ManifestRow, share: float, seed: int) -> ManifestRow:
    """A training row, or the same without labels in the pool for a share of the patients (by key)."""
    if row.split != "train" or not share:
        return row
    if keyed_split(f"{seed}|pool", row.patient_id, {"pool": share, "train": 1 - share}) == "train":
        return row
    return replace(row, split="pool", density=None, findings=(), complete=False)


def init(arguments: argparse.Namespace) -> int:
    """Write request.json. Raises RunRefused (exit 2)."""
    method, config = _asked_for(arguments)
    if arguments.size not in method["sizes"]:
        sizes = ", ".join(method["sizes"])
        raise invalid("size_unknown", f"{method['name']} has no size {arguments.size!r}; there is {sizes}")
    task = _task(method, arguments.task)
    config |= settings(method["name"], arguments.size, arguments.settings)
    run_dir: Path = arguments.run_dir
    run_dir.mkdir(parents=True, exist_ok=True)
    if arguments.manifest is not None:
        _copy_manifest(arguments.manifest, run_dir)
    request = Request(
        run_id=run_dir.resolve().name,
        command=arguments.what,
        method=method["name"],
        size=arguments.size,
        task=task,
        findings=tuple(arguments.finding or method["findings"]),
        target=_target(arguments.target),
        data=Data(folds=arguments.folds, fold=arguments.fold),
        seed=arguments.seed,
        config=config if arguments.steps is None else {**config, "steps": arguments.steps},
        pixels={} if arguments.cache is None else {"cache_dir": str(arguments.cache.resolve())},
        init=_init(arguments, run_dir),
        output=OutputOptions(explanations=arguments.explanations),
        compute=Compute(
            device=arguments.device,
            precision=arguments.precision,
            workers=arguments.workers,
            max_steps=arguments.max_steps,
            deterministic=arguments.deterministic,
            gradient_checkpointing=arguments.gradient_checkpointing,
        ),
    )
    parse_request(to_dict(request))
    write_request(run_dir, request)
    print(f"wrote {run_dir / 'request.json'}; next: python -m ml {arguments.what} {run_dir}", file=sys.stderr)
    return 0


def _asked_for(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The catalogue's entry of the method, or what stands for a kind of pretraining; and the config. Exit 2."""
    if arguments.what != "pretrain":
        if arguments.method is None or arguments.donee is not None:
            raise invalid("arguments_invalid", "--method is needed, and --for is of pretraining alone")
        return catalogue.entry(arguments.method), {}
    kind = arguments.method or pretraining.NAMES[0]
    if kind not in pretraining.NAMES:
        raise invalid("method_unknown", f"no pretraining is named {kind!r}; there is {', '.join(pretraining.NAMES)}")
    if arguments.donee is None:
        raise invalid("arguments_invalid", "--for METHOD says whose trunk is taught")
    catalogue.entry(arguments.donee)
    entry: dict[str, Any] = {"name": kind, "sizes": pretraining.SIZES, "task": "pretrain", "findings": []}
    return entry, {"donee": arguments.donee, "donee_size": arguments.size}


def _task(method: Mapping[str, Any], wanted: str | None) -> str:
    """The task that is asked for, or the method's main one. Raises RunRefused (exit 2)."""
    served = [entry["task"] for entry in method.get("serves", ())] or [method["task"]]
    if wanted is not None and wanted not in served:
        raise invalid("task_unknown", f"{method['name']} does not serve {wanted!r}; it serves {', '.join(served)}")
    return wanted or str(method["task"])


def _init(arguments: argparse.Namespace, run_dir: Path) -> Init:
    if arguments.weights is not None:
        return replace(
            _lent(arguments.weights, run_dir),
            layout=arguments.layout,
            mean=None if arguments.mean is None else tuple(arguments.mean),
            std=None if arguments.std is None else tuple(arguments.std),
            allow_partial=arguments.allow_partial,
            licence=arguments.licence,
            origin=arguments.origin,
        )
    if about := [name for name in OF_WEIGHTS if getattr(arguments, name) not in (None, "auto", False)]:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in about)
        raise invalid("arguments_invalid", f"{named}: only with --weights")
    return Init() if arguments.model is None else _brought(arguments.model, run_dir)


def _lent(weights: Path, run_dir: Path) -> Init:
    """Copy a weights file into the run folder; what it holds is checked when the run begins. Exit 2."""
    if weights.suffix not in SUFFIXES:
        raise invalid("weights_kind", f"{weights} is no weights file: one ends in {', '.join(SUFFIXES)}")
    if not weights.is_file():
        raise invalid("weights_kind", f"there is no file {weights}")
    target = run_dir / "init" / f"weights{weights.suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, target)
    return Init(kind="weights_file", path=f"init/{target.name}", sha256=atomic.sha256_of(target))


def _copy_manifest(folder: Path, run_dir: Path) -> None:
    """Give a run the manifest of another folder; its pixels stay where they are. Raises RunRefused (exit 2)."""
    meta = read_meta(folder)
    write_manifest(
        run_dir,
        read_manifest(folder),
        pixels_root=(folder / meta.pixels_root).resolve(),
        snapshot_id=meta.snapshot_id,
        sources=meta.sources,
    )


def _target(word: str | None) -> Target | None:
    """`pathology:mass,calcification` or the kind alone. Raises RunRefused (exit 2)."""
    if word is None:
        return None
    name, _, findings = word.partition(":")
    kind = next((known for known in TARGETS if known == name), None)
    if kind is None:
        raise invalid("target_unknown", f"no target is named {name!r}; there is {', '.join(TARGETS)}")
    named = tuple(filter(None, findings.split(",")))
    if unknown := sorted(set(named) - set(FINDINGS)):
        raise invalid("target_unknown", f"no finding is named {unknown[0]!r}; there is {', '.join(FINDINGS)}")
    return Target(kind=kind, findings=named)


def _brought(model: Path, run_dir: Path) -> Init:
    """Copy a model into the run folder, so that the folder is whole on any machine."""
    weights = model / "weights.safetensors"
    if not weights.exists():
        raise invalid("model_unreadable", "--model must be the model/ folder of a finished run")
    target = run_dir / "init" / "model"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(model, target)
    return Init(kind="model_dir", path="init/model", sha256=atomic.sha256_of(weights))
