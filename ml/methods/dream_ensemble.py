"""Several networks' scores of a breast and of an exam, combined by logistic regression (row 13 of the review).

Source: T. Schaffter et al., "Evaluation of combined artificial intelligence and radiologist assessment to interpret
screening mammograms", JAMA Network Open 3(3), 2020, and its public code (Sage-Bionetworks/DigitalMammographyEnsemble).

As in the code: a logistic regression on the members' raw confidences and an intercept, with weights of its own for
breasts and for exams, and another set of weights where a radiologist's recall (yes or no) is one of the inputs.

Adapted: the members are three methods of this registry in the place of the challenge's eight: `gmic` (an image and its
crops; a breast is its worst view), `convnext_breast` (both views, one attention) and the breast model of
`screening_ensemble` (both views, pre-activation ResNet-50). All members read one preparation, an exam is its worse
breast. Nearer to the public entries would be methods that learn from marked lesions (`retinanet_mass` for detectors,
`multiscale_patch` for networks that began with patches): they cannot learn where only outcomes are known, and this
method asks for no more. The end-to-end network and the cascade on regions of the entries are no methods here.

The regression (L2, C = 1) learns from what copies of the members, each trained without a fifth of the patients, say of
that fifth. A recall counts only where `reader` asks for it and no model had been looked at before. Uncertainty is how
far the members' calibrated scores (Platt, out of fold) lie apart, moved together so that their mean is the answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.blocks.estimators.calibration import Platt
from ml.blocks.estimators.logistic import LogisticRegression
from ml.methods import convnext_breast, gmic, screening_ensemble
from ml.methods.reading import BREAST, EXAM
from ml.methods.spec import (
    Aim,
    Batch,
    Inference,
    Lesson,
    MethodSpec,
    Modules,
    OutOfFold,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
)
from ml.runs.needs import Need

BREASTS = {"right": (0, 2), "left": (1, 3)}
"""Slots of each breast."""
LEVELS = ("breast", "exam")
BISECTIONS = 60


@dataclass(frozen=True, kw_only=True)
class Config:
    """`member_size`: that of every member, which differ in nothing else but the preparation.

    `strength` is C of the penalty; `reader`: a radiologist's recall is an input where it is known.
    """

    rows_px: int = 2048
    cols_px: int = 1024
    target_spacing_mm: float = 0.1
    member_size: str = "large"
    member_steps: int | None = None
    folds: int = 5
    strength: float = 1.0
    non_negative: bool = False
    reader: bool = False


DEFAULTS: dict[str, dict[str, Any]] = {
    "tiny": {
        "rows_px": 128,
        "cols_px": 96,
        "target_spacing_mm": 1.6,
        "member_size": "tiny",
        "member_steps": 100,
        "folds": 3,
    },
    "base": {"rows_px": 1024, "cols_px": 512, "target_spacing_mm": 0.2, "member_size": "base"},
    "large": {},
}


def images_of(batch: Batch) -> Batch:
    """Breasts as the images that are there, each with its breast's labels."""
    there, views = batch.view_mask.flatten(), batch.x.shape[1]
    return replace(
        batch,
        x=batch.x.flatten(0, 1)[there][:, None],
        valid=batch.valid.flatten(0, 1)[there][:, None],
        targets={
            name: value.repeat_interleave(views, 0)[there]
            for name, value in batch.targets.items()
            if name in ("class", "benign")
        },
    )


def by_images(network: nn.Module, batch: Batch) -> Outputs:
    """What a network that reads images says of those of each breast."""
    images = images_of(batch)
    outputs: Outputs = network(images.x, images.valid)
    return outputs


def of_images(network: nn.Module, batch: Batch) -> Tensor:
    """(B,) the logit of the worst view."""
    said = by_images(network, batch)["logits"][:, -1].float()
    whole = said.new_full(batch.view_mask.shape, -torch.inf)
    whole[batch.view_mask] = said
    return whole.amax(1)


def of_both_views(network: nn.Module, batch: Batch) -> Tensor:
    """(B,) of a network with two logits."""
    return network(batch.x, batch.view_mask)["logits"][:, 1].float()


def of_copies(network: nn.Module, batch: Batch) -> Tensor:
    """(B,) the mean logit of copies."""
    return screening_ensemble.views_logits(network, batch.x, batch.view_mask)[0].float().mean(0)


@dataclass(frozen=True)
class Member:
    """A method of the registry, its one stage, and the logit of a breast (B,) by that stage's network."""

    method: MethodSpec
    stage: str
    logit: Callable[[Any, Batch], Tensor]

    @property
    def name(self) -> str:
        return self.method.name


MEMBERS = (
    Member(gmic.SPEC, "main", of_images),
    Member(convnext_breast.SPEC, "main", of_both_views),
    Member(screening_ensemble.SPEC, "breast", of_copies),
)
NAMES = tuple(member.name for member in MEMBERS)


