"""Best first: what a message is proven to bring, else what a lapse would cost; then the risk, then the id: no two are equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ibis

from winback_policy.config import PolicyConfig

UNKNOWN = -1e18
"""Below every incremental value."""

SORTED_BY = ("contact_id", "incremental_value", "value_at_risk", "p_lapse")
"""What `best_first` looks at."""


def with_uplift(t: Any, uplift: Any | None) -> Any:
    """Add ``incremental_value`` and ``leave_asleep``: null and false where no uplift model has been accepted.

    Parameters
    ----------
    t : ibis.Table
        One row per contact.
    uplift : ibis.Table, optional
        ``contact_id, incremental_value, leave_asleep``.
    """
    if uplift is None:
        return t.mutate(incremental_value=ibis.null("float64"), leave_asleep=ibis.literal(False))
    said = uplift.select("incremental_value", "leave_asleep", uplift_id="contact_id")
    t = t.left_join(said, t.contact_id == said.uplift_id).drop("uplift_id")
    return t.mutate(leave_asleep=t.leave_asleep.fill_null(False))


def best_first(t: Any) -> tuple[Any, ...]:
    """Return the sort keys of the list.

    By ``incremental_value`` where the table has it and it is known, then by ``value_at_risk``; an unknown value comes last.
    """
    keys = (ibis.desc(t.value_at_risk.fill_null(-1.0)), ibis.desc(t.p_lapse), ibis.asc(t.contact_id))
    if "incremental_value" not in t.columns:
        return keys
    return (ibis.desc(t.incremental_value.fill_null(UNKNOWN)), *keys)


def position(t: Any) -> Any:
    """Return the 1-based place of each row of ``t``, best first."""
    return (ibis.row_number().over(order_by=best_first(t)) + 1).cast("int64")


def admit(parts: Sequence[Any], config: PolicyConfig, cache: Callable[[Any], Any]) -> list[Any]:
    """Add ``entered``, whether a candidate enters today: all of them, or the best ``capacity`` of all parts together.

    With a larger capacity the same contacts enter, and more.

    Parameters
    ----------
    parts : sequence of ibis.Table
        The contacts, with the bool column ``candidate``.
    config : PolicyConfig
    cache : callable
        Materialises an intermediate table; only called where there are several parts and a capacity.

    Returns
    -------
    list of ibis.Table
        The parts.
    """
    if config.capacity is None:
        return [t.mutate(entered=t.candidate) for t in parts]
    if len(parts) == 1:
        (t,) = parts
        place = ibis.row_number().over(group_by=t.candidate, order_by=best_first(t))
        return [t.mutate(entered=t.candidate & (place < config.capacity))]
    asking = ibis.union(*(cache(t.filter(t.candidate).select(*SORTED_BY)) for t in parts))
    best = cache(asking.order_by(best_first(asking)).limit(config.capacity).select(best_id="contact_id"))
    known = [t.left_join(best, t.contact_id == best.best_id) for t in parts]
    return [t.mutate(entered=t.best_id.notnull()).drop("best_id") for t in known]
