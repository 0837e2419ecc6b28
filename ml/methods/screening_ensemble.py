"""Three looks at an exam, averaged: at its lesions, at each breast, at the whole case (row 11 of the review).

Source: S. McKinney et al., "International evaluation of an AI system for breast cancer screening", Nature 577, 2020.
No code or weights are public: which backbones it uses is from memory, the rest is a reconstruction.

As there: a lesion model (a RetinaNet proposes, a MobileNetV2 looks again at each of the ten best boxes of an image,
breast score = noisy-or over the boxes of both views), a breast model (pre-activation ResNet-50, both views of one
breast), a case model (ResNet-50, four views); each gives a score in [0, 1], and the answer is the mean of the three
calibrated ones. An exam is as suspicious as its worse breast.

Ours: features of a breast's views, and of a case's, are concatenated and pass one hidden layer of 512; a missing view
is a vector of zeros, in the case model the other side's view; Platt scaling on validation exams; the positives weigh
neg/pos, at most 20; detector and classifier read one preparation, the breast and case models its half size. As in row 4
the detector looks at an image and at 25 sections of it (`sections`, not in `tiny`): dear, so that it is asked once
about each training image, as it is, and the boxes move along where a step turns or scales the image. Uncertainty is
the disagreement of the three scores, so the passes of dropout have no part in it. `copies` trains several copies of
each classifier and averages their probabilities first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.estimators.calibration import Platt
from ml.blocks.noisy_or import LEAST_LOGIT, noisy_or
from ml.blocks.roi_align import roi_align
from ml.methods import retinanet_mass
from ml.methods.answering import binary
from ml.methods.reading import BREAST, FOUR_VIEWS, IMAGE
from ml.methods.screening_parts import (
    DEFAULTS,
    PROPOSALS,
    BoxClassifier,
    Config,
    Copies,
    Found,
    ViewsClassifier,
    detector_config,
    keep_proposals,
    proposed,
    recalled,
)
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    Inputs,
    Lesson,
    Loss,
    MethodSpec,
    Modules,
    Optimiser,
    Outputs,
    Part,
    Prediction,
    Reads,
    Serves,
    Sight,
    Stage,
    TrainView,
    Where,
)
from ml.runs.manifest import ManifestRow
from ml.runs.needs import Need

BREASTS = ((0, 2), (1, 3))
"""Slots of the right and of the left breast."""
MODELS = ("lesion_classifier", "breast", "case")
MOST_WEIGHT = 20.0


def plan(config: Config, rows: Sequence[ManifestRow]) -> Config:
    """Settle the weight of the positives from the training breasts."""
    if config.pos_weight is not None:
        return config
    ill: dict[tuple[str, str | None], bool] = {}
    for row in rows:
        known = row.outcome is not None and row.outcome.cancer is not None
        sick = bool(row.outcome.cancer) if known and row.outcome else bool(row.findings)
        key = (row.exam_id, row.laterality)
        ill[key] = ill.get(key, False) or sick
    positive = sum(ill.values())
    return replace(config, pos_weight=min((len(ill) - positive) / max(1, positive), MOST_WEIGHT) if ill else 1.0)


def boxes_again(config: Config, modules: Modules, x: Tensor, found: Found = None) -> tuple[Tensor, Tensor, Tensor]:
    """The best boxes (M, 4) of images (N, 1, H, W), each one's image (M,), and grown crops (M, 1, c, c).

    found: the boxes of each image, where they are known.
    """
    found = proposed(config, modules, x) if found is None else found
    image = torch.cat([torch.full((len(own),), n) for n, own in enumerate(found)]).to(x.device)
    boxes = torch.cat(found).to(x)
    half = (boxes[:, 2:] - boxes[:, :2]) * config.margin / 2
    centre = (boxes[:, 2:] + boxes[:, :2]) / 2
    grown = torch.cat([centre - half, centre + half], 1)
    return boxes, image, roi_align(x, grown, image, size=(config.crop_px, config.crop_px), samples=1)


@dataclass(frozen=True)
class Looked:
    """Boxes (M, 4) that were looked at again, the view of each (M,) among all of the batch, logits (copies, M)."""

    boxes: Tensor
    view: Tensor
    logits: Tensor


def looked_at(config: Config, modules: Modules, x: Tensor, view_mask: Tensor, found: Found = None) -> Looked:
    """What the lesion model says of the boxes of the views that are there; x (B, V, 1, H, W)."""
    boxes, view, crops = boxes_again(config, modules, x.flatten(0, 1), found)
    there = view_mask.flatten()[view]
    copies: Any = modules["lesion_classifier"]
    return Looked(boxes[there], view[there], torch.stack([member(crops[there]) for member in copies.members]))


def lesion_logits(config: Config, modules: Modules, x: Tensor, view_mask: Tensor, found: Found = None) -> Tensor:
    """(copies, B) of breasts whose views are x (B, V, 1, H, W): noisy-or over the boxes of the views that are there."""
    return of_breasts(looked_at(config, modules, x, view_mask, found), *x.shape[:2])


def of_breasts(looked: Looked, breasts: int, views: int) -> Tensor:
    """(copies, B): noisy-or over the boxes of the views of each breast."""
    return torch.stack([noisy_or(own, looked.view // views, breasts) for own in looked.logits])


def views_logits(network: Any, x: Tensor, view_mask: Tensor) -> tuple[Tensor, Tensor]:
    """(copies, B) logits and the mean hidden vector (B, D)."""
    said = [member(x, view_mask) for member in network.members]
    return torch.stack([logit for logit, _ in said]), torch.stack([hidden for _, hidden in said]).mean(0)


def weighted_bce(config: Config) -> Loss:
    """Binary cross-entropy of every copy against the class of the sample; unknown ones are not drawn."""

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        logits = outputs["members"].float()
        target = batch.targets["class"].to(logits).expand_as(logits)
        weight = torch.tensor(config.pos_weight or 1.0, device=logits.device)
        return {"bce": functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)}

    return loss


def one_class(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
    """The detector's loss where all findings are one class."""
    labels = [torch.zeros_like(own) for own in batch.targets["labels"]]
    return retinanet_mass.detection_loss(outputs, replace(batch, targets={**batch.targets, "labels": labels}))


