"""Best first: what a lapse would cost, then how likely it is, then the id so that no two are equal."""

from __future__ import annotations

from typing import Any

import ibis

from winback_policy.config import PolicyConfig


def best_first(t: Any) -> tuple[Any, ...]:
    """Return the sort keys of the list; an unknown value at risk comes last."""
    return (ibis.desc(t.value_at_risk.fill_null(-1.0)), ibis.desc(t.p_lapse), ibis.asc(t.contact_id))


def position(t: Any) -> Any:
    """Return the 1-based place of each row of ``t``, best first."""
    return (ibis.row_number().over(order_by=best_first(t)) + 1).cast("int64")


def admit(t: Any, config: PolicyConfig) -> Any:
    """Say which candidates enter today: all, or the best ``capacity`` of them.

    Parameters
    ----------
    t : ibis.Table
        With the bool column ``candidate``.
    config : PolicyConfig

    Returns
    -------
    ibis bool column
        With a larger capacity the same contacts enter, and more.
    """
    if config.capacity is None:
        return t.candidate
    place = ibis.row_number().over(group_by=t.candidate, order_by=best_first(t))
    return t.candidate & (place < config.capacity)
