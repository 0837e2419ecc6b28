"""Where a score came from: one map over each view of a sample, of the best kind that its method allows.

A method's own map (`MethodSpec.heat`, or its outline) comes first; then Grad-CAM at the last feature maps; where no
gradient reaches the pixels (forests, frozen encoders, hand-made features), squares are covered one at a time.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ml.blocks.grad_cam import weighted
from ml.blocks.occlusion import occlusion, squares
from ml.methods.spec import Aim, Batch, Inference, MethodSpec, Modules, Prediction
from ml.runs.explanations import MapKind
from ml.training.feature_maps import last_maps, watched

SQUARE_MM = 10.0
#: Covering is slow: a sample of more squares than this is not explained so.
MOST_SQUARES = 1500
#: A region of interest is smaller than ten squares of 10 mm: it is covered in so many steps a side.
REGION_STEPS = 8


@dataclass(frozen=True)
class Heat:
    """Maps (V, H, W) >= 0 over the prepared pixels, not yet divided; label: the class that they speak for."""

    kind: MapKind
    maps: Tensor
    label: str
    score: float | None


@dataclass(frozen=True)
class Speech:
    """Networks that answer about one aim, and how they are asked."""

    method: MethodSpec
    modules: Modules
    config: Any
    aim: Aim

    def of(self, batch: Batch, **more: Any) -> list[Prediction]:
        """Plain answers, candidates at any score."""
        inference = Inference(aim=more.pop("aim", self.aim), min_score=0.0, max_boxes=20)
        return self.method.predict(self.modules, batch, more.pop("config", self.config), inference)


def heat_of(speech: Speech, batch: Batch) -> Heat | None:
    """The map of a batch of one sample; None where covering it would take too long."""
    for network in speech.modules.values():
        network.eval()
    with torch.no_grad():
        (said,) = speech.of(batch)
    own = _own(speech, batch, said)
    if own is not None:
        return own
    return _by_gradient(speech, batch, said) or _by_covering(speech, batch, said)


def label_of(aim: Aim, said: Prediction) -> tuple[int, str]:
    """The class that is explained: the one that a binary task asks about, else the one that was said; of the best box.

    Its index in the outputs, and its name.
    """
    if said.probabilities is not None:
        index = 1 if len(said.probabilities) == 2 else int(said.probabilities.argmax())
    else:
        index = int(said.labels[0]) if said.labels is not None and len(said.labels) else 0
    return index, aim.labels[index] if index < len(aim.labels) else "lesion"


def _score(said: Prediction, index: int) -> Tensor | None:
    """What is explained: a class's logit, or the best box's score."""
    if said.logits is not None:
        return said.logits[index]
    return said.scores[0] if said.scores is not None and len(said.scores) else None


def _told(said: Prediction, index: int) -> float | None:
    if said.probabilities is not None:
        return float(said.probabilities[index])
    return float(said.scores[0]) if said.scores is not None and len(said.scores) else None


def _own(speech: Speech, batch: Batch, said: Prediction) -> Heat | None:
    """The method's own map, or its outline, which detectors that outline have as well."""
    index, label = label_of(speech.aim, said)
    with torch.no_grad():
        if speech.method.heat is not None:
            maps = speech.method.heat(speech.modules, batch, speech.config)[0]
            return Heat("own", _to_pixels(maps, batch), label, _told(said, index))
        outlines = any(entry.task == "segmentation" for entry in speech.method.serves)
        if said.mask is None and outlines and speech.aim.task == "lesion_detection":
            (said,) = speech.of(batch, aim=replace(speech.aim, task="segmentation", target="mask"))
    if said.mask is None or speech.aim.task not in ("segmentation", "lesion_detection"):
        return None
    # Of tissues the last is the densest.
    mask = said.mask if said.mask.dim() == 2 else said.mask[-1]
    label = speech.aim.labels[-1] if said.mask.dim() == 3 else "lesion"
    maps = functional.pad(mask, (0, batch.x.shape[-1] - mask.shape[-1], 0, batch.x.shape[-2] - mask.shape[-2]))
    return Heat("own", maps.detach().float().cpu()[None], label, float(mask.max()))


def _by_gradient(speech: Speech, batch: Batch, said: Prediction) -> Heat | None:
    index, label = label_of(speech.aim, said)
    x = batch.x.detach().clone().requires_grad_(True)
    with torch.enable_grad(), watched(speech.modules) as seen:
        try:
            (answer,) = speech.of(replace(batch, x=x), **_whole(speech.config))
            score = _score(answer, index)
        except (RuntimeError, TypeError):
            return None  # it goes through numpy on its way: no gradient comes back
        if score is None or not score.requires_grad or not seen:
            return None
        found = last_maps(seen, score, x)
    if not found:
        return None
    maps = torch.zeros(x.shape[1], *x.shape[-2:])
    for view, (features, gradient) in found.items():
        maps[view] = _enlarged(weighted(features[None], gradient[None]).float().cpu(), x)[0]
    return Heat("grad_cam", maps, label, _told(said, index))


def _whole(config: Any) -> dict[str, Any]:
    """A detector that also looks at sections is explained by its look at the whole image."""
    return {"config": replace(config, sections=False)} if getattr(config, "sections", False) else {}


def _by_covering(speech: Speech, batch: Batch, said: Prediction) -> Heat | None:
    index, label = label_of(speech.aim, said)
    if _score(said, index) is None:  # a detector without a candidate: nothing speaks
        return Heat("occlusion", torch.zeros(batch.x.shape[1], *batch.x.shape[-2:]), label, None)
    side = _side_px(batch)
    if squares(batch.breast[0], side) > MOST_SQUARES:
        return None

    def score_of(x: Tensor) -> Tensor:
        answers = [_score(one, index) for one in speech.of(_repeated(batch, x))]
        return torch.stack([torch.zeros(()) if one is None else one.float().cpu() for one in answers])

    with torch.no_grad():
        heat = occlusion(score_of, batch.x, batch.breast[0], side)
    return Heat("occlusion", _enlarged(heat, batch.x, side), label, _told(said, index))


def _side_px(batch: Batch) -> int:
    """10 mm in pixels, or an eighth of a region that is smaller than eight such squares."""
    longest = max(batch.x.shape[-2:])
    mm = float(batch.mm_per_px[0, 0]) or 1.0
    return max(2, min(round(SQUARE_MM / mm), longest // REGION_STEPS))


def _repeated(batch: Batch, x: Tensor) -> Batch:
    """The one sample of a batch with other pixels, as often as there are of them."""
    n = len(x)

    def many(own: Tensor) -> Tensor:
        return own.repeat(n, *[1] * (own.dim() - 1))

    return replace(
        batch, x=x, view_mask=many(batch.view_mask), valid=many(batch.valid), breast=many(batch.breast),
        affine=many(batch.affine), mm_per_px=many(batch.mm_per_px), targets={}, ids=batch.ids * n,
        patients=batch.patients * n,
    )  # fmt: skip


def _to_pixels(maps: Tensor, batch: Batch) -> Tensor:
    return _enlarged(maps.detach().float().cpu().clamp(min=0), batch.x)


def _enlarged(maps: Tensor, x: Tensor, side: int | None = None) -> Tensor:
    """(V, h, w) over whole views, or in squares of `side` pixels, as (V, H, W)."""
    rows, cols = x.shape[-2:]
    if side is not None:
        return maps.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, :rows, :cols]
    return functional.interpolate(maps[:, None], size=(rows, cols), mode="bilinear", align_corners=False)[:, 0]
