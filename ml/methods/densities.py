"""What the density methods share: the views of an exam, how its images are prepared and varied, and the loss."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ml.blocks.losses import soft_cross_entropy
from ml.methods.spec import Batch, Inputs, Outputs
from ml.runs.needs import Need

#: The order of the public NYU code, which concatenates its views so.
NYU_VIEWS = ("L-CC", "R-CC", "L-MLO", "R-MLO")
NYU_EXAM = Inputs(unit="exam", views=NYU_VIEWS, missing="other_breast")
NEEDS = (Need(label="density", min_train=4, min_classes=2),)
#: Grey values hardly vary: density is told by contrast, too.
AUGMENT: Mapping[str, Any] = {
    "flip_y": 0.5,
    "rotation_degrees": 10.0,
    "scale": 0.1,
    "translate_mm": 5.0,
    "gamma": 0.1,
    "noise": 0.02,
}


def density_loss(smoothing: float = 0.05) -> Callable[[Outputs, Batch], dict[str, Tensor]]:
    """Cross-entropy of `logits` (B, C) against the readers' shares, smoothed; the mean over the batch."""

    def loss(outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        target = batch.targets["density"]
        target = target * (1 - smoothing) + smoothing / target.shape[1]
        return {"cross_entropy": soft_cross_entropy(outputs["logits"], target).mean()}

    return loss
