"""Today's decision: who is flagged, who leaves, and one honest reason for everybody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import ibis

from winback_features.by_contact import together
from winback_features.parts import WHOLE, Range, between
from winback_policy import (
    channels,
    definitions,
    eligibility,
    incentives,
    ranking,
    reactions,
    reasons,
    segments,
    stated,
    states,
    steps,
    treatment,
)
from winback_policy.config import PolicyConfig
from winback_policy.dates import days_from, days_since
from winback_policy.drivers import with_drivers
from winback_policy.gather import STATE_SCHEMA, gather, previous_or_none
from winback_policy.rfm import rfm, rfm_values

WINBACK_SCHEMA = {
    "contact_id": "string",
    "rank": "int64",
    "state": "string",
    "entered_at": "date",
    "entry_reason": "string",
    "exit_reason": "string",
    "not_flagged_reason": "string",
    "farewell_due": "date",
    "purchase_inactive": "boolean",
    "engagement_inactive": "boolean",
    "p_purchase": "float64",
    "p_lapse": "float64",
    "next_purchase_date": "date",
    "next_purchase_low": "date",
    "next_purchase_high": "date",
    "days_since_purchase": "int64",
    "days_overdue": "int64",
    "value_at_risk": "float64",
    "currency": "string",
    "rfm_code": "string",
    "rfm_segment": "string",
    "relationship_tier": "string",
    "tenure_days": "int64",
    "tenure_band": "string",
    "recency_band": "string",
    "last_behaviour": "string",
    "last_behaviour_on": "date",
    "buyer_clicker_cell": "string",
    "cell_action": "string",
    "reason_1": "string",
    "reason_2": "string",
    "reason_3": "string",
    "stated_reason": "string",
    "stated_on": "date",
    "recommended_action": "string",
    "journey_step": "int64",
    "tone": "string",
    "last_reaction": "string",
    "channel": "string",
    "send_weekday": "int64",
    "send_hour": "int64",
    "send_timezone": "string",
    "send_time_n": "int64",
    "incentive_tier": "string",
    "incentive_kind": "string",
    "last_category": "string",
    "last_product": "string",
    "top_interest": "string",
    "acquisition_source": "string",
    "arm": "string",
    "experiment": "string",
    "variant": "string",
    "consent_basis": "string",
    "email": "string",
    "first_name": "string",
    "last_name": "string",
    "phone": "string",
    "language": "string",
    "country": "string",
    "consent_email": "boolean",
    "email_basis": "string",
    "hard_bounced": "boolean",
    "soft_bounces_in_a_row": "int64",
    "email_days_since_send": "int64",
    "email_ignored_in_a_row": "int64",
}
"""The ``winback`` table: one row per known contact. ``entries`` are its rows that entered today."""

ONLY_IN_JOURNEY = ("rank", "reason_1", "reason_2", "reason_3", "incentive_kind")
"""What the list says only of contacts in a journey."""

PROFILE = ("email", "first_name", "last_name", "phone", "language", "country")
"""What is left out of the list once a contact is erased."""

EXITS_SCHEMA = {
    "contact_id": "string",
    "exited_at": "date",
    "exit_reason": "string",
    "entered_at": "date",
    "arm": "string",
    "days_in_journey": "int64",
}

Cache = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class DecisionDay:
    """What a decision holds for, beside its tables: the day, the shop and its rules.

    Attributes
    ----------
    as_of : date
        The day decided for.
    config : PolicyConfig
    currency : str
        Of ``value_at_risk``.
    has_contacts : bool
        Whether the shop gave a contacts table; without one a missing e-mail address says nothing.
    closed : sequence of (first day, day after the last), optional
        Days on which the shop was or will be closed: a journey, the wait in ``sunset`` and the notice before ``farewell_due``
        stand still on them. Periods that do not overlap, as dates or as date expressions.
    """

    as_of: date
    config: PolicyConfig
    currency: str
    has_contacts: bool
    closed: Sequence[tuple[Any, Any]] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Four lazy tables, each ordered by ``contact_id``.

    Attributes
    ----------
    winback : ibis.Table
        `WINBACK_SCHEMA`; one row per contact in ``status``.
    states : ibis.Table
        `STATE_SCHEMA`; what the next run takes as ``previous_states``. Contacts that ``status`` has lost keep
        their row.
    entries : ibis.Table
        The rows of ``winback`` that entered today.
    exits : ibis.Table
        `EXITS_SCHEMA`; who left a journey today, and why.
    """

    winback: Any
    states: Any
    entries: Any
    exits: Any


def as_is(table: Any) -> Any:
    """Return the table unchanged: the cache that keeps everything one lazy expression."""
    return table


