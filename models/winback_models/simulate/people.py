"""Who the contacts are beneath the surface: when they came, how they buy, and when they leave.

Buyers follow Pareto/NBD with two additions: gaps may be regular (Erlang), and part of the buyers leave at once.

References
----------
Schmittlein, Morrison & Colombo (1987), "Counting your customers", Management Science 33(1).
Fader & Hardie (2013), "The Gamma-Gamma model of monetary value".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from winback_models.btyd import Array
from winback_models.simulate.world import BLOCK, World

PROSPECT_DAYS = 400.0
"""Mean days, by the shop's clock, in which a prospect buys for the first time."""

EARLY = 1.4
"""How much earlier than evenly over the days contacts arrive: the power of a uniform number."""

SPEND_P, SPEND_Q, SPEND_GAMMA = 6.0, 4.0, 16.0
"""Gamma-Gamma law of the amounts."""

GAPS = 16
"""Gaps drawn at a time."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class People:
    """The latent truth of one block; every array has one entry per contact.

    Attributes
    ----------
    number : ndarray of int
        From 0 over all blocks.
    arrived : ndarray
        Days from the first.
    prospect, one_time : ndarray of bool
    rate : ndarray
        Purchases per day of the shop's clock while alive.
    shape : ndarray of int
        Erlang shape of the gaps.
    first, leaves : ndarray
        Time of the first purchase and of the dropout in days; inf beyond what is simulated.
    spend_rate : ndarray
        Amounts are Gamma(SPEND_P) divided by it.
    uplift : ndarray
        What an incentive adds to P(an order within a fortnight) while alive.
    engagement : ndarray
        Propensity to open, click and visit, about 1.
    hour : ndarray
        Usual hour of the day.
    """

    number: Ints
    arrived: Array
    prospect: Bools
    one_time: Bools
    rate: Array
    shape: Ints
    first: Array
    leaves: Array
    spend_rate: Array
    uplift: Array
    engagement: Array
    hour: Array


def draw_people(world: World, block: int, rng: np.random.Generator) -> People:
    """Draw a whole block of contacts."""
    n = BLOCK
    arrived = world.days * rng.random(n) ** EARLY
    prospect = rng.random(n) < world.prospects
    one_time = rng.random(n) < world.one_time
    rate = rng.gamma(world.rate_shape, world.daily_rate / world.rate_shape, n) + 1e-4
    shapes, shares = zip(*world.regular, strict=True)
    shape = rng.choice(np.asarray(shapes, dtype=np.int64), n, p=shares)
    wait = rng.exponential(PROSPECT_DAYS, n)
    first = np.where(prospect, world.calendar(world.clock(arrived) + wait), arrived)
    leave_rate = rng.gamma(world.leave_shape, 1.0 / (world.leave_shape * world.life_days), n)
    life = np.where(one_time, 0.0, rng.exponential(1.0, n) / np.maximum(leave_rate, 1e-9))
    uplift = np.where(rng.random(n) < 0.4, rng.beta(2.0, 10.0, n), 0.0)
    return People(
        number=block * BLOCK + np.arange(n, dtype=np.int64),
        arrived=arrived,
        prospect=prospect,
        one_time=one_time,
        rate=rate,
        shape=shape,
        first=first,
        leaves=first + life,
        spend_rate=rng.gamma(SPEND_Q, 1.0 / SPEND_GAMMA, n),
        uplift=uplift,
        engagement=rng.gamma(2.0, 0.5, n),
        hour=np.clip(rng.normal(15.0, 4.0, n), 1.0, 22.0),
    )


def draw_purchases(world: World, people: People, rng: np.random.Generator) -> tuple[Ints, Array]:
    """Draw every purchase of a block, the unwritten ones beyond the last day included.

    Returns
    -------
    who, when : ndarray, shape (purchases,)
        Place of the contact in the block, and days from the first; ordered by both.
    """
    bought = np.isfinite(people.first)
    who, when = [np.flatnonzero(bought)], [people.first[bought]]
    going = np.flatnonzero(bought & ~people.one_time)
    clock = world.clock(people.first[going])
    while len(going):
        shape, rate = people.shape[going, None], people.rate[going, None]
        gaps = rng.gamma(np.broadcast_to(shape, (len(going), GAPS))) / (shape * rate)
        clocks = clock[:, None] + np.cumsum(gaps, axis=1)
        times = world.calendar(clocks)
        there = times < people.leaves[going, None]
        there &= np.isfinite(times)
        row, column = np.nonzero(there)
        who.append(going[row])
        when.append(times[row, column])
        on = there[:, -1]
        going, clock = going[on], clocks[on, -1]
    all_who, all_when = np.concatenate(who), np.concatenate(when)
    order = np.lexsort((all_when, all_who))
    return all_who[order], all_when[order]
