"""What the demo shows beside its runs: how cohorts come back, and one contact's story replayed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import ibis
import pandas as pd

from winback_features.build import build_features
from winback_features.facts import purchase_days
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_models.lapse_model import LapseModel

STORY_POINTS = 26
STORY_STEPS_PER_HORIZON = 4


def consecutive_days(end: date, days: int) -> tuple[date, ...]:
    """Return ``days`` days in a row, the last of them ``end``.

    >>> consecutive_days(date(2018, 1, 1), 2)
    (datetime.date(2017, 12, 31), datetime.date(2018, 1, 1))
    """
    return tuple(end - timedelta(days=back) for back in reversed(range(days)))


def cohort_table(cohorts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return which share of each month's newcomers bought again so many months later.

    Months that are not over are left out, as cohort and as month of return.

    Parameters
    ----------
    cohorts : sequence of mapping
        Of `winback_features.retention.retention`.

    Returns
    -------
    DataFrame
        ``cohort`` (such as ``Jan 2017 · 1,893``), ``position``, ``month`` (from 1) and ``share`` (0 to 1); a row for every
        month that could be observed, zeros included.
    """
    rows = [
        (_cohort_name(row), position, month, active / row["contacts"])
        for position, row in enumerate(cohorts)
        for month, active in enumerate(row["active"][: row["complete_months"]])
        if month
    ]
    return pd.DataFrame(rows, columns=["cohort", "position", "month", "share"])


def contact_story(
    tables: Tables, model: LapseModel, contact_id: str, as_of: date, score: ScoreConfig
) -> tuple[pd.DataFrame, list[date]]:
    """Replay what the model says of one contact on past days, each with only what was known then.

    Returns
    -------
    curve : DataFrame
        ``day, p_purchase, p_alive``, oldest first; the last day is ``as_of``.
    purchases : list of date
        Purchase days since the first of those days.
    """
    step = max(1, model.horizon_days // STORY_STEPS_PER_HORIZON)
    backs = [back * step for back in reversed(range(STORY_POINTS))]
    ghosts = build_features(_ghosts(tables, contact_id, backs), as_of).to_pyarrow().to_pandas()
    ghosts = ghosts[ghosts["purchase_days"] > 0].sort_values("contact_id", ascending=False, ignore_index=True)
    days = [as_of - timedelta(days=int(back)) for back in ghosts["contact_id"]]
    said = model.predict(ghosts, as_of, score)
    curve = pd.DataFrame({"day": days, "p_purchase": said["p_purchase"], "p_alive": said["p_alive"]})
    own = purchase_days(tables, as_of)
    bought = own.filter(own.contact_id == contact_id).select("day").to_pyarrow()["day"].to_pylist()
    return curve, sorted(day for day in bought if days and day >= days[0])


def _ghosts(tables: Tables, contact_id: str, backs: Sequence[int]) -> Tables:
    """Return a contact once for each number of days back, its whole life moved forward by so many days.

    Seen from one and the same day, each ghost is the contact as it was on a past day: what came later lies in
    the ghost's future, where no feature looks. So one query answers for all the days. Only the season of the
    year is today's and not that day's. A ghost's ``contact_id`` is its days back, with zeros in front.
    """

    def moved(table: ibis.Table, *moments: str) -> ibis.Table:
        own = table.filter(table.contact_id == contact_id).mutate(back=ibis.array(list(backs)).unnest())
        shift = own.back.as_interval("D")
        later = {name: (own[name] + shift).cast(table[name].type()) for name in moments}
        return own.mutate(**later, contact_id=own.back.cast("string").lpad(6, "0")).select(*table.columns)

    return replace(
        tables,
        orders=moved(tables.orders, "ordered_at", "day", "cancelled_on"),
        lines=moved(tables.lines, "day"),
        events=moved(tables.events, "occurred_at", "day"),
        contacts=moved(tables.contacts, "created_at", "erased_at", "objected_profiling_at"),
    )


def _cohort_name(cohort: Mapping[str, Any]) -> str:
    first = date.fromisoformat(f"{cohort['month']}-01")
    return f"{first:%b %Y} · {cohort['contacts']:,}"
