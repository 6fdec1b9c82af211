"""Lists over the web: every filter and order against plain Python, every page of every order, no row twice."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from winback_serving.web.errors import WebError
from winback_serving.web.lists import AT_LEAST, AT_MOST, COLUMNS, EQUAL, SORTABLE, ListQuery, list_page
from winback_serving.web.reader import Run, Runs

over_a_home = pytest.mark.slow  # two days of a shop are scored


@pytest.fixture(scope="module")
def run(web_home: Path) -> Run:
    return Runs(web_home).current()


@pytest.fixture(scope="module")
def everybody(run: Run) -> list[dict[str, Any]]:
    return run.query(f"SELECT {', '.join(COLUMNS)} FROM contacts ORDER BY contact_id")


def walk(run: Run, query: ListQuery) -> list[dict[str, Any]]:
    """Follow the cursors from the first page to the last."""
    rows, cursor = [], ""
    while True:
        page = list_page(run, query.model_copy(update={"cursor": cursor}))
        rows += page.rows
        assert len(page.rows) <= query.limit
        if page.next_cursor is None:
            assert page.total == len(rows)
            return rows
        cursor = page.next_cursor


@over_a_home
@pytest.mark.parametrize("sort", [f"{sign}{name}" for name in SORTABLE for sign in ("", "-")])
def test_the_pages_of_an_order_give_everybody_once_and_in_order(
    run: Run, everybody: list[dict[str, Any]], sort: str
) -> None:
    rows = walk(run, ListQuery(sort=sort, limit=97))
    column = sort.removeprefix("-")
    assert sorted(row["contact_id"] for row in rows) == [row["contact_id"] for row in everybody]
    known = [row for row in rows if row[column] is not None]
    assert rows[: len(known)] == known, "what is unknown comes last"
    for one, two in pairwise(known):
        assert one[column] >= two[column] if sort.startswith("-") else one[column] <= two[column]
        if one[column] == two[column]:
            assert one["contact_id"] < two["contact_id"]


def fits(row: dict[str, Any], query: ListQuery) -> bool:
    """Say in plain Python whether a row passes the filters."""
    if query.q not in row["contact_id"]:
        return False
    if query.kind == "list" and row["rank"] is None:
        return False
    if query.kind == "excluded" and row["not_flagged_reason"] is None:
        return False
    for name, column in EQUAL.items():
        if getattr(query, name) and row[column] not in getattr(query, name):
            return False
    for name, column in AT_LEAST.items():
        bound = getattr(query, name)
        if bound is not None and not (row[column] is not None and row[column] >= bound):
            return False
    for name, column in AT_MOST.items():
        bound = getattr(query, name)
        if bound is not None and not (row[column] is not None and row[column] <= bound):
            return False
    return True


QUERIES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["all", "list", "excluded"])},
    optional={
        "q": st.sampled_from(["1", "05", "%", "_", "'", "x"]),
        "state": st.lists(st.sampled_from(["active", "flagged", "in_winback", "inactive"]), max_size=3),
        "segment": st.lists(st.sampled_from(["hibernating", "champions", "lost"]), max_size=2),
        "reason": st.lists(st.sampled_from(["low_risk", "lapsed_already", "on_time"]), max_size=2),
        "base": st.lists(st.sampled_from(["active", "lapsed", "one_time"]), max_size=2),
        "country": st.just(("DE",)),
        "min_p_lapse": st.floats(0, 1),
        "max_p_purchase": st.floats(0, 1),
        "min_value": st.floats(0, 100),
        "max_value": st.floats(0, 100),
        "min_days_silent": st.integers(0, 400),
        "max_days_overdue": st.integers(-100, 400),
        "entered_from": st.dates(),
        "entered_to": st.dates(),
    },
)


@over_a_home
@given(QUERIES, st.sampled_from(["", "-p_lapse", "rank", "-entered_at"]))
@settings(max_examples=60, deadline=None)
def test_filters_say_what_plain_python_says(
    run: Run, everybody: list[dict[str, Any]], asked: dict[str, Any], sort: str
) -> None:
    query = ListQuery(**asked, sort=sort, limit=1000)
    found = walk(run, query)
    assert {row["contact_id"] for row in found} == {
        row["contact_id"] for row in everybody if fits(row, query)
    }


NASTY = (
    "p_lapse; DROP TABLE x",
    "1",
    "rank, rank",
    "(SELECT 1)",
    "email",
    "-email",
    "rank--",
    "RANK",
    "rank\n",
)


@pytest.mark.parametrize("sort", NASTY)
def test_an_order_that_is_not_on_the_white_list_is_refused(sort: str) -> None:
    with pytest.raises(ValidationError, match="sort"):
        ListQuery(sort=sort)


@over_a_home
@given(st.text(max_size=60))
def test_no_word_in_a_filter_can_break_the_query(run: Run, text: str) -> None:
    rows = walk(run, ListQuery(q=text, state=(text,), segment=("' OR 1=1 --", text), limit=1000))
    assert rows == []


@over_a_home
@given(st.one_of(st.text(max_size=60), st.sampled_from(["e30", "bnVsbA", "W10", "eyJkYXkiOjF9"])))
def test_a_cursor_of_anybody_else_is_refused_in_words(run: Run, cursor: str) -> None:
    if cursor:
        with pytest.raises(WebError, match="no such cursor"):
            list_page(run, ListQuery(cursor=cursor))


@over_a_home
def test_a_cursor_of_another_order_is_refused(run: Run) -> None:
    cursor = list_page(run, ListQuery(sort="-p_lapse", limit=1)).next_cursor
    with pytest.raises(WebError, match="another order"):
        list_page(run, ListQuery(sort="p_lapse", limit=1, cursor=cursor or ""))


def test_a_link_keeps_every_filter_and_begins_anew() -> None:
    query = ListQuery(state=("flagged", "in_winback"), min_p_lapse=0.5, cursor="abc", limit=20).of("list")
    assert query.params(sort="-value_at_risk") == (
        "state=flagged&state=in_winback&min_p_lapse=0.5&limit=20&sort=-value_at_risk"
    )
    assert query.params(cursor="x").endswith("limit=20&cursor=x")
    assert query.params(state=None) == "min_p_lapse=0.5&limit=20"
