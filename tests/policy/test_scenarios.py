"""The scenario book: contacts by name, each with who it is, what becomes of it today, and why.

The contacts stand in ``scenarios``. Each names the requirements that it stands for (``article.number``); what no contact
can show is held by the tests that `ELSEWHERE` names.
"""

from __future__ import annotations

from typing import Any

import pytest
from scenarios import CHAPTERS, RENEWED, TODAY, Scenario

from winback_policy.eligibility import NOT_FLAGGED_REASONS
from winback_policy.states import EXIT_REASONS, STATES
from winback_policy.treatment import ACTIONS

BOOK: dict[str, Scenario] = {name: who for chapter in CHAPTERS.values() for name, who in chapter.items()}

REQUIREMENTS = {
    "000": (1, 2, 3, 4, 6, 7, 8),
    "001": (1, 2, 3, 4, 5, 7, 8, 9),
    "002": (1, 2, 3, 4, 5, 6, 7, 9, 10, 11),
    "003": (1, 2, 3, 5, 6),
    "004": (1, 3, 5, 8, 10, 11),
}
"""What the product itself must do, by article."""

ELSEWHERE = {
    "000.2": "the order of the list: test_policy_properties.py",
    "000.3": "tenure, recency and last behaviour: test_segments.py",
    "001.3": "the acquisition source as a feature: tests/features; as a segment: test_segments.py",
    "001.7": "language and currency as declared: tests/serving, exports",
    "001.8": "first to second order: the report",
    "002.4": "ten segments with a strategy each: test_rfm.py",
    "002.11": "the cost of sleepers, records without purpose: test_policy_hygiene.py",
    "003.3": "the sandbox: test_sandbox.py",
    "004.5": "cohorts: the report",
    "004.8": "weekday and hour with their sample: tests/features",
    "004.10": "baskets of the re-activated: the report",
    "004.11": "where win-back is pointless: tests/serving/test_horizon.py",
}


@pytest.fixture(scope="module")
def today(world: Any) -> Any:
    """Decide for everybody in the book, at once."""
    before = {name: who.yesterday for name, who in BOOK.items() if who.yesterday}
    found = world.day(0, {name: who.today for name, who in BOOK.items()}, before, legal=RENEWED)
    assert {row["exited_at"] for row in found.exits.values()} == {TODAY}
    return found


@pytest.mark.parametrize("name", BOOK)
def test_what_becomes_of(today: Any, name: str) -> None:
    who = BOOK[name]
    row = today.winback[name]
    told = (row["state"], row["not_flagged_reason"], row["exit_reason"], row["recommended_action"])
    assert told == (who.state, who.because, who.leaves, who.does), who.story
    assert {column: row[column] for column in who.more} == dict(who.more), who.story


def test_the_lists_of_the_day_follow_from_the_states(today: Any) -> None:
    assert set(today.entries) == {name for name, who in BOOK.items() if who.state == "flagged"}
    assert set(today.exits) == {name for name, who in BOOK.items() if who.leaves}
    listed = {name for name, row in today.winback.items() if row["rank"]}
    assert listed == {name for name, who in BOOK.items() if who.because is None}


def test_the_book_is_whole() -> None:
    assert len(BOOK) == sum(map(len, CHAPTERS.values())), "a name stands in two chapters"
    assert len(BOOK) >= 60
    by_comparison = {"over_capacity", "not_inactive", "left_asleep"}
    assert {who.because for who in BOOK.values()} == {None, *NOT_FLAGGED_REASONS} - by_comparison
    same_as_reason = {"staff", "soft_bounced", "past_retention", "no_consent", "complained", "active_again"}
    same_as_reason |= {"consent_undated"}
    assert {who.leaves for who in BOOK.values()} >= {None, *EXIT_REASONS} - same_as_reason
    assert {who.state for who in BOOK.values()} == set(STATES)
    assert {who.does for who in BOOK.values()} == set(ACTIONS)


def test_every_requirement_is_shown_here_or_elsewhere() -> None:
    wanted = {f"{article}.{n}" for article, numbers in REQUIREMENTS.items() for n in numbers}
    shown = {row for who in BOOK.values() for row in who.rows}
    assert wanted - shown == set(ELSEWHERE)
