"""What a reading may say and how it changes: functions of plain values, true without a database."""

from annotations.rules.canonical import Receipt, canonical_json, receipt_of
from annotations.rules.document import exam_density, validate_document
from annotations.rules.geometry import ImageExtent
from annotations.rules.patch import apply_patch, check_patch

__all__ = [
    "ImageExtent",
    "Receipt",
    "apply_patch",
    "canonical_json",
    "check_patch",
    "exam_density",
    "receipt_of",
    "validate_document",
]
