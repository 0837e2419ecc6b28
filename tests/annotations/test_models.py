"""States are data: every pair of states is either a move of the table or refused."""

from itertools import product

import pytest

from annotations.models import READING_MOVES, ReadingState
from core.errors import MoveRefused
from core.moves import moved

ALLOWED = {
    ("leased", "open"),
    ("leased", "released"),
    ("open", "complete"),
    ("open", "released"),
    ("released", "leased"),
    ("complete", "amending"),
    ("amending", "complete"),
}


@pytest.mark.parametrize(("now", "to"), list(product(ReadingState, ReadingState)))
def test_a_reading_moves_as_its_table_says_and_no_other_way(now, to):
    if (now, to) in ALLOWED:
        assert moved(now, to, READING_MOVES) == to
        return
    with pytest.raises(MoveRefused):
        moved(now, to, READING_MOVES)
