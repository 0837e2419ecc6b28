"""One exam of an invented woman: two breasts, their findings, the views that were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.simulation import distractors, render
from ml.simulation.breast import Breast, Woman
from ml.simulation.breast import breasts as both_breasts
from ml.simulation.lesions.shape import Canvas, Lesion
from ml.simulation.model import VIEWS, Bools, Density, Exam, Finding, FindingSpec, Floats, Mark, ViewImage
from ml.simulation.outline import Anatomy, anatomy
from ml.simulation.placing import Taken, place, settled
from ml.simulation.streams import stream

NOISE = 24.0
#: How likely a finding is malignant, and its category if it is not and if it is.
_MALIGNANT = {"spiculated": 0.95, "irregular": 0.7, "pleomorphic": 0.6, "linear": 0.85, "radiating": 0.5, "focal": 0.2}
_CATEGORIES = {
    "round": ("2", "4"),
    "oval": ("2", "4"),
    "coarse": ("2", "4"),
    "punctate": ("3", "4"),
    "focal": ("3", "4"),
}
_OTHER_CATEGORIES = ("4", "5")


@dataclass(frozen=True)
class _Placed:
    spec: FindingSpec
    lesion: Lesion
    malignant: bool


def exam(
    seed: int,
    *,
    density: Density = "b",
    findings: Sequence[FindingSpec] = (),
    views: Sequence[str] = VIEWS,
    spacing_mm: float = 0.2,
    noise: float = NOISE,
    extras: bool = True,
) -> Exam:
    """One exam. noise: standard deviation in grey values. extras: markers, vessels, folds, lymph nodes.

    The same arguments give the same pixels; leaving findings out changes nothing but the findings. Raises ValueError
    on an unknown view or subtype, and where there is no room for a finding.
    """
    unknown = set(views) - set(VIEWS)
    if unknown:
        raise ValueError(f"no such view: {', '.join(sorted(unknown))}")
    woman = Woman.draw(seed, density)
    breasts = {str(side): made for side, made in both_breasts(woman).items()}
    # All views are laid out, also those that are not wanted: a finding lies where every view can show it.
    frames = {view: anatomy(woman, breasts[view[0]], view, spacing_mm) for view in VIEWS}
    placed = _placed(seed, findings, breasts, frames)
    tiles = render.septa_tiles(seed, spacing_mm)
    images, marks = {}, [dict[str, Mark]() for _ in placed]
    for view in views:
        images[view], seen = _view(woman, breasts[view[0]], frames[view], tiles, placed, noise, extras)
        for number, mark in seen.items():
            marks[number][view] = mark
    truth = tuple(_finding(thing, its_marks) for thing, its_marks in zip(placed, marks, strict=True))
    age = int(stream(seed, "age").integers(40, 79))
    return Exam(seed, density, spacing_mm, images, truth, age, _extras_of(seed) if extras else ())


def _placed(
    seed: int, specs: Sequence[FindingSpec], breasts: Mapping[str, Breast], frames: Mapping[str, Anatomy]
) -> list[_Placed]:
    taken: dict[str, Taken] = {"R": [], "L": []}
    result = []
    for number, wish in enumerate(specs):
        generator = stream(seed, "finding", str(number))
        spec, side = settled(wish, generator), wish.laterality
        own = {view: frame for view, frame in frames.items() if view[0] == side}
        lesion = place(spec, generator, breasts[side], own, taken[side])
        malignant = float(generator.random()) < _MALIGNANT.get(str(spec.subtype), 0.1)
        result.append(_Placed(spec, lesion, malignant))
    return result


def _finding(placed: _Placed, marks: dict[str, Mark]) -> Finding:
    spec, centre = placed.spec, placed.lesion.centre
    assert spec.subtype is not None and spec.size_mm is not None
    return Finding(
        type=spec.type,
        subtype=spec.subtype,
        laterality=spec.laterality,
        pathology="malignant" if placed.malignant else "benign",
        birads=_CATEGORIES.get(spec.subtype, _OTHER_CATEGORIES)[placed.malignant],
        size_mm=spec.size_mm,
        centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        marks=marks,
    )


def _view(
    woman: Woman,
    side: Breast,
    view: Anatomy,
    tiles: Sequence[Floats],
    placed: Sequence[_Placed],
    noise: float,
    extras: bool,
) -> tuple[ViewImage, dict[int, Mark]]:
    frame, seed = view.frame, woman.seed
    threads = render.connective(view, tiles, seed)
    share = render.glandular_share(side, view, threads, seed)
    added = _extra_layers(view, woman) if extras else np.zeros(frame.shape)
    canvas = Canvas(frame, woman.thickness, share.copy(), threads, added)
    masks: dict[int, Bools] = {}
    for number, thing in enumerate(placed):
        if thing.spec.laterality == frame.side:
            masks[number] = thing.lesion.paint(canvas)
    values = render.grey_values(view, canvas.share, canvas.threads, canvas.added, seed, noise)
    pixels = frame.as_stored(np.rint(values).astype(np.uint16))
    if extras:
        distractors.marker(pixels, frame)
    inside = view.depth > 0
    image = ViewImage(
        view=frame.view,
        pixels=pixels,
        breast=frame.as_stored(inside),
        muscle=frame.as_stored(inside & (view.muscle > 0)),
        dense=frame.as_stored(share),
        masks={number: frame.as_stored(mask) for number, mask in masks.items()},
        thickness_mm=woman.thickness,
    )
    return image, {number: placed[number].lesion.mark(frame, mask) for number, mask in masks.items()}


def _extra_layers(view: Anatomy, woman: Woman) -> Floats:
    """What distractors add, in shares of glandular contrast."""
    added = 0.11 * distractors.vessels(view, woman)
    chosen = _extras_of(woman.seed)
    if f"fold:{view.frame.view}" in chosen:
        added = added + 0.28 * distractors.fold(view, woman.seed)
    if f"node:{view.frame.side}" in chosen and view.frame.projection == "MLO":
        added = added + 0.30 * distractors.node(view, woman.seed)
    return added


def _extras_of(seed: int) -> tuple[str, ...]:
    """Which folds and lymph nodes this woman has."""
    generator = stream(seed, "extras")
    folds = tuple(f"fold:{view}" for view in VIEWS if generator.random() < 0.22)
    return folds + tuple(f"node:{side}" for side in "RL" if generator.random() < 0.4)
