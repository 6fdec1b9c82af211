"""Flags judged by hand: what a caught lapse is, what counts once, and rules brought to the same number of flags."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_policy import judge
from winback_policy.config import PolicyConfig
from winback_policy.judge import Point

START = date(2025, 3, 1)
DAY = {
    "on_base": True,
    "may_flag": True,
    "entered": False,
    "bought": False,
    "days_overdue": -5.0,
    "gap_mean": 10.0,
    "usual_gap_days": 10.0,
    "horizon_days": 28.0,
    "closed_days_in_silence": 0.0,
    "p_lapse": 0.5,
    "value_at_risk": 10.0,
}
"""A day of a contact of the active base, in time by its own rhythm, that then buys nothing."""

Panel = Callable[[list[dict[str, Any]]], Any]


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """Give a function that makes a panel of days given as differences from `DAY`: ``who``, ``day`` and ``silence``."""
    backend = ibis.duckdb.connect()
    schema = ibis.schema(judge.PANEL_SCHEMA).to_pyarrow()

    def make(rows: list[dict[str, Any]]) -> Any:
        full = [
            DAY
            | {
                "contact_id": row["who"],
                "day": START + timedelta(days=row["day"]),
                "spell": row["day"] - row["silence"],
                "days_since_purchase": float(row["silence"]),
            }
            | {k: v for k, v in row.items() if k in judge.PANEL_SCHEMA and k != "day"}
            for row in rows
        ]
        return backend.create_table("panel", pa.Table.from_pylist(full, schema), overwrite=True)

    yield make
    backend.disconnect()


def silent(who: str, days: range, **changes: Any) -> list[dict[str, Any]]:
    """Return one spell: day by day from a purchase on ``days.start``; a change may be a function of the silence."""
    return [
        {"who": who, "day": day, "silence": day - days.start + 1}
        | {k: v(day - days.start + 1) if callable(v) else v for k, v in changes.items()}
        for day in days
    ]


def test_a_flag_in_time_before_a_silent_horizon_catches_a_lapse(panel: Panel) -> None:
    rows = [
        *silent("caught", range(5), entered=lambda s: s == 3),
        *silent("came back", range(5), entered=lambda s: s == 3, bought=True),
        *silent("too late", range(5), entered=lambda s: s == 3, days_overdue=2.0),
        *silent("never flagged", range(5)),
        *silent("off the base", range(5), entered=lambda s: s == 3, on_base=False),
    ]
    table = panel(rows)
    flags = judge.counts(judge.entries_judged(table))
    assert (flags.flags, flags.caught, flags.unnecessary, flags.late) == (4 + 0, 1, 1, 1)
    assert judge.true_lapses(table) == 2, "the caught one and the one never flagged"


def test_the_last_day_within_the_own_rhythm_still_counts(panel: Panel) -> None:
    table = panel(silent("a", range(6), days_overdue=lambda s: s - 4.0, entered=lambda s: s == 4))
    assert judge.lead_times(judge.entries_judged(table)) == {0: 1}
    table = panel(silent("a", range(6), days_overdue=lambda s: s - 4.0, entered=lambda s: s == 5))
    assert judge.counts(judge.entries_judged(table)).caught == 0
    assert judge.true_lapses(table) == 1, "it could have been caught earlier"


def test_flags_of_one_silence_count_once_and_of_two_twice(panel: Panel) -> None:
    twice = silent("a", range(10), entered=lambda s: s in (3, 7))
    again = [row | {"day": row["day"] + 10} for row in silent("a", range(10), entered=lambda s: s == 4)]
    for row in again:
        row["silence"] = row["day"] - 9
    table = panel([*twice, *again])
    assert judge.counts(judge.entries_judged(table)).flags == 2
    steady = judge.flapping(table, table.filter(False).mutate(exited_at="day", exit_reason="contact_id"), 30)
    assert (steady["entries"], steady["contacts"], steady["again_in_spell"]) == (3, 1, 1)


def test_whoever_is_beyond_a_threshold_on_the_first_day_is_nobodys_flag(panel: Panel) -> None:
    rows = [{"who": "old", "day": day, "silence": 40 + day, "entered": day == 0} for day in range(5)]
    table = panel(rows)
    assert judge.counts(judge.entries_judged(table)).flags == 0
    flags = {p.threshold: p.flags for p in judge.curve(table, judge.FIXED_WINDOW)}
    assert all(flags[w] == 0 for w in range(1, 41))
    assert all(flags[w] == 1 for w in range(41, 45)), "it grew silent for so long under our eyes"


def test_a_rule_flags_where_its_threshold_is_reached(panel: Panel) -> None:
    rows = silent("a", range(8), days_overdue=lambda s: s - 5.0) + silent("b", range(8), bought=True)
    points = {p.threshold: p for p in judge.curve(panel(rows), judge.FIXED_WINDOW)}
    assert points[3] == Point(3, flags=2, caught=1, unnecessary=1, late=0)
    assert points[6] == Point(6, flags=2, caught=0, unnecessary=1, late=1)
    gaps = {p.threshold: p for p in judge.curve(panel(rows), judge.OWN_GAP)}
    assert gaps[0.3] == Point(0.3, flags=2, caught=1, unnecessary=1, late=0)
    assert gaps[0.6] == Point(0.6, flags=2, caught=0, unnecessary=1, late=1)


def test_a_risk_that_falls_again_flags_once(panel: Panel) -> None:
    risk = {1: 0.1, 2: 0.6, 3: 0.2, 4: 0.7}
    points = {
        p.threshold: p.flags
        for p in judge.curve(panel(silent("a", range(4), p_lapse=risk.get)), judge.RISK_ALONE)
    }
    assert points[0.1] == 0, "reached on the first day"
    assert (points[0.2], points[0.6], points[0.65], points[0.7]) == (1, 1, 1, 1)


def test_the_policys_rule_waits_for_the_own_rhythm(panel: Panel) -> None:
    table = panel(silent("a", range(12), days_overdue=lambda s: s - 10.0))
    assert judge.curve(table, judge.risk_when_due(PolicyConfig(early_share=99.0)))[-1].flags == 1
    assert judge.curve(table, judge.RISK_ALONE) == [], "at the same risk from the first day on"


def test_who_may_not_be_flagged_is_no_rules_flag(panel: Panel) -> None:
    table = panel(silent("a", range(8), may_flag=lambda s: s > 5))
    points = {p.threshold: p.flags for p in judge.curve(table, judge.FIXED_WINDOW)}
    assert points == dict.fromkeys(range(1, 9), 1), "below the sixth day it is flagged once it may be"


def test_no_flags_no_numbers(panel: Panel) -> None:
    empty = panel([])
    assert judge.curve(empty, judge.FIXED_WINDOW) == []
    assert judge.true_lapses(empty) == 0
    entries = judge.entries_judged(empty)
    assert (judge.counts(entries).flags, judge.lead_times(entries), judge.precision_at(entries)) == (
        0,
        {},
        [],
    )
    assert math.isnan(judge.best_at([], 10).threshold)
    assert judge.compared(judge.counts(entries), {"x": []})["x"]["more"] is None


def test_precision_takes_the_best_of_each_day_first(panel: Panel) -> None:
    rows = [
        {"who": name, "day": day, "silence": 3, "value_at_risk": value, "bought": bought, "entered": True}
        for day in (1, 2)
        for name, value, bought in (("a", 9.0, False), ("b", 5.0, True), ("c", 1.0, True))
    ]
    rows.append({"who": "stage", "day": 0, "silence": 1})
    found = judge.precision_at(judge.entries_judged(panel(rows)))
    assert found[0] == {"capacity": 1, "flags": 2, "precision": 1.0}
    assert found[1] == {"capacity": 2, "flags": 4, "precision": 0.5}
    assert found[2] == {"capacity": 5, "flags": 6, "precision": pytest.approx(1 / 3)}
    assert len(found) == 3


def test_flapping_counts_entries_soon_after_an_exit(panel: Panel) -> None:
    rows = silent("a", range(40), entered=lambda s: s in (3, 20, 40)) + silent("b", range(40))
    table = panel(rows)
    exits = pa.table(
        {
            "contact_id": ["a"],
            "exit_reason": ["risk_fell"],
            "exited_at": [START + timedelta(days=9)],
        }
    )
    found = judge.flapping(table, ibis.memtable(exits), cooldown_days=30)
    assert found["entries"] == 3
    assert found["entered_again"] == 1
    assert found["again_in_cooldown"] == 1, "on the 19th day; the 39th is 30 days after"
    assert found["exits"] == {"risk_fell": 1}


SPELLS = st.lists(
    st.tuples(
        st.integers(0, 4),  # first day seen
        st.lists(
            st.tuples(st.integers(0, 9), st.booleans(), st.integers(-3, 3), st.booleans()),
            min_size=1,
            max_size=6,
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=10, deadline=None)
@given(spells=SPELLS, threshold=st.integers(1, 9))
def test_the_curve_equals_walking_through_every_spell(
    panel: Panel, spells: list[tuple[int, list[tuple[int, bool, int, bool]]]], threshold: int
) -> None:
    rows = [{"who": "stage", "day": 0, "silence": 1, "may_flag": False}]
    for who, (start, days) in enumerate(spells):
        for n, (risk, bought, overdue, may) in enumerate(days):
            rows.append(
                {"who": str(who), "day": start + n, "silence": n + 1, "p_lapse": risk / 10, "bought": bought}
                | {"days_overdue": float(overdue), "may_flag": may}
            )
    wanted = [0, 0, 0, 0]
    for start, days in spells:
        for n, (risk, bought, overdue, may) in enumerate(days):
            if may and risk >= threshold:
                if start + n > 0:
                    caught = overdue <= 0 and not bought
                    for i, hit in enumerate((True, caught, bought, overdue > 0)):
                        wanted[i] += hit
                break
    rule = judge.Rule("risk", lambda t: t.p_lapse, 10)
    points = {round(10 * p.threshold): p for p in judge.curve(panel(rows[::-1]), rule)}
    found = points.get(threshold, Point(threshold, 0, 0, 0, 0))
    assert [found.flags, found.caught, found.unnecessary, found.late] == wanted


@given(
    points=st.lists(st.tuples(st.integers(1, 500), st.integers(0, 500)), min_size=1, max_size=8),
    flags=st.integers(1, 400),
)
def test_a_rival_is_never_put_below_what_a_threshold_gives(points: list[tuple[int, int]], flags: int) -> None:
    made = [Point(i, n, min(n, c), 0, 0) for i, (n, c) in enumerate(points)]
    best = judge.best_at(made, flags)
    assert best.caught >= max(p.caught * min(flags, p.flags) / p.flags for p in made)
    assert best.caught <= flags + 1e-9
    assert judge.best_at(made, flags + 1).caught >= best.caught - 1e-9
    assert judge.at_flags(made, flags).caught <= best.caught
