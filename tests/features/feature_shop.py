"""Small shops for the feature tests: clean tables in DuckDB, rows as dictionaries, hypothesis strategies."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from hypothesis import strategies as st

from winback_features.build import features_of
from winback_features.contact_habits import SCHEMA as HABITS
from winback_features.contact_habits import habits_of
from winback_features.contact_status import build_contact_status
from winback_features.contracts import EVENT_KINDS, STATED_REASONS, SURVEY
from winback_features.fact_arrays import Facts
from winback_features.fact_queries import fact_queries, facts_of
from winback_features.labels import build_labels
from winback_features.reports import IngestReport
from winback_features.tables import (
    CONTACTS_SCHEMA,
    EVENTS_SCHEMA,
    LINES_SCHEMA,
    ORDERS_SCHEMA,
    QUARANTINE_SCHEMA,
    Tables,
)

SCHEMAS = {
    "orders": ORDERS_SCHEMA,
    "lines": LINES_SCHEMA,
    "events": EVENTS_SCHEMA,
    "contacts": CONTACTS_SCHEMA,
    "quarantine": QUARANTINE_SCHEMA,
}


CLOSED = (
    (date(2022, 12, 24), date(2023, 1, 3)),
    (date(2023, 2, 20), date(2023, 3, 20)),
    (date(2024, 2, 1), date(2024, 2, 11)),
    (date(2030, 1, 1), date(2030, 2, 1)),
)
"""Closed before, around, and after the cuts of the tests."""


@dataclass(frozen=True)
class Shop:
    """Rows of the four clean tables; a column left out is null."""

    orders: list[dict] = field(default_factory=list)
    lines: list[dict] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)
    contacts: list[dict] = field(default_factory=list)


class ShopEngine:
    """One DuckDB whose tables can be refilled, so that an expression is compiled once per cut."""

    def __init__(self, threads: int = 2) -> None:
        self.backend = ibis.duckdb.connect(threads=threads)
        for name, schema in SCHEMAS.items():
            self.backend.con.register("empty", schema.to_pyarrow().empty_table())
            self.backend.con.execute(f"CREATE TABLE {name} AS FROM empty")
        self.tables = Tables(
            backend=self.backend,
            report=IngestReport(()),
            has_events=True,
            has_contacts=True,
            closed=CLOSED,
            **{name: self.backend.table(name) for name in SCHEMAS},
        )
        self.habits = self.backend.create_table("habits", HABITS.empty_table())
        self._sql: dict[tuple, Any] = {}

    def close(self) -> None:
        self.backend.disconnect()

    def load(self, shop: Shop) -> Tables:
        for name in ("orders", "lines", "events", "contacts"):
            schema = SCHEMAS[name].to_pyarrow()
            rows = [{column: row.get(column) for column in schema.names} for row in getattr(shop, name)]
            self.backend.con.register("rows", pa.Table.from_pylist(rows, schema=schema))
            self.backend.con.execute(f"DELETE FROM {name}; INSERT INTO {name} FROM rows")
        return self.tables

    def run(self, build, *args) -> pa.Table:
        key = (build, *args)
        if key not in self._sql:
            self._sql[key] = self.backend.compile(build(self.tables, *args))
        return self.backend.con.execute(self._sql[key]).to_arrow_table()

    def facts(self, shop: Shop, as_of: date) -> Facts:
        """Read the facts as the daily job does, by queries that are compiled once per cut."""
        self.load(shop)
        if ("facts", as_of) not in self._sql:
            queries = fact_queries(self.tables, as_of).items()
            self._sql["facts", as_of] = {n: self.backend.compile(q) for n, q in queries}
        found = {
            n: self.backend.con.execute(q).to_arrow_table() for n, q in self._sql["facts", as_of].items()
        }
        return facts_of(found)

    def features(self, shop: Shop, as_of: date) -> pa.Table:
        return features_of(self.facts(shop, as_of), as_of, CLOSED)

    def labels(self, shop: Shop, as_of: date, horizon_days: int) -> pa.Table:
        self.load(shop)
        return self.run(build_labels, as_of, horizon_days)

    def status(self, shop: Shop, as_of: date, send_hours: tuple[int, int] = (0, 24)) -> pa.Table:
        habits = habits_of(self.facts(shop, as_of), as_of, CLOSED, send_hours)
        self.backend.con.execute("DELETE FROM habits")
        self.backend.con.register("rows", habits)
        self.backend.con.execute("INSERT INTO habits FROM rows")
        return self.run(build_contact_status, as_of, self.habits)


def order(contact: str, day: date, amount: float | str | None = 10, at: time = time(12), **columns) -> dict:
    """One order; its id is made of contact, day and time unless given."""
    money = None if amount is None else Decimal(str(amount)).quantize(Decimal("0.0001"))
    made = {
        "contact_id": contact,
        "order_id": f"{contact}-{day}-{at:%H%M}",
        "ordered_at": datetime.combine(day, at),
        "day": day,
        "amount": money,
    }
    return made | columns


def event(contact: str, day: date, kind: str, at: time = time(9), **columns) -> dict:
    """One event with the channel and role that ingest gives its kind."""
    known = EVENT_KINDS.get(kind)
    made = {
        "contact_id": contact,
        "occurred_at": datetime.combine(day, at),
        "day": day,
        "kind": kind if known else "other",
        "channel": known.channel if known else "other",
        "role": known.role if known else "other",
        "machine": False,
    }
    return made | columns


def rows_of(table: pa.Table) -> dict[str, dict]:
    """Return contact -> row."""
    return {row["contact_id"]: row for row in table.to_pylist()}


def forget_after(shop: Shop, as_of: date) -> Shop:
    """Remove every fact of ``as_of`` and later, the cancellations of earlier orders among them."""
    start = datetime.combine(as_of, time())

    def earlier(moment):
        return moment if moment is None or moment < start else None

    orders = [o for o in shop.orders if o["day"] < as_of]
    orders = [o | {"cancelled_on": c if (c := o.get("cancelled_on")) and c < as_of else None} for o in orders]
    contacts = [c for c in shop.contacts if c.get("created_at") is None or c["created_at"] < start]
    gone = [c for c in shop.contacts if c not in contacts]
    contacts = [
        c
        | {
            "erased_at": earlier(c.get("erased_at")),
            "objected_profiling_at": earlier(c.get("objected_profiling_at")),
        }
        for c in contacts
    ]
    # A withdrawal before the cut counts although the row says that the contact was created later.
    withdrawn = [
        {key: c.get(key) for key in ("contact_id", "created_at", "erased_at", "objected_profiling_at")}
        for c in gone
        if any(c.get(k) and c[k] < start for k in ("erased_at", "objected_profiling_at"))
    ]
    return replace(
        shop,
        orders=orders,
        lines=[line for line in shop.lines if line["day"] < as_of],
        events=[e for e in shop.events if e["day"] < as_of],
        contacts=contacts + withdrawn,
    )


class RandomShop:
    """Draws an untidy shop: cancellations, returns, zero and unknown amounts, ties, machines."""

    def __init__(self, seed: int, start: date = date(2023, 1, 1), days: int = 500) -> None:
        self.draw, self.start, self.days = random.Random(seed), start, days
        self.shop = Shop()

    def day(self) -> date:
        return self.start + timedelta(days=self.draw.randrange(self.days))

    def time(self) -> time:
        some = time(self.draw.randrange(24), self.draw.choice([0, 30]))
        return self.draw.choice([time(), some, time(8), time(20, 15)])

    def maybe(self, value, share=0.5):
        return value if self.draw.random() < share else None

    def moment(self) -> datetime:
        return datetime.combine(self.day(), self.time())

    def add_order(self, contact: str, number: int) -> None:
        draw = self.draw
        amount = draw.choice([None, 0, 5, 5, 12.3456, 80, draw.randrange(1, 9999) / 100, -7.5])
        made = order(contact, self.day(), amount, self.time(), order_id=f"{contact}/{number}")
        made |= {
            "discount": draw.choice([None, Decimal(0), Decimal("1.5")]),
            "coupon": draw.choice([None, True, False]),
            "is_gift": draw.choice([None, True, False]),
        }
        self.shop.orders.append(made)
        if amount and amount > 0 and draw.random() < 0.15:
            made["cancelled_on"] = made["day"] + timedelta(days=draw.randrange(30))
            back = order(contact, made["cancelled_on"], -amount, self.time(), order_id=f"{contact}/{number}-")
            self.shop.orders.append(back)
        shares = draw.choice([1, 1, 2, 3])
        part = None if made["amount"] is None else (made["amount"] / shares).quantize(Decimal("0.0001"))
        for _ in range(shares):
            line = {k: made[k] for k in ("contact_id", "order_id", "day")} | {"amount": part}
            self.shop.lines.append(
                line | {"category": draw.choice([None, "tea", "cups", "Tea", "zoo", "ábc"])}
            )

    def add_event(self, contact: str) -> None:
        extra = ["email_sent", "email_sent", "email_click", "loyalty_points", "quiz"]
        kind = self.draw.choice([*EVENT_KINDS, *extra])
        value = self.draw.choice([None, 10.0, 25.0, 25.0]) if kind == "loyalty_points" else None
        machine = self.draw.random() < 0.2
        stated = [None, *STATED_REASONS][len(self.shop.events) % 11] if kind == SURVEY else None
        more = {"value": value, "machine": machine, "reason": stated}
        self.shop.events.append(event(contact, self.day(), kind, self.time(), **more))

    def add_profile(self, contact: str) -> None:
        draw = self.draw
        self.shop.contacts.append(
            {
                "contact_id": contact,
                "email": self.maybe(f"{contact}@example.org", 0.8),
                "first_name": self.maybe("Ada"),
                "created_at": self.maybe(self.moment(), 0.7),
                "acquisition_source": draw.choice([None, "shop", "ad"]),
                "consent_email": draw.choice([None, True, False]),
                "consent_post": draw.choice([None, True, False]),
                "email_status": draw.choice([None, "ok", "hard_bounced", "soft_bounced"]),
                "objected_profiling_at": self.maybe(self.moment(), 0.1),
                "erased_at": self.maybe(self.moment(), 0.1),
                "is_staff": draw.choice([None, True, False]),
            }
        )


def random_shop(seed: int, contacts: int = 40) -> Shop:
    """Return the shop that `RandomShop` draws from ``seed``."""
    made = RandomShop(seed)
    for i in range(contacts):
        contact = f"{i:05d}"
        for number in range(made.draw.choice([0, 1, 1, 2, 3, 5, 12, 30])):
            made.add_order(contact, number)
        for _ in range(made.draw.choice([0, 0, 3, 40])):
            made.add_event(contact)
        if made.draw.random() < 0.7:
            made.add_profile(contact)
    made.draw.shuffle(made.shop.orders)
    made.draw.shuffle(made.shop.events)
    return made.shop


def cdnow_sample() -> Shop:
    """Fader and Hardie's tenth of CDNOW as it lies in the lifetimes wheel: 2,357 customers, 6,919 orders."""
    folder = Path(find_spec("lifetimes").submodule_search_locations[0])
    text = (folder / "datasets" / "CDNOW_sample.txt").read_text()
    shop = Shop()
    for number, line in enumerate(text.splitlines()):
        master, _, day, _, amount = line.split()
        when = date(int(day[:4]), int(day[4:6]), int(day[6:]))
        shop.orders.append(order(master, when, amount, time(), order_id=str(number)))
    return shop


