"""What the demo shows beside its runs: how cohorts come back, and one contact's story replayed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

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


def cohort_table(tables: Tables, before: date) -> pd.DataFrame:
    """Return which share of each month's newcomers bought again so many months later.

    Months that are not over on ``before`` are left out, as cohort and as month of return.

    Returns
    -------
    DataFrame
        ``cohort`` (such as ``Jan 2017 · 1,893``), ``position``, ``month`` (from 1), ``n`` and ``share`` (0 to
        1); a row for every month that could be observed, zeros included.
    """
    days = purchase_days(tables, before)
    first = days.group_by("contact_id").aggregate(first_day=days.day.min())
    month_of = {
        name: _month_number(column) for name, column in (("day", days.day), ("first", first.first_day))
    }
    bought = days.select("contact_id", month=month_of["day"]).distinct()
    began = first.select("contact_id", cohort=month_of["first"])
    joined = bought.join(began, "contact_id")
    counted = joined.group_by("cohort", "month").aggregate(n=joined.contact_id.nunique()).to_pandas()
    people = {(int(c), int(m)): int(n) for c, m, n in counted.itertuples(index=False)}
    over = before.year * 12 + before.month - 1  # the month of `before` itself is not over
    cohorts = sorted(c for c, m in people if c == m and c < over)
    rows = [
        (
            _cohort_name(cohort, people[cohort, cohort]),
            position,
            month - cohort,
            people.get((cohort, month), 0),
        )
        for position, cohort in enumerate(cohorts)
        for month in range(cohort + 1, over)
    ]
    sizes = [people[cohort, cohort] for cohort in cohorts]
    table = pd.DataFrame(rows, columns=["cohort", "position", "month", "n"])
    return table.assign(share=[n / sizes[p] for p, n in zip(table["position"], table["n"], strict=True)])


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
    own = _only(tables, contact_id)
    step = max(1, model.horizon_days // STORY_STEPS_PER_HORIZON)
    rows: list[tuple[date, float, float]] = []
    for back in range(STORY_POINTS):
        day = as_of - timedelta(days=back * step)
        features = build_features(own, day).to_pandas()
        if features.empty or not features["purchase_days"].iloc[0] > 0:
            break
        said = model.predict(features, day, score).iloc[0]
        rows.append((day, float(said["p_purchase"]), float(said["p_alive"])))
    curve = pd.DataFrame(reversed(rows), columns=["day", "p_purchase", "p_alive"])
    bought = purchase_days(own, as_of).select("day").to_pandas()["day"]
    since = rows[-1][0] if rows else as_of
    return curve, sorted(day for day in pd.to_datetime(bought).dt.date if day >= since)


def _only(tables: Tables, contact_id: str) -> Tables:
    """Return the tables of one contact, small and materialised, so that asking them often is cheap."""

    def cut(table: ibis.Table) -> ibis.Table:
        return table.filter(table.contact_id == contact_id).cache()

    return replace(
        tables,
        orders=cut(tables.orders),
        lines=cut(tables.lines),
        events=cut(tables.events),
        contacts=cut(tables.contacts),
    )


def _month_number(day: ibis.Value) -> ibis.Value:
    return day.year() * 12 + day.month() - 1


def _cohort_name(month: int, people: int) -> str:
    return f"{date(month // 12, month % 12 + 1, 1):%b %Y} · {people:,}"
