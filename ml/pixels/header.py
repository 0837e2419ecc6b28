"""What a header says of its pixels, in one spelling: side, view, orientation, spacing, windows, intent.

Sources: PS3.3 C.8.11 (DX and mammography modules), C.7.6.1.1.1 (Patient Orientation), C.11.2 (VOI LUT), 10.7 (pixel
spacing); PS3.16 CID 4014 and 4015 (views and their modifiers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args

from pydicom.dataset import Dataset

Laterality = Literal["R", "L"]
VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
Relation = Literal["LIN", "LOG"]
LATERALITIES: tuple[Laterality, ...] = get_args(Laterality)
VOI_FUNCTIONS: tuple[VoiFunction, ...] = get_args(VoiFunction)
RELATIONS: tuple[Relation, ...] = get_args(Relation)
Known = TypeVar("Known", bound=str)
Presentation = Literal["for_processing", "for_presentation", "film", "unknown"]
SpacingSource = Literal["imager", "pixel", "dataset", "user", "unknown"]

FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
FOR_PRESENTATION = "1.2.840.10008.5.1.4.1.1.1.2"

# Codes of CID 4014 in SNOMED CT and in the older SNOMED-RT spelling (schemes SRT, SNM3, 99SDM) that most files carry.
_VIEW_OF_CODE = {
    "399162004": "CC", "R-10242": "CC",
    "399368009": "MLO", "R-10226": "MLO",
    "399260004": "ML", "R-10224": "ML",
    "399352003": "LM", "R-10228": "LM",
    "399192008": "XCCL", "R-1024A": "XCCL", "Y-X1770": "XCCL",
    "399099002": "OTHER", "R-10230": "OTHER",  # latero-medial oblique
    "399196006": "OTHER", "R-10244": "OTHER",  # caudo-cranial
    "399188001": "OTHER", "R-102D0": "OTHER",  # superolateral to inferomedial oblique
    "441555000": "OTHER", "R-102CF": "OTHER",  # inferomedial to superolateral oblique
    "399101009": "OTHER", "R-1024B": "OTHER", "Y-X1771": "OTHER",  # exaggerated medially
    "127457009": "OTHER", "G-8310": "OTHER",  # tissue specimen
}  # fmt: skip
_VIEW_OF_POSITION = {
    "CC": "CC", "MLO": "MLO", "ML": "ML", "LM": "LM", "XCCL": "XCCL",
    "LMO": "OTHER", "FB": "OTHER", "SIO": "OTHER", "ISO": "OTHER", "XCC": "OTHER", "XCCM": "OTHER",
    "CV": "OTHER", "AT": "OTHER", "AX": "OTHER",
}  # fmt: skip
# A magnified or spot view of a CC does not hang in the place of the CC.
_MODIFIER_OF_CODE = {"399163009": "MAG", "R-102D6": "MAG", "399055006": "SPOT", "R-102D7": "SPOT"}


@dataclass(frozen=True)
class Window:
    """One VOI window of the header: centre and width in modality units, and what the maker calls it."""

    center: float
    width: float
    explanation: str = ""


@dataclass(frozen=True)
class PixelInfo:
    """All that one needs to show, measure or learn from an image.

    spacing_mm is (row, column) = (dy, dx) in the plane of the breast, None where nobody knows, and `spacing_note` says
    why. patient_orientation is DICOM's pair (row direction, column direction). `padding_range` holds stored values.
    """

    rows: int
    cols: int
    bits_stored: int | None = None
    photometric: str = "MONOCHROME2"
    presentation: Presentation = "unknown"
    spacing_mm: tuple[float, float] | None = None
    spacing_source: SpacingSource = "unknown"
    spacing_note: str = ""
    magnification: float = 1.0
    laterality: Laterality | None = None
    view: str | None = None
    patient_orientation: tuple[str, str] | None = None
    windows: tuple[Window, ...] = ()
    voi_function: VoiFunction = "LINEAR"
    intensity_relation: Relation | None = None
    intensity_sign: int | None = None
    padding_range: tuple[float, float] | None = None
    frames: int = 1
    manufacturer: str | None = None
    model: str | None = None
    flags: tuple[str, ...] = field(default_factory=tuple)


def read_info(ds: Dataset) -> PixelInfo:
    """Everything of `PixelInfo` from a header; never raises on a value that is missing or odd."""
    spacing, source, note = spacing_of(ds)
    side, view = laterality_of(ds), view_of(ds)
    flags = [name for name, value in (("laterality_unknown", side), ("view_unknown", view)) if value is None]
    flags += ["spacing_unknown"] if spacing is None else []
    return PixelInfo(
        rows=int(element(ds, "Rows") or 0),
        cols=int(element(ds, "Columns") or 0),
        bits_stored=whole(element(ds, "BitsStored")),
        photometric=text(element(ds, "PhotometricInterpretation")) or "MONOCHROME2",
        presentation=presentation_of(ds),
        spacing_mm=spacing,
        spacing_source=source,
        spacing_note=note,
        magnification=magnification_of(ds),
        laterality=side,
        view=view,
        patient_orientation=orientation_of(ds),
        windows=windows_of(ds),
        voi_function=voi_function_of(ds),
        intensity_relation=_relation(ds),
        intensity_sign=_sign(ds),
        padding_range=padding_of(ds),
        frames=whole(element(ds, "NumberOfFrames")) or 1,
        manufacturer=raw_text(element(ds, "Manufacturer")) or None,
        model=raw_text(element(ds, "ManufacturerModelName")) or None,
        flags=tuple(flags),
    )


def element(ds: Dataset, name: str) -> Any:
    """The value of an element; None where it is absent or damaged.

    pydicom converts a value when it is asked for, so a damaged one fails here, in whatever way its bytes lead to.
    """
    try:
        return ds.get(name)
    except Exception:  # noqa: BLE001 - see above
        return None


def laterality_of(ds: Dataset) -> Laterality | None:
    """Side of the breast: Image Laterality, else Laterality, else the frame's; None for both sides or an odd value."""
    for holder, name in ((ds, "ImageLaterality"), (ds, "Laterality"), (_frame_anatomy(ds), "FrameLaterality")):
        found = _one_of(LATERALITIES, text(element(holder, name)) if holder is not None else "")
        if found is not None:
            return found
    return None


