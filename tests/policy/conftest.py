"""Small worlds for the policy: contacts by example, as the tables that upstream layers hand over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import ibis
import pyarrow as pa
import pytest

from winback_features.contact_habits import CLOSED_DAYS
from winback_features.parts import WHOLE, Range
from winback_features.sent_log import LOGGED
from winback_models import drivers
from winback_policy.config import PolicyConfig
from winback_policy.decide import WINBACK_SCHEMA, Decision, DecisionDay, as_is, decide
from winback_policy.gather import FEATURE_COLUMNS, STATE_SCHEMA

sys.path.append(str(Path(__file__).parent))  # for the scenarios

AS_OF = date(2025, 3, 10)

SCORES = {
    "as_of": "date",
    "horizon_days": "int32",
    "model_version": "string",
    "p_purchase": "float64",
    "p_lapse": "float64",
    "p_within_7d": "float64",
    "p_alive": "float64",
    "expected_purchases": "float64",
    "next_purchase_date": "date",
    "next_purchase_low": "date",
    "next_purchase_high": "date",
    "usual_gap_days": "float64",
    "days_since_purchase": "int32",
    "days_overdue": "int32",
    "expected_order_value": "float64",
    "value_at_risk": "float64",
    "currency": "string",
    "base": "string",
}

FEATURES = dict.fromkeys(
    (*FEATURE_COLUMNS, "spend_total", "email_sends_90d", "days_since_visit", "days_since_service_contact"),
    "float64",
) | {"last_category": "string", "acquisition_source": "string"}

DRIVERS = {driver.column: "float64" for driver in drivers.DRIVERS}

STATUS = {
    **dict.fromkeys(
        (
            *("email", "phone", "first_name", "last_name", "language", "country", "timezone"),
            *("send_timezone", "last_product", "top_interest", "stated_reason"),
        ),
        "string",
    ),
    **dict.fromkeys(
        ("consent_email", "consent_sms", "consent_push", "consent_phone", "consent_post"),
        "boolean",
    ),
    **dict.fromkeys(
        (
            "hard_bounced",
            "complained",
            "objected_profiling",
            "erased",
            "is_staff",
            "has_email",
            "in_contacts",
        ),
        "boolean",
    ),
    **dict.fromkeys(
        (
            "soft_bounces_in_a_row",
            "days_since_service_contact",
            "cart_open_days",
            "days_since_click",
            "days_since_visit",
            *(f"consent_{channel}_days" for channel in ("email", "sms", "push", "phone", "post")),
            "send_weekday",
            "send_hour",
            "send_time_n",
            "stated_days",
            *CLOSED_DAYS,
            *LOGGED,
        ),
        "int64",
    ),
}

LATE = {
    # status
    "email": "someone@example.com",
    "first_name": "Some",
    "last_name": "One",
    "has_email": True,
    "in_contacts": True,
    "consent_email": True,
    "hard_bounced": False,
    "complained": False,
    "objected_profiling": False,
    "erased": False,
    "is_staff": False,
    "send_weekday": 2,
    "send_hour": 9,
    "send_timezone": "Europe/Amsterdam",
    "send_time_n": 4,
    # score
    "as_of": AS_OF,
    "horizon_days": 28,
    "p_purchase": 0.22,
    "p_lapse": 0.78,
    "next_purchase_date": date(2025, 4, 20),
    "usual_gap_days": 12.0,
    "days_since_purchase": 31,
    "days_overdue": 9,
    "value_at_risk": 120.4,
    "base": "active",
    # features
    "purchase_days": 8.0,
    "purchase_days_90d": 2.0,
    "purchase_days_180d": 8.0,
    "gap_mean": 12.0,
    "gap_max": 24.0,
    "spend_total": 400.0,
    "incentives_180d": 0.0,
    "active_days_90d": 2.0,
    "last_category": "GROCERY",
}
"""A contact that everything speaks for flagging."""

Rows = dict[str, dict[str, Any]]


class Day(NamedTuple):
    """The four tables of a day, by contact."""

    winback: Rows
    states: Rows
    entries: Rows
    exits: Rows


TABLES = ("winback", "states", "entries", "exits")
"""What a decision consists of, in the order of `Day`."""


class Script(NamedTuple):
    """A decision as SQL: the intermediate tables and what fills them, in order, and what gives the tables asked for so far."""

    decision: Decision
    kept: dict[str, str]
    tables: dict[str, str]


def by_contact(table: pa.Table) -> Rows:
    """Return the rows by contact, checking that they are ordered by contact and hold no contact twice."""
    fetched = table.to_pylist()
    contacts = [row["contact_id"] for row in fetched]
    assert contacts == sorted(set(contacts))
    return dict(zip(contacts, fetched, strict=True))


class World:
    """Contacts with yesterday's states: run a day, look at a contact, let time pass."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.scripts: dict[tuple[Any, ...], Script] = {}

    def table(self, rows: Rows, schema: dict[str, str], name: str | None = None) -> Any:
        """Make an engine table of the columns in ``schema``, in the place of one of the same name."""
        typed = ibis.schema({"contact_id": "string", **schema}).to_pyarrow()
        records = [{**row, "contact_id": contact} for contact, row in rows.items()]
        name = name or ibis.util.gen_name("given")
        self.backend.con.register(name, pa.Table.from_pylist(records, schema=typed))
        return self.backend.table(name)

    def materialise(self, table: Any) -> Any:
        """Keep an intermediate table, as the daily job does."""
        return self.backend.create_table(ibis.util.gen_name("kept"), table, temp=True)

    def given(
        self, rows: Rows, previous: Rows | None, names: tuple[str | None, ...] = (None,) * 4
    ) -> tuple[Any, Any, Any, Any]:
        """Return scores, features, status and yesterday's states of contacts given as differences from `LATE`."""
        full = {contact: {**LATE, **row} for contact, row in rows.items()}
        scored = {c: r for c, r in full.items() if not (r["erased"] or r["objected_profiling"])}
        before = None
        if previous is not None:
            states = {n: t for n, t in STATE_SCHEMA.items() if n != "contact_id"}
            before = self.table(previous, states, names[3])
        tables = zip((scored, scored, full), (SCORES, FEATURES, STATUS), names, strict=False)
        return *(self.table(*table) for table in tables), before

    def drivers(self, rows: Rows, name: str | None = None) -> Any:
        """Return the drivers of the contacts that are scored."""
        full = {contact: {**LATE, **row} for contact, row in rows.items()}
        scored = {c: r for c, r in full.items() if not (r["erased"] or r["objected_profiling"])}
        return self.table(scored, DRIVERS, name)

    def decide(
        self,
        rows: Rows,
        *,
        as_of: date = AS_OF,
        previous: Rows | None = None,
        has_contacts: bool = True,
        config: PolicyConfig | None = None,
        lazy: bool = False,
        with_drivers: bool = False,
        ranges: Sequence[Range] = WHOLE,
        **settings: Any,
    ) -> Decision:
        """Decide for contacts given as differences from `LATE`."""
        scores, features, status, before = self.given(rows, previous)
        settings = {"holdout_share": 0.0, **settings}
        return decide(
            scores,
            features,
            status,
            before,
            DecisionDay(
                as_of=as_of,
                config=config or PolicyConfig(**settings),
                currency="EUR",
                has_contacts=has_contacts,
            ),
            drivers=self.drivers(rows) if with_drivers else None,
            cache=as_is if lazy else self.materialise,
            ranges=ranges,
        )

    def known(self, rows: Rows) -> tuple[Any, Any]:
        """Return features and status of contacts given as differences from `LATE`."""
        full = {contact: {**LATE, **row} for contact, row in rows.items()}
        return self.table(full, FEATURES), self.table(full, STATUS)

    def asked(self, question: Callable[[Any, Any], Any], rows: Rows, previous: Rows | None) -> set[str]:
        """Return the contacts that a question about scores and yesterday's states selects."""
        before = None
        if previous is not None:
            before = self.table(previous, {n: t for n, t in STATE_SCHEMA.items() if n != "contact_id"})
        full = {contact: {**LATE, **row} for contact, row in rows.items()}
        found = self.backend.to_pyarrow(question(self.table(full, SCORES), before))
        return set(found["contact_id"].to_pylist())

    def rows(self, table: Any) -> Rows:
        """Fetch a table by contact, checking that it is ordered by contact and has no contact twice."""
        return by_contact(self.backend.to_pyarrow(table))

    def script(self, given: tuple[Any, ...], day: DecisionDay, drivers: Any, uplift: Any) -> Script:
        """Write down the SQL of a decision over tables whose rows may change; the slow part of deciding."""
        kept: dict[str, str] = {}

        def keep(table: Any) -> Any:
            name = ibis.util.gen_name("kept")
            kept[name] = self.backend.compile(table)
            return self.backend.create_table(name, schema=table.schema(), temp=True)

        decision = decide(*given, day, drivers=drivers, uplift=uplift, cache=keep)
        assert list(decision.winback.columns) == list(WINBACK_SCHEMA)
        return Script(decision, kept, {})

    def told(
        self,
        rows: Rows,
        *,
        as_of: date = AS_OF,
        previous: Rows | None = None,
        has_contacts: bool = True,
        with_drivers: bool = False,
        uplift: Any | None = None,
        closed: tuple[tuple[Any, Any], ...] = (),
        only: tuple[str, ...] = TABLES,
        **settings: Any,
    ) -> list[Rows]:
        """Decide as `decide` does, by a script that is written once for all contacts, and fetch the tables."""
        given = self.given(rows, previous, ("the_scores", "the_features", "the_status", "the_states"))
        drivers = self.drivers(rows, "the_drivers") if with_drivers else None
        config = PolicyConfig(**{"holdout_share": 0.0, **settings})
        key = (as_of, config, has_contacts, with_drivers, uplift is None, previous is None, closed)
        if key not in self.scripts:
            day = DecisionDay(
                as_of=as_of, config=config, currency="EUR", has_contacts=has_contacts, closed=closed
            )
            self.scripts[key] = self.script(given, day, drivers, uplift)
        script = self.scripts[key]
        for name, filled in script.kept.items():
            self.backend.con.execute(f"DELETE FROM {name}; INSERT INTO {name} {filled}")
        for name in set(only) - set(script.tables):
            script.tables[name] = self.backend.compile(getattr(script.decision, name))
        return [by_contact(self.backend.con.sql(script.tables[name]).to_arrow_table()) for name in only]

    def winback(self, rows: Rows, **kwargs: Any) -> Rows:
        """Decide, and fetch the list."""
        (winback,) = self.told(rows, only=("winback",), **kwargs)
        return winback

    @staticmethod
    def day_of(offset: int) -> date:
        """Return the day so many days after `AS_OF`."""
        return AS_OF + timedelta(days=offset)

    def day(self, offset: int, rows: Rows, previous: Rows | None, **settings: Any) -> Day:
        """Run the day ``offset`` days after `AS_OF`."""
        return Day(*self.told(rows, as_of=self.day_of(offset), previous=previous, **settings))


@pytest.fixture(scope="session")
def backend() -> Any:
    """One in-process DuckDB for all."""
    return ibis.duckdb.connect(threads=2)


@pytest.fixture(scope="session")
def world(backend: Any) -> World:
    """A world to decide in."""
    return World(backend)


@pytest.fixture(scope="session")
def evaluate(backend: Any) -> Callable[[Any], Any]:
    """Evaluate one expression."""
    return lambda expression: backend.to_pyarrow(expression).as_py()