class Stacking(nn.Module):
    """One regression a level and kind of input, and each member's calibration, for the spread."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        kinds = [f"{level}{suffix}" for level in LEVELS for suffix in ("", "_reader")]
        self.levels = nn.ModuleDict(
            {kind: LogisticRegression(strength=config.strength, non_negative=config.non_negative) for kind in kinds}
        )
        self.members = nn.ModuleDict({name: Platt() for name in NAMES})

    def logit(self, level: str, scores: Tensor, recall: Tensor) -> Tensor:
        """(N,) of confidences (N, M); with a recall (N,) of 0 or 1 by the other weights, where they were learned."""
        alone: Any = self.levels[level]
        with_reader: Any = self.levels[f"{level}_reader"]
        z: Tensor = alone.logits(scores)[:, 1]
        if not with_reader.fitted:
            return z
        both = torch.cat([scores, recall.clamp(min=0).to(scores)[:, None]], 1)
        return torch.where(recall >= 0, with_reader.logits(both)[:, 1], z)

    def calibrated(self, scores: Tensor) -> Tensor:
        """(N, M) probabilities of confidences (N, M)."""
        return torch.stack([self.members[name](scores[:, m])[:, 1] for m, name in enumerate(NAMES)], 1)


def breast_reads(config: Config, own: Reads) -> Reads:
    """What a member reads, by breasts and as the others do."""
    return replace(own, inputs=BREAST, pixels=pixels(config))


def pixels(config: Config) -> Mapping[str, Any]:
    """The one preparation."""
    return {
        "target_spacing_mm": config.target_spacing_mm,
        "size": (config.rows_px, config.cols_px),
        "window": "percentile",
    }


def member_stage(member: Member, config: Config, aim: Aim) -> Stage:
    """The member's own stage under its name, trained by breasts and once more per fold."""
    sizes = {name: getattr(config, name) for name in ("rows_px", "cols_px", "target_spacing_mm")}
    own = member.method.configured(config.member_size, sizes)
    stage = next(stage for stage in member.method.stages(own, aim) if stage.name == member.stage)
    if member.logit is of_images:
        told = stage.loss
        assert told is not None
        stage = replace(
            stage,
            forward=lambda modules, batch: by_images(modules[member.name], batch),
            loss=lambda outputs, batch: told(outputs, images_of(batch)),
        )
    else:
        way = stage.forward
        assert way is not None
        stage = replace(stage, forward=lambda modules, batch: way({stage.name: modules[member.name]}, batch))
    steps = config.member_steps
    return replace(
        stage,
        name=member.name,
        reads=breast_reads(config, stage.reads or member.method.reads(own, aim)),
        steps=stage.steps if steps is None else steps,
        sampler="class_balanced",
        validate="loss",
        out_of_fold=OutOfFold(
            folds=config.folds, say=lambda modules, batch: member.logit(modules[member.name], batch)[:, None]
        ),
    )


def reads(config: Config, aim: Aim) -> Reads:
    """The four views of an exam."""
    return Reads(inputs=EXAM, pixels=pixels(config), targets=("class", "recall"))


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """The members, then the regressions."""
    return (
        *(member_stage(member, config, aim) for member in MEMBERS),
        Stage(
            name="stack",
            kind="sklearn",
            build=lambda: Stacking(config),
            learn=learn_stack,
            reads=breast_reads(config, Reads(inputs=BREAST, pixels={}, targets=("class", "recall"))),
            consumes=tuple(f"{name}:out_of_fold" for name in NAMES),
        ),
    )


def out_of_fold(lesson: Lesson) -> dict[int, Tensor]:
    """Confidences (M,) by the place of a training breast, of copies that never saw its patient."""
    kept = [lesson.artefact(f"{name}:out_of_fold") for name in NAMES]
    scores = torch.cat([own["values"] for own in kept], 1).double().sigmoid()
    return dict(zip(kept[0]["index"].tolist(), scores, strict=True))


def learn_stack(lesson: Lesson) -> None:
    """Weights for breasts, then for exams: an exam's score, label and recall are those of its worse breast."""
    said = out_of_fold(lesson)
    breasts: list[np.ndarray] = []
    exams: dict[str, np.ndarray] = {}
    for batch in lesson.batches("train"):
        labels, recalls = batch.targets["class"].tolist(), batch.targets["recall"].tolist()
        for name, place, label, recall in zip(batch.ids, lesson.places(batch.ids), labels, recalls, strict=True):
            if place in said:
                breasts.append(np.array([*said[place].tolist(), recall, label]))
                exam = name.rpartition("/")[0]
                exams[exam] = np.maximum(exams.get(exam, breasts[-1]), breasts[-1])
    own: Any = lesson.modules["stack"]
    for level, rows in zip(LEVELS, (np.array(breasts), np.array(list(exams.values()))), strict=True):
        own.levels[level].fit(rows[:, :-2], rows[:, -1])
        read = rows[rows[:, -2] >= 0]
        if lesson.config.reader and len(np.unique(read[:, -1])) == 2:
            own.levels[f"{level}_reader"].fit(read[:, :-1], read[:, -1])
    for m, name in enumerate(NAMES):
        own.members[name].fit(rows[:, m], rows[:, -1])


