"""What a run asks of its model: predictions, the temperature of its probabilities, embeddings, heat maps."""

from collections.abc import Sequence

import numpy as np

from ml.evaluation.calibration import fit_temperature
from ml.methods.spec import Inference
from ml.training.answers import Said
from ml.training.context import Run
from ml.training.data import of_splits
from ml.training.explaining import Drawing, draw, in_order
from ml.training.fit import View
from ml.training.heat import Speech
from ml.training.model_folder import Model
from ml.training.predicting import Predictor
from ml.training.scoring import Speaker


def predictor_of(run: Run, model: Model) -> Predictor:
    spec = model.spec
    return Predictor(
        model.method, model.config, model.aim, model.modules, run.machine, spec.prior_shift, spec.temperature,
        halved=run.watch.halved,
    )  # fmt: skip


def temperature_of(run: Run, model: Model, view: View) -> float:
    """Of a classifier, fitted on validation; 1 for others, and where validation is too small to know."""
    if model.method.self_calibrated or model.aim.task in ("lesion_detection", "segmentation"):
        return 1.0
    logits, truth = [], []
    inference = Inference(aim=model.aim)
    val = of_splits(view.samples, "val")
    for sample, _, said in predictor_of(run, model).over(val, view.loader, inference, run.watch.stop):
        label = view.loader.group(sample)
        if label is not None and said.probabilities is not None:
            logits.append(np.log(said.probabilities.numpy().astype(np.float64).clip(1e-12)))
            truth.append(label)
    return fit_temperature(truth, np.array(logits)) if logits else 1.0


def predicted(run: Run, model: Model, view: View, *, uncertain: bool = False) -> Said:
    """Predictions with progress events; the `stage` they name is the command."""
    speaker = Speaker(predictor_of(run, model), run.request.run_id, run.folder.path, run.request.seed)
    stage = "score" if uncertain else "predict"
    run.watch.heartbeat.stage = stage
    told = run.teller(stage, len(view.samples))
    return speaker.over(view.samples, view.loader, uncertain=uncertain, stop=run.watch.stop, told=told)


def describe(run: Run, model: Model, view: View, said: Said) -> None:
    """Add the embeddings of the training samples, plain as those of the others."""
    inference = Inference(aim=model.aim)
    for sample, _, told in predictor_of(run, model).over(view.samples, view.loader, inference, run.watch.stop):
        if told.embedding is not None:
            said.embeddings[sample.id] = told.embedding.numpy().astype(np.float32)


def explain(run: Run, model: Model, view: View, said: Said, first: Sequence[str]) -> None:
    """Heat maps of as many exams as the request asks for, these first."""
    limit = run.request.output.explanations
    if not limit:
        return
    run.watch.heartbeat.stage = "explain"
    speech = Speech(model.method, model.modules, model.config, model.aim)
    how = Drawing(speech, view.loader, run.machine, run.folder.explanations, run.watch.stop)
    drawn = draw(in_order(view.samples, said.rows, first, limit), how)
    for count, code, why in (
        (drawn.late, "explanations_late", "without a heat map: drawing them took too long"),
        (drawn.dear, "explanations_dear", "without a heat map: so many squares would have to be covered"),
    ):
        if count:
            run.warn(code, f"{count} of the samples {why}")
