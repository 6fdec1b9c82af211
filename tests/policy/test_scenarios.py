"""The scenario book: contacts by name, each with who it is, what becomes of it today, and why.

The contacts stand in ``scenarios``. Each names the requirements that it stands for (``article.number``); what no contact
can show is held by the tests that `ELSEWHERE` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scenarios import CHAPTERS, RENEWED, TODAY, Scenario

from winback_policy.eligibility import NOT_FLAGGED_REASONS
from winback_policy.states import EXIT_REASONS, STATES
from winback_policy.treatment import ACTIONS

BOOK: dict[str, Scenario] = {name: who for chapter in CHAPTERS.values() for name, who in chapter.items()}

REQUIREMENTS = {
    "000": (1, 2, 3, 4, 5, 6, 7, 8),
    "001": (1, 2, 3, 4, 5, 6, 7, 8, 9),
    "002": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
    "003": (1, 2, 3, 4, 5, 6),
    "004": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
}
"""What the product itself must do, or decide and hand over, by article."""

ELSEWHERE: dict[str, tuple[str, tuple[str, ...]]] = {
    "000.2": (
        "the order of the list, and what a message brings",
        ("policy/test_policy_properties.py", "policy/test_ranking_uplift.py"),
    ),
    "000.3": ("tenure, recency and last behaviour", ("policy/test_segments.py",)),
    "001.3": (
        "the source as a feature and a segment",
        ("features/test_features_oracle.py", "policy/test_segments.py"),
    ),
    "001.6": (
        "who took an incentive up, and which kind brought more back",
        ("serving/test_outcomes.py", "policy/test_outcomes_experiments.py"),
    ),
    "001.7": (
        "language and currency as declared",
        ("serving/exports/test_exports_cells.py", "serving/exports/test_exports_files.py"),
    ),
    "001.8": ("first to second order", ("features/test_retention.py", "serving/web/test_web_retention.py")),
    "002.4": ("ten segments with a strategy each", ("policy/test_rfm.py", "policy/test_segments_page.py")),
    "002.11": (
        "the cost of sleepers, records without purpose",
        ("policy/test_policy_hygiene.py", "serving/test_segments_hygiene.py"),
    ),
    "003.3": ("the sandbox", ("policy/test_sandbox.py",)),
    "003.4": (
        "last product, last category, top interest",
        ("features/test_tastes.py", "policy/test_list_columns.py"),
    ),
    "004.4": ("audiences, and who is taken out of them", ("serving/exports/test_exports_lists.py",)),
    "004.5": ("cohorts", ("features/test_retention.py", "serving/web/test_web_retention.py")),
    "004.8": ("weekday and hour with their sample", ("features/test_contact_status.py",)),
    "004.10": ("baskets of the re-activated", ("serving/test_outcomes.py",)),
    "004.11": ("where win-back is pointless", ("serving/test_horizon.py",)),
}
"""What no contact of the book can show, or the rest of what one shows: what it is, and the tests that hold it."""


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
    assert shown <= wanted
    assert wanted - shown <= set(ELSEWHERE) <= wanted
    tests = Path(__file__).parents[1]
    assert [file for _, files in ELSEWHERE.values() for file in files if not (tests / file).is_file()] == []
