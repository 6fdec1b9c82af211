"""Remember what was computed of an immutable run for as long as the run is open."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from winback_serving.web.reader import Run

P = ParamSpec("P")
T = TypeVar("T")
KEPT = 64
"""Answers of one function that are kept for a run; the oldest goes first."""


def per_run(function: Callable[..., T]) -> Callable[..., T]:
    """Let a function of a run and other hashable arguments be computed once for each.

    A run never changes, so neither does the answer. It is forgotten together with the run.

    Parameters
    ----------
    function : callable
        Its first argument is a `Run`.
    """
    known: WeakKeyDictionary[Run, dict[Any, T]] = WeakKeyDictionary()
    lock = threading.Lock()

    @wraps(function)
    def remembered(run: Run, *arguments: Any) -> T:
        with lock:
            answers = known.setdefault(run, {})
            if arguments in answers:
                return answers[arguments]
        answer = function(run, *arguments)
        with lock:
            answers[arguments] = answer
            while len(answers) > KEPT:
                del answers[next(iter(answers))]
        return answer

    return remembered