def breast_scores(modules: Modules, batch: Batch) -> tuple[Tensor, Tensor]:
    """Confidences (B, 2, M) of right and left breast, 0 where there is none, and which are there (B, 2)."""
    slots = torch.tensor(list(BREASTS.values()), device=batch.x.device)
    there = batch.view_mask[:, slots]  # (B, 2, V)
    known = there.any(2)
    breasts = replace(
        batch, x=batch.x[:, slots][known], valid=batch.valid[:, slots][known], view_mask=there[known], targets={}
    )
    scores = torch.zeros(*known.shape, len(MEMBERS), dtype=torch.float64, device=batch.x.device)
    said = [member.logit(modules[member.name], breasts).double().sigmoid() for member in MEMBERS]
    scores[known] = torch.stack(said, 1)
    return scores, known


def around(p: Tensor, members: Tensor) -> Tensor:
    """Probabilities (B, M) moved together, by one logit an exam, so that their mean is p (B,)."""
    z = torch.logit(members, eps=1e-9)
    low, high = torch.full_like(p, -60.0), torch.full_like(p, 60.0)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        under = torch.sigmoid(z + middle[:, None]).mean(1) < p
        low, high = torch.where(under, middle, low), torch.where(under, high, middle)
    return torch.sigmoid(z + low[:, None])


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """The exam by its own weights; values hold what each breast got by those of breasts, and all that went in."""
    stack: Any = modules["stack"]
    scores, known = breast_scores(modules, batch)
    exam = scores.amax(1)
    recall, recalls = batch.targets["recall"], batch.targets["recalls"]
    z = stack.logit("exam", exam, recall)
    sides = stack.logit("breast", scores.flatten(0, 1), recalls.flatten()).sigmoid().unflatten(0, known.shape)
    p = z.sigmoid()
    members = around(p, stack.calibrated(exam)).cpu()
    looks = gmic_vectors(modules[gmic.SPEC.name], batch)
    found = []
    for n in range(len(p)):
        values = {"recall": float(recall[n])} if config.reader and recall[n] >= 0 else {}
        for b, side in enumerate(BREASTS):
            if known[n, b]:
                values[f"breast_{side}"] = float(sides[n, b])
                values |= {f"{name}_{side}": float(scores[n, b, m]) for m, name in enumerate(NAMES)}
        found.append(
            Prediction(
                probabilities=torch.stack([1 - p[n], p[n]]).float().cpu(),
                logits=torch.stack([torch.zeros_like(z[n]), z[n]]).float().cpu(),
                samples=torch.stack([1 - members[n], members[n]], 1).float() if inference.passes else None,
                values=values,
                embedding=looks[n],
            )
        )
    return found


def gmic_vectors(network: nn.Module, batch: Batch) -> Tensor:
    """(B, D) the mean over views of what `gmic` sees: three scores would tell few exams apart."""
    said = by_images(network, batch)["embedding"].float()
    views = batch.view_mask
    whole = said.new_zeros(*views.shape, said.shape[1])
    whole[views] = said
    return (whole.sum(1) / views.sum(1, keepdim=True)).cpu()


SPEC = MethodSpec(
    name="dream_ensemble",
    seed_row=13,
    serves=(
        Serves(
            task="exam_classification",
            fidelity="adapted",
            claim_note="The row's title and its reference are two different works: this is the reference, `dbn_forest` "
            "the title, and neither alone may claim the row. The paper combines entries of a challenge; here the "
            "combination is as there and the three members are ours: methods that learn from outcomes alone, while "
            "several entries learned from marked lesions, which sites that know outcomes need not have. It reports "
            "that no entry beat the radiologists and that entries and radiologist together had a better specificity "
            "(92.0 % at their sensitivity, figure of the paper, from memory); it has no output about lesions.",
        ),
    ),
    findings=(),
    inputs=EXAM,
    needs=(Need(label="outcome", min_train=4, min_classes=2),),
    sizes=("tiny", "base", "large"),
    reference="T. Schaffter et al., Evaluation of combined artificial intelligence and radiologist assessment to "
    "interpret screening mammograms, JAMA Network Open 3(3), 2020.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    unsure_by="members",
    self_calibrated=True,
)
