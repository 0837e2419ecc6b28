"""The same picture under two patients: what patient-level splits cannot see."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ml.pixels.alike import alike, fingerprint
from ml.pixels.decode import decode
from ml.pixels.errors import PixelError
from ml.runs.manifest import ManifestRow


def rows_alike(rows: Iterable[ManifestRow], root: Path) -> list[tuple[str, str]]:
    """Pairs of image ids of different patients that show the same picture. Files that cannot be read are passed over.

    Cost: each image is decoded once. `root` is the folder of the pixel paths.
    """
    prints, patients = {}, {}
    for row in rows:
        try:
            prints[row.image_id] = fingerprint(decode(root / row.pixel_path, pixel_format=row.pixel_format).pixels)
        except PixelError:
            continue
        patients[row.image_id] = row.patient_id
    return alike(prints, patients)
