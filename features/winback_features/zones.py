"""The clock of a contact: times of the brand's clock as they were where the contact is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pyarrow as pa

from winback_features.segments import Ints

SECOND = 1_000_000
"""In microseconds, as all times here."""
HOUR = 3_600 * SECOND
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOURS = 24 * 400
"""Hours that are looked up together: more than a year."""


@lru_cache(maxsize=1)
def zone_names() -> dict[str, str]:
    """Return every IANA name, by its small letters."""
    return {name.lower(): name for name in available_timezones()}


def known_zones(zones: pa.Array) -> pa.Array:
    """Return names of zones as IANA writes them; null where there is none, or none that is known.

    Examples
    --------
    >>> known_zones(pa.array(["america/new_york", "Mars", None])).to_pylist()
    ['America/New_York', None, None]
    """
    coded = zones.dictionary_encode()
    names = [zone_names().get((name or "").strip().lower()) for name in coded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(coded.indices)


def in_own_zones(at: Ints, contact: Ints, zones: pa.Array, home: str) -> Ints:
    """Return times as the clock of each contact's zone showed them.

    Parameters
    ----------
    at : ndarray of int64
        Microseconds since 1970 of the brand's clock.
    contact : ndarray of int
        Whose they are.
    zones : pyarrow.Array of string, shape (contacts,)
        From `known_zones`. Where there is none the time stays the brand's.
    home : str
        The brand's zone.

    Returns
    -------
    ndarray of int64
        Microseconds since 1970, shape of ``at``.

    Examples
    --------
    >>> noon = np.array([12 * HOUR])
    >>> in_own_zones(noon, np.array([0]), pa.array(["Europe/London"]), "Europe/Amsterdam") // HOUR
    array([12])
    >>> in_own_zones(noon, np.array([0]), pa.array(["America/New_York"]), "Europe/Amsterdam") // HOUR
    array([6])
    """
    coded = zones.dictionary_encode()
    code = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)[contact]
    own = at.copy()
    for place, name in enumerate(coded.dictionary.to_pylist()):
        if name is None or name == home:
            continue
        theirs = np.flatnonzero(code == place)
        hours = at[theirs] // HOUR
        for block in np.unique(hours // HOURS):
            some = theirs[hours // HOURS == block]
            own[some] += _ahead(name, home, int(block))[at[some] // HOUR - block * HOURS]
    return own


@lru_cache(maxsize=4_096)
def _ahead(zone: str, home: str, block: int) -> Ints:
    """Return by how much a zone is ahead of the brand's clock in each hour of a block of them, in microseconds."""
    here, there = ZoneInfo(home), ZoneInfo(zone)

    def ahead(hour: int) -> int:
        moment = (EPOCH + timedelta(hours=hour)).replace(tzinfo=here).astimezone(UTC)
        own, ours = (moment.astimezone(clock).replace(tzinfo=None) for clock in (there, here))
        return (own - ours) // timedelta(microseconds=1)

    return np.array([ahead(block * HOURS + hour) for hour in range(HOURS)])
