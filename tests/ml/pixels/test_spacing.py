import pytest

from ml.pixels.header import PixelInfo
from ml.pixels.spacing import known_or_assumed


@pytest.mark.trap(6)
def test_what_nobody_knows_is_assumed_and_flagged() -> None:
    unknown = PixelInfo(rows=1200, cols=900)
    assert known_or_assumed(unknown) == ((0.2, 0.2), ("spacing_assumed",))
    assert known_or_assumed(unknown, [0.1, 0.3]) == ((0.1, 0.3), ())


def test_the_header_wins_over_the_row() -> None:
    assert known_or_assumed(PixelInfo(rows=9, cols=9, spacing_mm=(0.07, 0.07)), [1, 1])[0] == (0.07, 0.07)