def section_view(seen: Sight, targets: Mapping[str, Tensor], config: Config, generator: torch.Generator) -> Part:
    """What the detector learns from: the image or, half of the time, a section of it."""
    return retinanet_mass.train_view(seen, targets, detector_config(config), generator)


def _reads(config: Config, inputs: Inputs, target: str, view: TrainView | None = None) -> Reads:
    return Reads(
        inputs=inputs,
        pixels={
            "target_spacing_mm": config.target_spacing_mm,
            "size": (config.rows_px, config.cols_px),
            "window": "percentile",
        },
        augment={"rotation_degrees": config.rotation_degrees, "scale": 0.1, "gamma": 0.25, "contrast": 0.1},
        targets=(target,),
        view=view,
    )


def reads(config: Config, aim: Aim) -> Reads:
    """The four views of an exam."""
    return _reads(config, Inputs(unit="exam", views=FOUR_VIEWS, missing="other_side"), "class")


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """Detector and what it proposes, then the three models that judge, then their calibration."""
    of_image = _reads(config, IMAGE, "boxes", section_view)
    of_breast = _reads(config, BREAST, "class")
    optimiser = Optimiser(lr=config.lr)
    plan_of: dict[str, Any] = {
        "steps": config.steps,
        "epochs": config.epochs,
        "batch": config.batch,
        "optimiser": optimiser,
        "loss": weighted_bce(config),
        "validate": "loss",
        "head_prefixes": tuple(f"members.{n}.{part}." for n in range(config.copies) for part in ("fuse", "head")),
    }

    def copied(make: Any) -> Any:
        return lambda: Copies([make() for _ in range(config.copies)])

    return (
        Stage(
            name="lesion_detector",
            build=lambda: retinanet_mass.RetinaNet(detector_config(config), 1),
            loss=one_class,
            reads=of_image,
            optimiser=Optimiser(lr=config.detector_lr, clip_norm=10.0),
            steps=config.detector_steps,
            epochs=config.detector_epochs,
            batch=config.batch,
            sampler="half_marked",
            validate="loss",
            head_prefixes=("head.",),
        ),
        Stage(
            name="proposals",
            kind="extract",
            build=nn.Identity,
            learn=lambda lesson: keep_proposals(config, lesson),
            reads=of_breast,
            validate="none",
            consumes=("lesion_detector:weights",),
        ),
        Stage(
            name="lesion_classifier",
            build=copied(lambda: BoxClassifier(config)),
            forward=lambda modules, batch: {
                "members": lesion_logits(config, modules, batch.x, batch.view_mask, recalled(batch))
            },
            reads=of_breast,
            recalls=PROPOSALS,
            consumes=(PROPOSALS,),
            **plan_of,
        ),
        Stage(
            name="breast",
            build=copied(lambda: ViewsClassifier(config.breast_trunk, 2, config.hidden)),
            forward=lambda modules, batch: {"members": views_logits(modules["breast"], batch.x, batch.view_mask)[0]},
            reads=of_breast,
            **plan_of,
        ),
        Stage(
            name="case",
            build=copied(lambda: ViewsClassifier(config.case_trunk, 4, config.hidden)),
            forward=lambda modules, batch: {"members": views_logits(modules["case"], batch.x, batch.view_mask)[0]},
            **plan_of,
        ),
        Stage(
            name="calibrate",
            kind="sklearn",
            build=lambda: nn.ModuleDict({name: Platt() for name in MODELS}),
            learn=lambda lesson: calibrate(config, lesson),
            consumes=tuple(f"{name}:weights" for name in MODELS),
        ),
    )


