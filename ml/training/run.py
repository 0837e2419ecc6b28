"""One command on one run folder: the protocol around the work. Lock, checks, events, exit code."""

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ml import methods, pretraining
from ml.datasets.folds import fold_rows
from ml.evaluation.refusing import refusing
from ml.runs.cancel import Stopped, StopRequest
from ml.runs.errors import RunRefused, invalid
from ml.runs.events import EventWriter, read_events
from ml.runs.exits import Exit
from ml.runs.folder import RunFolder
from ml.runs.heartbeat import Heartbeat
from ml.runs.manifest import ManifestRow, read_manifest, read_meta
from ml.runs.request import Request, read_request
from ml.runs.result import read_result
from ml.runs.validate import validate
from ml.training import commands
from ml.training.context import Run
from ml.training.device import machine_for
from ml.training.environment import code_version
from ml.training.loop import Watch
from ml.training.ranks import first_of_launch, parted
from ml.training.selection import reduced, usable_rows
from ml.training.undetermined import undetermined_told

#: Commands in which several processes of a launch take part; the others are the first one's alone.
TOGETHER = ("train", "pretrain")
MAX_TRACEBACK = 8 * 1024
SPLITS = ("train", "val", "test", "audit", "pool")


Listener = Callable[[Mapping[str, Any]], None]


def run(run_dir: Path, *, command: str, supervised: bool = False, listener: Listener | None = None) -> Exit:
    """Do what the folder asks; `listener` hears every event. What goes wrong is an exit code and a `failed` event."""
    folder = RunFolder(run_dir.resolve())
    try:
        request = read_request(folder.path)
        if request.command != command:
            raise invalid("command_differs", f"request.json asks for {request.command}, not {command}")
        if not first_of_launch():
            return _beside(folder, request)
        with folder.locked():
            done = read_result(folder.path)
            if done is not None and done.command == command:
                return Exit.FINISHED  # complete already: nothing is computed twice
            return _held(folder, request, supervised, listener)
    except RunRefused as error:
        sys.stderr.write(f"{error.sentence}\n")
        return error.exit


def _beside(folder: RunFolder, request: Request) -> Exit:
    """What a process of a launch does that is not the first: it trains along, and leaves nothing in the folder."""
    if request.command not in TOGETHER or read_result(folder.path) is not None:
        return Exit.FINISHED
    with tempfile.TemporaryDirectory() as elsewhere:
        return _held(folder, request, False, None, quiet=Path(elsewhere))


def _held(
    folder: RunFolder, request: Request, supervised: bool, listener: Listener | None, quiet: Path | None = None
) -> Exit:
    """`quiet`: a folder that gets the events and the heartbeat in the run folder's place."""
    attempt = 1 + sum(event["type"] == "started" for event in read_events(folder.events)[0])
    events = EventWriter(folder.events if quiet is None else quiet / "events.jsonl", listener)
    stop = StopRequest(folder.path, max_seconds=request.compute.max_seconds)
    stop.listen(supervised=supervised)
    with Heartbeat(quiet or folder.path) as heartbeat:
        watch = Watch(events, heartbeat, stop)
        try:
            return _work(folder, request, watch, attempt)
        except Stopped as stopped:
            where = {"stage": heartbeat.stage, "step": heartbeat.step, "resumable": True}
            events.write("cancelled", reason=stopped.reason, exit_code=int(stopped.exit), **where)
            return stopped.exit
        except RunRefused as error:
            _failed(events, error.exit, error.code, error.text, error.detail)
            sys.stderr.write(f"{error.sentence}\n")
            return error.exit
        except Exception as error:  # noqa: BLE001 - the process's edge: whatever it was, the caller must learn of it
            text = _traceback(error)
            _failed(
                events, Exit.UNEXPECTED, "unexpected", f"{type(error).__name__}: {error}"[:500], {"traceback": text}
            )
            sys.stderr.write(text)
            return Exit.UNEXPECTED
        finally:
            events.close()
            parted()


def _failed(events: EventWriter, code: Exit, name: str, text: str, detail: dict[str, Any]) -> None:
    fields = {"traceback": None, **detail}
    events.write("failed", exit_code=int(code), code=name, text=text, resumable=code.resumable, **fields)


def _traceback(error: BaseException) -> str:
    """The last frames, with file names only: paths may hold names of people."""
    lines = traceback.TracebackException.from_exception(error)
    for frame in lines.stack:
        frame.filename = Path(frame.filename).name
    return "".join(lines.format())[-MAX_TRACEBACK:]


def _work(folder: RunFolder, request: Request, watch: Watch, attempt: int) -> Exit:
    method = (pretraining if request.command == "pretrain" else methods).get(request.method)
    if request.size not in method.sizes:
        raise invalid("size_unknown", f"{method.name} has no size {request.size!r}")
    meta = read_meta(folder.path)
    found = reduced(_split(read_manifest(folder.path), request), request.data, request.seed)
    task = request.task or method.task
    asked = method.needs if request.command == "train" else ()
    needs = [need for need in asked if not need.tasks or task in need.tasks]
    checked = validate(
        found,
        needs=needs,
        findings=request.asked_findings or method.findings,
        kinds=request.data.image_kinds,
        target=request.target.kind if request.target else None,
    )
    machine = machine_for(request.compute)
    watch.events.write(
        "started",
        run_id=request.run_id,
        command=request.command,
        method=method.name,
        size=request.size,
        pid=os.getpid(),
        attempt=attempt,
        resumed_from=_resumed_from(folder),
        device=str(machine.device),
        precision=machine.precision,
        n={
            split: sum(row.split == split for row in checked.rows)
            for split in ("train", "val", "test", "audit", "pool")
        },
        code_version=code_version(),
    )
    for code, text, example in checked.warnings:
        watch.events.warning(code, text, example)
    rows = usable_rows(checked.rows, watch.events.warning, request.data.image_kinds)
    with undetermined_told() as undetermined, refusing():
        work = Run(folder, request, meta, rows, method, machine, watch, time.monotonic(), undetermined)
        commands.COMMANDS[request.command](work)
    return Exit.FINISHED


def _split(rows: list[ManifestRow], request: Request) -> list[ManifestRow]:
    """The manifest's splits, or those of a fold."""
    if request.data.folds is None or request.data.fold is None:
        return rows
    return fold_rows(rows, request.data.folds, request.data.fold, request.seed)


def _resumed_from(folder: RunFolder) -> dict[str, Any] | None:
    """The newest checkpoint on disk, as the event tells it."""
    import json

    found = []
    for path in (folder.path / "checkpoints").glob("*/last/checkpoint.json"):
        document = json.loads(path.read_text())
        found.append({"stage": document["stage"], "step": document["step"]})
    return found[-1] if found else None