def view_of(ds: Dataset) -> str | None:
    """CC, MLO, ML, LM, XCCL, SPOT, MAG or OTHER; the coded view wins over View Position. None where neither says."""
    coded = _first(ds, "ViewCodeSequence")
    if coded is not None and (view := _coded_view(coded)) is not None:
        return view
    position = text(element(ds, "ViewPosition")).replace(" ", "")
    # Some makers put the side in front: RCC, LMLO.
    return _VIEW_OF_POSITION.get(position) or (_VIEW_OF_POSITION.get(position[1:]) if position[:1] in "RL" else None)


def _coded_view(coded: Dataset) -> str | None:
    view = _VIEW_OF_CODE.get(text(element(coded, "CodeValue")))
    if view is None:
        return None
    for modifier in element(coded, "ViewModifierCodeSequence") or ():
        if special := _MODIFIER_OF_CODE.get(text(element(modifier, "CodeValue"))):
            return special
    return view


def orientation_of(ds: Dataset) -> tuple[str, str] | None:
    """Patient Orientation as (row direction, column direction), or None."""
    value = element(ds, "PatientOrientation")
    if value is None or isinstance(value, str) or len(value) != 2:
        return None
    row, column = (text(part) for part in value)
    return (row, column) if row and column else None


def presentation_of(ds: Dataset) -> Presentation:
    """For Processing, For Presentation, digitised film, or unknown. Film is asked first: it is neither as a sensor."""
    if text(element(ds, "DetectorType")) == "FILM":
        return "film"
    intent = text(element(ds, "PresentationIntentType"))
    sop_class = str(element(ds, "SOPClassUID") or "")
    if intent == "FOR PROCESSING" or (not intent and sop_class == FOR_PROCESSING):
        return "for_processing"
    if intent == "FOR PRESENTATION" or (not intent and sop_class == FOR_PRESENTATION):
        return "for_presentation"
    return "unknown"


