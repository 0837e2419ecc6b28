"""What a person at a terminal sees of a running command: a line an event, progress with the time that is left."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

Event = Mapping[str, Any]
EVERY_SECONDS = 10.0
COUNTDOWN_SECONDS = 5.0
SHOWN_KEYS = 3


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def figures(values: Mapping[str, Any]) -> str:
    """`qwk 0.571, exams 12`, without those that have no value; never a minus before a nought."""
    return ", ".join(
        f"{name} {round(value, 3) + 0.0:.3f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
        if value is not None
    )


class Countdown:
    """Called with what is done and of how many: a line in five seconds, with the time that is left."""

    def __init__(self, things: str) -> None:
        self._things = things
        self._began = self._last = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._last < COUNTDOWN_SECONDS or not done:
            return
        self._last = now
        left = duration((of - done) * (now - self._began) / done)
        print(f"{done} of {of} {self._things}, {left} left", file=sys.stderr)


class Teller:
    """Writes events to a stream. On a terminal progress replaces its own line; elsewhere one line in ten seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self._open = False
        self._last: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        line = _LINES.get(event["type"], _nothing)(event)
        if line is None:
            return
        if event["type"] != "progress":
            self._print(line)
        elif self.terminal:
            self.stream.write(f"\r\x1b[K{line}")
            self.stream.flush()
            self._open = True
        elif self._due(event["stage"]):
            self._print(line)

    def _due(self, stage: str) -> bool:
        now = time.monotonic()
        if now - self._last.get(stage, -EVERY_SECONDS) < EVERY_SECONDS:
            return False
        self._last[stage] = now
        return True

    def _print(self, line: str) -> None:
        # A terminal's open progress line is finished first: what it last said stays readable above.
        self.stream.write(f"{chr(10) if self._open else ''}{line}\n")
        self.stream.flush()
        self._open = False


def _nothing(event: Event) -> str | None:
    return None


def _started(event: Event) -> str:
    counted = ", ".join(f"{n} {split}" for split, n in event["n"].items() if n)
    resumed = " (goes on from a checkpoint)" if event["resumed_from"] else ""
    return f"{event['command']} {event['method']} {event['size']} on {event['device']}: images {counted}{resumed}"


def _progress(event: Event) -> str:
    loss = "" if event["loss"] is None else f", loss {event['loss']:.4f}"
    # A stage that is fitted at once knows how far it is, and neither its speed nor its end.
    pace = "" if event["images_per_s"] is None else f", {event['images_per_s']:g} images/s"
    left = "" if event["eta_s"] is None else f", {duration(event['eta_s'])} left"
    return f"{event['stage']}: {event['step']} of {event['planned_steps']}{loss}{pace}{left}"


def _stage_started(event: Event) -> str:
    return f"stage {event['index'] + 1} of {event['of']}, {event['stage']}: {event['planned_steps']} steps"


def _weights_loaded(event: Event) -> str:
    """What became of the weights that were brought, key by key as far as a line can hold it."""
    if event["init"] == "scratch":
        return f"{event['stage']}: starts from scratch, since {event['weights_file']}"
    if event["init"] != "weights_file":
        return f"{event['stage']}: {event['loaded']} weights of {event['donor']['method']} loaded ({event['init']})"
    line = f"{event['stage']}: {event['share']:.1%} of the trunk is given, {event['loaded']} weights"
    named = [f"{event['layout']} {event['family'] or 'of no known family'}", f"stem {event['stem']}"]
    for kind in ("missing", "shape_mismatch", "unexpected", "dropped", "fresh"):
        if keys := event[kind]:
            more = "" if len(keys) <= SHOWN_KEYS else ", ..."
            named.append(f"{len(keys)} {kind.replace('_', ' ')}: {', '.join(keys[:SHOWN_KEYS])}{more}")
    return f"{line} ({'; '.join(named)})"


def _stage_finished(event: Event) -> str:
    return f"{event['stage']}: done in {duration(event['seconds'])}"


def _metric(event: Event) -> str | None:
    if event["split"] == "train":
        return None
    values = ", ".join(
        f"{name} {round(value, 3) + 0.0:.3f}" for name, value in event["values"].items() if value is not None
    )
    return f"{event['stage']}, step {event['step']}, {event['split']}: {values or 'nothing defined'}"


def _warning(event: Event) -> str | None:
    # The file has all of them; a person needs to see a kind of trouble once.
    return f"warning: {event['text']}" if event["count"] == 1 else None


def _resource(event: Event) -> str:
    if event["what"] == "oom_halved":
        step = f", {event['accumulate']} times a step" if event["accumulate"] > 1 else ""
        return f"out of memory: going on with {event['batch']} images at a time{step}"
    return f"resource: {event['what']}"


def _cancelled(event: Event) -> str:
    return f"stopped ({event['reason']}) in {event['stage']} at step {event['step']}; the same command goes on there"


def _finished(event: Event) -> str:
    split = event.get("headline_split")
    of_whom = f"on {split} patients, " if split else ""
    return f"finished: {of_whom}{figures(event['metrics_headline']) or 'no figure is defined'}"


_LINES: Mapping[str, Callable[[Event], str | None]] = {
    "started": _started,
    "progress": _progress,
    "stage_started": _stage_started,
    "weights_loaded": _weights_loaded,
    "stage_finished": _stage_finished,
    "metric": _metric,
    "warning": _warning,
    "resource": _resource,
    "cancelled": _cancelled,
    "finished": _finished,
}
