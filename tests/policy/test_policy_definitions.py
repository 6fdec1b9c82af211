"""What inactive means: built-in definitions, a shop's own, presets, and contacts that never bought."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_policy.config import PolicyConfig
from winback_policy.definitions import MEASURES, Definition, read_condition
from winback_policy.presets import PRESETS, with_preset

STRANGER: dict[str, Any] = {
    "base": "never_bought",
    "days_since_purchase": None,
    "days_overdue": None,
    "purchase_days": 0.0,
    "gap_mean": None,
    "gap_max": None,
    "tenure_days": 200.0,
    "value_at_risk": None,
}
DEAF = {"days_since_activity": 95.0, "email_ignored_in_a_row": 8.0, "push_ignored_in_a_row": 3.0}

OWN = Definition(
    "asleep@2",
    all=("days_since_activity >= 60",),
    any=("ignored_sends >= 8", "loyalty_unchanged_days >= 180"),
)

BY_OWN: dict[str, tuple[dict[str, Any], str | None]] = {
    "silent and deaf": (DEAF, None),
    "silent, points unchanged": ({"days_since_activity": 60.0, "days_since_loyalty_change": 180.0}, None),
    "silent only": ({"days_since_activity": 60.0}, "not_inactive"),
    "deaf only": ({**DEAF, "days_since_activity": 59.0}, "not_inactive"),
    "points unknown": ({"days_since_activity": 300.0, "email_ignored_in_a_row": 7.0}, "not_inactive"),
    "never bought, never active": ({**STRANGER, "email_ignored_in_a_row": 8.0}, None),
    "long lapsed": ({**DEAF, "base": "lapsed", "days_since_purchase": 400}, None),
    "nothing known": ({}, "not_inactive"),
}


def test_a_shop_may_enter_by_its_own_definition(world: Any) -> None:
    rows = {name: row for name, (row, _) in BY_OWN.items()}
    listed = world.winback(rows, definition="asleep@2", definitions=(OWN,))
    assert {name: row["not_flagged_reason"] for name, row in listed.items()} == {
        name: reason for name, (_, reason) in BY_OWN.items()
    }
    assert listed["never bought, never active"]["entry_reason"] == "inactive"
    assert listed["never bought, never active"]["rank"] == 4, "its value is unknown"


def test_days_on_which_the_shop_was_closed_are_no_silence(world: Any) -> None:
    """By a shop's own words, by the built-in definitions, for buyers and for those who never bought."""
    own = Definition("long@1", any=("days_since_purchase >= 60", "loyalty_unchanged_days >= 180"))
    rows: dict[str, dict[str, Any]] = {
        "bought 90 days ago, 30 of them closed": {"days_since_purchase": 90, "closed_days_in_silence": 30.0},
        "and 31 closed": {"days_since_purchase": 90, "closed_days_in_silence": 31.0},
        "never bought, 140 of 200 days closed": {**STRANGER, "closed_known_days": 140},
        "and 141 closed": {**STRANGER, "closed_known_days": 141},
        "points unchanged, 20 days closed": {"days_since_loyalty_change": 200.0, "closed_loyalty_days": 20},
        "and 21 closed": {"days_since_loyalty_change": 200.0, "closed_loyalty_days": 21},
    }
    listed = world.winback(rows, definition="long@1", definitions=(own,))
    assert {name for name, row in listed.items() if row["not_flagged_reason"]} == {
        name for name in rows if name.startswith("and")
    }
    shut = {
        "quiet": {**DEAF, "closed_quiet_days": 5},
        "quiet, 6 of the days closed": {**DEAF, "closed_quiet_days": 6},
        "stranger": {**STRANGER, "closed_known_days": 171},
        "stranger, 28 open days": {**STRANGER, "closed_known_days": 172},
    }
    listed = world.winback(shut)
    assert [listed[name]["engagement_inactive"] for name in shut] == [True, False, False, False]
    assert [listed[name]["purchase_inactive"] for name in shut] == [True, True, True, False]


def test_both_definitions_stand_side_by_side(world: Any) -> None:
    rows: dict[str, dict[str, Any]] = {
        "neither": {"days_overdue": -20, "days_since_activity": 10.0},
        "purchase only": {"days_since_activity": 89.0, "email_ignored_in_a_row": 20.0},
        "engagement only": {"days_overdue": -20, **DEAF},
        "both": DEAF,
        "lapsed": {"base": "lapsed", "days_overdue": None},
        "ten sends": {"days_overdue": -20, "days_since_activity": 300.0, "email_ignored_in_a_row": 10.0},
        "stranger": STRANGER,
        "new stranger": {**STRANGER, "tenure_days": 28.0},
    }
    columns = ("purchase_inactive", "engagement_inactive")
    listed = world.winback(rows)
    assert {name: tuple(row[c] for c in columns) for name, row in listed.items()} == {
        "neither": (False, False),
        "purchase only": (True, False),
        "engagement only": (False, True),
        "both": (True, True),
        "lapsed": (True, False),
        "ten sends": (False, False),
        "stranger": (True, False),
        "new stranger": (False, False),
    }


def test_by_another_definition_a_contact_leaves_when_it_is_active_again(world: Any) -> None:
    settings = {"definition": "engagement_inactive@1"}
    first = world.day(0, {"clicks": DEAF, "stays": DEAF, "risk falls": DEAF}, None, **settings)
    assert {row["state"] for row in first.winback.values()} == {"flagged"}
    rows = {
        "clicks": {**DEAF, "days_since_activity": 1.0},
        "stays": DEAF,
        "risk falls": {**DEAF, "p_lapse": 0.1},
    }
    second = world.day(2, rows, first.states, **settings)
    assert {name: row["exit_reason"] for name, row in second.exits.items()} == {"clicks": "active_again"}


@given(st.sampled_from(MEASURES), st.integers(0, 10**6))
def test_a_condition_reads_back(name: str, limit: int) -> None:
    assert read_condition(f" {name}>= {limit}") == (name, limit)


@pytest.mark.parametrize(
    ("name", "conditions"),
    [
        ("asleep", ("ignored_sends >= 8",)),
        ("purchase_lapsed@1", ("ignored_sends >= 8",)),
        ("asleep@1", ()),
        ("asleep@1", ("ignored_sends > 8",)),
        ("asleep@1", ("opens >= 8",)),
        ("asleep@1", ("ignored_sends >= many",)),
    ],
)
def test_a_definition_that_cannot_be_read_is_refused(name: str, conditions: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as refused:
        Definition(name, all=conditions)
    assert refused.value.where == "policy.definitions"


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"definition": "asleep@1"}, "policy.definition"),
        ({"definition": "asleep@1", "definitions": (OWN,)}, "policy.definition"),
        ({"definitions": (OWN, OWN)}, "policy.definitions"),
        ({"preset": "bakery"}, "policy.preset"),
    ],
)
def test_unknown_names_are_refused(settings: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigError) as refused:
        PolicyConfig(**settings)
    assert refused.value.where == where


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_gives_days_and_explicit_settings_win(name: str) -> None:
    config = PolicyConfig(**with_preset({"preset": name}))
    assert config.journey_days == PRESETS[name].journey_days
    assert PolicyConfig(**with_preset({"preset": name, "journey_days": 5})).journey_days == 5
    assert PRESETS[name].quiet_days < PRESETS[name].lead_days + 1 < PRESETS[name].horizon_days


def test_a_mattress_lives_longer_than_a_lipstick() -> None:
    assert PRESETS["furniture"].horizon_days > 5 * PRESETS["beauty"].horizon_days
