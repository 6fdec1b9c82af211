"""Engagement features: what was sent, what came back, visits, service, loyalty, answers, and all activity.

What a machine opened, clicked or visited never counts as a person's doing. Opens stand apart and carry
``unreliable`` in their names, because mail programs open by themselves.
"""

from __future__ import annotations

import numpy as np

from winback_features.contracts import SEND_CHANNELS
from winback_features.fact_arrays import Events, Orders
from winback_features.segments import Bools, Floats, Ints, Segments, changes, pairs, ratio

VISIT_ROLES = ("visit", "cart")
ACTIVE_ROLES = ("click", "visit", "cart", "service", "answer")

Columns = dict[str, Floats | Ints]


def send_features(events: Events) -> Columns:
    """Count sends per channel, in trailing windows and in a row since the last click there."""
    rows, age = events.rows, events.age
    sent, clicked = events.played("send"), events.personal & events.played("click")
    found: Columns = {}
    for channel in SEND_CHANNELS:
        here = events.on(channel)
        last_click = events.last_at(clicked & here)
        here &= sent
        found |= {
            f"{channel}_sends_30d": rows.count(here & (age <= 30)),
            f"{channel}_sends_90d": rows.count(here & (age <= 90)),
            f"{channel}_ignored_in_a_row": rows.count(here & (events.at > last_click[rows.contact])),
            f"{channel}_days_since_send": rows.first(age, here),
        }
    return found


def response_features(events: Events) -> Columns:
    """Count clicks, visits, carts, service contacts, answers, incentives, and days since the last of each."""
    rows, age = events.rows, events.age
    click, cart, service, answer, incentive = (
        events.personal & events.played(role) for role in ("click", "cart", "service", "answer", "incentive")
    )
    visit = events.personal & events.played(*VISIT_ROLES)
    opened = events.personal & events.played("open") & events.on("email")
    found: Columns = {}
    for channel in SEND_CHANNELS:
        here = click & events.on(channel)
        found |= {
            f"{channel}_clicks_30d": rows.count(here & (age <= 30)),
            f"{channel}_clicks_90d": rows.count(here & (age <= 90)),
            f"{channel}_days_since_click": rows.first(age, here),
        }
    visits_30, visits_90 = (_days(events, visit & (age <= w)) for w in (30, 90))
    return found | {
        "email_opens_90d_unreliable": rows.count(opened & (age <= 90)),
        "email_days_since_open_unreliable": rows.first(age, opened),
        "visit_days_30d": visits_30,
        "visit_days_90d": visits_90,
        "visit_trend": ratio(visits_30 * 3, visits_90),
        "days_since_visit": rows.first(age, visit),
        "carts_30d": rows.count(cart & (age <= 30)),
        "days_since_cart": rows.first(age, cart),
        "service_contacts_90d": rows.count(service & (age <= 90)),
        "days_since_service_contact": rows.first(age, service),
        "answers_365d": rows.count(answer & (age <= 365)),
        "incentives_180d": rows.count(incentive & (age <= 180)),
        "days_since_incentive": rows.first(age, incentive),
        "other_events_90d": rows.count(events.personal & events.other & (age <= 90)),
    }


def loyalty_features(events: Events) -> Columns:
    """Follow the loyalty balance: its last value, its change over 90 days, and when it last changed.

    Several balances at one instant count as the highest of them; the first balance known counts as a change.
    """
    n, told = events.rows.n, events.played("loyalty") & ~np.isnan(events.value)
    contact, at, age, value = events.rows.contact[told], events.at[told], events.age[told], events.value[told]
    by = np.lexsort((-value, at, contact))
    contact, at, age, value = contact[by], at[by], age[by], value[by]
    highest = changes(contact, at)
    steps, age, value = Segments(contact[highest], n), age[highest], value[highest]
    balance = steps.last(value)
    return {
        "loyalty_balance": balance,
        "loyalty_change_90d": balance - steps.last(value, age > 90),
        "days_since_loyalty_change": steps.last(age, changes(steps.contact, value)),
    }


def activity_features(orders: Orders, events: Events) -> Columns:
    """Count the days on which a contact did anything: bought, clicked, visited, called, answered."""
    active, bought, n = _of_a_person(events), orders.bought, orders.rows.n
    by_window = []
    for w in (30, 90):
        lately, here = bought & (orders.age <= w), active & (events.age <= w)
        contact = np.concatenate([orders.rows.contact[lately], events.rows.contact[here]])
        days = np.sort(pairs(contact, np.concatenate([orders.age[lately], events.age[here]])))
        by_window.append(np.bincount(days[changes(days)] >> 32, minlength=n))
    lately_30, lately_90 = by_window
    return {
        "active_days_30d": lately_30,
        "active_days_90d": lately_90,
        "activity_trend": ratio(lately_30 * 3, lately_90),
        "days_since_activity": quiet_days(orders, events),
    }


def quiet_days(orders: Orders, events: Events) -> Floats:
    """Return the days since each contact did anything, NaN where it never did; shape (contacts,)."""
    acted = events.rows.first(events.age, _of_a_person(events))
    return np.fmin(orders.rows.first(orders.age, orders.bought), acted)


def _of_a_person(events: Events) -> Bools:
    """Say which events are a person's doing."""
    return events.personal & (events.played(*ACTIVE_ROLES) | events.other)


def _days(events: Events, mask: Bools) -> Ints:
    """Count the different days of each contact's events of ``mask``; shape (contacts,)."""
    contact, age = events.rows.contact[mask], events.age[mask]
    return np.bincount(contact[changes(contact, age)], minlength=events.rows.n)
