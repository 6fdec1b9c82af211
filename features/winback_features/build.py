"""One row per contact: all features, strictly before the cut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from winback_features.by_contact import compute, together
from winback_features.dictionary import FEATURES
from winback_features.engagement_features import (
    activity_features,
    loyalty_features,
    response_features,
    send_features,
)
from winback_features.fact_arrays import Facts
from winback_features.order_features import category_breadth, dearest, order_features, season_of
from winback_features.purchase_features import closed_days, purchase_features
from winback_features.segments import Floats

if TYPE_CHECKING:
    import ibis

    from winback_features.tables import Tables

SCHEMA = pa.schema(
    [("contact_id", pa.string())]
    + [(f.name, pa.string() if f.dtype == "category" else pa.float64()) for f in FEATURES]
)
"""The columns of the features, in order."""


def features_of(facts: Facts, as_of: date, closed: Sequence[tuple[date, date]] = ()) -> pa.Table:
    """Build every feature of every contact in the facts that may be scored.

    Parameters
    ----------
    facts : Facts
        Of before ``as_of``.
    as_of : date
    closed : sequence of (first day, day after the last)
        Days on which silence is not inactivity; periods that do not overlap.

    Returns
    -------
    pyarrow.Table
        `SCHEMA`, by rising contact id.
    """
    lines = facts.lines.of_purchases
    last_lines = lines.only(lines.newest)
    found: dict[str, Any] = {
        **purchase_features(facts.orders),
        **order_features(facts.orders),
        "category_breadth": category_breadth(lines),
        "last_category": dearest(last_lines, last_lines.category),
        **activity_features(facts.orders, facts.events),
        **send_features(facts.events),
        **response_features(facts.events),
        **loyalty_features(facts.events),
        "tenure_days": known_days(facts),
    }
    found["closed_days_in_silence"] = closed_days(found["days_since_purchase"], closed, as_of)
    found["season_sin"], found["season_cos"] = (np.full(len(facts.ids), x) for x in season_of(as_of))
    kept = np.flatnonzero(facts.known & ~facts.withdrawn)
    place = found.pop("last_category")[kept]
    told = {
        "last_category": named(facts.categories, place),
        "acquisition_source": facts.source.take(pa.array(kept, mask=~facts.existing[kept])),
    }
    columns = [
        told[f.name] if f.name in told else _column(found[f.name][kept], nullable=bool(f.null_meaning))
        for f in FEATURES
    ]
    return pa.table([facts.ids.take(kept), *columns], schema=SCHEMA)


def _column(values: Any, *, nullable: bool) -> pa.Array:
    """Return doubles, null or 0 where NaN."""
    values = values.astype(np.float64)
    return pa.array(values, from_pandas=True) if nullable else pa.array(np.nan_to_num(values))


def named(names: pa.Array, place: Floats) -> pa.Array:
    """Return the names at some places, null where NaN."""
    return names.take(pa.array(np.nan_to_num(place).astype(np.int64), mask=np.isnan(place)))


def known_days(facts: Facts) -> Floats:
    """Return the days since the first thing known of each contact; NaN where nothing has a date."""
    orders, events = facts.orders, facts.events
    first = np.fmax(orders.rows.last(orders.age), events.rows.last(events.age))
    return np.fmax(first, np.where(facts.created_age >= 1, facts.created_age, np.nan))


def build_features(tables: Tables, as_of: date) -> ibis.Table:
    """Build every feature of every contact known before ``as_of``.

    Parameters
    ----------
    tables : Tables
        From `winback_features.ingest.ingest`.
    as_of : date
        The cut: a day in the brand's zone. Facts of that day and later change nothing.

    Returns
    -------
    ibis.Table
        ``contact_id`` and the columns of `winback_features.dictionary.FEATURES` in their order. One row per
        contact with an order, an event or a contact row before ``as_of``, ordered by contact; without those
        erased or opposed to profiling by then. Computed at once, and held by the engine.
    """
    work = partial(features_of, as_of=as_of, closed=tables.closed)
    return together(compute(tables, as_of, work, SCHEMA)).order_by("contact_id")