def spacing_of(ds: Dataset) -> tuple[tuple[float, float] | None, SpacingSource, str]:
    """(dy, dx) in mm in the breast's plane, its source, and the reason.

    A calibrated Pixel Spacing wins; else Imager Pixel Spacing, which is at the detector, divided by the magnification.
    An uncalibrated Pixel Spacing says nothing that the other does not, and often is a left-over.
    """
    pixel = _pair(element(ds, "PixelSpacing"))
    if pixel and text(element(ds, "PixelSpacingCalibrationType")):
        return pixel, "pixel", f"calibrated ({text(ds.get('PixelSpacingCalibrationType')).lower()})"
    imager = _pair(element(ds, "ImagerPixelSpacing"))
    if imager:
        factor = magnification_of(ds)
        return (imager[0] / factor, imager[1] / factor), "imager", f"at the detector, divided by {factor:g}"
    return None, "unknown", "uncalibrated" if pixel else "not in the header"


def magnification_of(ds: Dataset) -> float:
    """Estimated Radiographic Magnification Factor; 1 where it is absent or no magnification."""
    factor = number(element(ds, "EstimatedRadiographicMagnificationFactor"))
    return factor if factor is not None and 1.0 <= factor <= 10.0 else 1.0


def windows_of(ds: Dataset) -> tuple[Window, ...]:
    """Pairs of Window Center and Width in the header's order, with their names; one without a partner is left out."""
    centers, widths = _numbers(element(ds, "WindowCenter")), _numbers(element(ds, "WindowWidth"))
    names = [raw_text(name) for name in _values(element(ds, "WindowCenterWidthExplanation"))]
    names += [""] * len(centers)
    pairs = zip(centers, widths, names, strict=False)
    return tuple(Window(c, w, name) for c, w, name in pairs if c is not None and w is not None and w > 0)


def voi_function_of(ds: Dataset) -> VoiFunction:
    """How a window is applied; LINEAR where the header is silent or says something unknown."""
    return _one_of(VOI_FUNCTIONS, text(element(ds, "VOILUTFunction")).replace(" ", "_")) or "LINEAR"


def padding_of(ds: Dataset) -> tuple[float, float] | None:
    """Stored values (low, high), both included, that mean "no image here"."""
    value = number(element(ds, "PixelPaddingValue"))
    if value is None:
        return None
    limit = number(element(ds, "PixelPaddingRangeLimit"))
    return (value, value) if limit is None else (min(value, limit), max(value, limit))


def _relation(ds: Dataset) -> Relation | None:
    return _one_of(RELATIONS, text(element(ds, "PixelIntensityRelationship")))


def _sign(ds: Dataset) -> int | None:
    value = whole(element(ds, "PixelIntensityRelationshipSign"))
    return value if value in (1, -1) else None


def _frame_anatomy(ds: Dataset) -> Dataset | None:
    shared = _first(ds, "SharedFunctionalGroupsSequence")
    return _first(shared, "FrameAnatomySequence") if shared is not None else None


def _first(ds: Dataset, name: str) -> Dataset | None:
    items = element(ds, name)
    return items[0] if items else None


def _values(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str | bytes | int | float) or not hasattr(value, "__iter__") else list(value)


def raw_text(value: Any) -> str:
    return str(value).strip() if value is not None else ""


def text(value: Any) -> str:
    return raw_text(value).upper()


def number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _numbers(value: Any) -> list[float | None]:
    return [number(item) for item in _values(value)]


def _one_of(known: tuple[Known, ...], word: str) -> Known | None:
    return next((one for one in known if one == word), None)


def whole(value: Any) -> int | None:
    found = number(value)
    return None if found is None else int(found)


def _pair(value: Any) -> tuple[float, float] | None:
    numbers = _numbers(value)
    positive = [n for n in numbers if n is not None and n > 0]
    return (positive[0], positive[1]) if len(numbers) == len(positive) == 2 else None
