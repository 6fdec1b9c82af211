"""The facts of many contacts before a day as plain arrays, by contact, the newest first: what features are summed from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winback_features.segments import Bools, Floats, Ints, Segments

MONEY_UNITS = 10_000
"""Amounts are whole ten-thousandths."""

NEVER = -(2**30)
"""The age of what has not happened."""

ROLES = ("send", "open", "click", "visit", "cart", "service", "answer", "incentive", "loyalty")
"""What the features ask of events; a role is its place here, others are -1."""


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
    amount : ndarray of int64
        In ten-thousandths; 0 where unknown.
    priced : ndarray of bool
        Whether the amount is known.
    cancelled_age : ndarray of int32
        Days from the cancellation to the day; below 1 where it was not before the day.
    discount_known, discounted, coupon_known, coupon, gift_known, gift : ndarray of bool
    """

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
    category : ndarray of int
        A place in `Facts.categories`, -1 where unknown.
    """

    amount: Ints
    void_age: Ints
    category: Ints

    def ages(self) -> tuple[str, ...]:
        """Name the arrays that are counted from the day."""
        return ("age", "void_age")


@dataclass(frozen=True)
class Events(Rows):
    """Engagement events.

    Attributes
    ----------
    at : ndarray of int64
        When, in microseconds.
    role : ndarray of int8
        A place in `ROLES`, or -1.
    channel : ndarray of int8
        A place in `winback_features.contracts.SEND_CHANNELS`, or -1.
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
    other: Bools
    personal: Bools
    value: Floats

    def played(self, *roles: str) -> Bools:
        """Say which events have one of the roles."""
        of = np.zeros(len(ROLES) + 1, bool)
        of[[ROLES.index(role) for role in roles]] = True
        return of[self.role]  # -1 is the last place, which is never one of them


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
    categories : pyarrow.Array of string
    listed : ndarray of bool, shape (contacts,)
        Whether a contact has a row of its own.
    created_age : ndarray of float64, shape (contacts,)
        Days from when that row was made to the day; NaN where unknown.
    source : pyarrow.Array, shape (contacts,)
        Acquisition source.
    withdrawn_age : ndarray of float64, shape (contacts,)
        Days from when it was erased or objected to profiling, the earlier, to the day; NaN where neither.
    """

    ids: pa.Array
    orders: Orders
    lines: Lines
    events: Events
    categories: pa.Array
    listed: Bools
    created_age: Floats
    source: pa.Array
    withdrawn_age: Floats

    def before(self, days: int) -> Facts:
        """Return the facts of before a day that lies so many days earlier, as they were known then."""
        rows = {name: getattr(self, name).before(days) for name in ("orders", "lines", "events")}
        created, withdrawn = self.created_age - days, self.withdrawn_age - days
        return replace(self, created_age=created, withdrawn_age=withdrawn, **rows)

    @property
    def existing(self) -> Bools:
        """Say which contacts have a row of their own that was made before the day, or at an unknown time."""
        return self.listed & ~(self.created_age < 1)

    @property
    def scorable(self) -> Bools:
        """Say which contacts are known before the day, and neither erased nor opposed to profiling by then."""
        seen = self.existing | (self.orders.rows.count() > 0) | (self.events.rows.count() > 0)
        return seen & ~(self.withdrawn_age >= 1)
