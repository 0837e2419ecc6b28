"""Work on items that threads begin before it is asked for. Knows no torch: readers of images do without it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def each_ahead(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[tuple[T, R]]:
    """Each item with `work(item)`, in order; without workers each is done when its turn comes."""
    if not workers:
        for item in items:
            yield item, work(item)
        return
    begun: deque[tuple[T, Future[R]]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            begun.append((item, pool.submit(work, item)))
            if len(begun) > workers:
                first, done = begun.popleft()
                yield first, done.result()
        while begun:
            first, done = begun.popleft()
            yield first, done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
