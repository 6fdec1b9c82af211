"""The same work on many items by a few threads, the results in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield ``work(item)`` for every item, in their order.

    Parameters
    ----------
    work : callable
        NumPy, Arrow and scikit-learn let other threads work meanwhile; plain Python does not.
    items : iterable
        Taken as they are needed: at most one more than ``threads`` are held at a time.
    threads : int
        With 1, nothing runs beside the caller.

    Examples
    --------
    >>> list(in_order(lambda n: n * n, range(5), threads=2))
    [0, 1, 4, 9, 16]
    """
    if threads < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads, initializer=_alone) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _alone() -> None:
    """Keep a thread from starting a team of its own for its trees: the others are at work as well."""
    threadpool_limits(1, user_api="openmp")
