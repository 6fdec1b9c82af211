"""The drivers of the risk as the policy takes them: a table beside the scores, for whom it is worth the asking.

``risk_from_<driver>`` is by how much a fact raises the probability of a lapse, measured by the model; the policy only reads
it. Without the table the reasons go by their own numbers.
"""

from __future__ import annotations

from typing import Any

from winback_policy.config import PolicyConfig
from winback_policy.definitions import PURCHASE_LAPSED
from winback_policy.eligibility import in_its_time
from winback_policy.states import IN_JOURNEY, REPEAT_BASES

PREFIX = "risk_from_"


def driver_column(driver: str) -> str:
    """Return the name of a driver's column."""
    return f"{PREFIX}{driver}"


def has_drivers(t: Any) -> bool:
    """Say whether a table carries the drivers."""
    return any(name.startswith(PREFIX) for name in t.columns)


def with_drivers(t: Any, drivers: Any | None) -> Any:
    """Join the drivers to one row per contact; the table itself where there are none."""
    if drivers is None:
        return t
    found = drivers.rename(drivers_of="contact_id")
    return t.left_join(found, t.contact_id == found.drivers_of).drop("drivers_of")


def worth_explaining(scores: Any, previous_states: Any | None, config: PolicyConfig) -> Any:
    """Return the contacts that may be in a journey today, before it is decided who is.

    Parameters
    ----------
    scores : ibis.Table
    previous_states : ibis.Table, optional
        As for `winback_policy.decide.decide`.
    config : PolicyConfig

    Returns
    -------
    ibis.Table
        ``contact_id``: all who can enter (at risk, due, on the active base) or stay (in a journey, still at risk), and few
        others. Everybody scored, where another definition than ``purchase_lapsed@1`` decides.
    """
    if config.definition != PURCHASE_LAPSED:
        return scores.select("contact_id")
    due = in_its_time(scores, scores.days_since_purchase, config)
    enters = (scores.base == "active") & (scores.p_lapse >= config.enter_p_lapse) & due
    if previous_states is None:
        return scores.filter(enters).select("contact_id")
    journeys = previous_states.filter(previous_states.state.isin(IN_JOURNEY)).select(journey_of="contact_id")
    t = scores.mutate(
        enters=enters, stays=scores.base.isin(REPEAT_BASES) & (scores.p_lapse >= config.leave_p_lapse)
    )
    t = t.left_join(journeys, t.contact_id == journeys.journey_of)
    return t.filter(t.enters | (t.stays & t.journey_of.notnull())).select("contact_id")
