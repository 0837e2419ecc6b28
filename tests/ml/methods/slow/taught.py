"""Methods taught on phantoms for long enough that what makes them themselves shows, and phantoms they never saw."""

from dataclasses import dataclass, replace

import numpy as np

from bench.methods.worlds import made
from ml.blocks.dropout import pass_masks
from ml.methods.spec import Inference
from ml.runs.exits import Exit
from ml.runs.request import Compute, EvaluationOptions, Request, Target
from ml.training.data import SampleLoader
from ml.training.images import StoredImages
from ml.training.model_folder import load_model
from ml.training.run import run
from ml.training.samples import build_samples
from tests.ml.methods import world as small

PASSES = 10


@dataclass(frozen=True)
class Taught:
    """A finished run on phantoms: its model, and the rows and files of training and test phantoms."""

    model: object
    run_dir: object
    rows: tuple
    images: object

    def batch(self, marked=None, split="test", turned=None):
        """Phantoms of a split as prediction sees them: with a finding (True), without one (False), or all (None).

        turned: a change of the pixels (N, V, 1, H, W), in [0, 1], before the network sees them.
        """
        model = self.model
        reads = model.method.reads(model.config, model.aim)
        stored = StoredImages.of(self.images, self.images / "cache", reads.pixels, {}, lambda *_: None)
        rows = [row for row in self.rows if row.split == split and marked in (None, bool(row.findings))]
        samples, _ = build_samples(rows, reads, model.aim, stored)
        loader = SampleLoader(stored, reads, model.aim, model.config)
        kept = [sample for sample in samples if loader.group(sample) is not None]
        batch = loader.collate([loader.item(sample) for sample in kept], small.CPU.device)
        return batch if turned is None else replace(batch, x=turned(batch.x))

    def said(self, batch, **inference):
        """Predictions of a batch, by several passes where the method has dropout."""
        model = self.model
        masks = {name: pass_masks(module, PASSES, 0) for name, module in model.modules.items()}
        asked = Inference(aim=model.aim, passes=PASSES, masks=masks, **inference)
        return model.method.predict(model.modules, batch, model.config, asked)


def phantoms_of(folder, *families):
    """Rows of several families of phantoms in one folder; no two families share a patient."""
    rows = []
    for n, family in enumerate(families):
        rows += [
            replace(row, image_id=f"{n}-{row.image_id}", exam_id=f"{n}-{row.exam_id}",
                    patient_id=f"{n}-{row.patient_id}", pixel_path=f"{n}/{row.pixel_path}",
                    findings=tuple(moved(finding, n) for finding in row.findings))
            for row in made(folder / str(n), family).rows
        ]  # fmt: skip
    return rows


def moved(finding, n):
    """A finding whose outline, where it has one, lies in the folder of its family."""

    def told(mark):
        geometry = {"path": f"{n}/{mark.geometry['path']}"} if mark.kind == "mask" else mark.geometry
        return replace(mark, geometry=geometry)

    return replace(finding, finding_id=f"{n}-{finding.finding_id}", marks=tuple(map(told, finding.marks)))


def teach(folder, method, *families, task=None, target=None, **config):
    """Train a method from the registry, of seed 0, on what the families hold; the run goes all the way to metrics."""
    images = folder / "images"
    rows = phantoms_of(images, *families)
    request = Request(
        run_id=method, method=method, task=task, target=Target(kind=target) if target else None, config=config,
        evaluation=EvaluationOptions(bootstrap=20), compute=Compute(device="cpu", threads=1),
        pixels={"cache_dir": str((images / "cache").resolve())},
    )  # fmt: skip
    run_dir = small.run_folder(folder / "run", rows, images, request)
    if run(run_dir, command="train") is not Exit.FINISHED:  # no assertion: nothing of a method's own is shown by it
        raise RuntimeError((run_dir / "events.jsonl").read_text()[-2000:])
    return Taught(load_model(run_dir / "model"), run_dir, tuple(rows), images)


def lesion_boxes(batch, rows):
    """(N, 4) boxes of the first mark of each image, or of each exam of one image, in the pixels of the batch."""
    by_id = {name: row for row in rows for name in (row.image_id, row.exam_id)}
    found = []
    for n, name in enumerate(batch.ids):
        x0, y0, x1, y1 = by_id[name].findings[0].marks[0].geometry
        affine = batch.affine[n, int(batch.view_mask[n].nonzero()[0])].numpy()
        corners = affine @ np.array([[x0, x1], [y0, y1], [1.0, 1.0]])
        found.append([*corners[:2].min(1), *corners[:2].max(1)])
    return np.array(found)
