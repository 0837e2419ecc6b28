"""From a manifest row to what a loss takes: one builder a kind of target, found by its name.

A builder makes tensors of one sample in the pixels of its network input; marks move with their image's affine. The
group of a sample is what it counts as when samples are drawn: None teaches nothing and is not drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ml.training.targets import boxes, classes, density, masks, recall
from ml.training.targets.shown import Group, Shown

Builder = Callable[[Shown], dict[str, Tensor]]


@dataclass(frozen=True)
class Target:
    """How a kind of target is built, and what a sample counts as."""

    build: Builder
    group: Callable[[Shown], Group]


TARGETS: Mapping[str, Target] = {
    "density": Target(density.build, density.group),
    "boxes": Target(boxes.build, boxes.group),
    "masses": Target(boxes.build_lesions, partial(boxes.group, kind="mass")),
    "calcifications": Target(boxes.build_lesions, partial(boxes.group, kind="calcification")),
    "mask": Target(masks.build, masks.group),
    "side_marks": Target(masks.build_sides, masks.group),
    "tissue": Target(masks.build_tissue, masks.group_tissue),
    "breast": Target(masks.build_breast, masks.group_any),
    "class": Target(classes.build, classes.group),
    "class_0": Target(classes.build, classes.group_only(0)),
    "class_1": Target(classes.build, classes.group_only(1)),
    "findings": Target(classes.build_findings, classes.group),
    "benign": Target(classes.build_benign, classes.group),
    "recall": Target(recall.build, masks.group_any),
    "presence": Target(classes.build_presence, classes.group_presence),
}
#: Targets whose number differs from sample to sample: a batch keeps them as lists.
RAGGED = frozenset({"boxes", "labels", "ignore", "types", "malignant"})
#: Targets that are maps: padded like the pixels of a batch.
MAPS = frozenset({"mask", "ignore_mask", "tissue", "breast_map"})


def targets_for(names: Sequence[str], shown: Shown) -> dict[str, Tensor]:
    """All named targets of a sample."""
    found: dict[str, Tensor] = {}
    for name in names:
        found |= TARGETS[name].build(shown)
    return found


def group_of(names: Sequence[str], shown: Shown) -> Group:
    """What a sample counts as for its first target; 0 where nothing is to be learned from labels."""
    return TARGETS[names[0]].group(shown) if names else 0
