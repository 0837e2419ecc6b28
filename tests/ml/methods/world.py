"""A small world for every method: twelve patients with four views, each with every kind of label, read for real."""

import hashlib
import shutil
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ml.methods import get
from ml.methods.aims import aim_of
from ml.methods.spec import Aim, MethodSpec, Reads, Stage
from ml.runs.exits import Exit
from ml.runs.manifest import Density, Finding, ManifestRow, Mark, Outcome, write_manifest
from ml.runs.request import Compute, EvaluationOptions, Init, Request, read_request, write_request
from ml.training.data import SampleLoader
from ml.training.device import machine_for
from ml.training.images import StoredImages
from ml.training.run import run
from ml.training.samples import build_samples

ROWS, COLS, SPACING_MM = 96, 72, 2.0
SPLITS = ("train",) * 6 + ("val",) * 3 + ("test",) * 3
TYPES = ("mass", "calcification", "asymmetry", "architectural_distortion")
CPU = machine_for(Compute(device="cpu"))
TWO_STEPS = Compute(device="cpu", threads=1, max_steps=2)


def picture(n, density, disc):
    """Half an ellipse at the left (or, for a right breast, the right) edge, denser by class, with a bright disc."""
    rng = np.random.default_rng(n)
    y, x = np.mgrid[:ROWS, :COLS] + 0.5
    breast = (x / (0.85 * COLS)) ** 2 + ((y - ROWS / 2) / (0.45 * ROWS)) ** 2 < 1
    values = 0.25 + 0.12 * density + 0.08 * rng.random((ROWS, COLS))
    if disc is not None:
        values = np.where(np.hypot(x - disc[0], y - disc[1]) < disc[2], 0.95, values)
    return np.where(breast, np.clip(values, 0, 1) * 4095, 0).astype(np.uint16)


def world(folder):
    """Rows of twelve patients; odd ones have a finding of each type in turn, malignant in every second of them."""
    rows = []
    for p in range(12):
        ill, kind = p % 2 == 1, TYPES[(p // 2) % 4]
        for v, name in enumerate(("R-CC", "L-CC", "R-MLO", "L-MLO")):
            here = ill and name[0] == "R"
            disc = (28.0, 48.0, 9.0) if here else None
            pixels = picture(10 * p + v, p % 4, disc)
            if name[0] == "R":
                pixels = pixels[:, ::-1]
                disc = disc and (COLS - disc[0], disc[1], disc[2])
            path = folder / f"p{p}-{name}.npy"
            np.save(path, pixels)
            rows.append(_row(path, p, name, disc, kind))
    Image.fromarray(tissue(rows[0], folder)).save(folder / "tissue.png")
    return rows


def tissue(row, folder):
    pixels = np.load(folder / row.pixel_path)
    return np.digitize(pixels, [1, np.median(pixels[pixels > 0])]).astype(np.uint8) * 64


def _row(path, p, name, disc, kind):
    findings = ()
    if disc is not None:
        x, y, r = disc
        ring = [[x + r * np.cos(t), y + r * np.sin(t)] for t in np.linspace(0, 2 * np.pi, 16, endpoint=False)]
        marks = (Mark(mark_id=f"m{p}{name}", kind="polygon", geometry=[ring]),)
        pathology = "malignant" if p % 4 == 1 else "benign"
        # A mass beside whatever else there is: every method finds its label.
        types = dict.fromkeys((kind, "mass"))
        findings = tuple(Finding(finding_id=f"f{p}{t}", type=t, pathology=pathology, marks=marks) for t in types)
    ill = disc is not None and p % 4 == 1
    return ManifestRow(
        image_id=f"p{p}-{name}", exam_id=f"e{p}", patient_id=f"p{p}", laterality=name[0], view=name[2:],
        rows=ROWS, cols=COLS, pixel_path=path.name, pixel_format="npy",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), presentation="for_presentation", bits_stored=12,
        spacing_mm=(SPACING_MM, SPACING_MM), spacing_source="user", density=Density(label="ABCD"[p % 4]),
        findings=findings, complete=True, outcome=Outcome(cancer=int(ill)), split=SPLITS[p],
    )  # fmt: skip


@dataclass
class Setup:
    """A method settled on the world, with the samples of each of its reads."""

    method: MethodSpec
    config: object
    aim: Aim
    reads: Reads
    stages: tuple[Stage, ...]
    rows: list
    folder: object

    def stage(self, name):
        return next(stage for stage in self.stages if stage.name == name)

    def modules(self):
        return {stage.name: stage.build() for stage in self.stages}

    def view(self, reads=None, split="train"):
        """(samples, loader) of the method's reads or a stage's own."""
        reads = reads or self.reads
        images = StoredImages.of(self.folder, self.folder / "cache", reads.pixels, reads.augment, lambda *_: None)
        rows = [row for row in self.rows if row.split == split]
        samples, _ = build_samples(rows, reads, self.aim, images)
        return samples, SampleLoader(images, reads, self.aim, self.config)

    def batch(self, n=2, seed=0, reads=None, split="train"):
        """n samples that teach something, marked ones and others in turn, loaded as the loop loads them."""
        samples, loader = self.view(reads, split)
        groups = {}
        for sample in samples:
            if (group := loader.group(sample)) is not None:
                groups.setdefault(group, []).append(sample)
        order = [own[(seed + k) % len(own)] for k in range(n) for own in groups.values()][:n]
        return loader.collate(
            [loader.item(s, seed * 100 + k if seed else None) for k, s in enumerate(order)], CPU.device
        )


def settled(rows, folder, name, size="tiny", task=None, target=None, findings=(), **config):
    method = get(name)
    train = [row for row in rows if row.split == "train"]
    own = method.configured(size, config)
    aim = aim_of(method, own, train, task=task, target=target, findings=findings)
    own = method.plan(own, train)
    return Setup(method, own, aim, method.reads(own, aim), method.stages(own, aim), rows, folder)


def run_folder(path, rows, folder, request):
    """A run folder on the world."""
    path.mkdir(parents=True)
    write_manifest(path, rows, pixels_root=folder.resolve())
    write_request(path, request)
    return path


def tried(path, rows, folder, name, task, compute=TWO_STEPS, ends=Exit.FINISHED):
    """Train for two steps a stage, all the way to metrics and a model, or to another end; the run folder."""
    request = Request(
        run_id=f"{name}-{task}", method=name, task=task, compute=compute,
        evaluation=EvaluationOptions(bootstrap=20), pixels={"cache_dir": str((folder / "cache").resolve())},
    )  # fmt: skip
    run_folder(path, rows, folder, request)
    assert run(path, command="train") is ends, (path / "events.jsonl").read_text()[-2000:]
    return path


def asked(path, run_dir, rows, folder, command):
    """Run `predict` or `score` on rows with the model of a finished training; its run folder."""
    before = read_request(run_dir)
    shutil.copytree(run_dir / "model", path / "init" / "model")
    init = Init(kind="model_dir", path="init/model")
    request = replace(before, run_id=command, command=command, init=init)
    write_manifest(path, rows, pixels_root=folder.resolve())
    write_request(path, request)
    assert run(path, command=command) is Exit.FINISHED, (path / "events.jsonl").read_text()[-2000:]
    return path