def decide(
    scores: Any,
    features: Any,
    status: Any,
    previous_states: Any | None,
    day: DecisionDay,
    *,
    drivers: Any | None = None,
    uplift: Any | None = None,
    usual_value: float | None = None,
    cache: Cache = as_is,
    ranges: Sequence[Range] = WHOLE,
) -> Decision:
    """Decide who enters win-back, who stays, who leaves, and why everybody else is not flagged.

    A pure function: same tables, same decision, in any row order and on any engine.

    Parameters
    ----------
    scores : ibis.Table
        The contract's ``scores``; no rows for erased or objecting contacts.
    features : ibis.Table
        From ``winback_features.build_features``, at the same day.
    status : ibis.Table
        From ``winback_features.build_contact_status``: who is known, and may be written to.
    previous_states : ibis.Table, optional
        ``Decision.states`` of the last published run strictly before ``day.as_of``; None on the first day.
    day : DecisionDay
    drivers : ibis.Table, optional
        ``contact_id`` and ``risk_from_<driver>``, for at least the contacts of ``drivers.worth_explaining``: then no reason
        claims a cause that the model does not see.
    uplift : ibis.Table, optional
        ``contact_id, incremental_value, leave_asleep`` by an accepted uplift model: it ranks, and leaves sleeping dogs asleep.
    usual_value : float, optional
        The base's usual order, where the tables hold a few of its contacts only: the median of ``order_value_mean``. That of
        ``features`` when absent.
    cache : callable, optional
        Materialises an intermediate table, such as
        ``lambda t: backend.create_table(gen_name("policy"), t, temp=True)``; called for a handful of tables, and more where there
        are ranges.
        Without it the four tables are large lazy expressions, right but each computed from the start.
    ranges : sequence of (str or None, str or None), optional
        From `winback_features.parts.contact_ranges`: joined one after the other, so that memory does not grow with the shop. They
        change nothing else.

    Returns
    -------
    Decision
    """
    before = previous_or_none(status, previous_states)
    graded = cache(rfm(rfm_values(features, scores), day.config.rfm).rename(contact_id="rfm_of"))
    if usual_value is None:
        usual: Any = cache(features.aggregate(value=features.order_value_mean.median())).value.as_scalar()
    else:
        usual = ibis.literal(usual_value)

    def facts(some: Callable[[Any], Any]) -> Any:
        t = gather(*(some(t) for t in (scores, features, status, before, graded)))
        t = ranking.with_uplift(t, None if uplift is None else some(uplift))
        return t.mutate(**stated.standing(t, day.config))

    parts = [_weighed(facts(partial(between, ids=ids)), day) for ids in ranges]
    moved = [_moved(part, day) for part in ranking.admit(parts, day.config, cache)]
    # Few columns are kept of everybody; what only concerns the contacts in a journey is gathered again for them.
    night = together([cache(_night(t, usual, day)) for t in moved])
    chosen = cache(
        night.filter(night.in_journey).select(
            "contact_id", "channel_number", arm="tonight_arm", offered_tier="tonight_offered_tier"
        )
    )
    journeys = facts(lambda t: t.filter(t.contact_id.isin(chosen.contact_id))).inner_join(
        chosen, "contact_id"
    )
    flagged = cache(_flagged(with_drivers(journeys, drivers), day))
    winback = _winback(night, flagged)

    tonight = _states(night)
    left = _states(night.filter(night.exit_reason.notnull()))
    exits = left.mutate(days_in_journey=days_since(day.as_of, left.entered_at)).select(*EXITS_SCHEMA)
    if previous_states is not None:
        tonight = tonight.union(before.anti_join(status, "contact_id"), distinct=False)
    return Decision(
        winback=winback.order_by("contact_id"),
        states=tonight.order_by("contact_id"),
        entries=entries_of(winback).order_by("contact_id"),
        exits=exits.order_by("contact_id"),
    )


def entries_of(winback: ibis.Table) -> ibis.Table:
    """Keep those of a list that enter win-back on its day."""
    return winback.filter(winback.state == "flagged")


def _weighed(facts: Any, day: DecisionDay) -> Any:
    """Say of every contact whether it leaves, and whether it may enter."""
    as_of, config, has_contacts = day.as_of, day.config, day.has_contacts
    t = facts.mutate(
        channel_number=channels.choose_channel(facts, config, has_contacts=has_contacts),
        closed_by=channels.closed_by(facts, config, has_contacts=has_contacts),
        inactive=definitions.inactive(facts, config),
        purchase_inactive=definitions.purchase_inactive(facts, config),
        engagement_inactive=definitions.engagement_inactive(facts, config),
        journey_day=states.journey_day(facts, as_of, day.closed),
    )
    t = t.mutate(
        leaving=states.leaving_reason(t, as_of, config),
        consent_basis=channels.consent_basis(t, t.channel_number, config),
        email_basis=channels.email_basis(t, config, has_contacts=has_contacts),
    )
    t = t.mutate(asleep_since=states.asleep_since(t, as_of, config))
    t = t.mutate(asleep_days=states.asleep_days(t, as_of, config, day.closed))
    t = t.mutate(farewell_since=states.farewell_since(t, as_of, config))
    t = t.mutate(farewell_due=states.farewell_due(t, as_of, config, day.closed))
    blocked = eligibility.blocking_reason(t, as_of, config)
    stays = states.stays(t)
    return t.mutate(not_flagged_reason=ibis.ifelse(stays, None, blocked), candidate=blocked.isnull() & ~stays)


