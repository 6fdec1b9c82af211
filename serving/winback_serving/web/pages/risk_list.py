"""The list of today and the people who are not on it: filters, sorts and pages that live in the address."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from winback_serving.exports.formats import FORMATS
from winback_serving.lists import LISTS
from winback_serving.web.lists import EQUAL, KINDS, Kind, ListQuery, list_page
from winback_serving.web.pages.per_run import per_run
from winback_serving.web.pages.view import CurrentView, View
from winback_serving.web.reader import Run

router = APIRouter(include_in_schema=False)
CHOICES: dict[Kind, tuple[str, ...]] = {
    "list": ("segment", "action", "channel", "state", "entry_reason", "arm", "category", "country", "source"),
    "excluded": ("reason", "segment", "state", "base", "source"),
}
"""Filters that are chosen from what the run holds."""

RANGES = ("p_purchase", "value", "days_overdue", "days_silent")
"""Filters with a least and a most."""

MOST_CHOICES = 60
Asked = Annotated[ListQuery, Query()]


@router.get("/list", response_class=HTMLResponse)
def show_list(v: CurrentView, asked: Asked) -> HTMLResponse:
    """Show whom to win back."""
    return _show(v, asked.of("list"), "list")


@router.get("/excluded", response_class=HTMLResponse)
def show_excluded(v: CurrentView, asked: Asked) -> HTMLResponse:
    """Show why the others are not on the list, counted and one by one."""
    counts = v.run.record["counts"]
    reasons = sorted(counts["not_flagged"].items(), key=lambda item: (-item[1], item[0]))
    return _show(v, asked.of("excluded"), "excluded", counts=counts, reasons=reasons)


def _show(v: View, query: ListQuery, page: str, **more: Any) -> HTMLResponse:
    found = list_page(v.run, query)
    return v.page(
        page,
        query=query,
        found=found,
        choices=choices(v.run, query.kind),
        ranges=RANGES,
        chips=chips(v, query),
        exports=EXPORTS,
        formats=tuple(FORMATS),
        words=WORDS,
        **more,
    )


EXPORTS = tuple(name for name, spec in LISTS.items() if name != "scores")
"""The lists that may be taken out, in the order of the menu."""


@per_run
def choices(run: Run, kind: Kind) -> dict[str, list[str]]:
    """Return what can be chosen in each filter: the values that the run's list holds; nothing where an older run lacks them."""
    found = {}
    for name in CHOICES[kind]:
        column = EQUAL[name]
        rows = run.query(
            f"SELECT {column} AS value FROM keys WHERE {KINDS[kind]} AND {column} IS NOT NULL "  # noqa: S608
            f"GROUP BY {column} ORDER BY count(*) DESC, {column} LIMIT {MOST_CHOICES}"
        )
        if len(rows) > 1:
            found[name] = [str(row["value"]) for row in rows]
    return found


def chips(v: View, query: ListQuery) -> list[tuple[str, str]]:
    """Return each filter that is set in words, and the address of the same view without it."""
    found = []
    for name, value in query.filters.items():
        if isinstance(value, list):
            for one in value:
                rest = [other for other in value if other != one]
                words = f"{v.t('filter.' + name)}: {v.t.word(WORDS.get(name, 'code'), one)}"
                found.append((words, "?" + v.keep(query.params(**{name: rest}))))
        else:
            found.append((f"{v.t('filter.' + name)}: {value}", "?" + v.keep(query.params(**{name: None}))))
    return found


WORDS = {
    "segment": "segment",
    "action": "action",
    "channel": "channel",
    "state": "state",
    "reason": "not_flagged",
    "base": "base",
    "entry_reason": "entry_reason",
    "arm": "arm",
}
"""Filter to the table of texts that says its codes in words."""
