"""Journeys over days: entry, stay, every exit, cooldown, sunset, missed days, lost contacts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from winback_policy.config import PolicyConfig
from winback_policy.decide import DecisionDay, decide
from winback_policy.legal import LegalRule
from winback_policy.states import EXIT_REASONS

AS_OF = date(2025, 3, 10)
QUIET = {"p_lapse": 0.1, "p_purchase": 0.9, "days_overdue": -20}

LEAVES: dict[str, dict[str, Any]] = {
    "erased": {"erased": True},
    "objected_profiling": {"objected_profiling": True},
    "staff": {"is_staff": True},
    "purchased": {"days_since_purchase": 5, **QUIET},
    "hard_bounced": {"hard_bounced": True},
    "complained": {"complained": True, "consent_email": False},
    "unsubscribed": {"consent_email": False},
    "past_retention": {"days_since_activity": 1096.0},
    "consent_undated": {"country": "XX"},
    "consent_expired": {"country": "XX", "consent_email_days": 731},
    "soft_bounced": {"soft_bounces_in_a_row": 8, "consent_sms": False},
    "no_consent": {"has_email": False},
    "left_for_good": {"stated_reason": "no_need", "stated_days": 9},
    "history_cancelled": {"base": "one_time"},
    "risk_fell": {"p_lapse": 0.34},
}

STAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "between the thresholds": {"p_lapse": 0.35},
    "on time again": {"days_overdue": -30},
    "lapsed meanwhile": {"base": "lapsed"},
    "visits": {"days_since_visit": 1},
    "asks for help": {"days_since_service_contact": 1},
    "bought the day before entry": {"days_since_purchase": 6},
}


@pytest.fixture(scope="module")
def first(world: Any) -> Any:
    """The day of entry, for all."""
    return world.day(0, {name: {} for name in (*LEAVES, *STAYS, "lost")}, None)


@pytest.fixture(scope="module")
def second(world: Any, first: Any) -> Any:
    """Five days later: four days were missed, and a contact is gone from the sources."""
    renewed = (LegalRule("XX", "email", "opt_in", consent_max_age_days=730),)
    return world.day(5, LEAVES | STAYS | {"new": QUIET}, first.states, legal=renewed)


def test_all_enter_on_the_first_day(first: Any) -> None:
    assert {row["state"] for row in first.winback.values()} == {"flagged"}
    assert first.entries == first.winback
    assert first.exits == {}
    assert {(r["journeys"], r["entered_at"], r["arm"]) for r in first.states.values()} == {
        (1, AS_OF, "treatment")
    }


@pytest.mark.parametrize("reason", LEAVES)
def test_each_exit(second: Any, reason: str) -> None:
    left = {
        "contact_id": reason,
        "exited_at": AS_OF + timedelta(days=5),
        "exit_reason": reason,
        "entered_at": AS_OF,
        "arm": "treatment",
        "days_in_journey": 5,
    }
    assert second.exits[reason] == left
    row = second.winback[reason]
    assert row["exit_reason"] == reason
    assert row["rank"] is None
    assert row["not_flagged_reason"] is not None
    assert second.states[reason]["cooldown_until"] == AS_OF + timedelta(days=35)


def test_the_exits_are_tested_in_the_documented_order() -> None:
    assert list(EXIT_REASONS) == [*LEAVES, "active_again", "journey_ended"]


@pytest.mark.parametrize("name", STAYS)
def test_each_stay(second: Any, name: str) -> None:
    row = second.winback[name]
    assert (row["state"], row["entered_at"], row["exit_reason"]) == ("in_winback", AS_OF, None)
    assert row["not_flagged_reason"] is None
    assert row["rank"] is not None
    assert name not in second.exits


def test_the_states_after_an_exit(second: Any) -> None:
    states = {reason: second.winback[reason]["state"] for reason in LEAVES}
    assert states == {
        "erased": "erased",
        **dict.fromkeys(("objected_profiling", "staff"), "inactive"),
        "purchased": "reactivated",
        **dict.fromkeys(("hard_bounced", "unsubscribed", "soft_bounced", "past_retention"), "active"),
        **dict.fromkeys(("no_consent", "consent_undated", "consent_expired", "complained"), "active"),
        "left_for_good": "farewell",
        "history_cancelled": "active",
        "risk_fell": "active",
    }


def test_nobody_enters_a_second_time_while_in_a_journey(second: Any) -> None:
    assert second.entries == {}
    assert {c: row["journeys"] for c, row in second.states.items() if row["journeys"] != 1} == {"new": 0}


def test_a_contact_in_another_conversation_is_left_alone_today(second: Any) -> None:
    assert second.winback["asks for help"]["recommended_action"] == "none"
    assert second.winback["plain"]["recommended_action"] == "win_back"


def test_a_contact_that_the_status_has_lost_keeps_its_row(first: Any, second: Any) -> None:
    assert second.states["lost"] == first.states["lost"]
    assert set(second.states) == set(first.states) | {"new"}
    assert "lost" not in second.winback


def before(state: str, entered: int, exited: int | None = None, reason: str | None = None) -> dict[str, Any]:
    """Write yesterday's state: entered and left so many days before today, with a cooldown of 30 days."""
    left = None if exited is None else AS_OF - timedelta(days=exited)
    return {
        "state": state,
        "entered_at": AS_OF - timedelta(days=entered),
        "entry_reason": "late",
        "exited_at": left,
        "exit_reason": reason,
        "cooldown_until": left and left + timedelta(days=30),
        "arm": "holdout",
        "journeys": 1,
    }


