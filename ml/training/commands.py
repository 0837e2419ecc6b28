"""train, score, predict, evaluate: what each of them makes in the run folder, in order."""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ml.acquisition.aggregate import exam_parts
from ml.evaluation.report import Evaluation, evaluate
from ml.methods.aims import aim_of
from ml.methods.spec import Aim, Reads, Stage
from ml.runs import atomic, versions
from ml.runs.errors import invalid
from ml.runs.manifest import ManifestRow
from ml.runs.records import to_dict
from ml.runs.request import resolve_inside
from ml.runs.result import write_result
from ml.training import pretraining
from ml.training.asking import describe, explain, predicted, temperature_of
from ml.training.card import card_of, card_text
from ml.training.checkpoints import Identity
from ml.training.context import Run
from ml.training.data import of_splits
from ml.training.environment import code_version, environment
from ml.training.explaining import exams_named, least_sure
from ml.training.fit import Fitted, Job, View, blind, finished, fit
from ml.training.images import StoredImages
from ml.training.making import cost_of, making_of
from ml.training.model_folder import (
    Model,
    ModelSpec,
    load_model,
    plain_config,
    pool_learned,
    save_model,
    settled_config,
    trained_on,
)
from ml.training.samples import LOOKED_ALL_OVER, region_options
from ml.training.scoring import write_embeddings, write_samples, write_scores
from ml.training.starting import Start, beginning_of, find_start
from ml.training.views import all_views, images_for, readable, stored_pixels, view_of

REPORTED = ("val", "test", "audit")


def train(run: Run) -> None:
    """Stages, model, predictions on val, test and audit, evaluation, result."""
    request, method = run.request, run.method
    config, aim, start = settled(run)
    reads, stages = method.reads(config, aim), method.stages(config, aim)
    views = _views(run, config, aim, stages, reads)
    identity = Identity(request.sha256, run.meta.sha256)
    job = Job(
        method=method, config=config, aim=aim, request=request, views=views, machine=run.machine, watch=run.watch,
        start=start, identity=identity, run_dir=run.folder.path,
    )  # fmt: skip
    fitted = fit(job, stages, reads)
    if not run.machine.ranks.first:
        return
    model = _assembled(run, config, aim, stages, fitted, start)
    view = views[id(reads)]
    temperature = temperature_of(run, model, view)
    model = replace(model, spec=replace(model.spec, temperature=temperature))
    reported = _reported(run, model, view, reads)
    said = predicted(run, model, reported)
    atomic.write_lines(run.folder.predictions, said.rows)
    if request.output.all_embeddings:
        describe(run, model, View(of_splits(view.samples, "train"), view.loader), said)
    if request.output.embeddings:
        write_embeddings(run.folder.embeddings, said)
    images = view.loader.images
    pixels = images.for_row if isinstance(images, StoredImages) else None
    found = _evaluation(run, said.rows, aim, reads, pixels)
    explain(run, model, reported, said, exams_named(found.worst))
    spec = replace(model.spec, thresholds=found.thresholds)
    weights = {name: own.weights for name, own in fitted.items()}
    reports = {name: own.report for name, own in fitted.items()}
    card = card_of(spec, method, run.rows, found, run.meta, judged=aim.task, made=making_of(run, reports))
    save_model(run.folder.model, spec, weights, card, card_text(card))
    _environment(run, {"stages": reports})
    _finish(run, found.headline, [run.folder.model], split=found.headline_split)


def _reported(run: Run, model: Model, view: View, reads: Reads) -> View:
    """What the model is judged on: the regions whose class is known, or all of an image where exams are judged."""
    if reads.inputs.unit != "roi" or model.aim.task not in LOOKED_ALL_OVER:
        return View(of_splits(view.samples, *REPORTED), view.loader)
    images = view.loader.images
    assert isinstance(images, StoredImages)
    rows = [row for row in run.rows if row.split in REPORTED]
    return view_of(run, reads, model.aim, model.config, images, windows=True, rows=rows)


