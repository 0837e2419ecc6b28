"""What methods share when they answer: passes by held dropout masks, softmax of classes, boxes from maps."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ml.blocks.dropout import held
from ml.evaluation.undefined import NotAScore
from ml.methods.spec import Aim, Inference, Prediction
from ml.pixels.components import components
from ml.runs.errors import invalid

MASK_THRESHOLD = 0.5
#: Parts of a map that are looked at for the ranking reach down to this probability.
FAINT = 0.1
MIN_COMPONENT_MM2 = 20.0


def require_numbers(*said: Tensor | None) -> None:
    """Raises NotAScore where something that is said is NaN or infinite: a threshold would drop it without a word."""
    if not all(bool(torch.isfinite(part).all()) for part in said if part is not None):
        raise NotAScore("the model says NaN or infinity")


def binary(z: Tensor) -> Tensor:
    """Logits (..., 2) = [0, z] of the one logit of a binary task: its softmax is the sigmoid of z."""
    return torch.stack([torch.zeros_like(z), z], -1)


def over_passes(network: nn.Module, stage: str, inference: Inference, logits: Callable[[], Tensor]) -> Tensor:
    """(B, T, C) from `logits() -> (B, C)`, called once per pass with that pass's masks held; T = 1 without passes."""
    if not inference.passes:
        return logits().float()[:, None]
    passes = []
    for t in range(inference.passes):
        with held(network, dict(inference.masks[stage]), t):
            passes.append(logits().float())
    return torch.stack(passes, 1)


def classified(
    logits: Tensor, embedding: Tensor, inference: Inference, values: Mapping[str, Tensor] | None = None
) -> list[Prediction]:
    """One prediction per sample from logits (B, T, C) and embedding (B, D); values by name, each (B,)."""
    logits, embedding = logits.float().cpu(), embedding.float().cpu()
    # A number of the host's cannot stand in a program of torch.export, which carries tensors alone.
    named = {} if torch.compiler.is_exporting() else values or {}
    samples = logits.softmax(-1)
    return [
        Prediction(
            probabilities=samples[n].mean(0),
            logits=logits[n].mean(0),
            samples=samples[n] if inference.passes else None,
            values={name: float(own[n].detach()) for name, own in named.items()},
            embedding=embedding[n],
        )
        for n in range(len(logits))
    ]


def require_outlines(aim: Aim, method: str) -> None:
    """A method that outlines lesions learns no tissues, and as a detector one type of finding.

    Raises RunRefused (exit 2, `target_unknown`, `findings_unsupported`).
    """
    if aim.target == "tissue":
        raise invalid("target_unknown", f"{method} outlines lesions: ask for the target mask, it learns no tissues")
    if aim.task == "lesion_detection" and len(aim.labels) != 1:
        raise invalid("findings_unsupported", f"{method} finds one type of finding at a time, not {len(aim.labels)}")


def boxes_of_map(maps: Tensor, mm_per_px: float, inference: Inference, embedding: Tensor) -> Prediction:
    """Connected parts of a map as boxes, for a method that outlines and is asked to detect; maps (T, H, W).

    A part's score is its mean probability. A plain answer has the parts over 0.5; for the ranking, which wants
    candidates at any score, they reach down to FAINT, or lower where the whole map is. Raises NotAScore.
    """
    require_numbers(maps)
    mean = maps.float().mean(0).cpu().numpy()
    limit, threshold = inference.max_boxes, MASK_THRESHOLD
    if inference.per_finding is not None:
        limit, threshold = inference.per_finding, min(FAINT, float(mean.max()) / 2)
    found = components(mean, threshold, MIN_COMPONENT_MM2 / mm_per_px**2, limit)
    if not found.parts and inference.per_finding is not None:
        found = components(mean, threshold, most=limit)
    parts = [torch.from_numpy(part).to(maps.device) for part in found.parts]
    passes = [maps[:, part].float().mean(1).cpu() for part in parts]
    scores = torch.from_numpy(found.scores)
    drawn = torch.stack(passes, 1) if passes else torch.zeros(len(maps), 0)
    return Prediction(
        boxes=torch.from_numpy(found.boxes),
        scores=scores,
        labels=torch.zeros(len(scores), dtype=torch.long),
        samples=drawn if inference.passes else None,
        embedding=embedding.float().cpu(),
    )
