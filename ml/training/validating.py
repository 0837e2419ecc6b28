"""A look at validation while a stage trains: enough for a curve and for stopping early, without intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.evaluation import categories
from ml.evaluation.detection.froc import cpm, froc, sensitivity
from ml.evaluation.detection.hits import headline
from ml.evaluation.detection.matching import judge
from ml.evaluation.detection.things import ANY, candidates, images_of
from ml.methods.spec import Inference
from ml.runs.records import to_dict
from ml.training.data import ImageLoader, Sample
from ml.training.loop import Watch
from ml.training.predicting import Predictor, weights_in
from ml.training.prediction_rows import box_rows
from ml.training.state import TrainState
from ml.training.targets import density_class, sampling_group

MIN_PATIENTS = 20
Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Validation:
    """The validation samples of a run. `decides`: enough patients and classes to stop by; else it is only shown."""

    task: str
    samples: Sequence[Sample]
    loader: ImageLoader
    labels: tuple[str, ...]
    decides: bool
    watch: Watch

    def bound(self, predictor: Predictor) -> Callable[[TrainState], Values]:
        """A function from the state of a training to its figures; `headline` is what stopping looks at."""

        def validate(state: TrainState) -> Values:
            with weights_in(state.network, state.final_weights()):
                return self._density(predictor) if self.task == "density" else self._lesions(predictor)

        return validate

    def _density(self, predictor: Predictor) -> Values:
        """Loss and accuracy of single samples, kappa of exams."""
        exams: dict[str, list[np.ndarray]] = {}
        truth: dict[str, int] = {}
        losses = []
        for sample, _, said in predictor.over(self.samples, self.loader, Inference(), self.watch.stop):
            assert said.probabilities is not None
            label = next(found for row in sample.rows if (found := density_class(row)) is not None)
            p = said.probabilities.numpy().astype(np.float64)
            exams.setdefault(sample.row.exam_id, []).append(p)
            truth[sample.row.exam_id] = label
            losses.append(-np.log(max(p[label], 1e-6)))
        chosen = [int(np.mean(exams[exam], axis=0).argmax()) for exam in truth]
        matrix = categories.confusion(list(truth.values()), chosen, len(self.labels))
        kappa, accuracy = float(categories.kappa(matrix)), float(categories.accuracy(matrix))
        return {"loss": float(np.mean(losses)), "qwk": _known(kappa), "accuracy": accuracy, "headline": _known(kappa)}

    def _lesions(self, predictor: Predictor) -> Values:
        """Sensitivity at one false positive an image, and its mean over rates, on complete images, types pooled."""
        found: dict[str, Any] = {}
        for sample, item, said in predictor.over(self.samples, self.loader, Inference(), self.watch.stop):
            rows = box_rows(sample.row, said, item.affines[0], self.labels, "")
            found[sample.row.image_id] = candidates(
                [[row[side] for side in ("x0", "y0", "x1", "y1")] for row in rows],
                [row["score"] for row in rows],
                [row["target"] for row in rows],
            )
        images = images_of([to_dict(sample.row) for sample in self.samples])
        curve = froc(judge(images, found, ANY, headline(ANY)), "finding", "complete")
        mean = _known(float(cpm(curve)[0]))
        return {"cpm": mean, "sens@1": _known(float(sensitivity(curve, (1.0,))[0, 0])), "headline": mean}


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def validation_for(
    task: str, samples: Sequence[Sample], loader: ImageLoader, labels: tuple[str, ...], watch: Watch
) -> Validation | None:
    """None without labelled validation samples; with too few, a validation that is shown and decides nothing."""
    groups = [sampling_group(task, sample.rows, labels) for sample in samples]
    used = [sample for sample, group in zip(samples, groups, strict=True) if group is not None]
    if not used:
        return None
    patients = {sample.row.patient_id for sample in used}
    classes = {group for group in groups if group is not None}
    decides = len(patients) >= MIN_PATIENTS and len(classes) > 1
    if not decides:
        watch.events.warning(
            "val_too_small",
            f"validation has {len(patients)} patients and {len(classes)} classes: the number of steps is fixed",
        )
    return Validation(task, used, loader, labels, decides, watch)
