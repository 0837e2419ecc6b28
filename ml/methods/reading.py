"""What methods share when they read: which views make a sample, and whole images with their variation. No torch."""

from collections.abc import Sequence
from typing import Any, Protocol

from ml.methods.spec import Inputs, Reads, TrainView

FOUR_VIEWS = ("R-CC", "L-CC", "R-MLO", "L-MLO")
TWO_VIEWS = ("CC", "MLO")
IMAGE = Inputs(unit="image")
#: A view that is missing is told by `view_mask`; something else lies in its slot.
BREAST = Inputs(unit="breast", views=TWO_VIEWS, missing="token")
EXAM = Inputs(unit="exam", views=FOUR_VIEWS, missing="token")
PAIR = Inputs(unit="view_pair", views=("R", "L"))


class Scaled(Protocol):
    """A config that says how large a pixel is."""

    @property
    def target_spacing_mm(self) -> float: ...


class Turned(Scaled, Protocol):
    """One that says how far images are turned too."""

    @property
    def rotation_degrees(self) -> float: ...


class Cut(Turned, Protocol):
    """One that says how large a cut-out is."""

    @property
    def roi_px(self) -> int: ...


def varied(rotation_degrees: float) -> dict[str, Any]:
    """How whole images are varied where lesions are looked for."""
    return {
        "flip_y": 0.5,
        "rotation_degrees": rotation_degrees,
        "scale": 0.1,
        "translate_mm": 5.0,
        "gamma": 0.25,
        "contrast": 0.1,
        "noise": 0.02,
    }


def whole_images(
    config: Turned,
    target: str,
    *,
    side_px: int | None = None,
    most_px: int | None = None,
    view: TrainView | None = None,
) -> Reads:
    """One image each, padded to a square of `side_px`, or as it is with a long side of `most_px` at most."""
    frame: dict[str, Any] = {"max_long_px": most_px} if side_px is None else {"size": (side_px, side_px)}
    return Reads(
        inputs=IMAGE,
        pixels={"target_spacing_mm": config.target_spacing_mm, **frame, "window": "percentile"},
        augment=varied(config.rotation_degrees),
        targets=(target,),
        view=view,
    )


def squares(config: Cut, *targets: str) -> Reads:
    """Squares of 1.5 times a mark, scaled to `roi_px`."""
    return Reads(
        inputs=Inputs(unit="roi"),
        pixels={"target_spacing_mm": config.target_spacing_mm, "window": "percentile"},
        augment={
            "flip_x": 0.5,
            "rotation_degrees": config.rotation_degrees,
            "gamma": 0.2,
            "contrast": 0.1,
            "noise": 0.02,
        },
        targets=targets,
        roi={"size_px": config.roi_px, "margin": 1.5},
    )


def pairs(config: Scaled, size_px: Sequence[int], *targets: str) -> Reads:
    """Both breasts in one view at one scale; neither is ever mirrored or turned over alone."""
    return Reads(
        inputs=PAIR,
        pixels={"target_spacing_mm": config.target_spacing_mm, "size": tuple(size_px)},
        augment={"rotation_degrees": 5.0, "scale": 0.05, "translate_mm": 3.0, "gamma": 0.1, "noise": 0.02},
        targets=targets,
    )
