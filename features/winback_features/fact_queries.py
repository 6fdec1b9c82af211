"""Read the facts of before a day from the clean tables into arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winback_features.contracts import OTHER_KIND, STATED_REASONS
from winback_features.expressions import cut, facts_before
from winback_features.fact_arrays import (
    BEFORE_TIME,
    CHANNELS,
    FAULTS,
    NEVER,
    ROLES,
    Events,
    Facts,
    Lines,
    Orders,
    Rows,
)
from winback_features.in_order import in_order
from winback_features.segments import Bools, Floats, Ints, Segments, pairs

if TYPE_CHECKING:
    from winback_features.tables import Tables

Kind = TypeVar("Kind", bound=Rows)

ALWAYS = 2**30
"""The age of what was so from the beginning."""


def fact_queries(tables: Tables, as_of: date) -> dict[str, ibis.Table]:
    """Return what is read of each table: its rows before the day, in as few bytes as say what is asked of them.

    Parameters
    ----------
    tables : Tables
    as_of : datetime.date

    Returns
    -------
    dict of str to ibis.Table
        ``orders``, ``lines``, ``events`` and ``contacts``, for `facts_of`.
    """
    orders = facts_before(tables.orders, as_of)
    return {
        "orders": orders.select(
            "contact_id",
            "amount",
            "coupon",
            "is_gift",
            at=orders.ordered_at,
            age=orders.age.cast("int32"),
            cancelled_age=_age(orders.cancelled_on, as_of).fill_null(NEVER),
            discounted=orders.discount > 0,
        ),
        "lines": _lines(tables, as_of),
        "events": _events(tables, as_of),
        "contacts": _contacts(tables, as_of),
    }


def _lines(tables: Tables, as_of: date) -> ibis.Table:
    orders = tables.orders
    nothing = (orders.amount <= 0).fill_null(False)
    # Few orders are no purchase: to find the lines of these is much cheaper than to find those of the others.
    void = orders.filter(nothing | orders.cancelled_on.notnull())
    since = ibis.ifelse(nothing, ibis.literal(ALWAYS, "int32"), _age(orders.cancelled_on, as_of))
    void = void.select(void_contact="contact_id", void_order="order_id", void_day="day", void_age=since)
    lines = facts_before(tables.lines, as_of)
    same = (
        lines.contact_id == void.void_contact,
        lines.order_id == void.void_order,
        lines.day == void.void_day,
    )
    lines = lines.left_join(void, same)
    return lines.select(
        "contact_id",
        "amount",
        "category",
        "product_id",
        age=lines.age.cast("int32"),
        void_age=lines.void_age.fill_null(NEVER),
    )


def _events(tables: Tables, as_of: date) -> ibis.Table:
    events = facts_before(tables.events, as_of)
    return events.select(
        "contact_id",
        "value",
        age=events.age.cast("int32"),
        at=events.occurred_at,
        role=_place(events.role, ROLES),
        channel=_place(events.channel, CHANNELS),
        fault=_place(events.kind, FAULTS),
        reason=_place(events.reason, STATED_REASONS),
        other=(events.kind == OTHER_KIND).fill_null(False),
        personal=~events.machine.fill_null(False) | (events.role == "incentive").fill_null(False),
    )


def _contacts(tables: Tables, as_of: date) -> ibis.Table:
    contacts = tables.contacts
    return contacts.select(
        "contact_id",
        "acquisition_source",
        "timezone",
        home=ibis.literal(tables.timezone),
        address_at=contacts.email_changed_at,
        created_age=_age(contacts.created_at.date(), as_of),
        erased_age=_age(contacts.erased_at.date(), as_of),
        objected_age=_age(contacts.objected_profiling_at.date(), as_of),
    )


def _age(day: Any, as_of: date) -> Any:
    return cut(as_of).delta(day, unit="day").cast("int32")


def _place(column: Any, names: Sequence[str]) -> Any:
    """Return the place of a name as a small number, -1 where it is none of them."""
    places = ((name, ibis.literal(place, "int8")) for place, name in enumerate(names))
    return column.cases(*places, else_=ibis.literal(-1, "int8"))


def facts_of(found: dict[str, pa.Table], threads: int = 1) -> Facts:
    """Lay the rows of `fact_queries` out as arrays, by so many threads; ``found`` is emptied on the way."""
    codes, ids = _numbered([found[name]["contact_id"] for name in found], threads)
    who, n = dict(zip(found, codes, strict=True)), len(ids)
    contacts = found.pop("contacts")
    place = np.full(n, contacts.num_rows)
    place[who["contacts"]] = np.arange(contacts.num_rows)
    listed = place < contacts.num_rows

    def age(column: str) -> Floats:
        ages: Floats = np.append(contacts[column].cast(pa.float64()).to_numpy(), np.nan)[place]
        return ages

    def rows(kind: Callable[..., Kind], columns: dict[str, npt.NDArray[Any]], contact: Ints) -> Kind:
        order = np.argsort(pairs(contact, columns["age"]))  # which of equals comes first must not matter
        return kind(rows=Segments(contact[order], n), **{k: values[order] for k, values in columns.items()})

    def events() -> Events:
        return rows(Events, _event_columns(found.pop("events")), who["events"])

    def orders() -> Orders:
        return rows(Orders, _order_columns(found.pop("orders")), who["orders"])

    def lines() -> tuple[Lines, dict[str, pa.Array]]:
        columns, names = _line_columns(found.pop("lines"))
        return rows(Lines, columns, who["lines"]), names

    # The events come first: they are most.
    laid: Any = in_order(lambda lay: lay(), (events, orders, lines), threads)
    of_events, of_orders, (of_lines, names) = laid
    return Facts(
        ids=ids,
        lines=of_lines,
        orders=of_orders,
        events=of_events,
        categories=names["category"],
        products=names["product"],
        listed=listed,
        created_age=age("created_age"),
        source=_whole(contacts["acquisition_source"]).take(pa.array(place, mask=~listed)),
        address_at=np.append(_microseconds(contacts["address_at"]), BEFORE_TIME)[place],
        withdrawn_age=np.fmax(age("erased_age"), age("objected_age")),
        zone=_whole(contacts["timezone"]).take(pa.array(place, mask=~listed)),
        home=contacts["home"][0].as_py() if contacts.num_rows else "UTC",
    )


def _order_columns(t: pa.Table) -> dict[str, npt.NDArray[Any]]:
    return {
        "age": t["age"].to_numpy(),
        "at": _microseconds(t["at"]),
        "amount": _units(t["amount"]),
        "priced": _there(t["amount"]),
        "cancelled_age": t["cancelled_age"].to_numpy(),
        "discount_known": _there(t["discounted"]),
        "discounted": _yes(t["discounted"]),
        "coupon_known": _there(t["coupon"]),
        "coupon": _yes(t["coupon"]),
        "gift_known": _there(t["is_gift"]),
        "gift": _yes(t["is_gift"]),
    }


def _line_columns(t: pa.Table) -> tuple[dict[str, npt.NDArray[Any]], dict[str, pa.Array]]:
    (category,), categories = _numbered([t["category"]])
    (product,), products = _numbered([t["product_id"]])
    columns = {
        "age": t["age"].to_numpy(),
        "amount": _units(t["amount"]),
        "void_age": t["void_age"].to_numpy(),
        "category": category,
        "product": product,
    }
    return columns, {"category": categories, "product": products}


def _event_columns(t: pa.Table) -> dict[str, npt.NDArray[Any]]:
    return {
        "age": t["age"].to_numpy(),
        "at": _microseconds(t["at"]),
        "role": t["role"].to_numpy(),
        "channel": t["channel"].to_numpy(),
        "fault": t["fault"].to_numpy(),
        "reason": t["reason"].to_numpy(),
        "other": _yes(t["other"]),
        "personal": _yes(t["personal"]),
        "value": t["value"].to_numpy(),
    }


def _numbered(columns: Sequence[pa.ChunkedArray], threads: int = 1) -> tuple[list[Ints], pa.Array]:
    """Return the place of each string of some columns among all of them, -1 for null; and these, rising."""
    coded = list(in_order(lambda column: _whole(column.dictionary_encode()), columns, threads))
    names = pa.concat_arrays([column.dictionary for column in coded]).dictionary_encode()
    order = pc.sort_indices(names.dictionary)
    rank = np.empty(len(order), np.int32)
    rank[order.to_numpy()] = np.arange(len(order))
    bounds = np.cumsum([len(column.dictionary) for column in coded])[:-1]
    ranks = np.split(rank[names.indices.to_numpy()], bounds)

    def numbers(ranked: Ints, column: pa.DictionaryArray) -> Ints:
        places: Ints = np.append(ranked, np.int32(-1))[column.indices.fill_null(-1).to_numpy()]
        return places

    return list(map(numbers, ranks, coded)), names.dictionary.take(order)


def _whole(column: pa.ChunkedArray) -> Any:
    """Return a column as one array."""
    return column.unify_dictionaries().combine_chunks() if column.num_chunks else pa.array([], column.type)


def _microseconds(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.cast(pa.timestamp("us")).cast(pa.int64()).fill_null(BEFORE_TIME).to_numpy())


def _yes(column: pa.ChunkedArray) -> Bools:
    return np.asarray(pc.fill_null(column, False).to_numpy())


def _there(column: pa.ChunkedArray) -> Bools:
    return np.asarray(pc.is_valid(column).to_numpy())


def _units(column: pa.ChunkedArray) -> Ints:
    """Return decimals with four places as whole ten-thousandths, 0 where null."""
    parts = [np.zeros(0, np.int64)]
    for chunk in column.chunks:
        # A decimal is a whole number of 16 bytes; what fits into 18 digits is in the lower half.
        low = np.frombuffer(chunk.buffers()[1], np.int64)[
            2 * chunk.offset : 2 * (chunk.offset + len(chunk)) : 2
        ]
        parts.append(np.where(pc.is_valid(chunk).to_numpy(zero_copy_only=False), low, 0))
    return np.concatenate(parts)
