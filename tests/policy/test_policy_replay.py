"""Days in a row: the same states whatever crashed, was missed, or came to be known late.

Histories (purchases, clicks, erasure, unsubscription) are drawn at random, and each day's row follows from them as the upstream
layers would make it. The limits are short, so that three months hold entries, exits, cooldown, sunset and farewell. The decision
is compiled once, for a day that stands for all; its dates are put in for each day that is run.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_policy.config import PolicyConfig
from winback_policy.decide import decide
from winback_policy.gather import STATE_SCHEMA
from winback_policy.states import IN_JOURNEY, STATES

SHORT = {"journey_days": 4, "sunset_days": 3, "cooldown_days": 3, "quiet_days": 0, "notice_days": 2}
FIRST, DAYS, GAP, CONTACTS = date(2025, 3, 10), 90, 5, 150
STAND_IN = date(1999, 5, 5)
DATE = re.compile(r"MAKE_DATE\((\d+), (\d+), (\d+)\)")

History = dict[str, Any]
States = dict[str, dict[str, Any]]


def histories(seed: int) -> dict[str, History]:
    """Draw who bought and clicked on which days, and who was erased or unsubscribed."""
    rng = random.Random(seed)
    rows = {}
    for i in range(CONTACTS):
        pace = rng.choice((0.03, 0.1, 0.3))
        rows[f"c{i:03}"] = {
            "bought": {-10, *(d for d in range(-9, DAYS) if rng.random() < pace)},
            "clicked": {d for d in range(-9, DAYS) if rng.random() < 0.03},
            "erased": rng.choice((None,) * 9 + (rng.randrange(DAYS),)),
            "unsubscribed": rng.choice((None,) * 9 + (rng.randrange(DAYS),)),
        }
    return rows


def fact(who: History, today: int) -> dict[str, Any]:
    """Return what is known of a contact on a morning: facts of earlier days only."""
    silence = today - max(d for d in who["bought"] if d < today)
    active = today - max(d for d in who["bought"] | who["clicked"] if d < today)
    late = silence - GAP
    return {
        "days_since_purchase": silence,
        "days_since_activity": float(active),
        "days_overdue": late,
        "p_lapse": min(0.95, max(0.05, 0.5 + late / 10)),
        "erased": who["erased"] is not None and who["erased"] < today,
        "consent_email": not (who["unsubscribed"] is not None and who["unsubscribed"] < today),
    }


class Replay:
    """Run days from any states, with a decision that is compiled once."""

    def __init__(self, world: Any) -> None:
        self.world = world
        row: States = {"c": {**dict.fromkeys(("entered_at", "exited_at")), "state": "active", "journeys": 0}}
        given = world.given({"c": {}}, row)
        self.names = [table.get_name() for table in given]
        decision = decide(
            *given,
            as_of=STAND_IN,
            config=PolicyConfig(holdout_share=0.3, **SHORT),
            currency="EUR",
            has_contacts=True,
        )
        self.sql = str(ibis.to_sql(decision.states, dialect="duckdb"))

    def day(self, known: dict[str, History], today: int, before: States) -> States:
        """Return tonight's states."""
        rows = {contact: fact(who, today) for contact, who in known.items()}
        given = [table.get_name() for table in self.world.given(rows, before)]
        as_of = FIRST + timedelta(days=today)

        def shifted(found: re.Match[str]) -> str:
            day = as_of + (date(*map(int, found.groups())) - STAND_IN)
            return f"MAKE_DATE({day.year}, {day.month}, {day.day})"

        sql = DATE.sub(shifted, self.sql)
        for stand_in, name in zip(self.names, given, strict=True):
            sql = sql.replace(stand_in, name)
        table = self.world.backend.con.sql(sql).to_arrow_table()
        return {row["contact_id"]: row for row in table.to_pylist()}

    def days(self, known: dict[str, History], days: Iterable[int], before: States) -> list[States]:
        """Return the states of some days, one after another."""
        found = []
        for today in days:
            before = self.day(known, today, before)
            found.append(before)
        return found


