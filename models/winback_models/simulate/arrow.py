"""Arrow columns out of days and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from winback_models.btyd import Array
from winback_models.simulate.world import World

SECONDS = 86_400
_EPOCH = np.datetime64("1970-01-01", "D")


def texts(prefix: str, numbers: npt.NDArray[np.int64], width: int) -> Any:
    """Return identifiers such as ``c000000042``.

    Examples
    --------
    >>> texts("c", np.array([42]), 9).to_pylist()
    ['c000000042']
    """
    padded = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, padding="0")
    return pc.binary_join_element_wise(pa.scalar(prefix), padded, pa.scalar(""))


def dates(world: World, days: Array) -> Any:
    """Return the calendar days of times from the first day; null where nan."""
    known = np.isfinite(days)
    whole = np.floor(np.where(known, days, 0.0)).astype(np.int64) + _offset(world)
    return pa.array(whole.astype(np.int32), pa.int32(), mask=~known).cast(pa.date32())


def instants(world: World, days: Array, seconds: npt.NDArray[np.int64]) -> Any:
    """Return timestamps: the day of a time, and seconds of the day; null where the day is nan."""
    known = np.isfinite(days)
    day = np.floor(np.where(known, days, 0.0)).astype(np.int64) + _offset(world)
    micros = (day * SECONDS + seconds) * 1_000_000
    return pa.array(micros, pa.timestamp("us"), mask=~known)


def among(words: tuple[str, ...], codes: npt.NDArray[np.integer[Any]]) -> Any:
    """Return the words that the codes point to."""
    return pa.array(words).take(pa.array(codes))


def only(there: npt.NDArray[np.bool_], values: Any) -> Any:
    """Return the texts where there is one, else null."""
    return pc.if_else(pa.array(there), values, pa.scalar(None, pa.string()))


def _offset(world: World) -> int:
    return int((np.datetime64(world.first_day, "D") - _EPOCH).astype(np.int64))
