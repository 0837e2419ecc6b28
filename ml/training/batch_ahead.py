"""The next batch is put together while the GPU works on this one, on a stream of the GPU's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields

import torch
from torch import Tensor

from ml.methods.spec import Batch

Span = tuple[int, int]
"""(first position, number of samples) of a batch."""


class BatchAhead:
    """Batches of `make(first, count)`, each begun as soon as the one before it is handed out.

    `then` names the batch that will be asked for next; any other may be asked for, and is made when it is. What making
    a batch raises comes from `batch`, so memory that ends in it is noticed where the loop looks for it.
    """

    def __init__(self, make: Callable[[int, int], Batch], device: torch.device) -> None:
        self._make, self._stream = make, torch.cuda.Stream(device)
        self._maker = ThreadPoolExecutor(1, "batch-ahead")
        self._begun: tuple[Span, Future[tuple[Batch, torch.cuda.Event]]] | None = None

    def batch(self, span: Span, then: Span | None = None) -> Batch:
        """The batch of a span, its tensors ready for the caller's stream."""
        begun, self._begun = self._begun, None
        if begun is None or begun[0] != span:
            if begun is not None:
                begun[1].cancel()
            begun = self._begin(span)
        batch, ready = begun[1].result()
        if then is not None:
            self._begun = self._begin(then)
        stream = torch.cuda.current_stream(self._stream.device)
        stream.wait_event(ready)
        for tensor in _tensors(batch):
            # Made on another stream: its memory may be used again only when this one has got so far.
            tensor.record_stream(stream)
        return batch

    def _begin(self, span: Span) -> tuple[Span, Future[tuple[Batch, torch.cuda.Event]]]:
        return span, self._maker.submit(self._made, *span)

    def _made(self, first: int, count: int) -> tuple[Batch, torch.cuda.Event]:
        with torch.cuda.stream(self._stream):
            batch = self._make(first, count)
            return batch, self._stream.record_event()

    def close(self) -> None:
        """Begin no more."""
        self._maker.shutdown(wait=False, cancel_futures=True)


def _tensors(batch: Batch) -> Iterable[Tensor]:
    """What of a batch is in a GPU's memory."""
    for name in (own.name for own in fields(batch)):
        value = getattr(batch, name)
        held = value.values() if isinstance(value, dict) else [value]
        for one in held:
            for tensor in one if isinstance(one, list | tuple) else [one]:
                if isinstance(tensor, Tensor) and tensor.is_cuda:
                    yield tensor
