"""A model as one file that needs no code of ours: a program of `torch.export`, compared with the model on phantoms.

The program takes prepared pixels (`ml.pixels`, by the options in spec.json) and answers as the model does: calibrated
probabilities of a classifier, the mask of a segmenter, and of a detector its raw maps, whose decoding stays in the
method. What differs from the model by more than a thousandth anywhere is not written.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ml.methods.spec import Batch, Inference, Stage
from ml.runs import atomic, versions
from ml.runs.errors import invalid, refused
from ml.runs.manifest import ManifestRow
from ml.runs.request import Compute
from ml.simulation.manifest import cohort
from ml.training.data import SampleLoader
from ml.training.device import machine_for
from ml.training.images import StoredImages
from ml.training.loop import forward_of
from ml.training.model_folder import Model
from ml.training.predicting import Predictor
from ml.training.samples import build_samples

PHANTOMS = 8
LIMIT = 1e-3
PHANTOM_SPACING_MM = 0.8
#: How many samples of a unit an exam of four views has.
SAMPLES_OF_EXAM = {"image": 4, "roi": 4, "breast": 2, "view_pair": 2, "exam": 1}
INPUTS = ("x", "valid", "breast", "view_mask", "mm_per_px")
PROGRAM = "model.pt2"


@dataclass(frozen=True)
class Exported:
    """What was written: the program's file, shapes of its inputs (None = any), and how far it was from the model."""

    file: str
    inputs: Mapping[str, list[int | None]]
    outputs: tuple[str, ...]
    phantoms: int
    max_difference: float


class Answering(nn.Module):
    """A model as a function of the tensors of a batch: {name: tensor}, first dimension the samples."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(model.modules)
        self._model = model
        self._predictor = Predictor(
            model.method, model.config, model.aim, model.modules, CPU, model.spec.prior_shift, model.spec.temperature
        )

    def forward(self, x: Tensor, valid: Tensor, breast: Tensor, view_mask: Tensor, mm_per_px: Tensor) -> dict[str, Any]:
        """What is said of prepared pixels; see `Batch` for the shapes."""
        affine = torch.eye(3, dtype=torch.float64).expand(*x.shape[:2], 3, 3)
        batch = Batch(
            x=x, view_mask=view_mask, valid=valid, breast=breast, affine=affine, mm_per_px=mm_per_px, targets={},
            ids=("",) * x.shape[0],
        )  # fmt: skip
        if self._model.aim.task == "lesion_detection":
            return dict(_tensors(forward_of(_last(self._model), self._model.modules, batch)))
        method, inference = self._model.method, Inference(aim=self._model.aim)
        said = [
            self._predictor.calibrated(one)
            for one in method.predict(self._model.modules, batch, self._model.config, inference)
        ]
        named = {name: [getattr(one, name) for one in said] for name in ("probabilities", "mask", "embedding")}
        return {name: torch.stack(own) for name, own in named.items() if all(value is not None for value in own)}


CPU = machine_for(Compute(device="cpu"))


def _last(model: Model) -> Stage:
    """The stage whose network answers."""
    stages = [stage for stage in model.method.stages(model.config, model.aim) if stage.kind == "torch"]
    return next((stage for stage in reversed(stages) if stage.validate == "task"), stages[-1])


def _tensors(outputs: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a network's outputs; those of a list by its places."""
    for name, value in outputs.items():
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, (list, tuple)) and all(isinstance(own, Tensor) for own in value):
            yield from ((f"{name}_{n}", own) for n, own in enumerate(value))