SILENT = {"days_since_purchase": 200}
LAPSED = {**SILENT, "base": "lapsed"}

CARRIED: dict[str, tuple[dict[str, Any], dict[str, Any], str, str | None]] = {
    # contact: yesterday, what differs today, state tonight, not_flagged_reason
    "reactivated yesterday": (before("reactivated", 9, 1, "purchased"), {}, "active", "cooldown"),
    "last day of cooldown": (before("active", 60, 29, "risk_fell"), {}, "active", "cooldown"),
    "cooldown over": (before("active", 60, 30, "risk_fell"), {}, "flagged", None),
    "day 89": (before("in_winback", 89), SILENT, "in_winback", None),
    "day 90": (before("in_winback", 90), SILENT, "sunset", "lapsed_already"),
    "day 90, lapsed": (before("in_winback", 90), LAPSED, "sunset", "lapsed_already"),
    "missed days, then bought": (
        before("in_winback", 99),
        {"days_since_purchase": 99},
        "reactivated",
        "cooldown",
    ),
    "asleep": (before("sunset", 190, 100, "journey_ended"), SILENT, "sunset", "lapsed_already"),
    "asleep, lapsed": (before("sunset", 190, 100, "journey_ended"), LAPSED, "sunset", "lapsed_already"),
    "asleep and erased": (
        before("sunset", 190, 100, "journey_ended"),
        {"erased": True},
        "erased",
        "erased",
    ),
    "woken": (
        before("sunset", 190, 100, "journey_ended"),
        {"days_since_purchase": 100, **QUIET},
        "active",
        "low_risk",
    ),
    "woken and late again": (
        before("sunset", 190, 100, "journey_ended"),
        {"days_since_purchase": 99},
        "flagged",
        None,
    ),
}


@pytest.fixture(scope="module")
def carried(world: Any) -> Any:
    """Today, from states written by hand."""
    today = {name: row for name, (_, row, _, _) in CARRIED.items()}
    return world.day(0, today, {name: yesterday for name, (yesterday, _, _, _) in CARRIED.items()})


@pytest.mark.parametrize("name", CARRIED)
def test_tonight_follows_from_yesterday(carried: Any, name: str) -> None:
    row = carried.winback[name]
    assert (row["state"], row["not_flagged_reason"]) == CARRIED[name][2:]


def test_an_exit_is_told_once_and_remembered(carried: Any) -> None:
    assert set(carried.exits) == {"day 90", "day 90, lapsed", "missed days, then bought"}
    assert carried.exits["day 90"]["exit_reason"] == "journey_ended"
    assert carried.exits["day 90"]["days_in_journey"] == 90
    assert carried.winback["reactivated yesterday"]["exit_reason"] is None
    assert carried.winback["reactivated yesterday"]["arm"] is None
    assert carried.states["reactivated yesterday"]["exit_reason"] == "purchased"
    assert carried.states["reactivated yesterday"]["arm"] == "holdout"


def test_a_second_journey_starts_afresh(carried: Any) -> None:
    assert carried.states["cooldown over"] == {
        "contact_id": "cooldown over",
        "state": "flagged",
        "entered_at": AS_OF,
        "entry_reason": "late",
        "exited_at": None,
        "exit_reason": None,
        "cooldown_until": None,
        "arm": "treatment",
        "experiment": None,
        "variant": None,
        "journeys": 2,
        "asleep_since": None,
        "farewell_since": None,
        "offered_tier": "low",
    }


def test_the_arm_of_a_journey_is_carried(carried: Any) -> None:
    """The settings hold nobody out today; who was held out at entry stays so, and is left alone."""
    row = carried.winback["day 89"]
    assert (row["arm"], row["recommended_action"], row["incentive_tier"]) == ("holdout", "none", "none")
    assert row["rank"] is not None


