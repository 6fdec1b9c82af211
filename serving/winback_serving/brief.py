"""What happened, in a form to show: published runs and an evaluation, read into small frozen rows.

The terminal's summary and the report show the same brief, so that they cannot tell two stories.
Nothing here grows with the number of contacts: tables are counted and cut in DuckDB, straight from the runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd

from winback_features.contracts import TABLES
from winback_policy.dates import calendar_days
from winback_serving.accuracy import Accuracy
from winback_serving.store import PublishedRun


@dataclass(frozen=True, slots=True)
class ListRow:
    """One contact of the list, as far as it is shown.

    ``due_date`` is the day by which its own rhythm had it back (``days_overdue`` open days ago); ``next_purchase_date``
    is the median given the silence so far, None where that lies beyond what the model looks ahead.
    """

    rank: int
    contact_id: str
    state: str
    entered_at: date | None
    p_purchase: float
    next_purchase_date: date | None
    next_purchase_low: date | None
    next_purchase_high: date | None
    days_since_purchase: float | None
    due_date: date | None
    days_overdue: float | None
    value_at_risk: float | None
    rfm_segment: str | None
    reasons: Sequence[str]
    recommended_action: str | None
    channel: str | None
    arm: str | None


@dataclass(frozen=True, slots=True)
class DayRow:
    """One scored day: who came, who left and why, who stands on the list."""

    as_of: date
    run_id: str
    entries: int
    exits: Mapping[str, int]
    listed: int
    value_at_risk: float

    @property
    def left(self) -> int:
        """Return how many left the list that day."""
        return sum(self.exits.values())


@dataclass(frozen=True, slots=True)
class InputRow:
    """The reconciliation of one input table: rows in = rows used + rows quarantined."""

    table: str
    rows_in: int
    rows_used: int
    rows_quarantined: int
    reasons: Mapping[str, int]
    notices: tuple[str, ...]
    first_day: date | None
    last_day: date | None


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything that is told about the newest day and the days before it.

    Attributes
    ----------
    brand, currency : str
    as_of : date
        The newest scored day.
    horizon_days : int
    contacts, scored, listed, held_out : int
        Contacts known; scored; on the list today; of the listed, in the holdout arm.
    value_at_risk : float
        Of the listed, in ``currency``.
    top : tuple of ListRow
        The head of the list, best first.
    excluded : mapping of str to int
        Contacts not on the list by ``not_flagged_reason``, most first.
    days : tuple of DayRow
        Oldest first.
    inputs : tuple of InputRow
    model_name, model_version : str
    accuracy : Accuracy
        Of the model that scored; empty when nothing was evaluated.
    detectable_effect : float, optional
        The smallest rise of the share that buys which the holdout of today's list could show.
    """

    brand: str
    currency: str
    as_of: date
    horizon_days: int
    contacts: int
    scored: int
    listed: int
    held_out: int
    value_at_risk: float
    top: tuple[ListRow, ...]
    excluded: Mapping[str, int]
    days: tuple[DayRow, ...]
    inputs: tuple[InputRow, ...]
    model_name: str
    model_version: str
    accuracy: Accuracy = field(default_factory=Accuracy)
    detectable_effect: float | None = None


def read_brief(
    runs: Sequence[PublishedRun],
    *,
    brand: str,
    currency: str,
    horizon_days: int,
    accuracy: Accuracy | None = None,
    top: int = 15,
    closed: Sequence[tuple[date, date]] = (),
) -> Brief:
    """Read what there is to tell out of published runs.

    Parameters
    ----------
    runs : sequence of PublishedRun
        At least one; consecutive days, oldest first.
    brand, currency, horizon_days
        As in the settings.
    accuracy : Accuracy, optional
        Of the model that scored.
    top : int
        Rows of the list to keep.
    closed : sequence of (first day, day after the last)
        Days on which the shop was closed: nobody was due on them.
    """
    newest = runs[-1]
    info = newest.info()
    with _opened(newest) as connection:
        (contacts,) = _row(connection, "SELECT count(*) FROM winback")
        (scored,) = _row(connection, "SELECT count(*) FROM scores")
        (held_out,) = _row(connection, "SELECT count(*) FROM listed WHERE arm = 'holdout'")
        head = connection.execute(_TOP_SQL, [top]).fetchall()
        excluded = connection.execute(_EXCLUDED_SQL).fetchall()
    days = tuple(_day(run) for run in runs)
    return Brief(
        brand=brand,
        currency=currency,
        as_of=newest.as_of,
        horizon_days=horizon_days,
        contacts=contacts,
        scored=scored,
        listed=days[-1].listed,
        held_out=held_out,
        detectable_effect=info.get("experiment", {}).get("detectable_effect"),
        value_at_risk=days[-1].value_at_risk,
        top=tuple(_listed(dict(zip(_TOP_COLUMNS, row, strict=True)), newest.as_of, closed) for row in head),
        excluded=dict(excluded),
        days=days,
        inputs=tuple(_input(name, info["inputs"][name]) for name in TABLES if name in info["inputs"]),
        model_name=str(info["model"]["name"]),
        model_version=str(info["model"]["version"]),
        accuracy=accuracy or Accuracy(),
    )