def exam_scores(config: Config, modules: Modules, batch: Batch) -> tuple[Tensor, Tensor, tuple[Looked, ...]]:
    """Logits (B, 3) of lesion, breast and case model, an exam being its worse breast, and the case's hidden vector.

    Last the boxes of each of BREASTS.
    """
    by_breast, places = [], []
    for slots in BREASTS:
        x, there = batch.x[:, list(slots)], batch.view_mask[:, list(slots)]
        looked = looked_at(config, modules, x, there)
        places.append(looked)
        lesion = _mean_logit(of_breasts(looked, *x.shape[:2]))
        breast = _mean_logit(views_logits(modules["breast"], x, there)[0])
        # A breast without any view has no say: the other one decides.
        none = ~there.any(1)
        by_breast.append(torch.stack([lesion, breast], 1).masked_fill(none[:, None], LEAST_LOGIT))
    case, hidden = views_logits(modules["case"], batch.x, batch.view_mask)
    return torch.cat([torch.stack(by_breast).amax(0), _mean_logit(case)[:, None]], 1), hidden, tuple(places)


def _mean_logit(members: Tensor) -> Tensor:
    """The logit of the mean probability of the copies (C, B)."""
    return torch.logit(torch.sigmoid(members.float()).mean(0), eps=1e-6)


def calibrate(config: Config, lesson: Lesson) -> None:
    """Platt scaling of each model on validation exams; with one class there, the scores stay as they are."""
    scores, truth = [], []
    for batch in lesson.batches("val", size=4):
        scores.append(exam_scores(config, lesson.modules, batch)[0].cpu())
        truth.append(batch.targets["class"].cpu())
    for n, name in enumerate(MODELS):
        platt: Any = lesson.modules["calibrate"].get_submodule(name)
        if truth and len(torch.cat(truth).unique()) == 2:
            platt.fit(torch.cat(scores)[:, n].numpy(), torch.cat(truth).numpy())
        else:
            platt.keep(slope=[1.0], offset=[0.0])


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The mean of the three calibrated probabilities of each exam; the three are the members that may disagree.

    Places are the boxes of the lesion model, with the probability that it gave each before any calibration.
    """
    logits, hidden, places = exam_scores(config, modules, batch)
    calibration: Any = modules["calibrate"]
    members = torch.stack([calibration[name](logits[:, n])[:, 1] for n, name in enumerate(MODELS)], 1)  # (B, 3)
    mean = members.mean(1)
    return [
        Prediction(
            probabilities=torch.stack([1 - mean[n], mean[n]]).float().cpu(),
            logits=binary(torch.logit(mean[n], eps=1e-9)).float().cpu(),
            samples=torch.stack([1 - members[n], members[n]], 1).float().cpu() if inference.passes else None,
            values={f"score_{name}": float(members[n, k]) for k, name in enumerate(MODELS)},
            embedding=hidden[n].float().cpu(),
            where=tuple(
                shown(looked, n, k, slot)
                for looked, slots in zip(places, BREASTS, strict=True)
                for k, slot in enumerate(slots)
            ),
        )
        for n in range(len(mean))
    ]


def shown(looked: Looked, exam: int, view: int, slot: int) -> Where:
    """The boxes of one of a breast's views, best first; a view that is not there has none."""
    own = looked.view == exam * len(BREASTS[0]) + view
    scores, order = looked.logits[:, own].float().sigmoid().mean(0).cpu().sort(descending=True, stable=True)
    return Where(
        slot=slot,
        names=("lesion",),
        boxes=looked.boxes[own].float().cpu()[order],
        scores=scores,
        labels=torch.zeros(len(scores), dtype=torch.long),
    )


SPEC = MethodSpec(
    name="screening_ensemble",
    seed_row=11,
    serves=(
        Serves(
            task="exam_classification",
            fidelity="reconstruction",
            claim_note="The row says detection and classification of masses and calcifications. The paper predicts "
            "cancer of an exam within its follow-up, by an ensemble of a lesion, a breast and a case model; it has no "
            "separate output for masses or calcifications.",
        ),
    ),
    findings=("mass", "calcification", "asymmetry", "architectural_distortion"),
    inputs=Inputs(unit="exam", views=FOUR_VIEWS, missing="other_side"),
    needs=(Need(label="box", min_train=2), Need(label="exam_class", min_train=2, min_classes=2)),
    sizes=("tiny", "base", "large"),
    reference="S. McKinney et al., International evaluation of an AI system for breast cancer screening, Nature 577, "
    "2020.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    plan=plan,
    unsure_by="members",
    self_calibrated=True,
)
