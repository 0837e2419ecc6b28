"""Where an answer about a class comes from, as rows and pictures for people; no figure is made of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from ml.geometry.affine import compose, invert, scale
from ml.methods.spec import Prediction, Where
from ml.pixels.resample import resample
from ml.runs.manifest import ManifestRow
from ml.training.batches import Item
from ml.training.prediction_rows import Row, box_rows, heat_row

LONG_PX = 256
"""Long side of a stored heat map: it is smooth, and there are as many of them as images."""


def where_rows(row: ManifestRow, item: Item, where: Where, version: str, folder: Path | None) -> list[Row]:
    """Boxes in source pixels, and heat maps as PNG files under `folder`/heat; without a folder none are drawn."""
    boxes = Prediction(boxes=where.boxes, scores=where.scores, labels=where.labels)
    rows = box_rows(row, boxes, item.affines[0], where.names, version)
    for name, (cells, side) in sorted(where.heat.items() if folder is not None else ()):
        assert folder is not None
        shrink = min(1.0, LONG_PX / max(row.rows, row.cols))
        size = max(1, round(row.rows * shrink)), max(1, round(row.cols * shrink))
        matrix = compose(scale(side, side), invert(item.affines[0]), scale(size[1] / row.cols, size[0] / row.rows))
        drawn = resample(cells.float().numpy(), matrix, size)
        path = heat_path(folder, row.image_id, name)
        Image.fromarray(np.rint(drawn.clip(0, 1) * 255).astype(np.uint8)).save(folder / path, optimize=True)
        rows.append(heat_row(row, name, path, float(cells.max()), version))
    return rows


def heat_path(folder: Path, image_id: str, name: str) -> str:
    """Where the map of an image goes, relative to the folder; names come from ids alone, made safe."""
    (folder / "heat").mkdir(exist_ok=True)
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in f"{image_id}-{name}")
    return f"heat/{safe}.png"
