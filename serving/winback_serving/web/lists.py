"""From a query string to one page of a list: the only place where filters, sorts and searches become SQL.

Pages and API share it. A page takes the query and the run, and shows the rows::

    @router.get("/list")
    def show(run: CurrentRun, query: Annotated[ListQuery, Query()]):
        page = list_page(run, query.of("list"))     # flagged contacts, best rank first
        page.rows, page.total, page.next_cursor
        query.params(cursor=page.next_cursor)       # query string of the next page: every filter kept
        query.params(sort="-value_at_risk")         # of the same list in another order, from its beginning

Column names come from the white lists of `winback_serving.web.columns` and never from the client; values are always parameters.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, Self
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, model_validator

from winback_serving.web.columns import COLUMNS, COUNTS, DATES, SORTABLE, WORDS
from winback_serving.web.days import Day
from winback_serving.web.errors import NotFoundError, WebError
from winback_serving.web.index import ROW
from winback_serving.web.reader import Run

EQUAL = {
    "state": "state",
    "segment": "rfm_segment",
    "action": "recommended_action",
    "channel": "channel",
    "base": "base",
    "reason": "not_flagged_reason",
    "entry_reason": "entry_reason",
    "arm": "arm",
    "consent": "consent_basis",
    "category": "last_category",
    "language": "language",
    "country": "country",
    "source": "acquisition_source",
}
"""Filter to the column it compares; given more than once, any of the values will do."""

AT_LEAST = {
    "min_p_lapse": "p_lapse",
    "min_p_purchase": "p_purchase",
    "min_value": "value_at_risk",
    "min_days_silent": "days_since_purchase",
    "min_days_overdue": "days_overdue",
    "entered_from": "entered_at",
}
AT_MOST = {
    "max_p_lapse": "p_lapse",
    "max_p_purchase": "p_purchase",
    "max_value": "value_at_risk",
    "max_days_silent": "days_since_purchase",
    "max_days_overdue": "days_overdue",
    "entered_to": "entered_at",
}

Kind = Literal["all", "list", "excluded"]
KINDS: dict[Kind, str] = {
    "all": "TRUE",
    "list": "rank IS NOT NULL",
    "excluded": "not_flagged_reason IS NOT NULL",
}
"""Who is on a list: everybody, who is to be won back, who is not and why."""

_Words = Field(default=(), max_length=20)
_Share = Field(default=None, ge=0, le=1)


class StrictListQuery(BaseModel):
    """The filters, the order and the place in a list, as they stand in the query string."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Kind = Field(default="all", exclude=True, description="Who is on the list.")
    q: str = Field(default="", max_length=100, description="Part of a contact id.")
    state: tuple[str, ...] = _Words
    segment: tuple[str, ...] = _Words
    action: tuple[str, ...] = _Words
    channel: tuple[str, ...] = _Words
    base: tuple[str, ...] = _Words
    reason: tuple[str, ...] = _Words
    entry_reason: tuple[str, ...] = _Words
    arm: tuple[str, ...] = _Words
    consent: tuple[str, ...] = _Words
    category: tuple[str, ...] = _Words
    language: tuple[str, ...] = _Words
    country: tuple[str, ...] = _Words
    source: tuple[str, ...] = _Words
    min_p_lapse: float | None = _Share
    max_p_lapse: float | None = _Share
    min_p_purchase: float | None = _Share
    max_p_purchase: float | None = _Share
    min_value: float | None = Field(default=None, allow_inf_nan=False)
    max_value: float | None = Field(default=None, allow_inf_nan=False)
    min_days_silent: int | None = Field(default=None, ge=0, le=36_500)
    max_days_silent: int | None = Field(default=None, ge=0, le=36_500)
    min_days_overdue: int | None = Field(default=None, ge=-36_500, le=36_500)
    max_days_overdue: int | None = Field(default=None, ge=-36_500, le=36_500)
    entered_from: Day | None = None
    entered_to: Day | None = None
    sort: str = Field(
        default="", pattern=f"^(-?({'|'.join(SORTABLE)}))?$", description="Column; - turns it round."
    )
    limit: int = Field(default=50, ge=1, le=1000, description="Rows of a page.")
    cursor: str = Field(default="", max_length=1000, description="next_cursor of the page before.")

    def of(self, kind: Kind) -> Self:
        """Return the same query about another list."""
        return self.model_copy(update={"kind": kind})

    def params(self, **changes: Any) -> str:
        """Return the query string of this view with something changed; a change other than ``cursor`` begins anew.

        Examples
        --------
        >>> ListQuery(state=("flagged",), cursor="abc").params(sort="-p_lapse")
        'state=flagged&sort=-p_lapse'
        """
        values = self.model_dump(mode="json", exclude_defaults=True)
        values.pop("cursor", None)
        values = {**values, **changes}
        kept = {name: value for name, value in values.items() if value not in (None, "", (), [])}
        return urlencode(kept, doseq=True)

    @property
    def filters(self) -> dict[str, Any]:
        """The filters that are set, by name."""
        dumped = self.model_dump(mode="json", exclude_defaults=True)
        return {k: v for k, v in dumped.items() if k not in ("sort", "limit", "cursor")}

    @property
    def order(self) -> tuple[str, bool]:
        """The column to sort by, and whether downwards."""
        name = self.sort or ("rank" if self.kind == "list" else "contact_id")
        return name.removeprefix("-"), name.startswith("-")


