"""What an image is called in a file for others."""

from collections.abc import Mapping
from typing import Any


def file_name(image: Mapping[str, Any]) -> str:
    """The name in the data set that it was imported from; for clinical images, whose names are never kept, the UID."""
    return image["source_name"] or f"{image['sop_uid']}.dcm"
