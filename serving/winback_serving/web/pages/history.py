"""One contact over the published runs: its chances, its states, and the days on which it bought or clicked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from winback_serving.web.lookup import rows_of
from winback_serving.web.reader import Run, Runs

EVERY_DAY = 14
EVERY_WEEK = 52
"""So many days back every run is read, and so many weeks before that one a week: a page never opens hundreds of files."""

_SCORES = ("p_purchase", "p_alive", "model_version")
_STATES = (
    *("state", "entered_at", "entry_reason", "exit_reason", "not_flagged_reason"),
    *("recommended_action", "incentive_tier", "arm"),
)


def days_to_read(days: Sequence[date], as_of: date) -> list[date]:
    """Thin out the days with a run: every one lately, one a week before.

    Parameters
    ----------
    days : sequence of date
    as_of : date
        Later days are left out.

    Returns
    -------
    list of date
        Oldest first; the newest of each week.

    Examples
    --------
    >>> end = date(2026, 3, 31)
    >>> found = days_to_read([end - timedelta(days=back) for back in range(100)], end)
    >>> len(found), found[0], found[-1] == end
    (27, datetime.date(2025, 12, 23), True)
    """
    recent = as_of - timedelta(days=EVERY_DAY)
    oldest = recent - timedelta(weeks=EVERY_WEEK)
    weeks: dict[int, date] = {}
    kept = []
    for day in sorted(days, reverse=True):
        if recent < day <= as_of:
            kept.append(day)
        elif oldest <= day <= recent:
            weeks.setdefault((recent - day).days // 7, day)
    return sorted([*kept, *weeks.values()])


def read_history(runs: Runs, run: Run, contact_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read what the published runs said of a contact.

    Parameters
    ----------
    runs : Runs
    run : Run
        The run of the page; later ones are not read.
    contact_id : str

    Returns
    -------
    scores : list of dict
        ``day, p_purchase, p_alive, model_version``, oldest first.
    states : list of dict
        ``day``, ``state`` and what stands beside it in ``winback``, oldest first, a row for each change.
    """
    folders = {
        day: found.folder
        for day in days_to_read(runs.days(), run.as_of)
        if (found := runs.store.current(day))
    }
    folders[run.as_of] = run.folder
    scores: list[dict[str, Any]] = []
    states: list[dict[str, Any]] = []
    for day, folder in sorted(folders.items()):
        scores += [{"day": day, **row} for row in rows_of(folder / "scores.parquet", contact_id, _SCORES)]
        states += [{"day": day, **row} for row in rows_of(folder / "winback.parquet", contact_id, _STATES)]
    return scores, changes(states)


def changes(states: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows in which the state, or the reason for it, is not that of the row before.

    >>> said = [{"day": d, "state": s, "not_flagged_reason": None} for d, s in [(1, "active"), (2, "active"), (3, "flagged")]]
    >>> [row["day"] for row in changes(said)]
    [1, 3]
    """
    told = ("state", "not_flagged_reason")
    return [
        row
        for i, row in enumerate(states)
        if i == 0 or any(row[name] != states[i - 1][name] for name in told)
    ]


def read_timeline(run: Run, contact_id: str) -> dict[str, list[date]] | None:
    """Return the days of purchases and of clicks; None where the run is older than its timeline."""
    if "timeline" not in run.tables:
        return None
    rows = rows_of(run.folder / "timeline.parquet", contact_id, ("kind", "day"))
    return {kind: [row["day"] for row in rows if row["kind"] == kind] for kind in ("purchase", "click")}
