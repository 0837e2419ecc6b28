import json

import pytest

from ml.runs.events import MAX_LINE_BYTES, MAX_SAME_WARNING, EventWriter, read_events


def test_events_are_numbered_and_read_in_pieces(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    writer.write("started", run_id="r")
    first, offset = read_events(path)
    writer.write("metric", values={"auc": None})
    second, _ = read_events(path, offset)
    assert [event["seq"] for event in first + second] == [1, 2]
    assert second[0]["values"] == {"auc": None}


def test_a_torn_last_line_waits_for_its_rest(tmp_path):
    path = tmp_path / "events.jsonl"
    EventWriter(path).write("started")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"v":1,"seq":2,"ty')
    events, offset = read_events(path)
    assert (len(events), offset) == (1, len(whole))


def test_a_resumed_writer_cuts_the_torn_tail_and_goes_on_counting(tmp_path):
    path = tmp_path / "events.jsonl"
    EventWriter(path).write("started")
    with path.open("ab") as file:
        file.write(b'{"v":1,"seq":2,"ty')
    EventWriter(path).write("started", attempt=2)
    events, _ = read_events(path)
    assert [event["seq"] for event in events] == [1, 2]
    assert events[1]["attempt"] == 2


def test_progress_is_written_at_most_once_in_two_seconds(tmp_path):
    writer = EventWriter(tmp_path / "events.jsonl")
    assert [writer.progress(step=step) for step in range(50)] == [True] + [False] * 49


def test_the_same_warning_is_written_twenty_times_and_then_counted(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    for _ in range(50):
        writer.warning("unreadable", "an image cannot be read")
    writer.close()
    events, _ = read_events(path)
    assert len(events) == MAX_SAME_WARNING + 1
    assert events[-1]["count"] == 50


def test_an_event_never_exceeds_its_line(tmp_path):
    path = tmp_path / "events.jsonl"
    EventWriter(path).write("failed", code="x", traceback="y" * 200_000)
    assert len(path.read_bytes()) < MAX_LINE_BYTES
    assert json.loads(path.read_text())["code"] == "x"


def test_not_a_number_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        EventWriter(tmp_path / "e").write("metric", values={"loss": float("nan")})
