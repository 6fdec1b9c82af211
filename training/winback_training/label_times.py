"""Label times: the past days at which features are taken, so that what came after is known.

All lie on one grid of thirds of the horizon counted back from ``as_of``, so that forward tests share them. A label window
``[cut, cut + horizon)`` must have closed by the day the model is trained for, and a cut needs one horizon of history before it.
"""

from __future__ import annotations

from datetime import date, timedelta

GRID = 3


def grid_step(horizon_days: int) -> int:
    """Return the days between label times: a third of the horizon, rounded up.

    >>> grid_step(28)
    10
    """
    return -(-horizon_days // GRID)


def label_times(trained_at: date, first_day: date, horizon_days: int, cuts: int) -> tuple[date, ...]:
    """Return up to ``cuts`` label times whose windows have closed by ``trained_at``, newest first.

    Parameters
    ----------
    trained_at : date
        The day the model is trained for; it may know nothing of that day or later.
    first_day : date
        Day of the first order.

    Examples
    --------
    >>> [str(d) for d in label_times(date(2026, 7, 1), date(2026, 1, 1), 30, 3)]
    ['2026-06-01', '2026-05-22', '2026-05-12']
    """
    step = grid_step(horizon_days)
    newest = trained_at - timedelta(days=GRID * step)
    times = (newest - timedelta(days=step * i) for i in range(cuts))
    return tuple(t for t in times if (t - first_day).days >= horizon_days)


def origins(as_of: date, first_day: date, horizon_days: int, wanted: int) -> tuple[date, ...]:
    """Return the days of forward tests, newest first: closed by ``as_of``, with two horizons of history before them."""
    return tuple(
        t
        for t in label_times(as_of, first_day, horizon_days, wanted)
        if (t - first_day).days >= 2 * horizon_days
    )
