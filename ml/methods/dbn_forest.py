"""Masses by deep belief nets, a cascade of CNNs and a cascade of random forests (row 13 of the review, by its title).

Source: N. Dhungel, G. Carneiro, A. Bradley, "Automated mass detection in mammograms using cascaded deep learning and
random forests", DICTA 2015. The row cites another work (Schaffter 2020, see `dream_ensemble`); this is the best match
of its title "Deep Belief-RF". All figures here are a reconstruction.

As there, from memory: deep belief nets look at the patches of a pyramid from coarse to fine and propose regions; two
CNNs throw out what is no mass, then two forests that see the CNNs' features with hand-made ones; what is left and
overlaps is merged. The second forest throws out nothing here: its probability is the score, and whoever reads the FROC
sets the threshold.

Ours: regions are the connected parts of the finest map over several thresholds, the 20 (`tiny` 8) with the highest
peak; boxes of a mark count as true from IoU 0.2; the nets' gradients are those of CD-1 written as a difference of free
energies, moved by SGD with Nesterov's momentum; one CNN network serves each of the two levels, and forests learn from
features that a CNN gave of patients that it had not seen. The candidates that the cascade learns from are those of each
training image as it is, found once; what CNNs see of them is varied. With regions given by marks, the CNN and a forest
alone serve the classification of lesions.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.blocks.boxes import nms
from ml.blocks.estimators.forest import RandomForest
from ml.blocks.patch_dbn import PyramidDBN
from ml.methods.dbn_parts import DEFAULTS, FEATURES, Config, CropNet, ForestStep, Kept
from ml.methods.dbn_steps import (
    HIT_IOU,
    cascade,
    cascade_loss,
    contrast,
    learn_candidates,
    learn_forest,
    learn_gates,
    learn_kept,
    pixel_labels,
    pixel_loss,
    speak,
    survivors,
)
from ml.methods.spec import (
    Aim,
    Batch,
    Copied,
    Inference,
    Inputs,
    Lesson,
    MethodSpec,
    Modules,
    Optimiser,
    OutOfFold,
    Outputs,
    Prediction,
    Reads,
    Serves,
    Stage,
)
from ml.pixels.candidate_features import candidate_features
from ml.runs.needs import Need


def reads(config: Config, aim: Aim) -> Reads:
    """Whole images for detection; squares of 40 px for classification."""
    if aim.task == "lesion_classification":
        return Reads(
            inputs=Inputs(unit="roi"),
            pixels={"target_spacing_mm": config.target_spacing_mm, "window": "percentile"},
            augment={"flip_x": 0.5, "rotation_degrees": 180.0, "gamma": 0.25, "contrast": 0.1},
            targets=("class",),
            roi={"size_px": config.crop_px, "margin": config.margin},
        )
    return Reads(
        inputs=Inputs(unit="image"),
        pixels={"target_spacing_mm": config.target_spacing_mm, "max_long_px": config.max_long_px},
        augment={"gamma": 0.1, "contrast": 0.05},
        targets=("boxes",),
    )


def stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """Nets, gates, CNNs and forests in the order of the cascade; or the CNN and a forest, for given regions."""
    return (
        region_stages(config, aim) if aim.task == "lesion_classification" else image_stages(config, reads(config, aim))
    )


def image_stages(config: Config, seen: Reads) -> tuple[Stage, ...]:
    """The whole cascade. Belief nets learn from every image, whatever is known of it."""
    levels = range(config.levels)
    unlabelled = replace(seen, targets=())

    def net() -> nn.Module:
        return PyramidDBN(config.levels, config.patch_px, config.hidden)

    def rbm(layer: int) -> Stage:
        return Stage(
            name=f"rbm_{layer + 1}",
            build=net,
            forward=contrast(config, layer, f"rbm_{layer + 1}"),
            loss=lambda outputs, batch: {"free_energy": outputs["free_energy"]},
            trainable=tuple(f"levels.{k}.dbn.rbms.{layer}." for k in levels),
            optimiser=Optimiser(kind="sgd", lr=0.1 if layer == 0 else 0.05, momentum=0.5, weight_decay=2e-4,
                                schedule="constant", clip_norm=10.0),
            starts_from=(Copied(stage="rbm_1"),) if layer else (),
            reads=unlabelled,
            steps=config.rbm_steps,
            batch=config.batch,
            validate="none",
            pretrains=True,
        )  # fmt: skip

    deep = [f"levels.{k}.dbn.rbms.{n}.{part}" for k in levels for n in range(2) for part in ("weight", "hidden_bias")]

    def cnn(level: int) -> Stage:
        name = f"cascade_{level}"
        return Stage(
            name=name,
            build=CropNet,
            forward=cascade(config, level - 1, name),
            loss=cascade_loss,
            optimiser=Optimiser(lr=config.lr),
            steps=config.steps,
            batch=config.batch,
            sampler="half_marked",
            validate="none",
            out_of_fold=OutOfFold(folds=config.folds, say=speak(config, name)),
            recalls="candidates:found",
            consumes=("candidates:found",),
        )

    def fitted(name: str, build: Any, learn: Any, consumes: Sequence[str] = ()) -> Stage:
        return Stage(name=name, kind="sklearn", build=build, learn=learn, consumes=tuple(consumes))

    features = ("candidates:found", "cascade_1:out_of_fold", "cascade_2:out_of_fold")
    return (
        rbm(0),
        rbm(1),
        Stage(
            name="belief",
            build=net,
            forward=pixel_labels(config),
            loss=pixel_loss,
            trainable=(*deep, *(f"levels.{k}.head." for k in levels)),
            optimiser=Optimiser(kind="adam", lr=config.lr),
            starts_from=(Copied(stage="rbm_2"),),
            steps=config.steps,
            batch=config.batch,
            sampler="half_marked",
            validate="none",
        ),
        fitted("gates", lambda: Kept(config.levels - 1), lambda lesson: learn_gates(config, lesson)),
        Stage(
            name="candidates",
            kind="extract",
            build=nn.Identity,
            validate="none",
            learn=lambda lesson: learn_candidates(config, lesson),
        ),
        cnn(1),
        fitted("keep_1", lambda: Kept(1), lambda lesson: learn_kept(config, 1, lesson), features[:2]),
        cnn(2),
        fitted("keep_2", lambda: Kept(1), lambda lesson: learn_kept(config, 2, lesson), features[::2]),
        fitted("forest_1", lambda: ForestStep(config.trees), lambda lesson: learn_forest(config, 1, lesson), features),
        fitted("forest_2", lambda: ForestStep(config.trees), lambda lesson: learn_forest(config, 2, lesson), features),
    )


def region_rows(modules: Modules, batch: Batch, deep: Tensor) -> Tensor:
    """(B, 128 + 74) of given regions: what the CNN says, and the hand-made features of the whole square."""
    squares = [own[0, 0].float().cpu().numpy() for own in batch.x]
    hand = np.stack([candidate_features(own, np.ones(own.shape, bool), own) for own in squares])
    return torch.cat([deep.double().cpu(), torch.from_numpy(hand)], 1)


def learn_region_forest(lesson: Lesson) -> None:
    """Fit on out-of-fold features of the training regions."""
    own = lesson.artefact("cnn:out_of_fold")
    place = {int(i): n for n, i in enumerate(own["index"])}
    x, y = [], []
    for batch in lesson.batches("train"):
        index = [int(i) for i in lesson.places(batch.ids)]
        keep = [n for n, i in enumerate(index) if i in place]
        deep = torch.stack([own["values"][place[index[n]]] for n in keep]) if keep else torch.zeros(0, FEATURES)
        rows = region_rows(lesson.modules, batch, torch.zeros(len(index), 0))
        x.append(torch.cat([deep.double(), rows[keep]], 1))
        y.append(batch.targets["class"][keep].cpu())
    forest: Any = lesson.modules["forest"]
    forest.fit(torch.cat(x).numpy(), torch.cat(y).numpy(), seed=lesson.seed)


def region_stages(config: Config, aim: Aim) -> tuple[Stage, ...]:
    """A CNN of the cascade and a forest."""
    classes = len(aim.labels)

    def say(modules: Modules, batch: Batch) -> Tensor:
        network: Any = modules["cnn"]
        return network.embed(batch.x[:, 0])

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        return {"cross_entropy": functional.cross_entropy(outputs["logits"].float(), batch.targets["class"])}

    return (
        Stage(
            name="cnn",
            build=lambda: CropNet(classes),
            loss=loss,
            optimiser=Optimiser(lr=config.lr),
            steps=config.steps,
            batch=4 * config.batch,
            sampler="class_balanced",
            validate="loss",
            out_of_fold=OutOfFold(folds=config.folds, say=say),
        ),
        Stage(
            name="forest",
            kind="sklearn",
            build=lambda: RandomForest(classes, trees=config.trees),
            learn=learn_region_forest,
            consumes=("cnn:out_of_fold",),
        ),
    )


def predict(modules: Modules, batch: Batch, config: Config, inference: Inference) -> list[Prediction]:
    """Boxes that the whole cascade lets through, or the forest's answer on regions; the trees are the members."""
    if inference.aim.task == "lesion_classification":
        return _regions(modules, batch, inference)
    said = []
    for n in range(len(batch.ids)):
        left, rows, members = survivors(config, modules, batch, n)
        boxes = left[-1]
        scores = members.mean(0).float()
        eligible = torch.nonzero(scores >= inference.min_score)[:, 0]
        limit = inference.per_finding or inference.max_boxes
        keep = eligible[nms(boxes[eligible], scores[eligible], HIT_IOU, limit=limit)]
        said.append(
            Prediction(
                boxes=boxes[keep],
                scores=scores[keep],
                labels=torch.zeros(len(keep), dtype=torch.long),
                samples=members[:, keep].float() if inference.passes else None,
                values={f"left_after_{k}": float(len(own)) for k, own in enumerate(left)},
                embedding=rows[keep].float().mean(0) if len(keep) else torch.zeros(rows.shape[1]),
            )
        )
    return said


