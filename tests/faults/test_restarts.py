"""kill -9 in the middle of things: nothing acknowledged is lost, nothing is done twice."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.platform import Platform, until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(tmp_path_factory.mktemp("faults"))
    running.start()
    yield running
    if running.process is not None:
        running.stop()


def _a_reading(platform: Platform) -> tuple[dict, object]:
    admin, reader = platform.client("admin"), platform.client("reader1")
    project = admin.get("/api/v1/projects/")["results"][0]["id"]
    reading = until(
        lambda: reader.call("POST", "/api/v1/worklist/next/", {"project": project})[1], 120, "an exam to read"
    )
    return reading, reader


@pytest.mark.trap(19)
def test_an_acknowledged_edit_survives_the_web_process(platform: Platform) -> None:
    reading, reader = _a_reading(platform)
    path = f"/api/v1/readings/{reading['id']}/"
    patch = [{"op": "replace", "path": "/comment", "value": "kept"}]
    body = {"edit_id": "018f0000-0000-7000-8000-00000000abcd", "patch": patch}
    status, saved = reader.call("PATCH", path, body, **{"If-Match": f'"{reading["revision"]}"'})
    assert status == 200
    os.kill(platform.pid_of("web"), signal.SIGKILL)
    again = until(lambda: _answer(reader, path), 60, "the web process to be started again")
    assert again["document"]["comment"] == "kept" and again["revision"] == saved["revision"]
    # The page did not hear the answer and sends the same edit again: it is the same edit.
    status, twice = reader.call("PATCH", path, body, **{"If-Match": f'"{reading["revision"]}"'})
    assert status == 200 and twice["revision"] == saved["revision"]


def _answer(client: object, path: str) -> dict | None:
    try:
        status, body = client.call("GET", path)
    except OSError:
        return None
    return body if status == 200 else None


def test_the_workers_and_the_broker_may_die_while_the_demo_is_filled(platform: Platform) -> None:
    admin = platform.client("admin")
    for name in ("worker-cpu", "worker-io", "valkey"):
        os.kill(platform.pid_of(name), signal.SIGKILL)

    def filled() -> bool:
        jobs = admin.get("/api/v1/jobs/?kind=demo.fill")["results"]
        assert jobs[0]["state"] != "failed", jobs[0]
        return bool(jobs[0]["state"] == "done")

    until(filled, 400, "the demo to be filled")
    exams = admin.get("/api/v1/exams/?page_size=200&project=" + admin.get("/api/v1/projects/")["results"][0]["id"])
    assert len(exams["results"]) == 12


def test_a_stop_takes_less_than_20_seconds_and_leaves_nothing_running(platform: Platform, tmp_path: Path) -> None:
    pids = [platform.pid_of(name) for name in ("web", "worker-io", "worker-cpu", "valkey", "beat")]
    assert platform.stop() < 20
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    platform.start(seconds=60)


def test_a_second_start_beside_a_running_one_is_refused(platform: Platform) -> None:
    with pytest.raises(AssertionError, match="running already"):
        Platform(platform.var).start(seconds=30)