def _views(run: Run, config: Any, aim: Aim, stages: Sequence[Stage], reads: Reads) -> dict[int, View]:
    """What the stages see. One process prepares the images; the others then find them in the cache."""
    ranks = run.machine.ranks
    if not ranks.first:
        ranks.meet()
    views = all_views(run, config, aim, stages, reads, lambda total: run.teller("prepare", total))
    if ranks.first:
        ranks.meet()
    return views


def settled(run: Run) -> tuple[Any, Aim, Start]:
    """Config, aim and beginning of a training. Raises RunRefused."""
    request, method = run.request, run.method
    train_rows = [row for row in run.rows if row.split == "train"]
    own = method.configured(request.size, {})
    kind = request.target.kind if request.target else None
    findings = (request.target.findings if request.target else ()) or request.findings
    overridden = settled_config(method, {**plain_config(own), **request.config})
    aim = aim_of(method, overridden, train_rows, task=request.task, findings=findings, target=kind)
    start = _start(run, aim, run.rows)
    if start.donor is not None:
        _warn_of_preparation(run, start.donor, method.reads(overridden, aim))
    if start.continued and start.donor is not None:
        overridden = settled_config(method, {**start.donor.config, **request.config})
    return method.plan(overridden, train_rows), aim, start


def pretrain(run: Run) -> None:
    """A trunk from images alone, a probe of what it learned, a model that lends it."""
    request, method, labelled = run.request, run.method, list(run.rows)
    run.rows[:] = pretraining.unlabelled(labelled)
    config = method.plan(
        settled_config(method, {**plain_config(method.configured(request.size, {})), **request.config}), run.rows
    )
    aim = pretraining.AIM
    start = _start(run, aim, pool_learned(labelled))
    reads, stages = method.reads(config, aim), method.stages(config, aim)
    views = _views(run, config, aim, stages, reads)
    job = Job(
        method=method, config=config, aim=aim, request=request, views=views, machine=run.machine, watch=run.watch,
        start=start, identity=Identity(request.sha256, run.meta.sha256), run_dir=run.folder.path,
    )  # fmt: skip
    (stage,) = stages
    fitted = fit(job, stages, reads)[stage.name]
    if not run.machine.ranks.first:
        return
    if (spread := pretraining.collapsed(fitted)) is not None:
        run.warn("collapsed", f"all images give nearly the same vector (spread {spread:.2f} of 1)", None)
    images = views[id(stage.reads)].loader.images
    assert isinstance(images, StoredImages)
    found = pretraining.probe(run, images, stage, fitted, [row for row in labelled if row.split == "train"])
    evaluation = pretraining.evaluation_of(found, float(fitted.weights["spread"]))
    atomic.write_json(
        run.folder.metrics,
        {"schema": versions.tag("metrics"), "metrics": evaluation.metrics, "curves": {}, "worst": []},
    )
    # Everybody who was seen counts as learned from, also the unlabelled: nobody of them may be tested on later.
    seen = pool_learned(run.rows)
    weights = pretraining.trunk_of(fitted)
    spec = ModelSpec(
        method=method.name,
        size=request.size,
        task=aim.task,
        config=plain_config(config),
        pixels=stored_pixels(run, reads),
        labels=(),
        target=aim.target,
        stages=(stage.name,),
        parameters=sum(value.numel() for value in weights[stage.name].values()),
        trained_on=trained_on(seen, snapshot_id=run.meta.snapshot_id, manifest_sha256=run.meta.sha256),
        init=beginning_of(request.init, start, {stage.name: fitted.report}),
        earlier=start.donor.lineage() if start.donor else (),
        code_version=code_version(),
    )
    made = making_of(run, {stage.name: fitted.report})
    card = card_of(spec, method, seen, evaluation, run.meta, judged=found.task if found else None, made=made)
    save_model(run.folder.model, spec, weights, card, card_text(card))
    _environment(run, {"stages": {stage.name: fitted.report}, "probe": found.target if found else None})
    _finish(run, evaluation.headline, [run.folder.model])


