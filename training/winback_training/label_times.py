"""Label times: the past days at which features are taken, so that what came after is known.

All lie on one grid of steps (a twelfth of the horizon) counted back from ``as_of``, so that forward tests share them. There
are two kinds. *Closed* ones: the window ``[cut, cut + horizon)`` had closed by the day the model is trained for; every fourth
step. *Recent* ones, for models that look one step ahead: every second of the last 36 steps. Those *of last year* tell of the
season: the same day 52 weeks ago, and horizons before and after it.
Nothing is learned where there is hardly any history yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from winback_models.design import step_days
from winback_models.hazard_fit import ROLLED_STEPS
from winback_models.season import HORIZONS_BEFORE, LAST_YEAR

SPACING = 4
"""Steps between closed label times."""

EVERY = 2
"""Steps between recent label times: with one of each step the curves are the same within .3 %, with every fourth they were up to
2 % worse where the history is short."""


def closing_days(horizon_days: int) -> int:
    """Return the days after which a label window has closed, in whole steps.

    >>> closing_days(90), closing_days(28)
    (91, 28)
    """
    step = step_days(horizon_days)
    return -(-horizon_days // step) * step


def closed_label_times(trained_at: date, first_day: date, horizon_days: int, cuts: int) -> tuple[date, ...]:
    """Return up to ``cuts`` label times whose windows have closed by ``trained_at``, newest first.

    Parameters
    ----------
    trained_at : date
        The day the model is trained for; it may know nothing of that day or later.
    first_day : date
        Day of the first order; a cut needs one horizon of history.

    Examples
    --------
    >>> [str(d) for d in closed_label_times(date(2026, 7, 1), date(2026, 1, 1), 30, 3)]
    ['2026-06-01', '2026-05-24', '2026-05-16']
    """
    newest = trained_at - timedelta(days=closing_days(horizon_days))
    spacing = timedelta(days=SPACING * step_days(horizon_days))
    times = (newest - spacing * i for i in range(cuts))
    return tuple(t for t in times if (t - first_day).days >= horizon_days)


def label_times(trained_at: date, first_day: date, horizon_days: int, cuts: int) -> tuple[date, ...]:
    """Return closed and recent label times, newest first; recent ones need two thirds of a horizon of history."""
    step = timedelta(days=step_days(horizon_days))
    recent = {trained_at - step * back for back in (1, *range(EVERY, ROLLED_STEPS + 1, EVERY))}
    enough = {t for t in recent if 3 * (t - first_day).days >= 2 * horizon_days}
    closed = closed_label_times(trained_at, first_day, horizon_days, cuts)
    return tuple(sorted(enough | set(closed), reverse=True))


def last_year_label_times(trained_at: date, first_day: date, horizon_days: int) -> tuple[date, ...]:
    """Return the same day of last year, the day one horizon later, and up to three days as far apart before it, newest first.

    Those whose windows have closed and that have a horizon of history before them; none where there is none before the same day.

    Examples
    --------
    >>> [str(d) for d in last_year_label_times(date(2026, 7, 1), date(2025, 1, 1), 30)]
    ['2025-08-01', '2025-07-02', '2025-06-02', '2025-05-03', '2025-04-03']
    """
    same, horizon = trained_at - timedelta(days=LAST_YEAR), timedelta(days=closing_days(horizon_days))
    times = (same - n * horizon for n in range(-1, HORIZONS_BEFORE + 1))
    known = [t for t in times if t + horizon <= trained_at and (t - first_day).days >= horizon_days]
    return tuple(known) if same - horizon in known else ()


def all_label_times(
    trained_at: Sequence[date], first_day: date, horizon_days: int, cuts: int, *, season: bool = True
) -> frozenset[date]:
    """Return every label time that models trained on these days ask for: to learn from, to weigh members on, for the season."""
    days = set(trained_at)
    for today in trained_at:
        newest_closed = closed_label_times(today, first_day, horizon_days, 1)
        for day in (today, *newest_closed):
            days |= {*label_times(day, first_day, horizon_days, cuts)}
            if season:
                days |= {*last_year_label_times(day, first_day, horizon_days)}
    return frozenset(days)


def origins(as_of: date, first_day: date, horizon_days: int, wanted: int) -> tuple[date, ...]:
    """Return the days of forward tests, newest first: closed by ``as_of``, with two horizons of history before them."""
    return tuple(
        t
        for t in closed_label_times(as_of, first_day, horizon_days, wanted)
        if (t - first_day).days >= horizon_days + closing_days(horizon_days)
    )
