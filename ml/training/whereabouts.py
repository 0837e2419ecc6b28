"""Where an answer about a class comes from, as rows and pictures for people; no figure is made of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from ml.geometry.affine import compose, invert, scale
from ml.methods.answering import MASK_THRESHOLD
from ml.methods.spec import Prediction, Where
from ml.pixels.resample import resample
from ml.runs.manifest import ManifestRow
from ml.training.batches import Item
from ml.training.prediction_rows import Row, box_rows, heat_row, mask_row

LONG_PX = 256
"""Long side of a stored heat map: it is smooth, and there are as many of them as images."""


def where_rows(row: ManifestRow, item: Item, where: Where, version: str, folder: Path | None) -> list[Row]:
    """Boxes in source pixels; heat maps and masks as PNG files under `folder`, without one none are drawn."""
    rows = []
    if where.boxes is not None:
        boxes = Prediction(boxes=where.boxes, scores=where.scores, labels=where.labels)
        rows += box_rows(row, boxes, item.affines[where.slot], where.names, version)
    if folder is None:
        return rows
    return [*rows, *_heat(row, item, where, version, folder), *_masks(row, item, where, version, folder)]


def _heat(row: ManifestRow, item: Item, where: Where, version: str, folder: Path) -> list[Row]:
    """The whole image at a smaller size."""
    shrink = min(1.0, LONG_PX / max(row.rows, row.cols))
    size = max(1, round(row.rows * shrink)), max(1, round(row.cols * shrink))
    back = compose(invert(item.affines[where.slot]), scale(size[1] / row.cols, size[0] / row.rows))
    rows = []
    for name, (cells, side) in sorted(where.heat.items()):
        drawn = resample(cells.float().numpy(), compose(scale(side, side), back), size)
        path = _stored(folder, "heat", f"{row.image_id}-{name}", np.rint(drawn.clip(0, 1) * 255))
        rows.append(heat_row(row, name, path, float(cells.max()), version))
    return rows


def _masks(row: ManifestRow, item: Item, where: Where, version: str, folder: Path) -> list[Row]:
    """In the image's own pixels; the score is the share of them."""
    rows = []
    for name, mask in sorted(where.masks.items()):
        whole = resample(mask.float().numpy(), invert(item.affines[where.slot]), (row.rows, row.cols)) > MASK_THRESHOLD
        path = _stored(folder, "masks", f"{row.image_id}-{name}", np.where(whole, 255, 0))
        rows.append(mask_row(row, name, path, float(whole.mean()), version))
    return rows


def _stored(folder: Path, kind: str, name: str, pixels: np.ndarray) -> str:
    """Write a PNG; its path relative to the folder. Names come from ids alone, made safe."""
    (folder / kind).mkdir(exist_ok=True)
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
    Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{safe}.png", optimize=True)
    return f"{kind}/{safe}.png"