def _start(run: Run, aim: Aim, rows: list[ManifestRow]) -> Start:
    """Where a training of these rows begins. Raises RunRefused."""
    start = find_start(run.request, run.folder.path, run.method, aim.labels, rows)
    if start.lent is not None and start.lent.own:
        text = (
            "the weights file is of a model of ours, without the record of its patients: they may be among those tested"
        )
        run.warn("weights_without_record", f"{text}; start from its model folder instead", None)
    return start


def _warn_of_preparation(run: Run, donor: ModelSpec, reads: Reads) -> None:
    """What the donor saw and this run will see may differ; whoever reads the result must know where."""
    own = stored_pixels(run, reads)
    differing = sorted(name for name in {*own, *donor.pixels} if own.get(name) != donor.pixels.get(name))
    if differing:
        words = ", ".join(f"{name} {donor.pixels.get(name)} there, {own.get(name)} here" for name in differing)
        run.warn("donor_preparation_differs", f"the donor's images were prepared otherwise: {words}", None)


def score(run: Run) -> None:
    """Pool rows with uncertainty: scores, passes, embeddings and predictions."""
    model, view = _given_model(run, run.rows, "pool")
    said = predicted(run, model, view, uncertain=True)
    count = write_scores(run.folder.scores, said)
    atomic.write_lines(run.folder.predictions, said.rows)
    write_samples(run.folder.samples, said, model.spec.labels)
    write_embeddings(run.folder.embeddings, said)
    explain(run, model, view, said, least_sure(exam_parts(said.passes)))
    _environment(run, {"model_sha256": model.spec.weights_sha256})
    _finish(run, {"scores": count, "images": len(said.embeddings)}, [run.folder.scores])


def predict(run: Run) -> None:
    """Predictions for every row, by the model of `init`."""
    model, view = _given_model(run, run.rows, *sorted({row.split for row in run.rows}))
    said = predicted(run, model, view)
    atomic.write_lines(run.folder.predictions, said.rows)
    if run.request.output.embeddings:
        write_embeddings(run.folder.embeddings, said)
    explain(run, model, view, said, ())
    _environment(run, {"model_sha256": model.spec.weights_sha256})
    _finish(run, {"rows": len(said.rows)}, [])


