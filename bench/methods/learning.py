"""Is the learning real? Train both methods on phantom patients, test on others, and once more with shuffled labels.

python bench/methods/learning.py OUT [--exams 96] [--seed 0] [--steps N] [--size tiny] [--method NAME]

Makes phantom exams (four views each, 0.4 mm), writes run folders, runs `python -m ml train` on them, and prints for
each run the figure on unseen patients, the baseline's, and the paired difference with its 95 % interval. The same is
written to OUT/learning.json. A model that learns is better than its baseline with the true labels and is not with
shuffled ones.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.runs.manifest import Density, Finding, ManifestRow, Mark, Split, write_manifest
from ml.runs.request import Compute, EvaluationOptions, Request, write_request
from ml.simulation.model import Exam, FindingSpec
from ml.simulation.phantom import exam

SPACING_MM = 0.4
WHITE = 4095
GRADATION = 0.7
SPLITS: tuple[Split, ...] = ("train", "train", "train", "train", "val", "test", "test", "test")
TYPES = ("mass", "mass", "mass", "calcification", "asymmetry", "architectural_distortion")
#: The default of `tiny` is made for a quick loop; here the question is what can be learned.
STEPS = {"dcse_resnet50": 120, "retinanet_mass": 600}
HEADLINE = {"dcse_resnet50": ("density", "qwk"), "retinanet_mass": ("any", "cpm")}


def cohort(folder: Path, exams: int, seed: int) -> list[ManifestRow]:
    """Phantom exams as .npy files and manifest rows: densities in turn, a finding or two in half of the exams.

    Every exam has a gradation of its own, as detectors of several makers have. With one gradation for all, the grey
    values alone give the density away, and the histogram baseline is right in all but one exam of 36.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[ManifestRow] = []
    # Densities and findings come in turn, so the splits must not: a class would fall into one of them whole.
    place = np.random.default_rng([seed, 7]).permutation(exams)
    for n in range(exams):
        rows += exam_rows(folder, n, seed, SPLITS[place[n] % len(SPLITS)])
    return rows


