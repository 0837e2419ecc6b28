"""A look at validation while a stage trains: enough for a curve and for stopping early, without intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ml.evaluation import categories
from ml.evaluation.classification import auc_one_vs_rest
from ml.evaluation.detection.froc import cpm, froc, sensitivity
from ml.evaluation.detection.hits import headline
from ml.evaluation.detection.matching import judge
from ml.evaluation.detection.things import ANY, candidates, images_of
from ml.evaluation.undefined import Undefined
from ml.geometry.overlap import dice
from ml.methods.spec import Aim, Inference, Modules, Prediction, Stage
from ml.runs.records import to_dict
from ml.training.batches import Item
from ml.training.data import Sample, SampleLoader, batches_of
from ml.training.loop import Watch, forward_of
from ml.training.predicting import Predictor, weights_in
from ml.training.prediction_rows import box_rows
from ml.training.samples import mask_reader
from ml.training.state import TrainState

MIN_PATIENTS = 20
Values = Mapping[str, float | None]
Answer = tuple[Sample, Item, Prediction]


def density_values(answers: Iterable[Answer], aim: Aim, loader: SampleLoader) -> Values:
    """Loss and accuracy of single samples, kappa of exams."""
    exams: dict[str, list[np.ndarray]] = {}
    truth: dict[str, int] = {}
    losses = []
    for sample, _, said in answers:
        assert said.probabilities is not None
        label = loader.group(sample)
        assert label is not None
        p = said.probabilities.numpy().astype(np.float64)
        exams.setdefault(sample.row.exam_id, []).append(p)
        truth[sample.row.exam_id] = label
        losses.append(-np.log(max(p[label], 1e-6)))
    chosen = [int(np.mean(exams[exam], axis=0).argmax()) for exam in truth]
    matrix = categories.confusion(list(truth.values()), chosen, len(aim.labels))
    kappa, accuracy = float(categories.kappa(matrix)), float(categories.accuracy(matrix))
    return {"loss": float(np.mean(losses)), "qwk": _known(kappa), "accuracy": accuracy, "headline": _known(kappa)}


def class_values(answers: Iterable[Answer], aim: Aim, loader: SampleLoader) -> Values:
    """Loss, accuracy and the area under the curve of single samples."""
    pairs = [(loader.group(sample), said.probabilities) for sample, _, said in answers]
    truth = np.array([label for label, _ in pairs], np.int64)
    p = np.array([own.numpy() for _, own in pairs if own is not None], np.float64)
    loss = float(-np.log(p[np.arange(len(p)), truth].clip(1e-6)).mean())
    try:
        area = float(auc_one_vs_rest(truth, p))
    except Undefined:
        area = float("nan")
    accuracy = float((p.argmax(1) == truth).mean())
    return {"loss": loss, "auc": _known(area), "accuracy": accuracy, "headline": _known(area)}


def lesion_values(answers: Iterable[Answer], aim: Aim, loader: SampleLoader) -> Values:
    """Sensitivity at one false positive an image, and its mean over rates, on complete images, types pooled."""
    found: dict[str, Any] = {}
    images = []
    for sample, item, said in answers:
        # While the masks of its target are still at hand.
        images += images_of([to_dict(sample.row)], mask_reader([sample.row], loader.images))
        rows = box_rows(sample.row, said, item.affines[0], aim.labels, "")
        found[sample.row.image_id] = candidates(
            [[row[side] for side in ("x0", "y0", "x1", "y1")] for row in rows],
            [row["score"] for row in rows],
            [row["target"] for row in rows],
        )
    curve = froc(judge(images, found, ANY, headline(ANY)), "finding", "complete")
    mean = _known(float(cpm(curve)[0]))
    return {"cpm": mean, "sens@1": _known(float(sensitivity(curve, (1.0,))[0, 0])), "headline": mean}


def mask_values(answers: Iterable[Answer], aim: Aim, loader: SampleLoader) -> Values:
    """Dice at 0.5 in network pixels: of lesions over images that have one, of tissues over fat and dense pixels."""
    scores = []
    for _, item, said in answers:
        assert said.mask is not None
        if "tissue" in item.targets:
            chosen, truth = said.mask.argmax(0).numpy(), item.targets["tissue"].numpy()
            own = [dice(chosen == c, truth == c) for c in range(1, len(aim.labels)) if (truth == c).any()]
            scores.append(float(np.mean(own)) if own else np.nan)
        elif bool(item.targets["marked"]):
            scores.append(dice(said.mask.numpy() > 0.5, item.targets["mask"].numpy() > 0.5))
    known = [score for score in scores if np.isfinite(score)]
    mean = float(np.mean(known)) if known else None
    return {"dice": mean, "headline": mean}


FIGURES: Mapping[str, Callable[[Iterable[Answer], Aim, SampleLoader], Values]] = {
    "density": density_values,
    "asymmetry": class_values,
    "exam_classification": class_values,
    "lesion_classification": class_values,
    "lesion_detection": lesion_values,
    "segmentation": mask_values,
}


@dataclass(frozen=True)
class Validation:
    """The validation samples of a stage. `decides`: enough patients and classes to stop by; else it is only shown."""

    aim: Aim
    samples: Sequence[Sample]
    loader: SampleLoader
    decides: bool
    watch: Watch

    def bound(self, predictor: Predictor, stage: Stage, modules: Modules) -> Callable[[TrainState], Values]:
        """A function from the state of a training to its figures; `headline` is what stopping looks at."""

        def by_task(state: TrainState) -> Values:
            with weights_in(state.network, state.final_weights()):
                answers = predictor.over(self.samples, self.loader, Inference(aim=self.aim), self.watch.stop)
                return FIGURES[self.aim.task](answers, self.aim, self.loader)

        def by_loss(state: TrainState) -> Values:
            with weights_in(state.network, state.final_weights()):
                loss = self._loss(stage, modules)
            return {"loss": loss, "headline": -loss}

        return by_task if stage.validate == "task" else by_loss

    def _loss(self, stage: Stage, modules: Modules) -> float:
        """The stage's loss at rest, a mean over the samples."""
        assert stage.loss is not None
        modules[stage.name].eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for batch in batches_of(self.samples, self.loader, next(modules[stage.name].parameters()).device, 4):
                self.watch.stop.check()
                torch.manual_seed(0)  # a loss that draws (corruption, teacher forcing) draws the same every time
                losses = stage.loss(forward_of(stage, modules, batch), batch)
                total += float(torch.stack(list(losses.values())).sum()) * len(batch.ids)
                count += len(batch.ids)
        return total / count


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def validation_for(
    stage: Stage, aim: Aim, samples: Sequence[Sample], loader: SampleLoader, watch: Watch
) -> Validation | None:
    """None without labelled validation samples; with too few, a validation that is shown and decides nothing."""
    groups = [loader.group(sample) for sample in samples]
    used = [sample for sample, group in zip(samples, groups, strict=True) if group is not None]
    if not used:
        return None
    patients = {sample.row.patient_id for sample in used}
    classes = {group for group in groups if group is not None}
    decides = len(patients) >= MIN_PATIENTS and (len(classes) > 1 or aim.task == "segmentation")
    if not decides:
        watch.events.warning(
            "val_too_small",
            f"validation has {len(patients)} patients and {len(classes)} classes: the number of steps is fixed",
        )
    return Validation(aim, used, loader, decides, watch)
