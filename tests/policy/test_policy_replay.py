"""Days in a row: the same states whatever crashed, was missed, or came to be known late.

Histories (purchases, clicks, incentives, parting words, erasure, unsubscription) are drawn at random, and each day's row follows
from them as the upstream layers would make it. The limits are short, so that three months hold entries, exits, cooldown, sunset
and farewell; for some days the shop is closed. The decision is compiled once, for a day that stands for all; its dates are put in
for each day that is run.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_policy.config import PolicyConfig
from winback_policy.decide import DecisionDay, decide
from winback_policy.gather import STATE_SCHEMA
from winback_policy.incentives import INCENTIVE_TIERS
from winback_policy.states import IN_JOURNEY, STATES

SHORT = {"journey_days": 4, "sunset_days": 3, "cooldown_days": 3, "quiet_days": 0, "notice_days": 2}
FIRST, DAYS, GAP, CONTACTS = date(2025, 3, 10), 90, 5, 150
CLOSED = ((20, 26), (41, 42), (60, 63))
"""First day and day after the last of each period, in days after the first that is run."""
STAND_IN = date(1999, 5, 5)
DATE = re.compile(r"MAKE_DATE\((\d+), (\d+), (\d+)\)")

TOLD = ("entered_at", "exited_at", "asleep_since", "farewell_since", "offered_tier")
"""What a night puts down of a contact that it moves; a missed one leaves it to the next."""

History = dict[str, Any]
States = dict[str, dict[str, Any]]


def histories(seed: int) -> dict[str, History]:
    """Draw who bought, clicked, was sent an incentive and said that it left on which days, and who was erased or unsubscribed."""
    rng = random.Random(seed)
    rows = {}
    for i in range(CONTACTS):
        pace = rng.choice((0.03, 0.1, 0.3))
        rows[f"c{i:03}"] = {
            "bought": {-10, *(d for d in range(-9, DAYS) if rng.random() < pace)},
            "clicked": {d for d in range(-9, DAYS) if rng.random() < 0.03},
            "incentives": {d for d in range(-9, DAYS) if rng.random() < 0.1},
            "parted": rng.choice((None,) * 5 + (rng.randrange(DAYS),)),
            "spent": rng.choice((10.0, 100.0, 900.0)),
            "erased": rng.choice((None,) * 9 + (rng.randrange(DAYS),)),
            "unsubscribed": rng.choice((None,) * 9 + (rng.randrange(DAYS),)),
        }
    return rows


def fact(who: History, today: int) -> dict[str, Any]:
    """Return what is known of a contact on a morning: facts of earlier days only."""
    silence = today - max(d for d in who["bought"] if d < today)
    active = today - max(d for d in who["bought"] | who["clicked"] if d < today)
    late = silence - GAP
    said = None if who["parted"] is None or who["parted"] >= today else today - who["parted"]
    had = sum(d < today for d in who["incentives"])
    return {
        "days_since_purchase": silence,
        "days_since_activity": float(active),
        "days_overdue": late,
        "usual_gap_days": 2.0,
        "spend_total": who["spent"],
        "incentives_180d": float(had // 3),
        "stated_reason": said and "moved_away",
        "stated_days": said,
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
            DecisionDay(
                as_of=STAND_IN,
                config=PolicyConfig(holdout_share=0.3, **SHORT),
                currency="EUR",
                has_contacts=True,
                closed=self.closed(world),
            ),
        )
        self.sql = world.backend.compile(decision.states)

    @staticmethod
    def closed(world: Any) -> list[tuple[Any, Any]]:
        """Return the closed periods as data: their days are those of the calendar, whichever day is run."""
        edges = {
            f"{end}_{n}": [FIRST + timedelta(days=day)]
            for n, period in enumerate(CLOSED)
            for end, day in zip(("first", "after"), period, strict=True)
        }
        world.backend.con.register("closed_periods", pa.table(edges))
        t = world.backend.table("closed_periods")
        return [(t[f"first_{n}"].as_scalar(), t[f"after_{n}"].as_scalar()) for n in range(len(CLOSED))]

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
    """A day later everybody is where it would have been, save who entered, left, slept, parted or was offered more then."""
    for missed in range(2, DAYS - 1, 3):
        caught = replay.day(known, missed + 1, whole[missed - 1])
        for contact, row in caught.items():
            before, skipped, usual = (whole[missed + n][contact] for n in (-1, 0, 1))
            moved = any(skipped[name] != before[name] for name in TOLD)
            if not moved:
                assert row == usual, contact
            elif before["state"] in IN_JOURNEY and skipped["exit_reason"] == "purchased":
                assert row["exit_reason"] == "purchased", contact
                assert row["exited_at"] == FIRST + timedelta(days=missed + 1)


def test_an_offer_stands_while_the_journey_lasts(known: dict[str, History], whole: list[States]) -> None:
    """It may rise, and falls for nothing: not for the incentive that was sent."""
    sent = risen = 0
    for today, (before, tonight) in enumerate(pairwise(whole), start=1):
        for contact, row in tonight.items():
            was = before[contact]
            if row["state"] != "in_winback":
                assert row["state"] == "flagged" or row["offered_tier"] == was["offered_tier"]
                continue
            places = [INCENTIVE_TIERS.index(r["offered_tier"]) for r in (was, row)]
            assert places[1] >= places[0] == (0 if row["arm"] == "holdout" else places[0])
            facts = [fact(known[contact], today - n)["incentives_180d"] for n in (1, 0)]
            sent += facts[1] > facts[0] and places[0] > 0
            risen += places[1] > places[0]
    assert sent > 10, "an incentive was sent in a journey that had an offer"
    assert risen > 10


def test_nothing_falls_due_while_the_shop_is_closed(known: dict[str, History], whole: list[States]) -> None:
    """No journey runs out of its days and no wait in sunset ends; who said that it left is another matter."""
    days = {day for first, after in CLOSED for day in range(first, after)}
    due = {False: 0, True: 0}
    for today, (before, tonight) in enumerate(pairwise(whole), start=1):
        for contact, row in tonight.items():
            ended = row["exit_reason"] == "journey_ended" and row["exited_at"] == FIRST + timedelta(
                days=today
            )
            waited = (before[contact]["state"], row["state"]) == ("sunset", "farewell")
            parted = fact(known[contact], today)["stated_reason"]
            due[today in days] += (ended or waited) and not parted
    assert due[True] == 0
    assert due[False] > 50


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
            last = max(d for d in known[contact]["bought"] if d < 10)
            since = entered and FIRST + timedelta(days=last) >= entered
            if last <= (known[contact]["parted"] or -10) < 10:
                assert row["state"] in ("erased", "reactivated", "farewell"), "the last word was goodbye"
            elif since and row["state"] not in ("erased", "flagged"):
                woken += 1
                assert row["state"] in ("active", "reactivated"), contact
                assert row["asleep_since"] is None
        else:
            assert row == unchanged[contact]
    assert woken > 5