pytestmark = pytest.mark.slow  # three months, day by day


@pytest.fixture(scope="module")
def replay(world: Any) -> Replay:
    """The decision, compiled."""
    return Replay(world)


@pytest.fixture(scope="module")
def known() -> dict[str, History]:
    """Whose days are run."""
    return histories(seed=7)


@pytest.fixture(scope="module")
def whole(replay: Replay, known: dict[str, History]) -> list[States]:
    """Every day, one by one."""
    return replay.days(known, range(DAYS), {})


def test_the_days_hold_every_state(whole: list[States]) -> None:
    seen = {row["state"] for day in whole for row in day.values()}
    assert seen == set(STATES) - {"inactive"}, "nobody lapses for good"
    assert max(row["journeys"] for row in whole[-1].values()) > 1


def test_a_crash_on_any_day_changes_nothing(
    replay: Replay, known: Any, whole: list[States], tmp_path: Path
) -> None:
    """What is left of the days before is what was written: read it back, and go on. Equal after each day is equal after all."""
    schema = ibis.schema(STATE_SCHEMA).to_pyarrow()

    def written(states: States) -> bytes:
        pq.write_table(
            pa.Table.from_pylist(list(states.values()), schema=schema), tmp_path / "states.parquet"
        )
        return (tmp_path / "states.parquet").read_bytes()

    for today in range(1, DAYS):
        written(whole[today - 1])
        read = {row["contact_id"]: row for row in pq.read_table(tmp_path / "states.parquet").to_pylist()}
        again = replay.day(known, today, read)
        assert written(again) == written(whole[today]), f"day {today}"


def test_the_order_of_the_rows_changes_nothing(replay: Replay, known: Any, whole: list[States]) -> None:
    backwards = dict(reversed(known.items()))
    assert replay.day(backwards, 9, dict(reversed(whole[8].items()))) == whole[9]


def test_a_missed_day_is_caught_up(replay: Replay, known: Any, whole: list[States]) -> None:
    """A day later everybody is where it would have been, save who entered or left on the missed day: one day later."""
    for missed in range(2, DAYS - 1, 3):
        caught = replay.day(known, missed + 1, whole[missed - 1])
        for contact, row in caught.items():
            before, skipped, usual = (whole[missed + n][contact] for n in (-1, 0, 1))
            moved = (skipped["entered_at"], skipped["exited_at"], skipped["asleep_since"]) != (
                before["entered_at"], before["exited_at"], before["asleep_since"]
            )  # fmt: skip
            if not moved:
                assert row == usual, contact
            elif before["state"] in IN_JOURNEY and skipped["exit_reason"] == "purchased":
                assert row["exit_reason"] == "purchased", contact
                assert row["exited_at"] == FIRST + timedelta(days=missed + 1)


def test_a_late_order_corrects_the_state_on_the_next_run(
    replay: Replay, known: Any, whole: list[States]
) -> None:
    """Purchases of ten days come to be known at once: no buyer is left in a journey or asleep, and nothing else changes."""
    late = {c: {**who, "bought": {d for d in who["bought"] if d < 0}} for c, who in known.items()}
    blind = replay.days(late, range(10), {})[-1]
    corrected = replay.day(known, 10, blind)
    unchanged = replay.day(late, 10, blind)
    woken = 0
    for contact, row in corrected.items():
        if known[contact]["bought"] & set(range(10)):
            entered = blind[contact]["entered_at"]
            since = entered and any(
                FIRST + timedelta(days=d) >= entered for d in known[contact]["bought"] if d < 10
            )
            if since and row["state"] not in ("erased", "flagged"):
                woken += 1
                assert (row["state"], row["asleep_since"]) in {("active", None), ("reactivated", None)}, (
                    contact
                )
        else:
            assert row == unchanged[contact]
    assert woken > 5
