"""Every code is declared once, with a sentence and a cure."""

import pytest

from core.errors import MammoError, catalogue
from core.problems import problem


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_a_code_has_a_sentence_a_cure_and_a_status(code: str) -> None:
    error = catalogue()[code]
    assert error.__doc__ and error.__doc__.strip().splitlines()[0].endswith(".")
    assert error.cure and 400 <= error.status <= 599
    assert code == error.code and code.split(".")[0] in error.__module__


def test_two_errors_cannot_share_a_code() -> None:
    with pytest.raises(AssertionError, match="share the code"):

        class Impostor(MammoError):
            """Another."""

            code = "core.missing"


def test_an_answer_carries_code_sentence_cure_and_detail() -> None:
    body = problem(catalogue()["core.stale"](revision=4))
    assert body["code"] == "core.stale" and body["status"] == 412
    assert body["errors"] == {"revision": 4} and body["cure"]