FIRST = date(2024, 1, 1)
days_of_year = st.integers(0, 199).map(lambda n: FIRST + timedelta(days=n))
times = st.sampled_from([time(), time(8), time(8, 30), time(23, 59)])
ids = st.sampled_from(["007", "7", "Ä", "a b"])


@st.composite
def small_shops(draw) -> Shop:
    """A few contacts with a few facts each, on few days, so that ties and coincidences are common."""
    orders = [
        order(contact, day, amount, at, order_id=f"o{i}", coupon=coupon)
        for i, (contact, day, amount, at, coupon) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        ids,
                        days_of_year,
                        st.sampled_from([None, 0, 5, 5.01, -3, 80]),
                        times,
                        st.sampled_from([None, True, False]),
                    ),
                    max_size=30,
                )
            )
        )
    ]
    for made in orders:
        if made["amount"] and made["amount"] > 0 and draw(st.integers(0, 4)) == 0:
            made["cancelled_on"] = made["day"] + timedelta(days=draw(st.integers(0, 30)))
    for made in [o for o in orders if o.get("cancelled_on")]:
        back = order(made["contact_id"], made["cancelled_on"], -made["amount"], time(23, 59))
        orders.append(back | {"order_id": f"{made['order_id']}-"})
    lines = [
        {k: o[k] for k in ("contact_id", "order_id", "day", "amount")}
        | {"category": draw(st.sampled_from("xyz"))}
        for o in orders
    ]
    kinds = st.sampled_from(sorted({*EVENT_KINDS, "quiz"}))
    values = st.sampled_from([None, 1.0, 2.0])
    stated = {1.0: "price", 2.0: "no_need"}
    events = [
        event(
            contact,
            day,
            kind,
            at,
            value=value,
            machine=machine,
            reason=stated.get(value) if kind == SURVEY else None,
        )
        for contact, day, kind, at, value, machine in draw(
            st.lists(st.tuples(ids, days_of_year, kinds, times, values, st.booleans()), max_size=30)
        )
    ]
    moments = st.none() | st.builds(datetime.combine, days_of_year, times)
    contacts = [
        {
            "contact_id": contact,
            "created_at": draw(moments),
            "erased_at": draw(st.none() | moments),
            "objected_profiling_at": draw(st.none() | moments),
            "acquisition_source": draw(st.sampled_from([None, "ad"])),
        }
        for contact in draw(st.lists(ids, unique=True, max_size=3))
    ]
    return Shop(orders, lines, events, contacts)
