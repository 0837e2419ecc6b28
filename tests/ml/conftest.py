"""The smallest valid rows of a manifest."""

from collections.abc import Callable
from typing import Any

import pytest

from ml.runs.manifest import ManifestRow


@pytest.fixture
def a_row() -> Callable[..., ManifestRow]:
    def make(image_id: str = "i1", **fields: Any) -> ManifestRow:
        base = {"exam_id": f"e-{image_id}", "patient_id": f"p-{image_id}", "rows": 100, "cols": 80, "split": "train"}
        return ManifestRow(**{**base, "image_id": image_id, "pixel_path": f"{image_id}.dcm", **fields})

    return make
