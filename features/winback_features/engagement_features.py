"""Engagement features: what was sent, what came back, visits, service, loyalty, answers, and all activity.

What a machine opened, clicked or visited never counts as a person's doing. Opens stand apart and carry
``unreliable`` in their names, because mail programs open by themselves.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.contracts import OTHER_KIND, SEND_CHANNELS
from winback_features.expressions import facts_before, ratio
from winback_features.facts import purchase_orders

if TYPE_CHECKING:
    from winback_features.tables import Tables

VISIT_ROLES = ("visit", "cart")
ACTIVE_ROLES = ("click", "visit", "cart", "service", "answer")
ENGAGEMENT_ROLES = ("open", "click", "visit", "cart", "service", "answer", "incentive")


def personal_events(tables: Tables, as_of: date) -> ibis.Table:
    """Return the events before ``as_of`` that no machine made, with ``age`` in days.

    An incentive is the shop's own doing: its flag says nothing.
    """
    events = facts_before(tables.events, as_of)
    return events.filter(~events.machine.fill_null(False) | (events.role == "incentive"))


def is_active(events: Any) -> Any:
    """Say whether an event is a person's doing: click, visit, cart, service, answer, unknown kind."""
    return events.role.isin(ACTIVE_ROLES).fill_null(False) | (events.kind == OTHER_KIND)


def send_features(tables: Tables, as_of: date) -> ibis.Table:
    """Count sends per channel, in trailing windows and in a row since the last click there."""
    clicks = personal_events(tables, as_of)
    clicks = clicks.filter(clicks.role == "click")
    clicks = clicks.group_by("contact_id", "channel").aggregate(last_click=clicks.occurred_at.max())
    sends = facts_before(tables.events, as_of)
    sends = sends.filter(sends.role == "send").select("contact_id", "channel", "occurred_at", "age")
    sends = sends.left_join(clicks, ["contact_id", "channel"])
    ignored = sends.last_click.isnull() | (sends.occurred_at > sends.last_click)
    columns: dict[str, Any] = {}
    for channel in SEND_CHANNELS:
        here = sends.channel == channel
        columns |= {
            f"{channel}_sends_30d": sends.count(where=here & (sends.age <= 30)),
            f"{channel}_sends_90d": sends.count(where=here & (sends.age <= 90)),
            f"{channel}_ignored_in_a_row": sends.count(where=here & ignored),
            f"{channel}_days_since_send": sends.age.min(where=here),
        }
    return sends.group_by("contact_id").aggregate(**columns)


def response_features(tables: Tables, as_of: date) -> ibis.Table:
    """Count clicks, visits, carts, service contacts, answers, incentives, and days since the last of each."""
    events = personal_events(tables, as_of)
    events = events.filter(events.role.isin(ENGAGEMENT_ROLES) | (events.kind == OTHER_KIND))
    age = events.age

    def count(condition: Any, days: int) -> Any:
        return events.count(where=condition & (age <= days))

    def days_since(condition: Any) -> Any:
        return age.min(where=condition)

    columns: dict[str, Any] = {}
    for channel in SEND_CHANNELS:
        click = (events.role == "click") & (events.channel == channel)
        columns |= {
            f"{channel}_clicks_30d": count(click, 30),
            f"{channel}_clicks_90d": count(click, 90),
            f"{channel}_days_since_click": days_since(click),
        }
    opened = (events.role == "open") & (events.channel == "email")
    visit = events.role.isin(VISIT_ROLES)
    cart, service = events.role == "cart", events.role == "service"
    incentive = events.role == "incentive"
    columns |= {
        "email_opens_90d_unreliable": count(opened, 90),
        "email_days_since_open_unreliable": days_since(opened),
        "visit_days_30d": age.nunique(where=visit & (age <= 30)),
        "visit_days_90d": age.nunique(where=visit & (age <= 90)),
        "days_since_visit": days_since(visit),
        "carts_30d": count(cart, 30),
        "days_since_cart": days_since(cart),
        "service_contacts_90d": count(service, 90),
        "days_since_service_contact": days_since(service),
        "answers_365d": count(events.role == "answer", 365),
        "incentives_180d": count(incentive, 180),
        "days_since_incentive": days_since(incentive),
        "other_events_90d": count(events.kind == OTHER_KIND, 90),
    }
    t = events.group_by("contact_id").aggregate(**columns)
    return t.mutate(visit_trend=ratio(t.visit_days_30d * 3, t.visit_days_90d))


def loyalty_features(tables: Tables, as_of: date) -> ibis.Table:
    """Follow the loyalty balance: its last value, its change over 90 days, and when it last changed.

    Several balances at one instant count as the highest of them; the first balance known counts as a change.
    """
    events = facts_before(tables.events, as_of)
    events = events.filter((events.role == "loyalty") & events.value.notnull())
    steps = events.group_by("contact_id", "occurred_at", "age").aggregate(balance=events.value.max())
    in_order = ibis.window(group_by=steps.contact_id, order_by=steps.occurred_at)
    steps = steps.mutate(
        previous=steps.balance.lag().over(in_order),
        following=steps.occurred_at.lead().over(in_order),
        following_age=steps.age.lead().over(in_order),
    )
    changed = steps.previous.isnull() | (steps.previous != steps.balance)
    last_old = (steps.age > 90) & (steps.following.isnull() | (steps.following_age <= 90))
    t = steps.group_by("contact_id").aggregate(
        loyalty_balance=steps.balance.max(where=steps.following.isnull()),
        balance_90_days_ago=steps.balance.max(where=last_old),
        days_since_loyalty_change=steps.age.min(where=changed),
    )
    return t.select(
        "contact_id",
        "loyalty_balance",
        "days_since_loyalty_change",
        loyalty_change_90d=t.loyalty_balance - t.balance_90_days_ago,
    )


def activity_features(tables: Tables, as_of: date) -> ibis.Table:
    """Count the days on which a contact did anything: bought, clicked, visited, called, answered."""
    events = personal_events(tables, as_of)
    days = ibis.union(
        facts_before(purchase_orders(tables, as_of), as_of).select("contact_id", "age"),
        events.filter(is_active(events)).select("contact_id", "age"),
        distinct=False,
    )
    t = days.group_by("contact_id").aggregate(
        active_days_30d=days.age.nunique(where=days.age <= 30),
        active_days_90d=days.age.nunique(where=days.age <= 90),
        days_since_activity=days.age.min(),
    )
    return t.mutate(activity_trend=ratio(t.active_days_30d * 3, t.active_days_90d))