class ListQuery(StrictListQuery):
    """The same from a form of a page, where an empty field is no filter."""

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        """Take a field of a form that was left empty for a filter that is not set."""
        if not isinstance(given, dict):
            return given
        lists = {n: [one for one in v if one != ""] if isinstance(v, list) else v for n, v in given.items()}
        return {name: value for name, value in lists.items() if value not in ("", [])}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Attributes
    ----------
    rows : list of dict
        The columns :data:`COLUMNS` as Python values.
    total : int
        Contacts on the list, all pages together.
    next_cursor : str or None
        None on the last page.
    """

    rows: list[dict[str, Any]]
    total: int
    next_cursor: str | None


def list_page(run: Run, query: StrictListQuery) -> Page:
    """Return one page of a list.

    Parameters
    ----------
    run : Run
    query : ListQuery

    Returns
    -------
    Page

    Raises
    ------
    WebError
        When the cursor is none of ours, or of another order.
    """
    where, values = conditions(query)
    column, downwards = query.order
    after, more = _after(query, column, downwards)
    # Everything put into the text is one of our own words; what the client said are parameters.
    found = run.query(
        f"SELECT {ROW} FROM keys WHERE {where} AND {after} ORDER BY {order_of(query)} LIMIT {query.limit + 1}",  # noqa: S608
        [*values, *more],
    )
    total = count(run, query)
    rows = run.index.rows([row[ROW] for row in found], COLUMNS)
    following = len(rows) > query.limit
    rows = rows[: query.limit]
    if not following:
        return Page(rows, total, None)
    last = rows[-1]
    return Page(rows, total, write_cursor(run, query.sort, last[column], last["contact_id"]))


def conditions(query: StrictListQuery) -> tuple[str, list[Any]]:
    """Return the filters of a query as an SQL condition and its parameters."""
    parts, values = [KINDS[query.kind]], []
    if query.q:
        parts.append("contains(contact_id, ?)")
        values.append(query.q)
    for name, column in EQUAL.items():
        given = getattr(query, name)
        if given:
            parts.append(f"{column} IN ({', '.join('?' * len(given))})")
            values.extend(given)
    for bounds, sign in ((AT_LEAST, ">="), (AT_MOST, "<=")):
        for name, column in bounds.items():
            value = getattr(query, name)
            if value is not None:
                parts.append(f"{column} {sign} ?")
                values.append(value)
    return " AND ".join(parts), values


def count(run: Run, query: StrictListQuery) -> int:
    """Return how many contacts are on a list."""
    where, values = conditions(query)
    (row,) = run.query(f"SELECT count(*) AS n FROM keys WHERE {where}", values)  # noqa: S608
    return int(row["n"])


def order_of(query: StrictListQuery) -> str:
    """Return the order of a query as SQL, which leaves no ties; what is unknown comes last.

    Examples
    --------
    >>> order_of(ListQuery(sort="-p_lapse"))
    'p_lapse DESC NULLS LAST, contact_id'
    """
    column, downwards = query.order
    order = f"{column} {'DESC' if downwards else 'ASC'} NULLS LAST"
    return order if column == "contact_id" else f"{order}, contact_id"


def read_cursor(text: str) -> dict[str, Any]:
    """Return what a cursor says: the run (``day``, ``run``), the ``sort``, and the last row's ``value`` and ``id``.

    Raises
    ------
    WebError
        When it is none of ours.
    """
    try:
        found = json.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        good = {
            "day": date.fromisoformat(found["day"]),
            **{name: str(found[name]) for name in ("run", "sort", "id")},
            "value": found["value"],
        }
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        raise bad_cursor() from None
    return good


def bad_cursor() -> WebError:
    """Return the refusal of a cursor that is none of ours."""
    return NotFoundError(
        "There is no such cursor.", where="cursor", how="Take next_cursor of the page before as it is."
    )


def write_cursor(run: Run, sort: str, value: Any, contact_id: str) -> str:
    """Return the cursor of a page that ends with a value and a contact, for `read_cursor`."""
    found = {
        "day": run.as_of.isoformat(),
        "run": run.run_id,
        "sort": sort,
        "value": value.isoformat() if isinstance(value, date) else value,
        "id": contact_id,
    }
    return base64.urlsafe_b64encode(json.dumps(found).encode()).decode().rstrip("=")


def _after(query: StrictListQuery, column: str, downwards: bool) -> tuple[str, list[Any]]:
    """Return the condition that a row comes after the cursor's."""
    if not query.cursor:
        return "TRUE", []
    found = read_cursor(query.cursor)
    if found["sort"] != query.sort:
        raise WebError(
            "The cursor is of another order.", where="cursor", how="Begin the list anew without it."
        )
    value, last = _typed(column, found["value"]), found["id"]
    if column == "contact_id":
        return f"contact_id {'<' if downwards else '>'} ?", [last]
    if value is None:
        return f"{column} IS NULL AND contact_id > ?", [last]
    sign = "<" if downwards else ">"
    return f"({column} {sign} ? OR ({column} = ? AND contact_id > ?) OR {column} IS NULL)", [
        value,
        value,
        last,
    ]


def _typed(column: str, value: Any) -> Any:
    """Return a cursor's value as its column's type."""
    try:
        if value is None:
            return None
        if column in DATES:
            return date.fromisoformat(value)
        if column in WORDS:
            return str(value)
        if column in COUNTS:
            return max(-(2**31), min(int(value), 2**31 - 1))
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise bad_cursor() from None
