"""What an answer about a class rests on, as rows and masks for people; no figure is made of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from ml.geometry.affine import invert
from ml.methods.answering import MASK_THRESHOLD
from ml.methods.spec import Prediction, Where
from ml.pixels.resample import resample
from ml.runs.manifest import ManifestRow
from ml.training.batches import Item
from ml.training.prediction_rows import Row, box_rows, mask_row


def where_rows(row: ManifestRow, item: Item, where: Where, version: str, folder: Path | None) -> list[Row]:
    """Boxes in source pixels; masks as PNG files under `folder`, without one none are drawn."""
    rows = []
    if where.boxes is not None:
        boxes = Prediction(boxes=where.boxes, scores=where.scores, labels=where.labels)
        rows += box_rows(row, boxes, item.affines[where.slot], where.names, version)
    if folder is None:
        return rows
    return [*rows, *_masks(row, item, where, version, folder)]


def _masks(row: ManifestRow, item: Item, where: Where, version: str, folder: Path) -> list[Row]:
    """In the image's own pixels; the score is the share of them."""
    rows = []
    for name, mask in sorted(where.masks.items()):
        whole = resample(mask.float().numpy(), invert(item.affines[where.slot]), (row.rows, row.cols)) > MASK_THRESHOLD
        path = _stored(folder, f"{row.image_id}-{name}", np.where(whole, 255, 0))
        rows.append(mask_row(row, name, path, float(whole.mean()), version))
    return rows


def _stored(folder: Path, name: str, pixels: np.ndarray) -> str:
    """Write a PNG under masks/; its path relative to the folder. Names come from ids alone, made safe."""
    (folder / "masks").mkdir(exist_ok=True)
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    Image.fromarray(pixels.astype(np.uint8)).save(folder / "masks" / f"{safe}.png", optimize=True)
    return f"masks/{safe}.png"