def _regions(modules: Modules, batch: Batch, inference: Inference) -> list[Prediction]:
    network, forest = cast(CropNet, modules["cnn"]), cast(RandomForest, modules["forest"])
    rows = region_rows(modules, batch, network.embed(batch.x[:, 0]))
    members = forest.members(rows).float().cpu()  # (T, B, C)
    mean = members.mean(0)
    return [
        Prediction(
            probabilities=mean[n],
            logits=mean[n].clamp(min=1e-6).log(),
            samples=members[:, n] if inference.passes else None,
            embedding=rows[n].float(),
        )
        for n in range(len(mean))
    ]


SPEC = MethodSpec(
    name="dbn_forest",
    seed_row=13,
    serves=(
        Serves(
            task="lesion_detection",
            fidelity="reconstruction",
            claim_note="The row's title is Deep Belief-RF Detection, its reference another work (Schaffter 2020, an "
            "ensemble of challenge entries: `dream_ensemble`). This is the title: Dhungel 2015 reports about 0.96 "
            "sensitivity at 1.2 false positives an image on INbreast (figure of the paper, from memory). Neither "
            "method alone is the row.",
        ),
        Serves(
            task="lesion_classification",
            fidelity="reconstruction",
            claim_note="The last two steps of the cascade on regions that marks give.",
        ),
    ),
    findings=("mass",),
    inputs=Inputs(unit="image"),
    needs=(Need(label="box", min_train=4),),
    sizes=("tiny", "large"),
    reference="N. Dhungel, G. Carneiro, A. Bradley, Automated mass detection in mammograms using cascaded deep "
    "learning and random forests, DICTA 2015.",
    config=Config,
    defaults=DEFAULTS,
    reads=reads,
    stages=stages,
    predict=predict,
    unsure_by="members",
)
