import pytest

from ml.pixels.header import PixelInfo
from ml.pixels.spacing import known_or_assumed, of_data_set


@pytest.mark.trap(6)
def test_what_nobody_knows_is_assumed_and_flagged() -> None:
    unknown = PixelInfo(rows=1200, cols=900)
    assert known_or_assumed(unknown) == ((0.2, 0.2), ("spacing_assumed",))
    assert known_or_assumed(unknown, [0.1, 0.3]) == ((0.1, 0.3), ())


def test_the_header_wins_over_the_row() -> None:
    assert known_or_assumed(PixelInfo(rows=9, cols=9, spacing_mm=(0.07, 0.07)), [1, 1])[0] == (0.07, 0.07)


def test_public_sets_have_their_spacing() -> None:
    assert of_data_set("mini-mias") == (0.2, 0.2) and of_data_set("ddsm", "lumisys") == (0.05, 0.05)
    assert of_data_set("ddsm") is None and of_data_set("cbis-ddsm") is None