def test_without_a_cooldown_nobody_leaves_and_returns_on_the_same_day(world: Any) -> None:
    yesterday = {"c": before("in_winback", 5), "gone before": before("active", 9, 1, "risk_fell")}
    yesterday["gone before"]["cooldown_until"] = AS_OF - timedelta(days=1)
    today = world.day(0, {"c": {"days_since_purchase": 4}, "gone before": {}}, yesterday, cooldown_days=0)
    assert today.winback["c"]["state"] == "reactivated"
    assert today.winback["c"]["not_flagged_reason"] == "cooldown"
    assert set(today.entries) == {"gone before"}


def test_states_of_an_older_version_lack_columns(world: Any) -> None:
    """Nothing is known of an offer, so it begins with what today says; from then on it stands."""
    late = {"spend_total": 9000.0, "days_overdue": 9, "answers_365d": 1.0}
    sent = {**late, "incentives_180d": 1.0, "days_since_incentive": 1.0}
    scores, features, status, states = world.given(
        {"c": sent, "asleep": SILENT},
        {
            "c": before("in_winback", 5) | {"arm": "treatment"},
            "asleep": before("sunset", 190, 100, "journey_ended"),
        },
    )
    day = DecisionDay(as_of=AS_OF, config=PolicyConfig(), currency="EUR", has_contacts=True)
    older = states.drop("offered_tier", "asleep_since", "farewell_since", "experiment", "variant")
    first = world.rows(decide(scores, features, status, older, day).states)
    assert (first["c"]["offered_tier"], first["asleep"]["offered_tier"]) == ("low", None)
    assert first["asleep"]["asleep_since"] == AS_OF - timedelta(days=100)
    two = world.day(1, {"c": {**sent, "incentives_180d": 2.0}, "asleep": SILENT}, first)
    assert two.winback["c"]["incentive_tier"] == two.states["c"]["offered_tier"] == "low"


def test_who_buys_and_says_goodbye_on_one_day_is_reactivated_first(world: Any) -> None:
    def day(offset: int, previous: Any) -> Any:
        said = {"stated_reason": "no_need", "stated_days": offset + 1}
        return world.day(offset, {"c": {**QUIET, **said, "days_since_purchase": offset + 1}}, previous)

    one = day(0, {"c": before("in_winback", 5)})
    two = day(1, one.states)
    assert (one.states["c"]["state"], one.states["c"]["exit_reason"]) == ("reactivated", "purchased")
    assert one.states["c"]["asleep_since"] is None
    assert (two.states["c"]["state"], two.states["c"]["asleep_since"]) == (
        "farewell",
        AS_OF + timedelta(days=1),
    )


def test_a_sleepers_goodbye_wakes_it_neither_now_nor_once_it_is_forgotten(world: Any) -> None:
    """Its answer is the last that was heard of it; after ``answer_days`` it no longer holds, and is no sign of life either."""

    def day(offset: int, previous: Any) -> Any:
        heard = {
            "days_since_activity": 365.0 + offset,
            "stated_reason": "no_need",
            "stated_days": 365 + offset,
        }
        return world.day(offset, {"c": {**SILENT, **heard, "days_since_purchase": 800 + offset}}, previous)

    one = day(0, {"c": before("farewell", 590, 500, "journey_ended")})
    two = day(1, one.states)
    assert (one.winback["c"]["stated_reason"], two.winback["c"]["stated_reason"]) == ("no_need", None)
    assert [tonight.states["c"]["state"] for tonight in (one, two)] == ["farewell", "farewell"]
    assert two.states["c"]["asleep_since"] == AS_OF - timedelta(days=364)


def test_the_notice_begins_when_a_run_says_so(world: Any) -> None:
    """Forty days were missed; the day after, the notice is a day shorter, as if none had been."""

    def day(offset: int, previous: Any) -> Any:
        silent = {**SILENT, "days_since_activity": 1200.0 + offset, "days_since_purchase": 1200 + offset}
        return world.day(offset, {"c": silent}, previous)

    one = day(0, {"c": before("sunset", 310, 220, "journey_ended")})
    two = day(1, one.states)
    assert {tonight.winback["c"]["state"] for tonight in (one, two)} == {"farewell"}
    assert {tonight.states["c"]["farewell_since"] for tonight in (one, two)} == {AS_OF}
    assert {tonight.winback["c"]["farewell_due"] for tonight in (one, two)} == {AS_OF + timedelta(days=30)}
