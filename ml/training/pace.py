"""How fast a stage goes, and for how much of its time a GPU had nothing to do because its batch was not there."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ml.training.device import Machine

WARM_UP_STEPS = 3
"""The first steps pay for what is loaded and chosen once; they are not counted."""


class Pace:
    """A clock for one stage. On CUDA it reads events of the GPU's own queue: asking makes nobody wait.

    What is counted as waiting runs from the end of the GPU's last work to the moment at which the next batch lies in
    its memory, so it includes the copy; where the host is ahead of the GPU it is the copy alone.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._steps = self._samples = 0
        self._began: float | None = None
        self._now = 0.0
        self._waited = 0.0
        self._open: deque[tuple[torch.cuda.Event, torch.cuda.Event]] = deque()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around all that brings a batch to the device."""
        if self._steps < WARM_UP_STEPS:
            yield
        elif self.machine.cuda:
            idle, ready = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            idle.record()
            yield
            ready.record()
            self._open.append((idle, ready))
        else:
            began = time.perf_counter()
            yield
            self._waited += time.perf_counter() - began

    def stepped(self, samples: int) -> None:
        """A step over so many samples has been asked for."""
        self._steps += 1
        self._now = time.perf_counter()
        if self._steps == WARM_UP_STEPS:
            self._synchronised()
            self._began = time.perf_counter()
        elif self._steps > WARM_UP_STEPS:
            self._samples += samples
        while self._open and self._open[0][1].query():
            self._waited += _seconds(*self._open.popleft())

    def images_per_s(self) -> float | None:
        """Samples a second since the first steps; None before."""
        return self._samples / self._spent if self._spent > 0 and self._samples else None

    def waited(self) -> float | None:
        """Share of the time that passed without a batch, 0 to 1; None before there is one to tell."""
        return min(self._waited / self._spent, 1.0) if self._spent > 0 and self._samples else None

    def finish(self) -> None:
        """Let the GPU come to the end of what it was asked for, so that the figures are those of done work."""
        self._synchronised()
        self._now = time.perf_counter()
        while self._open:
            self._waited += _seconds(*self._open.popleft())

    def report(self) -> dict[str, float]:
        """images_per_s and waited_for_data (0 to 1), as far as they are known."""
        told = {"images_per_s": (self.images_per_s(), 2), "waited_for_data": (self.waited(), 3)}
        return {name: round(value, digits) for name, (value, digits) in told.items() if value is not None}

    @property
    def _spent(self) -> float:
        return 0.0 if self._began is None else self._now - self._began

    def _synchronised(self) -> None:
        if self.machine.cuda:
            torch.cuda.synchronize(self.machine.device)


def _seconds(begin: torch.cuda.Event, end: torch.cuda.Event) -> float:
    return begin.elapsed_time(end) / 1000.0
