"""What keeps an evaluation from being made, as the refusal of a run: one code for each, wherever it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ml.evaluation.undefined import NotAScore
from ml.pixels.errors import PixelError
from ml.pixels.mark_masks import MaskUnreadable
from ml.runs.errors import refused


@contextmanager
def refusing() -> Iterator[None]:
    """Predictions that are no numbers and pixels that cannot be read refuse the run. Raises RunRefused (exit 3)."""
    try:
        yield
    except NotAScore as error:
        raise refused("prediction_not_finite", str(error)) from None
    except (MaskUnreadable, PixelError) as error:
        raise refused("pixels_unreadable", str(error)) from None
