"""The facts of many contacts before a day as plain arrays, by contact, the newest first: what features are summed from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Self, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winback_features.contracts import SEND_CHANNELS, Role
from winback_features.segments import Bools, Floats, Ints, Segments

MONEY_UNITS = 10_000
"""Amounts are whole ten-thousandths."""

NEVER = -(2**30)
"""The age of what has not happened."""

BEFORE_TIME = np.iinfo(np.int64).min
"""When it was that never was."""

ROLES = get_args(Role)
"""What an event is to the features; a role is its place here, others are -1."""

CHANNELS = (*SEND_CHANNELS, "phone")
"""Channels that can be left; a channel is its place here, others are -1."""

FAULTS = ("email_bounce_hard", "email_bounce_soft", "email_complaint")
"""Kinds that are asked for by name; a fault is its place here, others are -1."""


@dataclass(frozen=True)
class Rows:
    """Rows of one table before a day: arrays of one length, sorted by contact and age.

    Attributes
    ----------
    rows : Segments
        Whose they are.
    age : ndarray of int32
        Whole days from the row's day to the day: 1 at least.
    """

    rows: Segments
    age: Ints

    def only(self, mask: Bools) -> Self:
        """Keep some rows."""
        kept = {f.name: getattr(self, f.name)[mask] for f in fields(self) if f.name != "rows"}
        return replace(self, rows=Segments(self.rows.contact[mask], self.rows.n), **kept)

    def of(self, first: int, after: int) -> Self:
        """Return the rows of the contacts from the first to before another; nothing is copied but whose they are."""
        begin, end = self.rows.offsets[first], self.rows.offsets[after]
        kept = {f.name: getattr(self, f.name)[begin:end] for f in fields(self) if f.name != "rows"}
        return replace(self, rows=Segments(self.rows.contact[begin:end] - first, after - first), **kept)

    def before(self, days: int) -> Self:
        """Return the rows of before a day that lies so many days earlier, as they were known then."""
        kept = self.only(self.age > days) if days else self
        return replace(kept, **{name: getattr(kept, name) - days for name in kept.ages()})

    def ages(self) -> tuple[str, ...]:
        """Name the arrays that are counted from the day."""
        return ("age",)


@dataclass(frozen=True)
class Orders(Rows):
    """Orders.

    Attributes
    ----------
    at : ndarray of int64
        When, in microseconds of the brand's clock.
    amount : ndarray of int64
        In ten-thousandths; 0 where unknown.
    priced : ndarray of bool
        Whether the amount is known.
    cancelled_age : ndarray of int32
        Days from the cancellation to the day; below 1 where it was not before the day.
    discount_known, discounted, coupon_known, coupon, gift_known, gift : ndarray of bool
    """

    at: Ints
    amount: Ints
    priced: Bools
    cancelled_age: Ints
    discount_known: Bools
    discounted: Bools
    coupon_known: Bools
    coupon: Bools
    gift_known: Bools
    gift: Bools

    def ages(self) -> tuple[str, ...]:
        """Name the arrays that are counted from the day."""
        return ("age", "cancelled_age")

    @property
    def cancelled(self) -> Bools:
        """Say which orders were cancelled before the day."""
        return self.cancelled_age >= 1

    @property
    def bought(self) -> Bools:
        """Say which orders are purchases: positive or of unknown amount, and not cancelled."""
        return (~self.priced | (self.amount > 0)) & ~self.cancelled


@dataclass(frozen=True)
class Lines(Rows):
    """Lines of orders.

    Attributes
    ----------
    amount : ndarray of int64
        In ten-thousandths; 0 where unknown.
    void_age : ndarray of int32
        Days from when its order was no purchase any more to the day; below 1 where it is one.
    category, product : ndarray of int
        Places in `Facts.categories` and `Facts.products`, -1 where unknown.
    """

    amount: Ints
    void_age: Ints
    category: Ints
    product: Ints

    def ages(self) -> tuple[str, ...]:
        """Name the arrays that are counted from the day."""
        return ("age", "void_age")

    @property
    def of_purchases(self) -> Lines:
        """Keep the lines of orders that are purchases."""
        return self.only(self.void_age < 1)

    @property
    def newest(self) -> Bools:
        """Say which lines are of their contact's last day."""
        newest: Bools = self.age == self.rows.first(self.age)[self.rows.contact]
        return newest


