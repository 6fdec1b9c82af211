"""Engagement as the tools of a shop record it: mail and its answers, machines among them, visits, carts, service.

What a contact does follows what it is: it visits before it buys, and answers while it is alive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from winback_features.contracts import STATED_REASONS
from winback_models.btyd import Array
from winback_models.simulate.arrow import among, instants, only, texts
from winback_models.simulate.orders import clock_times
from winback_models.simulate.people import Bools, Ints, People
from winback_models.simulate.profiles import Profiles
from winback_models.simulate.surveys import Answers
from winback_models.simulate.trials import INCENTIVE, Trials
from winback_models.simulate.world import World

KINDS = (
    "email_sent", "email_open", "email_click", "email_bounce_hard", "email_bounce_soft", "unsubscribe",
    "email_complaint", "site_visit", "app_visit", "product_view", "cart_add", "service_contact", "loyalty_points",
    "incentive_sent", "survey_answer",
)  # fmt: skip
SENT, OPEN, CLICK, HARD, SOFT, LEFT, COMPLAINT, SITE, APP, VIEW, CART, SERVICE, POINTS, GIFT, SURVEY = range(
    len(KINDS)
)

NEWSLETTER_DAYS = 42
VISITS_A_DAY = 0.004
"""Of a contact of average engagement that is alive, beside those that end in an order."""

ASLEEP = 0.12
"""How much of its engagement is left once a contact has gone."""

EVENTS_SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("occurred_at", pa.timestamp("us")),
        ("kind", pa.string()),
        ("campaign_id", pa.string()),
        ("value", pa.float64()),
        ("machine", pa.bool_()),
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True)
class _Facts:
    """Events before they are written: places, days, kinds, campaigns (−1: none), values (nan: none), machines."""

    who: Ints
    day: Array
    kind: Ints
    campaign: Ints
    value: Array
    machine: Bools

    @classmethod
    def of(
        cls,
        who: Ints,
        day: Array,
        kind: int,
        *,
        campaign: Ints | None = None,
        value: float | Array = np.nan,
        machine: Bools | None = None,
    ) -> _Facts:
        n = len(who)
        return cls(
            who,
            day,
            np.full(n, kind, dtype=np.int64),
            np.full(n, -1, dtype=np.int64) if campaign is None else campaign,
            np.broadcast_to(np.asarray(value, dtype=np.float64), (n,)),
            np.zeros(n, dtype=bool) if machine is None else machine,
        )


def events_table(
    world: World,
    people: People,
    profiles: Profiles,
    purchases: tuple[Ints, Array],
    trials: Trials,
    answers: Answers,
    rng: np.random.Generator,
) -> pa.Table:
    """Return the events of one block, by contact and time."""
    facts = [
        *_newsletters(world, people, profiles, rng),
        *_visits(world, people, purchases, rng),
        *_rare(purchases, rng),
        _Facts.of(trials.who[trials.treated], trials.day[trials.treated], GIFT, value=INCENTIVE),
        _Facts.of(answers.who, answers.day, SURVEY),
    ]
    who = np.concatenate([f.who for f in facts])
    day = np.concatenate([f.day for f in facts])
    kept = (day >= 0) & (day < world.days)
    who, day = who[kept], np.floor(day[kept])
    kind, campaign, value, machine = (
        np.concatenate([getattr(f, name) for f in facts])[kept]
        for name in ("kind", "campaign", "value", "machine")
    )
    others = len(who) - len(answers.who)  # the answers come last, and lie within the days
    seconds = np.concatenate([clock_times(people.hour[who[:others]], rng), answers.seconds])
    reason = np.concatenate([np.full(others, -1, dtype=np.int64), answers.reason])
    order = np.lexsort((np.arange(len(who)), seconds, day, who))
    campaigns = texts("n", np.maximum(campaign[order], 0), 3)
    return pa.table(
        [
            texts("c", people.number[who[order]], 9),
            instants(world, day[order], seconds[order]),
            among(KINDS, kind[order].astype(np.int8)),
            only(campaign[order] >= 0, campaigns),
            pa.array(value[order], mask=np.isnan(value[order])),
            pa.array(machine[order]),
            only(reason[order] >= 0, among(STATED_REASONS, np.maximum(reason[order], 0))),
        ],
        schema=EVENTS_SCHEMA,
    )


def _alive(people: People, who: Ints, day: Array) -> Array:
    """Return how much of its engagement a contact has on a day."""
    return np.where(day < people.leaves[who], 1.0, ASLEEP) * people.engagement[who]


def _newsletters(world: World, people: People, profiles: Profiles, rng: np.random.Generator) -> list[_Facts]:
    """Send a newsletter a month to whom one may, and let it be opened, by machines too, clicked, bounced, answered."""
    sends = np.arange(NEWSLETTER_DAYS, world.days, NEWSLETTER_DAYS, dtype=np.float64)
    to, number = np.nonzero(
        profiles.mailed[:, None] & (people.arrived[:, None] < sends) & (sends < profiles.mail_ends[:, None])
    )
    day = sends[number]
    hard = profiles.dead_address[to] & (rng.random(len(to)) < 0.3)
    soft = rng.random(len(to)) < 0.004
    arrived = ~hard & ~soft
    warm = _alive(people, to, day)
    opened = arrived & (rng.random(len(to)) < 0.22 * warm)
    by_machine = arrived & profiles.private_mail[to]
    clicked = opened & (rng.random(len(to)) < 0.15)
    complained = arrived & (rng.random(len(to)) < 0.0003)
    ends = np.flatnonzero(profiles.mailed & np.isfinite(profiles.mail_ends))
    yes = np.ones(by_machine.sum(), dtype=bool)
    return [
        _Facts.of(to, day, SENT, campaign=number),
        _Facts.of(to[opened], day[opened], OPEN, campaign=number[opened]),
        _Facts.of(to[by_machine], day[by_machine], OPEN, campaign=number[by_machine], machine=yes),
        _Facts.of(to[clicked], day[clicked], CLICK, campaign=number[clicked]),
        _Facts.of(to[hard], day[hard], HARD, campaign=number[hard]),
        _Facts.of(to[soft], day[soft], SOFT, campaign=number[soft]),
        _Facts.of(to[complained], day[complained], COMPLAINT, campaign=number[complained]),
        _Facts.of(ends, profiles.mail_ends[ends], LEFT),
    ]


def _visits(
    world: World, people: People, purchases: tuple[Ints, Array], rng: np.random.Generator
) -> list[_Facts]:
    """Let contacts look around before they buy, and now and then without buying; some fill a cart."""
    who, when = purchases
    looked = rng.random(len(who)) < 0.4
    n = rng.poisson(VISITS_A_DAY * people.engagement * (world.days - people.arrived))
    idle = np.repeat(np.arange(len(n)), n)
    days = people.arrived[idle] + rng.random(len(idle)) * (world.days - people.arrived[idle])
    stayed = rng.random(len(idle)) < np.where(days < people.leaves[idle], 1.0, ASLEEP)
    to, day = np.concatenate([who[looked], idle[stayed]]), np.concatenate([when[looked], days[stayed]])
    by_app, cart, view = rng.random((3, len(to)))
    return [
        _Facts.of(to[by_app >= 0.3], day[by_app >= 0.3], SITE),
        _Facts.of(to[by_app < 0.3], day[by_app < 0.3], APP),
        _Facts.of(to[view < 0.3], day[view < 0.3], VIEW),
        _Facts.of(to[cart < 0.12], day[cart < 0.12], CART),
    ]


def _rare(purchases: tuple[Ints, Array], rng: np.random.Generator) -> list[_Facts]:
    """Let some call service or answer a survey after a purchase, and see a loyalty balance that only grows."""
    who, when = purchases
    service, survey, points = rng.random((3, len(who)))
    called = service < 0.015
    asked = survey < 0.01
    told = points < 0.06
    place = np.arange(len(who)) - np.searchsorted(who, who, side="left")
    return [
        _Facts.of(who[called], when[called] + 2.0, SERVICE),
        _Facts.of(who[asked], when[asked] + 7.0, SURVEY),
        _Facts.of(who[told], when[told], POINTS, value=10.0 * (place[told] + 1.0)),
    ]
