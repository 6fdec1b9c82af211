"""One contact over the published runs: its chances, its states, and the days on which it bought or clicked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from winback_serving.web.lookup import rows_of
from winback_serving.web.reader import Run, Runs

EVERY_DAY = 14
EVERY_WEEK = 52
"""So many days back every run is read, and so many weeks before that one a week: a page never opens hundreds of files."""

_SCORES = ("p_purchase", "p_alive")
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


def read_folders(runs: Runs, run: Run) -> dict[date, Path]:
    """Return the folders of the runs before one, thinned out, the oldest first."""
    days = [day for day in days_to_read(runs.days(), run.as_of) if day < run.as_of]
    return {day: found.folder for day in days if (found := runs.store.current(day))}


def read_scores(folders: Mapping[date, Path], run: Run, contact_id: str) -> list[dict[str, Any]]:
    """Read the chances that the runs gave a contact.

    Parameters
    ----------
    folders : mapping of date to Path
        See `read_folders`.
    run : Run
        The run of the page.
    contact_id : str

    Returns
    -------
    list of dict
        ``day, p_purchase, p_alive``, oldest first; no row for a run that did not score it.
    """
    now = run.contact(contact_id)
    scored = now is not None and now["p_purchase"] is not None
    return _over_time(folders, "scores", contact_id, _SCORES, run.as_of, now if scored else None)


def read_states(folders: Mapping[date, Path], run: Run, contact_id: str) -> list[dict[str, Any]]:
    """Read what the runs decided about a contact; see `read_scores`.

    Returns
    -------
    list of dict
        ``day``, ``state`` and what stands beside it in ``winback``, oldest first, a row for each change.
    """
    now = run.contact(contact_id)
    return changes(_over_time(folders, "winback", contact_id, _STATES, run.as_of, now))


def _over_time(
    folders: Mapping[date, Path],
    table: str,
    contact_id: str,
    columns: Sequence[str],
    today: date,
    now: Mapping[str, Any] | None,
) -> list[dict[str, Any]]:
    """Return a contact's rows of a table in earlier runs, and that of the run of today, which is at hand."""
    found = [
        {"day": day, **row}
        for day, folder in folders.items()
        for row in rows_of(folder / f"{table}.parquet", contact_id, columns)
    ]
    return found + ([{"day": today} | {name: now.get(name) for name in columns}] if now else [])


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