def risk_bins(run: PublishedRun, bins: int = 20) -> pd.DataFrame:
    """Count the contacts of the active base by risk.

    Returns
    -------
    DataFrame
        ``low, high`` (edges of ``p_lapse``, 0 to 1) and ``n``; ``bins`` rows.
    """
    with _opened(run) as connection:
        found = dict(connection.execute(_RISK_SQL, [bins, bins - 1]).fetchall())
    edges = [i / bins for i in range(bins + 1)]
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": [found.get(i, 0) for i in range(bins)]})


_TOP_COLUMNS = tuple(f.name for f in fields(ListRow) if f.name != "due_date")
_TOP_SQL = """
    SELECT rank, contact_id, state, entered_at, p_purchase, next_purchase_date, next_purchase_low,
           next_purchase_high, days_since_purchase,
           days_overdue, value_at_risk, rfm_segment,
           list_filter([reason_1, reason_2, reason_3], reason -> reason IS NOT NULL) AS reasons,
           recommended_action, channel, arm
    FROM listed ORDER BY rank LIMIT ?
"""
_EXCLUDED_SQL = """
    SELECT not_flagged_reason, count(*) AS n FROM winback WHERE not_flagged_reason IS NOT NULL
    GROUP BY not_flagged_reason ORDER BY n DESC, not_flagged_reason
"""
_EXITS_SQL = "SELECT exit_reason, count(*) AS n FROM exits GROUP BY exit_reason ORDER BY n DESC, exit_reason"
_LISTED_SQL = "SELECT count(*), coalesce(sum(CAST(value_at_risk AS DECIMAL(28, 4))), 0) FROM listed"
_RISK_SQL = """
    SELECT least(CAST(floor(p_lapse * ? + 1e-9) AS INTEGER), ?) AS bin, count(*) AS n
    FROM scores WHERE base = 'active' GROUP BY bin
"""


@contextmanager
def _opened(run: PublishedRun) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a run's tables as views, and ``listed``: the contacts in a journey today."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        for name in ("winback", "scores", "entries", "exits"):
            connection.read_parquet(str(run.file(name))).create_view(name)
        connection.execute(
            "CREATE VIEW listed AS SELECT * FROM winback WHERE state IN ('flagged', 'in_winback')"
        )
        yield connection


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    return rows[0]


def _listed(row: Mapping[str, Any], as_of: date, closed: Sequence[tuple[date, date]]) -> ListRow:
    late = row["days_overdue"]
    since = None if late is None else timedelta(days=calendar_days(as_of, round(late), closed))
    return ListRow(**row, due_date=None if since is None else as_of - since)


def _day(run: PublishedRun) -> DayRow:
    with _opened(run) as connection:
        (entries,) = _row(connection, "SELECT count(*) FROM entries")
        exits = dict(connection.execute(_EXITS_SQL).fetchall())
        listed, value = _row(connection, _LISTED_SQL)
    return DayRow(run.as_of, run.run_id, entries, exits, listed, float(value))


def _input(name: str, table: Mapping[str, Any]) -> InputRow:
    def when(key: str) -> date | None:
        return date.fromisoformat(table[key]) if table.get(key) else None

    return InputRow(
        table=name,
        rows_in=int(table["rows_in"]),
        rows_used=int(table["rows_used"]),
        rows_quarantined=int(table["rows_quarantined"]),
        reasons=dict(table["reasons"]),
        notices=tuple(notice["message"] for notice in table["warnings"]),
        first_day=when("first_day"),
        last_day=when("last_day"),
    )
