"""What a person at a terminal sees of a run."""

import io

import pytest

from ml.cli.telling import Teller, duration, figures

PROGRESS = {
    "type": "progress", "stage": "main", "step": 20, "planned_steps": 80, "loss": 0.5, "images_per_s": 12.5,
    "eta_s": 130,
}  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7805, "2 h 10 min"), (-3, "0 s")],
)
def test_durations_are_words(seconds, text):
    assert duration(seconds) == text


def test_progress_says_where_it_is_and_what_is_left():
    stream = io.StringIO()
    Teller(stream)(PROGRESS)
    assert stream.getvalue() == "main: 20 of 80, loss 0.5000, 12.5 images/s, 2 min 10 s left\n"


def test_a_stage_that_is_fitted_at_once_says_how_far_it_is():
    stream = io.StringIO()
    Teller(stream)({**PROGRESS, "loss": None, "images_per_s": None, "eta_s": None})
    assert stream.getvalue() == "main: 20 of 80\n"


def test_a_log_gets_one_progress_line_of_a_stage_and_a_terminal_one_that_is_replaced():
    log, terminal = io.StringIO(), Terminal()
    for stream in (log, terminal):
        teller = Teller(stream)
        teller(PROGRESS)
        teller({**PROGRESS, "step": 21})
        teller({"type": "stage_finished", "stage": "main", "seconds": 3.0})
    assert log.getvalue().count("left") == 1
    assert terminal.getvalue().count("\r") == 2
    assert terminal.getvalue().endswith("left\nmain: done in 3 s\n")


def test_a_kind_of_trouble_is_said_once_and_unknown_events_are_nothing():
    stream = io.StringIO()
    teller = Teller(stream)
    for count in (1, 2):
        teller({"type": "warning", "code": "unreadable", "text": "an image cannot be read", "count": count})
    teller({"type": "checkpoint", "stage": "main"})
    assert stream.getvalue() == "warning: an image cannot be read\n"


@pytest.mark.parametrize(("accumulate", "step"), [(2, ", 2 times a step"), (1, "")])
def test_out_of_memory_is_said(accumulate, step):
    stream = io.StringIO()
    Teller(stream)({"type": "resource", "what": "oom_halved", "batch": 4, "accumulate": accumulate})
    assert stream.getvalue() == f"out of memory: going on with 4 images at a time{step}\n"


def test_a_nought_has_no_sign_and_an_undefined_figure_is_left_out():
    assert figures({"qwk": -1e-9, "auc": None, "rows": 3}) == "qwk 0.000, rows 3"


LENT = {
    "type": "weights_loaded", "stage": "main", "init": "weights_file", "share": 0.95, "loaded": 53, "layout": "timm",
    "family": "resnet", "stem": "as it is", "missing": ["a", "b", "c", "d"], "shape_mismatch": [], "unexpected": ["e"],
    "dropped": [], "fresh": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            LENT,
            "main: 95.0% of the trunk is given, 53 weights "
            "(timm resnet; stem as it is; 4 missing: a, b, c, ...; 1 unexpected: e)",
        ),
        (
            {**LENT, "init": "scratch", "weights_file": "the network has no trunk"},
            "main: starts from scratch, since the network has no trunk",
        ),
        (
            {**LENT, "init": "trunk", "donor": {"method": "se_attention"}},
            "main: 53 weights of se_attention loaded (trunk)",
        ),
    ],
)
def test_what_became_of_weights_that_were_brought_is_said(event, line):
    stream = io.StringIO()
    Teller(stream)(event)
    assert stream.getvalue() == f"{line}\n"