def phantoms_for(model: Model, folder: Path) -> list[ManifestRow]:
    """Phantoms written into a folder, enough exams for the model's unit."""
    unit = model.method.reads(model.config, model.aim).inputs.unit
    return list(cohort(folder, -(-PHANTOMS // SAMPLES_OF_EXAM[unit]), seed=7, spacing_mm=PHANTOM_SPACING_MM))


def batches_for(model: Model, rows: Sequence[ManifestRow], root: Path) -> list[Batch]:
    """Images under `root` as the model reads them, one sample a batch, those with a finding first."""
    reads = model.method.reads(model.config, model.aim)
    images = StoredImages.of(root, root / "pixels", model.spec.pixels, {}, _unheard)
    ordered = sorted(rows, key=lambda row: not row.findings)
    samples, _ = build_samples(ordered, reads, model.aim, images, windows=True)
    loader = SampleLoader(images, reads, model.aim, model.config)
    return [loader.collate([loader.item(sample)], CPU.device) for sample in samples[:PHANTOMS]]


def export(model: Model, folder: Path) -> Exported:
    """Write `model.pt2` and `export.json` into a folder.

    Raises RunRefused: exit 2 (`export_unsupported`) where the method's way cannot be written down as a program, exit 3
    (`export_differs`) where the program does not say what the model says; then nothing is written.
    """
    with tempfile.TemporaryDirectory() as made:
        batches = batches_for(model, phantoms_for(model, Path(made)), Path(made))
    return export_on(model, batches, folder)


def export_on(model: Model, batches: Sequence[Batch], folder: Path) -> Exported:
    """The same, compared on these batches."""
    answering = Answering(model).eval()
    if not batches:
        raise refused("no_samples", "no phantom can be read by this model")
    reads = model.method.reads(model.config, model.aim)
    any_size = not (model.spec.pixels.get("size") or reads.roi)
    program = _program(answering, _tensors_of(batches[0]), model.spec.method, any_size=any_size)
    shapes = _shapes(program)
    tried = [fitted(_tensors_of(batch), shapes) for batch in batches]
    difference = _largest(_difference(answering, program.module(), tensors) for tensors in tried)
    if not difference <= LIMIT:  # also where it is no number
        raise refused("export_differs", f"the program differs from the model by {difference:.2g}, more than {LIMIT:g}")
    with torch.no_grad():
        outputs = tuple(answering(*_tensors_of(batches[0])))
    found = Exported(PROGRAM, shapes, outputs, len(tried), difference)
    atomic.replace_folder(folder, lambda fresh: _write(fresh, program, model, found))
    return found


def _write(fresh: Path, program: Any, model: Model, found: Exported) -> None:
    torch.export.save(program, fresh / PROGRAM)
    document = {
        "schema": versions.tag("export"),
        "method": model.spec.method,
        "task": model.spec.task,
        "labels": list(model.spec.labels),
        "pixels": model.spec.pixels,
        "inputs": found.inputs,
        "outputs": list(found.outputs),
        "compared": {"phantoms": found.phantoms, "max_difference": found.max_difference, "limit": LIMIT},
        "weights_sha256": model.spec.weights_sha256,
        "program_sha256": atomic.sha256_of(fresh / PROGRAM),
        "torch": torch.__version__,
    }
    atomic.write_json(fresh / "export.json", document)


def _tensors_of(batch: Batch) -> tuple[Tensor, ...]:
    return tuple(getattr(batch, name) for name in INPUTS)


def _unheard(code: str, text: str, example: str | None) -> None:
    """Warnings about phantoms concern nobody."""


def _program(answering: Answering, example: tuple[Tensor, ...], method: str, *, any_size: bool) -> Any:
    """With the images' size left open where it may vary and the network allows it. Raises RunRefused (exit 2)."""
    open_axes = dict.fromkeys((3, 4), torch.export.Dim.AUTO)
    free = tuple(open_axes if tensor.ndim == 5 else {} for tensor in example)
    reason: Exception | None = None
    for shapes in (free, None) if any_size else (None,):
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program = torch.export.export(answering, example, dynamic_shapes=shapes)
                torch.export.save(program, io.BytesIO())  # what can be traced cannot always be written
                return program
        except Exception as error:  # noqa: BLE001 - torch raises a dozen kinds for what it cannot trace
            reason = error
    said = str(reason).strip().splitlines() or [type(reason).__name__]
    raise invalid("export_unsupported", f"{method} cannot be exported: {said[0][:200]}")


def _shapes(program: Any) -> dict[str, list[int | None]]:
    """The inputs' shapes; None where any size is taken."""
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    found = {}
    for name, node in zip(INPUTS, names, strict=True):
        shape = nodes[node].meta["val"].shape
        found[name] = [size if isinstance(size, int) else None for size in shape]
    return found


def fitted(tensors: Sequence[Tensor], shapes: Mapping[str, Sequence[int | None]]) -> tuple[Tensor, ...]:
    """The inputs cut at their far edges, or filled with zeros (not valid, no breast), where a program takes one size.

    Model and program are given the same, so that every phantom compares them, whatever its own size.
    """
    return tuple(_sized(tensor, shapes[name]) for name, tensor in zip(INPUTS, tensors, strict=True))


def _sized(tensor: Tensor, wanted: Sequence[int | None]) -> Tensor:
    sizes = [own if size is None else size for own, size in zip(tensor.shape, wanted, strict=True)]
    shared = tuple(slice(min(own, size)) for own, size in zip(tensor.shape, sizes, strict=True))
    made = tensor.new_zeros(sizes)
    made[shared] = tensor[shared]
    return made


def _difference(answering: Answering, program: Any, tensors: tuple[Tensor, ...]) -> float:
    with torch.no_grad():
        wanted, found = answering(*tensors), program(*tensors)
    return _largest(float((wanted[name] - found[name]).abs().max()) for name in wanted)


def _largest(differences: Iterable[float]) -> float:
    """NaN where one of them is, which Python's own max would pass over."""
    return float(torch.tensor(list(differences)).max())
