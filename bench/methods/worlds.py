"""Probe phantoms as a run folder's images: one way for each kind of exam, so that every method reads them for real.

A family of `ml.simulation.probes` gives arrays; here they become .npy files and manifest rows, with the chest wall
where that breast has it, the label in the place that the task reads, and splits that share no phantom.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.runs.manifest import Density, Finding, ManifestRow, Mark, Outcome, Split
from ml.simulation.probes import FAMILIES, Masks, boxes, canvas
from ml.simulation.streams import stream
from ml.simulation.texture import power_law

WHITE = 4095
SPLITS: tuple[Split, ...] = ("train", "val", "test")
VIEWS: Mapping[str, tuple[str, ...]] = {
    "image": ("L-CC",),
    "region": ("L-CC",),
    "breast": ("L-CC", "L-MLO"),
    "pair": ("L-CC", "R-CC"),
    "exam": ("R-CC", "L-CC", "R-MLO", "L-MLO"),
}
"""The views that a family's images are, in its order."""
REGION_MARGIN = 1.5
"""A region is a mark's side times this, so a mark of 1 / 1.5 of the patch makes a region of the whole patch."""

OUTLINED = ("mass_shapes", "masses_apart")
"""Families of patches whose regions have an outline, too."""

Answer = Literal["density", "outcome", "boxes", "mask", "asymmetry", "pathology", "presence"]


