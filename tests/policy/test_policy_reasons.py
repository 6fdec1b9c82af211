"""The words on the list: reasons, actions, incentives; and what the settings refuse."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import pytest

from winback_features.errors import ConfigError
from winback_policy.config import PolicyConfig
from winback_policy.reasons import CANDIDATES
from winback_policy.wording import counted, day_before, every, percent, short_day

AS_OF = date(2025, 3, 10)

# Whatever the ordinary contact has that makes a reason, taken away.
PLAIN = {
    "days_since_purchase": 10,
    "gap_mean": 20.0,
    "gap_max": 24.0,
    "days_overdue": 0,
    "purchase_days_90d": 4.0,
    "purchase_days_180d": 8.0,
    "value_at_risk": 0.0,
    "p_lapse": 0.5,
    "p_purchase": 0.5,
}

TELLS: dict[str, tuple[dict[str, Any], str]] = {
    "rhythm": (
        {"days_since_purchase": 22, "gap_mean": 12.4},
        "buys every 12 days on average, now 22 days silent",
    ),
    "daily": ({"gap_mean": 1.0, "days_since_purchase": 3}, "buys every day on average, now 3 days silent"),
    "longest": ({"days_since_purchase": 31}, "the longest silence so far: 31 days, before at most 24"),
    "overdue": ({"days_overdue": 9}, "expected back by 1 Mar, 9 days ago"),
    "overdue a day": ({"days_overdue": 1}, "expected back by 9 Mar, 1 day ago"),
    "overdue since last year": ({"days_overdue": 100}, "expected back by 30 Nov 2024, 100 days ago"),
    "today": ({}, "expected back by 10 Mar, today"),
    "tomorrow": ({"days_overdue": -1}, "expected back by 11 Mar, in 1 day"),
    "buys less": (
        {"purchase_days_90d": 1.0, "purchase_days_180d": 7.0},
        "buys less: 1 purchase day in the last 90, 6 in the 90 before",
    ),
    "ignores": ({"email_ignored_in_a_row": 5.0}, "ignored the last 5 e-mails"),
    "ignores post": ({"direct_mail_ignored_in_a_row": 7.0}, "ignored the last 7 mailings"),
    "no visit": (
        {"days_since_visit": 40, "days_since_purchase": 40, "gap_mean": 60.0},
        "no visit for 40 days",
    ),
    "service": ({"days_since_service_contact": 20}, "contacted service 20 days ago"),
    "chance": ({"p_purchase": 0.222}, "22 % likely to buy within 28 days"),
    "no chance": ({"p_purchase": 0.001, "p_lapse": 0.999}, "less than 1 % likely to buy within 28 days"),
    "value": ({"value_at_risk": 120.4, "days_overdue": -1}, "about 120 EUR at risk"),
}


@pytest.fixture(scope="module")
def listed(world: Any) -> Any:
    return world.winback(
        {name: PLAIN | row for name, (row, _) in TELLS.items()}
        | {
            "bare": PLAIN,
            "two days": PLAIN | {"purchase_days": 2.0, "days_since_purchase": 31},
            "all at once": {k: v for row, _ in TELLS.values() for k, v in row.items()},
        }
    )


def reasons(row: dict[str, Any]) -> list[str]:
    return [row["reason_1"], row["reason_2"], row["reason_3"]]


@pytest.mark.parametrize("name", TELLS)
def test_what_each_reason_says(listed: Any, name: str) -> None:
    assert TELLS[name][1] in reasons(listed[name])


def test_every_flagged_contact_has_three_different_reasons(listed: Any) -> None:
    for row in listed.values():
        assert row["state"] == "flagged"
        assert None not in reasons(row)
        assert len(set(reasons(row))) == 3


def test_one_gap_is_no_record_to_break(listed: Any) -> None:
    assert not any("longest" in reason for reason in reasons(listed["two days"]))


def test_the_strongest_reason_comes_first(world: Any) -> None:
    rows = {
        "silent": PLAIN | {"days_since_purchase": 40, "gap_mean": 10.0, "gap_max": 39.0, "days_overdue": 5},
        "record": PLAIN | {"days_since_purchase": 40, "gap_mean": 30.0, "gap_max": 20.0, "days_overdue": 5},
        "late": PLAIN | {"days_since_purchase": 40, "gap_mean": 30.0, "gap_max": 60.0, "days_overdue": 20},
    }
    listed = world.winback(rows)
    assert [listed[n]["reason_1"].split()[0] for n in ("silent", "record", "late")] == [
        "buys",
        "the",
        "expected",
    ]


def test_nobody_else_is_given_a_reason_to_return(world: Any) -> None:
    listed = world.winback({"quiet": {"p_lapse": 0.1}})
    assert reasons(listed["quiet"]) == [None, None, None]
    assert listed["quiet"]["incentive_tier"] == "none"


def test_each_candidate_is_documented() -> None:
    assert all(candidate.__doc__ for candidate in CANDIDATES.values())


def test_numbers_and_days_in_words(evaluate: Any) -> None:
    assert evaluate(counted(ibis.literal(1.0), "day", "days")) == "1 day"
    assert evaluate(counted(ibis.literal(1.6), "day", "days")) == "2 days"
    assert evaluate(every(ibis.literal(0.7))) == "every day"
    assert evaluate(percent(ibis.literal(0.995))) == "100 %"
    assert evaluate(short_day(day_before(AS_OF, ibis.literal(69)), AS_OF)) == "31 Dec 2024"


ACTS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing anywhere": ({}, "win_back"),
    "clicks, no purchase": ({"email_clicks_90d": 2.0}, "check_landing_page"),
    "clicks, and bought": ({"email_clicks_90d": 2.0, "days_since_purchase": 27}, "win_back"),
    "deaf to e-mail, active": (
        {"email_ignored_in_a_row": 5.0, "consent_push": True, "active_days_90d": 3.0},
        "change_channel",
    ),
    "deaf to e-mail, active, no other way": ({"email_ignored_in_a_row": 5.0}, "refresh_content"),
    "deaf to e-mail, away, no other way": (
        {
            "email_ignored_in_a_row": 5.0,
            "active_days_90d": 0.0,
            "days_since_purchase": 40,
            "days_since_activity": 40.0,
        },
        "preference_form",
    ),
    "deaf and away": (
        {
            "email_ignored_in_a_row": 5.0,
            "consent_push": True,
            "active_days_90d": 0.0,
            "days_since_activity": 40.0,
        },
        "win_back",
    ),
}


def test_the_recommended_action(world: Any) -> None:
    listed = world.winback({name: row for name, (row, _) in ACTS.items()})
    assert {name: row["recommended_action"] for name, row in listed.items()} == {
        name: action for name, (_, action) in ACTS.items()
    }
    assert listed["deaf to e-mail, active"]["channel"] == "push"


def test_the_incentive_rises_with_value_and_lateness_and_falls_with_repeats(world: Any) -> None:
    order = ["none", "low", "mid", "high"]
    late = {"early": -1, "late": 6, "later": 20, "latest": 30}
    rows = {
        f"{spend}-{name}-{repeats - answers}": {
            "spend_total": float(spend),
            "days_overdue": days,
            "incentives_180d": float(repeats),
            "answers_365d": float(answers),
        }
        for spend in range(1, 6)
        for name, days in late.items()
        for repeats, answers in ((0, 0), (1, 0), (0, 1))
    }
    tiers = {name: order.index(row["incentive_tier"]) for name, row in world.winback(rows).items()}
    table = {name: [tiers[f"{spend}-{name}-0"] for spend in range(1, 6)] for name in late}
    assert table == {
        "early": [0, 0, 0, 0, 0],
        "late": [1, 1, 1, 1, 1],
        "later": [1, 1, 2, 2, 2],
        "latest": [1, 2, 2, 3, 3],
    }
    for spend in range(1, 6):
        for name in late:
            plain = tiers[f"{spend}-{name}-0"]
            assert tiers[f"{spend}-{name}-1"] == max(0, plain - 1)
            assert tiers[f"{spend}-{name}--1"] == (min(3, plain + 1) if plain else 0), "an answer is rewarded"


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"enter_p_lapse": 1.2}, "policy.enter_p_lapse"),
        ({"holdout_share": -0.1}, "policy.holdout_share"),
        ({"leave_p_lapse": 0.6}, "policy.leave_p_lapse"),
        ({"lead_days": -1}, "policy.lead_days"),
        ({"capacity": -5}, "policy.capacity"),
        ({"unknown_consent": "maybe"}, "policy.unknown_consent"),
        ({"language": "fr"}, "policy.language"),
        ({"enter_p_lapse": float("nan")}, "policy.enter_p_lapse"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PolicyConfig(**settings)
    assert refused.value.where == where
    assert refused.value.how
