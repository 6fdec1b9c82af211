"""Rows sorted by contact, and what is counted, summed or found among each contact's rows.

A running total over all rows, read at the end of each contact's rows and at the end of those before, gives every contact's
total at once; whole numbers in it are exact whatever the order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Segments:
    """The rows of each of ``n`` contacts in rows that are sorted by contact.

    Parameters
    ----------
    contact : ndarray of int, shape (rows,)
        Whose row it is, from 0 to below ``n``, never falling.
    n : int
        Contacts; some may have no row.

    Examples
    --------
    >>> rows = Segments(np.array([0, 0, 2]), 3)
    >>> rows.count()
    array([2, 0, 1])
    >>> rows.total(np.array([5, 6, 7]))
    array([11,  0,  7])
    >>> rows.first(np.array([5, 6, 7]), np.array([False, True, True]))
    array([ 6., nan,  7.])
    """

    def __init__(self, contact: npt.NDArray[Any], n: int) -> None:
        self.contact, self.n = contact, n
        self.offsets = running(np.bincount(contact, minlength=n))
        self.start, self.stop = self.offsets[:-1], self.offsets[1:]

    def count(self, mask: Bools | None = None) -> Ints:
        """Count each contact's rows, those of ``mask`` alone where it is given; shape (n,)."""
        return np.subtract(self.stop, self.start) if mask is None else self.total(mask)

    def total(self, values: npt.NDArray[Any]) -> Ints:
        """Sum whole numbers over each contact's rows; 0 where there is none. Shape (n,)."""
        sums = running(values)
        return np.subtract(sums[self.stop], sums[self.start])

    def first(self, values: npt.NDArray[Any], mask: Bools | None = None) -> Floats:
        """Return the value in each contact's first row of ``mask``; NaN where there is none. Shape (n,)."""
        places = self._places(mask)
        rows = np.append(places, len(self.contact))[np.searchsorted(places, self.start)]
        return _taken(values, rows, rows < self.stop)

    def last(self, values: npt.NDArray[Any], mask: Bools | None = None) -> Floats:
        """Return the value in each contact's last row of ``mask``; NaN where there is none. Shape (n,)."""
        places = self._places(mask)
        rows = np.append(-1, places)[np.searchsorted(places, self.stop)]
        return _taken(values, rows, rows >= self.start)

    def _places(self, mask: Bools | None) -> Ints:
        return np.arange(len(self.contact)) if mask is None else np.flatnonzero(mask)

    def ordinal(self) -> Ints:
        """Return the place of each row among its contact's, from 0; shape (rows,)."""
        place: Ints = np.arange(len(self.contact)) - self.start[self.contact]
        return place


def running(values: npt.NDArray[Any]) -> Ints:
    """Return running totals, a 0 before them; shape (rows + 1,)."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, dtype=np.int64, out=sums[1:])
    return sums


def _taken(values: npt.NDArray[Any], rows: Ints, there: Bools) -> Floats:
    """Return the values of some rows as doubles, NaN where a row is not there."""
    taken = np.full(len(rows), np.nan)
    taken[there] = values[rows[there]]
    return taken


def ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Floats:
    """Divide as doubles; NaN where the denominator is zero or either side is NaN."""
    below = denominator.astype(np.float64)
    below[below == 0.0] = np.nan
    divided: Floats = numerator / below
    return divided


def known(values: npt.NDArray[Any], there: Bools) -> Floats:
    """Return values as doubles, NaN where they are not known."""
    return np.where(there, values, np.nan)


def changes(*columns: npt.NDArray[Any]) -> Bools:
    """Say which rows differ from the row before in any of the columns; the first does. Shape (rows,)."""
    changed = np.ones(len(columns[0]), bool)
    changed[1:] = False
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return changed


def pairs(contact: npt.NDArray[Any], number: npt.NDArray[Any]) -> Ints:
    """Return one number for a contact and a number from 0 to below 2³²: by contact, then by the number."""
    paired: Ints = (contact.astype(np.int64) << 32) | number
    return paired


def sums(values: Ints, starts: Ints) -> Ints:
    """Sum runs of rows that begin at ``starts``, up to the next; shape (starts,)."""
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0, np.int64)
