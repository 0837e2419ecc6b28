"""What the catalogue keeps of an image's header: the learner's reading of it, as columns. Pure."""

from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
)

from ml.pixels.header import read_info

SOP_CLASSES = frozenset(
    {DigitalMammographyXRayImageStorageForPresentation, DigitalMammographyXRayImageStorageForProcessing}
)
PROCESSING = "for_processing"


def columns_of(header: Dataset) -> dict[str, Any]:
    """Fields of `Image` that a header gives. Missing or odd values are empty and, where they matter, a flag."""
    info = read_info(header)
    spacing = info.spacing_mm or (None, None)
    return {
        "sop_class": str(header.SOPClassUID),
        "laterality": info.laterality or "",
        "view": info.view or "",
        "rows": info.rows,
        "cols": info.cols,
        "spacing_row_mm": spacing[0],
        "spacing_col_mm": spacing[1],
        "spacing_source": info.spacing_source if info.spacing_mm else "",
        "bits_stored": info.bits_stored or 16,
        "photometric": info.photometric[:16],
        "presentation": info.presentation,
        "manufacturer": (info.manufacturer or "")[:64],
        "model_name": (info.model or "")[:64],
        "windows": [
            {"center": window.center, "width": window.width, "explanation": window.explanation}
            for window in info.windows
        ],
        "voi_function": info.voi_function,
        "patient_orientation": "\\".join(info.patient_orientation or ())[:16],
        "flags": [*info.flags, *_more_flags(header, info.presentation)],
    }


def _more_flags(header: Dataset, presentation: str) -> list[str]:
    found = {
        "for_processing": presentation == PROCESSING,
        "lossy": str(header.get("LossyImageCompression") or "") == "01",
        "burned_in": str(header.get("BurnedInAnnotation") or "") == "YES",
        "implant": str(header.get("BreastImplantPresent") or "") == "YES",
        "voi_lut": bool(header.get("VOILUTSequence")),
    }
    return [name for name, here in found.items() if here]