@dataclass(frozen=True)
class Events(Rows):
    """Engagement events.

    Attributes
    ----------
    at : ndarray of int64
        When, in microseconds of the brand's clock.
    role, channel, fault, reason : ndarray of int8
        Places in `ROLES`, `CHANNELS`, `FAULTS` and `STATED_REASONS`, or -1.
    other : ndarray of bool
        Whether its kind is none that winback knows.
    personal : ndarray of bool
        Whether no machine made it. An incentive is the shop's own doing: its flag says nothing.
    value : ndarray of float64
        NaN where unknown.
    """

    at: Ints
    role: npt.NDArray[np.int8]
    channel: npt.NDArray[np.int8]
    fault: npt.NDArray[np.int8]
    reason: npt.NDArray[np.int8]
    other: Bools
    personal: Bools
    value: Floats

    def played(self, *roles: str) -> Bools:
        """Say which events have one of the roles."""
        of = np.zeros(len(ROLES) + 1, bool)
        of[[ROLES.index(role) for role in roles]] = True
        return of[self.role]  # -1 is the last place, which is never one of them

    def on(self, channel: str) -> Bools:
        """Say which events are of a channel."""
        return np.equal(self.channel, CHANNELS.index(channel), dtype=bool)

    def last_at(self, mask: Bools) -> Ints:
        """Return when each contact's last event of ``mask`` was, `BEFORE_TIME` where there is none; shape (contacts,)."""
        last = np.full(self.rows.n, BEFORE_TIME)
        np.maximum.at(last, self.rows.contact[mask], self.at[mask])
        return last


BY_CONTACT = ("ids", "listed", "created_age", "source", "address_at", "withdrawn_age", "zone")
"""What the facts hold one of for each contact."""


@dataclass(frozen=True)
class Facts:
    """All that the features of a day look at.

    Attributes
    ----------
    ids : pyarrow.Array of string
        Contact ids, rising; contacts are numbered by their place here.
    orders : Orders
    lines : Lines
    events : Events
    categories, products : pyarrow.Array of string
    listed : ndarray of bool, shape (contacts,)
        Whether a contact has a row of its own.
    created_age : ndarray of float64, shape (contacts,)
        Days from when that row was made to the day; NaN where unknown.
    source : pyarrow.Array, shape (contacts,)
        Acquisition source.
    address_at : ndarray of int64, shape (contacts,)
        When it got its e-mail address, in microseconds of the brand's clock; `BEFORE_TIME` where unknown.
    withdrawn_age : ndarray of float64, shape (contacts,)
        Days from when it was erased or objected to profiling, the earlier, to the day; NaN where neither.
    zone : pyarrow.Array, shape (contacts,)
        Time zone of the contact, as written; null where unknown.
    home : str
        Time zone of the brand, whose clock all times are of; of no meaning where no contact has a row of its own.
    """

    ids: pa.Array
    orders: Orders
    lines: Lines
    events: Events
    categories: pa.Array
    products: pa.Array
    listed: Bools
    created_age: Floats
    source: pa.Array
    address_at: Ints
    withdrawn_age: Floats
    zone: pa.Array
    home: str

    def before(self, days: int) -> Facts:
        """Return the facts of before a day that lies so many days earlier, as they were known then."""
        rows = {name: getattr(self, name).before(days) for name in ("orders", "lines", "events")}
        created, withdrawn = self.created_age - days, self.withdrawn_age - days
        return replace(self, created_age=created, withdrawn_age=withdrawn, **rows)

    def of(self, first: int, after: int) -> Facts:
        """Return the facts of the contacts from the first to before another."""
        rows = {name: getattr(self, name).of(first, after) for name in ("orders", "lines", "events")}
        own = {name: getattr(self, name)[first:after] for name in BY_CONTACT}
        return replace(self, **own, **rows)

    def blocks(self, contacts: int) -> Iterator[Facts]:
        """Yield the facts of so many contacts at a time, in their order; once those of none where there is none."""
        n = len(self.ids)
        for first in range(0, max(n, 1), contacts):
            yield self.of(first, min(first + contacts, n))

    @property
    def existing(self) -> Bools:
        """Say which contacts have a row of their own that was made before the day, or at an unknown time."""
        return self.listed & ~(self.created_age < 1)

    @property
    def known(self) -> Bools:
        """Say which contacts have an order, an event or a row of their own before the day."""
        return self.existing | (self.orders.rows.count() > 0) | (self.events.rows.count() > 0)

    @property
    def withdrawn(self) -> Bools:
        """Say which contacts were erased, or objected to profiling, before the day; neither is scored."""
        return self.withdrawn_age >= 1
