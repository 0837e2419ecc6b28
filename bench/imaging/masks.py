"""Is the breast found, and is it the right way round? Every image of public sets, looked at and counted.

python bench/imaging/masks.py OUT NAME=FOLDER [NAME=FOLDER ...]

NAME is a set of `python -m ml manifest`. Writes contact sheets OUT/NAME-<page>.png: each image in its canonical
orientation (the chest wall must be at the left), the outline of its mask drawn on it, green, or red where a flag was
raised; the pectoral muscle of MLO views, where one was found, is blue. Prints and writes to OUT/masks.json how many
images carry each flag and, where a set has tissue labels, how well the mask and the muscle agree with them (Dice).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from ml.datasets.table import SETS
from ml.geometry.affine import invert
from ml.geometry.overlap import dice
from ml.pixels.decode import Decoded, decode
from ml.pixels.header import PixelInfo
from ml.pixels.pectoral import pectoral
from ml.pixels.prepare import PixelsConfig, Prepared, prepare
from ml.pixels.resample import resample, resample_mask
from ml.runs.manifest import ManifestRow

CELL = (190, 230)
ACROSS, DOWN = 10, 5
GREEN, RED, BLUE = (60, 230, 90), (255, 70, 60), (80, 150, 255)
LABEL_PX = 22
Mask = npt.NDArray[np.bool_]


@dataclass
class Seen:
    """What one image gave: its picture for the sheet, its flags, and agreement with labels by name."""

    name: str
    cell: Image.Image
    flags: tuple[str, ...]
    agreement: dict[str, float] = field(default_factory=dict)


def looked_at(row: ManifestRow, root: Path) -> Seen:
    """One image prepared whole, drawn, and compared with its tissue labels if it has any."""
    given = PixelInfo(
        rows=row.rows, cols=row.cols, bits_stored=row.bits_stored, photometric=row.photometric,
        presentation=row.presentation, spacing_mm=row.spacing_mm, laterality=row.laterality, view=row.view,
    )  # fmt: skip
    decoded = decode(root / row.pixel_path, pixel_format=row.pixel_format, given=given)
    shrunk = PixelsConfig(max_long_px=CELL[1] - LABEL_PX, crop=False)
    image = prepare(decoded, shrunk, spacing_mm=row.spacing_mm)
    muscle, flags = np.zeros_like(image.mask), image.flags
    if row.view == "MLO":
        found = pectoral(image.x, image.mask, image.mm_per_px)
        muscle, flags = found.mask, (*flags, *found.flags)
    return Seen(row.image_id, _cell(row.image_id, decoded, image, muscle), flags, _agreement(row, root, decoded))


def _agreement(row: ManifestRow, root: Path, decoded: Decoded) -> dict[str, float]:
    """Dice of the mask, at the size of the source, with all that the labels do not call background, and of the muscle.

    A muscle that was not found counts 0 where there is one, and 1 where there is none.
    """
    mark = next((m for f in row.findings for m in f.marks if m.kind == "label_map"), None)
    if mark is None:
        return {}
    values, classes = np.asarray(Image.open(root / mark.geometry["path"])), mark.geometry["classes"]
    whole = prepare(decoded, PixelsConfig(target_spacing_mm=240 / max(row.rows, row.cols), crop=False))
    back = invert(whole.affine)
    mask = resample_mask(whole.mask, back, values.shape)
    muscle = resample_mask(pectoral(whole.x, whole.mask, whole.mm_per_px).mask, back, values.shape)
    return {
        "breast": dice(mask, values != classes["background"]),
        "pectoral": dice(muscle, values == classes["pectoral"]),
    }


def _cell(name: str, decoded: Decoded, image: Prepared, muscle: Mask) -> Image.Image:
    rows, cols = image.x.shape
    grey = (_frame(decoded, image) * 255).astype(np.uint8)
    picture = np.stack([grey] * 3, axis=-1)
    picture[image.mask & ~ndimage.binary_erosion(image.mask, border_value=1)] = GREEN if _good(image) else RED
    picture[muscle & ~ndimage.binary_erosion(muscle, border_value=1)] = BLUE
    cell = Image.new("RGB", CELL, (24, 24, 24))
    cell.paste(Image.fromarray(picture).crop((0, 0, min(cols, CELL[0]), rows)), (0, LABEL_PX))
    ImageDraw.Draw(cell).text((2, 4), f"{name} {' '.join(f for f in image.flags if f != 'spacing_assumed')}"[:34])
    return cell


def _frame(decoded: Decoded, image: Prepared) -> npt.NDArray[np.float32]:
    """The whole frame as `image` has it, outside the mask too, dark tissue lifted so that an edge can be seen."""
    x = resample(decoded.pixels, image.affine, image.x.shape)
    low, high = np.percentile(x, (0.1, 99.9))
    return np.sqrt(np.clip((x - low) / max(high - low, 1e-6), 0, 1)).astype(np.float32)


def _good(image: Prepared) -> bool:
    return not {"mask_failed", "orientation_conflict"} & set(image.flags)


def write_sheets(out: Path, name: str, seen: Sequence[Seen]) -> int:
    """Contact sheets of a set; how many."""
    page = ACROSS * DOWN
    for first in range(0, len(seen), page):
        sheet = Image.new("RGB", (ACROSS * CELL[0], DOWN * CELL[1]))
        for place, one in enumerate(seen[first : first + page]):
            sheet.paste(one.cell, (place % ACROSS * CELL[0], place // ACROSS * CELL[1]))
        sheet.save(out / f"{name}-{first // page + 1}.png")
    return -(-len(seen) // page)


def summary(seen: Sequence[Seen]) -> dict[str, Any]:
    """Counts of flags, and agreement: mean, lowest, and the images under 0.9."""
    flags = Counter(flag for one in seen for flag in one.flags)
    found: dict[str, Any] = {"images": len(seen), "flags": dict(flags)}
    for key in sorted({key for one in seen for key in one.agreement}):
        values = {one.name: one.agreement[key] for one in seen if key in one.agreement}
        found[f"dice_{key}"] = {
            "n": len(values),
            "mean": round(float(np.mean(list(values.values()))), 4),
            "median": round(float(np.median(list(values.values()))), 4),
            "lowest": round(min(values.values()), 4),
            "under_0.9": sorted(name for name, value in values.items() if value < 0.9),
        }
    return found


def main() -> int:
    """Look at all sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", nargs="+", metavar="NAME=FOLDER")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for word in arguments.sets:
        name, _, folder = word.partition("=")
        began = time.monotonic()
        seen = [looked_at(row, Path(folder)) for row in SETS[name].rows(Path(folder).resolve(), 0)]
        pages = write_sheets(arguments.out, name, seen)
        results[name] = {**summary(seen), "sheets": pages, "seconds": round(time.monotonic() - began)}
        print(json.dumps({name: results[name]}), flush=True)
    (arguments.out / "masks.json").write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