def evaluate_again(run: Run) -> None:
    """Metrics from the predictions and the manifest that are there, without a model and without pixels."""
    try:
        rows = [json.loads(line) for line in run.folder.predictions.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise invalid("predictions_unreadable", f"predictions.jsonl cannot be read: {error}") from None
    config, aim, _ = settled(run)
    found = _evaluation(run, rows, aim, run.method.reads(config, aim), None, _thresholds_of(run))
    _finish(run, found.headline, [run.folder.model], split=found.headline_split)


def _thresholds_of(run: Run) -> dict[str, Any]:
    """The operating points of the model that the run made, none where it made none. Raises RunRefused (exit 2)."""
    path = run.folder.model / "spec.json"
    try:
        return dict(json.loads(path.read_text()).get("thresholds") or {}) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise invalid("model_unreadable", f"the model folder cannot be read: {error}") from None


COMMANDS: dict[str, Callable[[Run], None]] = {
    "pretrain": pretrain,
    "train": train,
    "score": score,
    "predict": predict,
    "evaluate": evaluate_again,
}


def _given_model(run: Run, rows: Sequence[ManifestRow], *splits: str) -> tuple[Model, View]:
    """The model of `init`, and the samples of some splits as it reads them."""
    if run.request.init.path is None:
        raise invalid("model_missing", f"{run.request.command} needs init.kind model_dir and init.path")
    model = load_model(resolve_inside(run.request.init.path, run.folder.path))
    if model.spec.method != run.method.name:
        raise invalid("model_mismatch", f"the model is of {model.spec.method}, the request names {run.method.name}")
    model.modules = {name: run.machine.place(module).eval() for name, module in model.modules.items()}
    reads = model.method.reads(model.config, model.aim)
    images = images_for(run, reads, model.spec.pixels)
    # An exam that cannot be read stays unscored; it must not keep the others from being ranked.
    wanted = [row for row in rows if row.split in splits]
    wanted = readable(run, images, wanted, run.teller("prepare", len(wanted)), most=1.0)
    windows = run.request.command != "train"
    return model, view_of(run, reads, model.aim, model.config, images, windows=windows, rows=wanted)


def _assembled(
    run: Run, config: Any, aim: Aim, stages: Sequence[Stage], fitted: dict[str, Fitted], start: Start
) -> Model:
    modules = {stage.name: finished(stage, fitted[stage.name].weights, run.machine) for stage in stages}
    reads = run.method.reads(config, aim)
    spec = ModelSpec(
        method=run.method.name,
        size=run.request.size,
        task=aim.task,
        config=plain_config(config),
        pixels=stored_pixels(run, reads),
        roi=to_dict(region_options(reads, aim)) if reads.roi else {},
        labels=aim.labels,
        target=aim.target,
        findings=() if aim.task == "density" else aim.findings,
        # Of the stage that answers: what is fitted after it (components, a calibration) has none.
        prior_shift=next((own.prior_shift for own in reversed(fitted.values()) if own.prior_shift), ()),
        stages=tuple(fitted),
        parameters=sum(p.numel() for module in modules.values() for p in module.parameters()),
        trained_on=trained_on(
            pool_learned(run.rows) if any(blind(stage) for stage in stages) else run.rows,
            snapshot_id=run.meta.snapshot_id,
            manifest_sha256=run.meta.sha256,
        ),
        init=beginning_of(run.request.init, start, {name: own.report for name, own in fitted.items()}),
        earlier=start.donor.lineage() if start.donor else (),
        code_version=code_version(),
    )
    return Model(spec, run.method, config, aim, modules)


def _evaluation(
    run: Run, rows: Sequence[dict[str, Any]], aim: Aim, reads: Reads, pixels: Any,
    thresholds: Mapping[str, Any] | None = None,
) -> Evaluation:  # fmt: skip
    """Metrics of the splits that are there, written as metrics.json."""
    run.watch.heartbeat.stage = "evaluate"
    present = {row.split for row in run.rows}
    found = evaluate(
        predictions=list(rows),
        manifest=[to_dict(row) for row in run.rows],
        task=aim.task,
        findings=() if aim.task == "density" else aim.findings,
        splits=[split for split in run.request.evaluation.splits if split in present],
        bootstrap=run.request.evaluation.bootstrap,
        seed=run.request.seed,
        pixels=pixels,
        target=aim.target,
        labels=aim.labels,
        roi=region_options(reads, aim) if reads.roi else None,
        thresholds=thresholds,
        run_dir=run.folder.path,
        pixels_root=run.folder.path / run.meta.pixels_root,
    )
    document = {"metrics": found.metrics, "curves": found.curves, "worst": found.worst}
    atomic.write_json(run.folder.metrics, {"schema": versions.tag("metrics"), **document})
    return found


def _environment(run: Run, extra: dict[str, Any]) -> None:
    request = run.request
    document = environment(
        run.machine,
        seed=request.seed,
        deterministic=request.compute.deterministic,
        extra={
            "request_sha256": request.sha256,
            "manifest_sha256": run.meta.sha256,
            "undetermined_operations": sorted(run.undetermined),
            "flagged": run.flagged.rates(),
            "warnings": run.watch.events.warned,
            "cost": cost_of(run),
            "seconds": round(time.monotonic() - run.began, 1),
            **extra,
        },
    )
    atomic.write_json(run.folder.environment, document)


def _finish(run: Run, best: dict[str, Any], files: Iterable[Any], *, split: str | None = None) -> None:
    """Hash what was made, write result.json last, say so; `split` is whom the figures of `best` are of."""
    made = [
        run.folder.metrics,
        run.folder.predictions,
        run.folder.embeddings,
        run.folder.samples,
        run.folder.environment,
        run.folder.explanations,
    ]
    listed = [path for path in [*made, *files] if path.exists()]
    result = write_result(run.folder.path, command=run.request.command, best=best, files=list(dict.fromkeys(listed)))
    run.watch.events.write(
        "finished",
        metrics_headline=best,
        headline_split=split,
        model_sha256=result.files.get("model/weights.safetensors"),
    )
