"""One row per contact: all features, strictly before the cut."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.contact_features import contact_features
from winback_features.dictionary import FEATURES, Feature
from winback_features.engagement_features import (
    activity_features,
    loyalty_features,
    response_features,
    send_features,
)
from winback_features.expressions import join_contacts
from winback_features.order_features import assortment_features, order_features, season
from winback_features.purchase_features import purchase_features

if TYPE_CHECKING:
    from winback_features.tables import Tables

PARTS = (
    purchase_features,
    order_features,
    assortment_features,
    activity_features,
    send_features,
    response_features,
    loyalty_features,
)
"""What is joined to the contacts: functions of (tables, as_of), each one row per contact at most."""


def _column(table: ibis.Table, feature: Feature) -> Any:
    """Give a feature its type, and a 0 where it may not be null."""
    if feature.dtype == "category":
        return table[feature.name].cast("string")
    column = table[feature.name].cast("float64")
    return column if feature.null_meaning else column.fill_null(0.0)


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
        erased or opposed to profiling by then. A lazy expression: nothing is computed until it is executed.
    """
    facts = (part(tables, as_of) for part in PARTS)
    t = join_contacts(contact_features(tables, as_of), *facts).mutate(**season(as_of))
    columns = {feature.name: _column(t, feature) for feature in FEATURES}
    return t.select("contact_id", **columns).order_by("contact_id")
