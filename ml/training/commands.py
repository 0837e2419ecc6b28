"""train, score, predict, evaluate: what each of them makes in the run folder, in order."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ml.evaluation.calibration import fit_temperature
from ml.evaluation.report import Evaluation, evaluate
from ml.methods.spec import Inference
from ml.runs import atomic, versions
from ml.runs.errors import invalid, refused
from ml.runs.manifest import ManifestRow
from ml.runs.records import to_dict
from ml.runs.request import resolve_inside
from ml.runs.result import write_result
from ml.training.card import card_of, card_text
from ml.training.checkpoints import Identity
from ml.training.context import Run
from ml.training.data import ImageLoader, Sample, of_splits
from ml.training.environment import code_version, environment
from ml.training.fit import Fitted, Job, fit
from ml.training.images import MAX_UNREADABLE, StoredImages
from ml.training.model_folder import Model, ModelSpec, load_model, plain_config, save_model, settled_config, trained_on
from ml.training.predicting import Predictor
from ml.training.samples import build_samples
from ml.training.scoring import Said, Speaker, write_embeddings, write_samples, write_scores
from ml.training.starting import Start, find_start
from ml.training.targets import density_class

REPORTED = ("val", "test", "audit")


def train(run: Run) -> None:
    """Stages, model, predictions on val, test and audit, evaluation, result."""
    request, method = run.request, run.method
    labels = method.labels(request.findings)
    start = find_start(request, run.folder.path, method, labels, run.rows)
    config = method.plan(_config(run, start), [row for row in run.rows if row.split == "train"])
    images = _images(run, method.pixels(config), method.augment(config))
    run.rows[:] = _readable(run, images, run.rows)
    loader = ImageLoader(images, method, config, labels)
    samples = _samples(run, method.inputs_of(config), run.rows)
    identity = Identity(request.sha256, run.meta.sha256)
    job = Job(
        method=method, config=config, labels=labels, request=request, samples=samples, loader=loader,
        machine=run.machine, watch=run.watch, start=start, identity=identity, run_dir=run.folder.path,
        workers=run.workers,
    )  # fmt: skip
    fitted = fit(job)
    model = _assembled(run, config, labels, fitted)
    temperature = _temperature(run, model, of_splits(samples, "val"), loader)
    model = replace(model, spec=replace(model.spec, temperature=temperature))
    said = _predict(run, model, of_splits(samples, *REPORTED), loader)
    atomic.write_lines(run.folder.predictions, said.rows)
    if request.output.embeddings:
        write_embeddings(run.folder.embeddings, said)
    found = _evaluate(run, said.rows, labels, images)
    spec = replace(model.spec, thresholds=_thresholds(found, method.task))
    weights = {name: own.weights for name, own in fitted.items()}
    card = card_of(spec, method, run.rows, found, run.meta)
    save_model(run.folder.model, spec, weights, card, card_text(card))
    _environment(run, {"stages": {name: own.report for name, own in fitted.items()}})
    _finish(run, found.headline, [run.folder.model])


def score(run: Run) -> None:
    """Pool rows with uncertainty: scores, passes, embeddings and predictions."""
    model, loader, samples = _given_model(run, run.rows, "pool")
    said = _predict(run, model, samples, loader, uncertain=True)
    count = write_scores(run.folder.scores, said)
    atomic.write_lines(run.folder.predictions, said.rows)
    write_samples(run.folder.samples, said, model.spec.labels)
    write_embeddings(run.folder.embeddings, said)
    _environment(run, {"model_sha256": model.spec.weights_sha256})
    _finish(run, {"scores": count, "images": len(said.embeddings)}, [run.folder.scores])


def predict(run: Run) -> None:
    """Predictions for every row, by the model of `init`."""
    model, loader, samples = _given_model(run, run.rows, *sorted({row.split for row in run.rows}))
    said = _predict(run, model, samples, loader)
    atomic.write_lines(run.folder.predictions, said.rows)
    if run.request.output.embeddings:
        write_embeddings(run.folder.embeddings, said)
    _environment(run, {"model_sha256": model.spec.weights_sha256})
    _finish(run, {"rows": len(said.rows)}, [])


def evaluate_again(run: Run) -> None:
    """Metrics from the predictions and the manifest that are there, without a model and without pixels."""
    try:
        rows = [json.loads(line) for line in run.folder.predictions.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise invalid("predictions_unreadable", f"predictions.jsonl cannot be read: {error}") from None
    found = _evaluate(run, rows, run.method.labels(run.request.findings), None)
    _finish(run, found.headline, [run.folder.model])


COMMANDS: dict[str, Callable[[Run], None]] = {
    "train": train,
    "score": score,
    "predict": predict,
    "evaluate": evaluate_again,
}


def _config(run: Run, start: Start) -> Any:
    """The size's defaults, or what the earlier version settled on where it goes on; the request's options on top."""
    own = plain_config(run.method.configured(run.request.size, {}))
    if start.continued and start.donor is not None:
        own = start.donor.config
    return settled_config(run.method, {**own, **run.request.config})


def _images(run: Run, pixels: Any, augment: Any) -> StoredImages:
    root = run.folder.path / run.meta.pixels_root
    cache = run.folder.path / (run.request.cache_dir or "pixels")
    return StoredImages.of(root, cache, {**pixels, **run.request.pixel_overrides}, augment, run.warn)


def _readable(
    run: Run, images: StoredImages, rows: Sequence[ManifestRow], most: float = MAX_UNREADABLE
) -> list[ManifestRow]:
    """Prepare every image once, before anything is learned: a bad file is known now, not in the middle of the night."""
    run.watch.heartbeat.stage = "prepare"
    told = _teller(run, "prepare", len(rows))

    def each(done: int) -> None:
        run.watch.stop.check()
        told(done)

    return images.readable(rows, each, most)


def _teller(run: Run, stage: str, total: int) -> Callable[[int], None]:
    """A function that turns "n are done" into progress events."""
    began = time.monotonic()

    def told(done: int) -> None:
        seconds = time.monotonic() - began
        run.watch.heartbeat.step = done
        run.watch.events.progress(
            stage=stage, step=done, planned_steps=total, epoch=0, seconds=round(seconds, 1), lr=None, loss=None,
            images_per_s=round(done / max(seconds, 1e-6), 1), eta_s=round((total - done) * seconds / done),
            gpu_mem_mb=run.machine.memory_mb,
        )  # fmt: skip

    return told


def _samples(run: Run, inputs: Any, rows: Sequence[ManifestRow]) -> list[Sample]:
    samples, left_out = build_samples(rows, inputs)
    for exam, reason in left_out:
        run.warn("views_missing", f"left out: {reason}", exam)
    if not samples:
        raise refused("no_samples", "no image can be read by this method")
    return samples


def _given_model(run: Run, rows: Sequence[ManifestRow], *splits: str) -> tuple[Model, ImageLoader, list[Sample]]:
    """The model of `init`, and the samples of some splits as it reads them."""
    if run.request.init.path is None:
        raise invalid("model_missing", f"{run.request.command} needs init.kind model_dir and init.path")
    model = load_model(resolve_inside(run.request.init.path, run.folder.path))
    if model.spec.method != run.method.name:
        raise invalid("model_mismatch", f"the model is of {model.spec.method}, the request names {run.method.name}")
    model.networks = {name: run.machine.place(network).eval() for name, network in model.networks.items()}
    images = _images(run, model.spec.pixels, {})
    inputs = model.method.inputs_of(model.config)
    # An exam that cannot be read stays unscored; it must not keep the others from being ranked.
    wanted = _readable(run, images, [row for row in rows if row.split in splits], most=1.0)
    samples = _samples(run, inputs, wanted) if wanted else []
    return model, ImageLoader(images, model.method, model.config, model.spec.labels), samples


def _assembled(run: Run, config: Any, labels: tuple[str, ...], fitted: dict[str, Fitted]) -> Model:
    networks = {}
    for stage in run.method.stages(config, labels):
        network = stage.build()
        network.load_state_dict(fitted[stage.name].weights)
        networks[stage.name] = run.machine.place(network).eval()
    last = list(fitted)[-1]
    spec = ModelSpec(
        method=run.method.name,
        size=run.request.size,
        task=run.method.task,
        config=plain_config(config),
        pixels={**to_dict(run.method.pixels(config)), **run.request.pixel_overrides},
        labels=labels,
        findings=() if run.method.task == "density" else labels,
        prior_shift=fitted[last].prior_shift,
        stages=tuple(fitted),
        parameters=sum(p.numel() for network in networks.values() for p in network.parameters()),
        trained_on=trained_on(run.rows, snapshot_id=run.meta.snapshot_id, manifest_sha256=run.meta.sha256),
        code_version=code_version(),
    )
    return Model(spec, run.method, config, networks)


def _predictor(run: Run, model: Model) -> Predictor:
    spec = model.spec
    return Predictor(model.method, model.config, model.network, run.machine, spec.prior_shift, spec.temperature)


def _temperature(run: Run, model: Model, samples: Sequence[Sample], loader: ImageLoader) -> float:
    """Fitted on validation; 1 for detectors, and where validation is too small to know."""
    if model.spec.task != "density":
        return 1.0
    logits, truth = [], []
    for sample, _, said in _predictor(run, model).over(samples, loader, Inference(), run.watch.stop):
        label = density_class(sample.row)
        if label is not None and said.probabilities is not None:
            logits.append(np.log(said.probabilities.numpy().astype(np.float64).clip(1e-12)))
            truth.append(label)
    return fit_temperature(truth, np.array(logits)) if logits else 1.0


def _predict(
    run: Run, model: Model, samples: Sequence[Sample], loader: ImageLoader, *, uncertain: bool = False
) -> Said:
    """Predictions with progress events; the `stage` they name is the command."""
    speaker = Speaker(_predictor(run, model), model.spec.labels, model.spec.task, run.request.run_id, run.request.seed)
    stage = "score" if uncertain else "predict"
    run.watch.heartbeat.stage = stage
    return speaker.over(
        samples, loader, uncertain=uncertain, stop=run.watch.stop, told=_teller(run, stage, len(samples))
    )


def _evaluate(
    run: Run, rows: Sequence[dict[str, Any]], labels: tuple[str, ...], images: StoredImages | None
) -> Evaluation:
    """Metrics of the splits that are there, written as metrics.json."""
    run.watch.heartbeat.stage = "evaluate"
    present = {row.split for row in run.rows}
    found = evaluate(
        predictions=list(rows),
        manifest=[to_dict(row) for row in run.rows],
        task=run.method.task,
        findings=() if run.method.task == "density" else labels,
        splits=[split for split in run.request.evaluation.splits if split in present],
        bootstrap=run.request.evaluation.bootstrap,
        seed=run.request.seed,
        pixels=None if images is None else images.for_row,
    )
    document = {"metrics": found.metrics, "curves": found.curves, "worst": found.worst}
    atomic.write_json(run.folder.metrics, {"schema": versions.tag("metrics"), **document})
    return found


def _thresholds(found: Evaluation, task: str) -> dict[str, Any]:
    """Operating points from validation: for lesions, the score at 0.3 false positives an image, per finding."""
    if task != "lesion_detection":
        return {}
    points = {}
    for curve in found.curves.get("froc", ()):
        if (curve["split"], curve["series"], curve["fp_on"]) == ("val", "model", "complete"):
            allowed = [t for x, t in zip(curve["fp_per_image"], curve["threshold"], strict=True) if x <= 0.3]
            points[curve["target"]] = allowed[-1] if allowed else None
    return {"false_positives_per_image": 0.3, "split": "val", "score": points}


def _environment(run: Run, extra: dict[str, Any]) -> None:
    request = run.request
    document = environment(
        run.machine,
        seed=request.seed,
        deterministic=request.compute.deterministic,
        extra={
            "request_sha256": request.sha256,
            "manifest_sha256": run.meta.sha256,
            "seconds": round(time.monotonic() - run.began, 1),
            **extra,
        },
    )
    atomic.write_json(run.folder.environment, document)


def _finish(run: Run, best: dict[str, Any], files: Iterable[Any]) -> None:
    """Hash what was made, write result.json last, say so."""
    made = [
        run.folder.metrics,
        run.folder.predictions,
        run.folder.embeddings,
        run.folder.samples,
        run.folder.environment,
    ]
    listed = [path for path in [*made, *files] if path.exists()]
    result = write_result(run.folder.path, command=run.request.command, best=best, files=list(dict.fromkeys(listed)))
    run.watch.events.write(
        "finished", metrics_headline=best, model_sha256=result.files.get("model/weights.safetensors")
    )