def exam_rows(folder: Path, n: int, seed: int, split: Split) -> list[ManifestRow]:
    """The images of exam `n`, written, and their rows."""
    rng = np.random.default_rng([seed, n])
    count = int(rng.integers(1, 3)) if n % 2 else 0
    specs = [_finding(rng) for _ in range(count)]
    made = _made(seed * 100_000 + n, "abcd"[(n // 2) % 4], specs)
    gradation = float(np.exp(np.random.default_rng([seed + 5, n]).uniform(-GRADATION, GRADATION)))
    return list(_rows_of(folder, made, n, gradation, split))


def _finding(rng: np.random.Generator) -> FindingSpec:
    kind: Any = str(rng.choice(TYPES))
    return FindingSpec(kind, "L" if rng.integers(2) else "R")


def _made(seed: int, density: Any, specs: Sequence[FindingSpec]) -> Exam:
    """The exam; without its findings where the breast is too small for them."""
    try:
        return exam(seed, density=density, findings=specs, spacing_mm=SPACING_MM)
    except ValueError:
        return exam(seed, density=density, spacing_mm=SPACING_MM)


def _rows_of(folder: Path, made: Exam, n: int, gradation: float, split: Split) -> Iterator[ManifestRow]:
    name: Any
    letter: Any = made.density.upper()
    for name, image in made.images.items():
        path = folder / f"{n:04d}-{name}.npy"
        np.save(path, np.rint(WHITE * (image.pixels / WHITE) ** gradation).astype(np.uint16))
        found = [
            Finding(
                finding_id=f"f{n}-{k}",
                type=finding.type,
                pathology=finding.pathology,
                marks=(
                    Mark(mark_id=f"m{n}-{name}-{k}", kind=mark.kind, geometry=mark.geometry, provenance="imported"),
                ),
            )
            for k, finding in enumerate(made.findings)
            if (mark := finding.marks.get(name)) is not None
        ]
        yield ManifestRow(
            image_id=f"{n:04d}-{name}", exam_id=f"e{n:04d}", patient_id=f"p{n:04d}",
            laterality=name[0], view=name[2:], rows=image.pixels.shape[0], cols=image.pixels.shape[1],
            pixel_path=path.name, pixel_format="npy", sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            presentation="for_presentation", bits_stored=12, spacing_mm=(SPACING_MM, SPACING_MM), spacing_source="user",
            dataset="phantoms", density=Density(label=letter),
            findings=tuple(found), complete=True, split=split,
        )  # fmt: skip


def shuffled(rows: Sequence[ManifestRow], seed: int) -> list[ManifestRow]:
    """The training labels dealt out anew: an exam gets another's density, an image the marks of another of its view."""
    rng = np.random.default_rng([seed, 99])
    train = sorted({row.exam_id for row in rows if row.split == "train"})
    given = dict(zip(train, rng.permutation(train), strict=True))
    by_view = {(row.exam_id, row.laterality, row.view): row for row in rows}

    def other(row: ManifestRow) -> ManifestRow:
        if row.split != "train":
            return row
        donor = by_view[given[row.exam_id], row.laterality, row.view]
        findings = tuple(f for f in donor.findings if _fits(f, row))
        return replace(row, density=donor.density, findings=findings)

    return [other(row) for row in rows]


def _fits(finding: Finding, row: ManifestRow) -> bool:
    from ml.geometry.shapes import bounds

    boxes = [bounds(mark.kind, mark.geometry) for mark in finding.marks]
    return all(x1 < row.cols and y1 < row.rows and x0 > 0 and y0 > 0 for x0, y0, x1, y1 in boxes)


def learn(
    out: Path, name: str, rows: Sequence[ManifestRow], method: str, size: str, seed: int, steps: int | None
) -> dict[str, Any]:
    """Train in a child; the figures on unseen patients."""
    run = out / name
    run.mkdir(parents=True)
    write_manifest(run, rows, pixels_root=out.resolve() / "pixels")
    request = Request(
        run_id=name, method=method, size=size, seed=seed, config={} if steps is None else {"steps": steps},
        pixels={"cache_dir": str(out.resolve() / "cache")}, evaluation=EvaluationOptions(bootstrap=1000),
        compute=Compute(device="auto"),
    )  # fmt: skip
    write_request(run, request)
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "ml", "train", str(run)], check=True)
    about = json.loads((run / "environment.json").read_text())
    machine = {key: about[key] for key in ("device", "precision", "torch_build", "code_version")}
    seconds = round(time.monotonic() - began)
    return {"run": name, "method": method, "size": size, "seconds": seconds, **machine, **figures(run, method)}


def figures(run: Path, method: str) -> dict[str, Any]:
    """Headline, baselines and differences of a finished run on its test patients."""
    target, metric = HEADLINE[method]
    wanted = [
        row
        for row in json.loads((run / "metrics.json").read_text())["metrics"]
        if (row["split"], row["target"], row["metric"]) == ("test", target, metric)
        and row["subgroup"] is None
        and row["name"] in (metric, f"{row['series']}:{row['baseline']}:{metric}")
    ]
    return {
        "metric": f"{target} {metric}",
        "patients": wanted[0]["n_patients"],
        "figures": {row["name"]: {"value": row["value"], "ci": row["ci"]} for row in wanted},
    }


def main() -> int:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--exams", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--method", choices=sorted(HEADLINE), action="append")
    arguments = parser.parse_args()
    began = time.monotonic()
    rows = cohort(arguments.out / "pixels", arguments.exams, arguments.seed)
    print(f"{arguments.exams} phantom exams in {time.monotonic() - began:.0f} s", flush=True)
    results = []
    for method in arguments.method or sorted(HEADLINE):
        for name, used in (("true", rows), ("shuffled", shuffled(rows, arguments.seed))):
            result = learn(
                arguments.out,
                f"{method}-{name}",
                used,
                method,
                arguments.size,
                arguments.seed,
                arguments.steps or STEPS.get(method),
            )
            results.append({**result, "seed": arguments.seed, "exams": arguments.exams})
            print(json.dumps(results[-1]), flush=True)
    (arguments.out / "learning.json").write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
