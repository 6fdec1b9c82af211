"""A bucket of requests for each caller, refilled steadily."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CALLERS = 10_000


class RateLimit:
    """So many requests a minute for each caller, and as many at once.

    Parameters
    ----------
    per_minute : int
    clock : callable
        Seconds.

    Examples
    --------
    >>> now = 0.0
    >>> limit = RateLimit(60, clock=lambda: now)
    >>> [limit.wait_seconds("crm") for _ in range(61)][-2:]
    [0.0, 1.0]
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.size = float(per_minute)
        self.per_second = per_minute / 60
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, caller: str) -> float:
        """Take one request out of a caller's bucket, and return 0; or how long to wait where it is empty."""
        now = self._clock()
        with self._lock:
            left, then = self._buckets.pop(caller, (self.size, now))
            left = min(self.size, left + (now - then) * self.per_second)
            granted = left >= 1
            self._buckets[caller] = (left - 1 if granted else left, now)
            while len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - left) / self.per_second