def _moved(t: Any, day: DecisionDay) -> Any:
    """Move every contact one day on: exits, then entries, then tonight's state."""
    over = t.candidate & ~t.entered
    t = t.mutate(
        **states.transition(t, day.as_of, day.config),
        in_journey=t.entered | (~t.candidate & t.not_flagged_reason.isnull()),
        not_flagged_reason=ibis.ifelse(over, "over_capacity", t.not_flagged_reason),
    )
    return t.mutate(offered_tier=treatment.offered_tier(t))


def _night(t: Any, usual_value: Any, day: DecisionDay) -> Any:
    """Keep what the four tables need of everybody: most of the list, and the states as ``tonight_<name>``."""
    as_of, config = day.as_of, day.config
    asleep = t.state.isin(states.ASLEEP)
    onboard = t.not_flagged_reason.isin(eligibility.WEAK_RELATIONSHIP).fill_null(False) & ~asleep
    in_or_out = t.in_journey | t.leaving.notnull()
    opposed = t.erased | t.objected_profiling
    described = segments.described(t, as_of, usual_value, treatment.another_channel(t))
    written_to = t.in_journey & (t.arm == "treatment")
    journey_day = ibis.ifelse(written_to, ibis.ifelse(t.entered, 0, t.journey_day), None)
    step = steps.journey_step(journey_day, config.steps)
    reaction = reactions.last_reaction(t, ibis.ifelse(written_to, days_since(as_of, t.entered_at), None))
    columns = {
        "entered_at": ibis.ifelse(in_or_out, t.entered_at, None),
        "entry_reason": ibis.ifelse(in_or_out, t.entry_reason, None),
        "exit_reason": t.leaving,
        **{n: ibis.ifelse(in_or_out, t[n], None) for n in ("arm", "experiment", "variant")},
        "currency": ibis.literal(day.currency),
        "recommended_action": ibis.cases(
            (onboard, "onboard_second_purchase"),
            (asleep, t.state),
            else_="none",
        ),
        "journey_step": step,
        "tone": steps.tone(step, reaction, config.steps),
        "last_reaction": reaction,
        "incentive_tier": ibis.ifelse(t.in_journey, t.offered_tier, "none"),
        "stated_on": days_from(as_of, -t.stated_days),
        "channel": ibis.ifelse(t.in_journey | onboard, channels.channel_name(t.channel_number), None),
        **{name: ibis.ifelse(opposed, "none", t[name]) for name in ("consent_basis", "email_basis")},
    }
    columns |= {name: ibis.ifelse(opposed, None, value) for name, value in described.items()}
    columns |= {name: ibis.ifelse(t.erased, None, t[name]) for name in PROFILE}
    columns |= {name: t[name].round() for name in ("days_since_purchase", "days_overdue")}
    listed = {n: kind for n, kind in WINBACK_SCHEMA.items() if n not in ONLY_IN_JOURNEY}
    tonight = {f"tonight_{name}": t[name] for name in STATE_SCHEMA}
    return t.select("in_journey", "channel_number", **_typed(t, columns, listed), **tonight)


def _states(night: Any) -> Any:
    """Return tonight's states, as `STATE_SCHEMA`."""
    return night.select(**{name: night[f"tonight_{name}"] for name in STATE_SCHEMA})


def _flagged(t: Any, day: DecisionDay) -> Any:
    """Say what concerns only the contacts in a journey: rank, reasons, treatment."""
    # Days that are columns come from a replay, which reads no reasons.
    known = [period for period in day.closed if isinstance(period[0], date)]
    said = reasons.strongest(t, day.as_of, day.currency, day.config.language, known)
    return said.select(
        "said",
        rank=ranking.position(said),
        action=treatment.action(said, day.config),
        kind=incentives.incentive_kind(said, said.offered_tier, day.config.incentives),
        flagged_id=said.contact_id,
    )


def _winback(night: Any, flagged: Any) -> Any:
    """Put the list together, in the order and types of `WINBACK_SCHEMA`."""
    t = night.left_join(flagged, night.contact_id == flagged.flagged_id)
    columns = {
        "rank": t.rank,
        "recommended_action": t.action.fill_null(t.recommended_action),
        "incentive_kind": t.kind.fill_null("none"),
        **{f"reason_{n + 1}": t.said[n] for n in range(reasons.HOW_MANY)},
    }
    return t.select(**_typed(t, columns, WINBACK_SCHEMA))


def _typed(t: Any, columns: Mapping[str, Any], schema: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of a schema in its order and types, those of ``t`` where they are not given."""
    return {n: (columns[n] if n in columns else t[n]).cast(kind) for n, kind in schema.items()}