@dataclass(frozen=True, kw_only=True)
class Phantoms:
    """Which phantoms a check is made on.

    count: of train, val and test. size: side in pixels of spacing_mm. classes: labels of the family that are used, in
    the order of what they stand for (empty = all). options go to the family; test_options replace them in val and test.
    """

    family: str
    layout: str
    answer: Answer
    count: tuple[int, int, int] = (240, 40, 200)
    size: int = 64
    spacing_mm: float = 1.0
    letters: str = "ABCD"
    classes: tuple[int, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    test_options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Made:
    """Phantoms as rows, and (N, V, H, W) images with (N,) labels and splits for baselines that need no run."""

    rows: list[ManifestRow]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    split: npt.NDArray[np.str_]


def made(folder: Path, phantoms: Phantoms) -> Made:
    """Write the images under `folder`; the same phantoms give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[ManifestRow] = []
    parts = []
    for place, (split, count) in enumerate(zip(SPLITS, phantoms.count, strict=True)):
        if not count:
            continue
        x, y, masks = _drawn(phantoms, split, count, 3 * phantoms.seed + place)
        parts.append((x, y, np.full(len(y), split)))
        for index in range(len(y)):
            rows += _rows(folder, phantoms, split, index, x[index], int(y[index]), masks[index])
    return Made(rows, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _drawn(phantoms: Phantoms, split: str, count: int, seed: int) -> tuple[Any, Any, Any]:
    options = phantoms.test_options if split != "train" and phantoms.test_options else phantoms.options
    make: Callable[..., Any] = FAMILIES[phantoms.family]
    # Of three or four classes in equal parts, two are wanted: twice as many hold enough of them.
    x, y, masks = make(2 * count + 4 if phantoms.classes else count, seed, phantoms.size, **options)
    if x.ndim == 3:
        x, masks = x[:, None], masks[:, None]
    if phantoms.classes:
        kept = np.flatnonzero(np.isin(y, phantoms.classes))[:count]
        x, masks = x[kept], masks[kept]
        y = np.array([phantoms.classes.index(int(label)) for label in y[kept]])
    return x, y, masks


def _rows(
    folder: Path, phantoms: Phantoms, split: Split, index: int, x: Any, y: int, masks: Any
) -> Iterator[ManifestRow]:
    name = f"{split}{index:04d}"
    letter: Any = phantoms.letters[y] if phantoms.answer == "density" else None
    view: Any
    for slot, view in enumerate(VIEWS[phantoms.layout]):
        pixels, mask = x[slot], masks[slot]
        if phantoms.layout == "region":
            pixels, mask = _embedded(pixels, mask, split, index)
        if view[0] == "R":  # the chest wall of a right breast is at the right
            pixels, mask = pixels[:, ::-1], mask[:, ::-1]
        path = folder / f"{name}-{view}.npy"
        np.save(path, np.rint(pixels * WHITE).astype(np.uint16))
        findings = tuple(_findings(folder, phantoms, f"{name}-{view}", y, np.ascontiguousarray(mask)))
        yield ManifestRow(
            image_id=f"{name}-{view}", exam_id=name, patient_id=name, laterality=view[0], view=view[2:],
            rows=pixels.shape[0], cols=pixels.shape[1], pixel_path=path.name, pixel_format="npy",
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(), presentation="for_presentation", bits_stored=12,
            spacing_mm=(phantoms.spacing_mm, phantoms.spacing_mm), spacing_source="user", dataset="phantoms",
            density=Density(label=letter) if letter else None,
            findings=findings, complete=True, split=split,
            outcome=Outcome(cancer=1 if y > 0 else 0) if phantoms.answer == "outcome" else None,
        )  # fmt: skip


def _findings(folder: Path, phantoms: Phantoms, image_id: str, y: int, mask: Masks) -> Iterator[Finding]:
    if phantoms.answer == "density":
        return
    if phantoms.layout == "region":
        yield _region(folder, phantoms, image_id, y, mask)
        return
    # Of the cues of an exam the lesion alone has an outline; the others are what an exam is about.
    shown = np.where(mask == 1, mask, 0) if phantoms.family == "three_cues" else mask
    if phantoms.family == "marker_confound":
        shown = np.where(mask == 2, 1, 0).astype(np.uint8)
    kind: Any = {"asymmetry": "asymmetry"}.get(phantoms.answer, _kind(phantoms.family))
    for value, (x0, y0, x1, y1) in zip(np.unique(shown[shown > 0]), boxes(shown), strict=True):
        marks = [Mark(mark_id=f"{image_id}:{value}", kind="box", geometry=[x0, y0, x1, y1])]
        if phantoms.answer == "mask":
            marks = [_outline(folder, f"{image_id}:{value}", shown == value)]
        yield Finding(
            finding_id=f"{image_id}:{value}", type=kind, pathology="malignant" if y else "benign", marks=tuple(marks)
        )


def _kind(family: str) -> str:
    return "calcification" if family == "calc_cluster" else "mass"


def corner(size: int) -> tuple[int, int]:
    """Row and column of the upper left pixel of a patch in its breast."""
    return size // 2, size // 8


def _embedded(patch: Any, mask: Any, split: str, index: int) -> tuple[Any, Any]:
    """A patch (S, S) inside a breast of twice its side, its mask likewise.

    A patch alone has no air: what the preparation then takes for the breast would depend on its texture and tell it.
    """
    size = len(patch)
    generator = stream(0, "around", split, str(index))
    breast = canvas.half_ellipse(generator, 2 * size)
    tissue = power_law(generator, breast.shape, 1.0, beta=3.0, coarsest_mm=size / 2)
    image, around = canvas.levelled(tissue, breast), np.zeros(breast.shape, np.uint8)
    row, col = corner(size)
    image[row : row + size, col : col + size] = patch
    around[row : row + size, col : col + size] = mask
    return image, around


def _region(folder: Path, phantoms: Phantoms, image_id: str, y: int, mask: Masks) -> Finding:
    """The mark whose region is the whole patch; with an outline, where the check is about one."""
    size = phantoms.size
    edge = size * (1 - 1 / REGION_MARGIN) / 2
    row, col = corner(size)
    box = [col + edge, row + edge, col + size - edge, row + size - edge]
    marks = [Mark(mark_id=f"{image_id}:0", kind="box", geometry=box)]
    if phantoms.family in OUTLINED:
        marks.append(_outline(folder, f"{image_id}:1", mask > 0))
    return Finding(
        finding_id=f"{image_id}:0", type="mass", pathology="malignant" if y else "benign", marks=tuple(marks)
    )


def _outline(folder: Path, mark_id: str, inside: npt.NDArray[np.bool_]) -> Mark:
    path = folder / f"{mark_id.replace(':', '-')}.png"
    Image.fromarray(inside.astype(np.uint8) * 255).save(path)
    return Mark(mark_id=mark_id, kind="mask", geometry={"path": path.name})
