"""Orders as a shop writes them down: amounts, categories, discounts; returns, cancellations and samples among them.

A cancelled order is always one more beside a purchase of that day, a sample costs nothing, a return comes after: none of
them adds or removes a purchase day, so that the truth stays the truth.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from winback_models.btyd import Array
from winback_models.simulate.arrow import among, instants, texts
from winback_models.simulate.people import SPEND_P, Ints, People
from winback_models.simulate.world import BLOCK, World

CATEGORIES = ("beauty", "books", "electronics", "fashion", "garden", "home", "pets", "sports", "toys")
RETURNED, CANCELLED, SAMPLES, UNKNOWN = 0.04, 0.015, 0.005, 0.002
"""Share of purchases that are followed by a return, have a cancelled order beside them, come with a sample, or have no amount."""

PER_BLOCK = 100_000_000
"""Order numbers set aside for each block."""

ORDERS_SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("order_id", pa.string()),
        ("ordered_at", pa.timestamp("us")),
        ("amount", pa.float64()),
        ("currency", pa.string()),
        ("category", pa.string()),
        ("discount", pa.float64()),
        ("coupon", pa.bool_()),
        ("is_gift", pa.bool_()),
    ]
)


def orders_table(world: World, people: People, who: Ints, when: Array, rng: np.random.Generator) -> pa.Table:
    """Return the orders of one block, by contact and time.

    Parameters
    ----------
    world : World
    people : People
    who, when : ndarray
        Purchases before the world's end, ordered.
    rng : numpy Generator
    """
    n = len(who)
    seconds = clock_times(people.hour[who], rng)
    amount = np.maximum(np.round(rng.gamma(SPEND_P, 1.0, n) / people.spend_rate[who], 2), 0.5)
    favourite = (people.number[who] * 7) % len(CATEGORIES)
    category = np.where(rng.random(n) < 0.6, favourite, rng.integers(0, len(CATEGORIES), n))
    reduced, gift = rng.random(n) < 0.2, rng.random(n) < 0.06
    kind = rng.random((4, n))
    unknown = np.where(kind[0] < UNKNOWN, np.nan, amount)
    returned, cancelled, sample = (kind[i + 1] < s for i, s in enumerate((RETURNED, CANCELLED, SAMPLES)))
    cancelled_amount = np.round(amount[cancelled] * 1.5 + 1.0, 2)
    extras = [
        # (which purchase, days later, seconds, amount); the amount of a return is never that of an order
        (np.flatnonzero(returned), rng.integers(2, 30, returned.sum()), -np.round(amount * 0.4, 2)[returned]),
        (np.flatnonzero(cancelled), np.zeros(cancelled.sum(), np.int64), cancelled_amount),
        (np.flatnonzero(cancelled), rng.integers(1, 6, cancelled.sum()), -cancelled_amount),
        (np.flatnonzero(sample), np.zeros(sample.sum(), np.int64), np.zeros(sample.sum())),
    ]
    of = np.concatenate([np.arange(n), *(rows for rows, _, _ in extras)])
    at = np.floor(when)[of] + np.concatenate([np.zeros(n), *(later for _, later, _ in extras)])
    money = np.concatenate([unknown, *(value for _, _, value in extras)])
    written = at < world.days
    of, at, money = of[written], at[written], money[written]
    order = np.lexsort((np.arange(len(of)), seconds[of], at, who[of]))
    of, at, money = of[order], at[order], money[order]
    block = int(people.number[0]) // BLOCK
    first = of < n
    number = block * PER_BLOCK + np.arange(len(of), dtype=np.int64)
    discount = np.where(reduced[of] & (money > 0) & first, np.round(money * 0.1, 2), 0.0)
    columns = [
        texts("c", people.number[who[of]], 9),
        texts("o", number, 13),
        instants(world, at, seconds[of]),
        pa.array(money, mask=np.isnan(money)),
        among(("EUR",), np.zeros(len(of), np.int8)),
        among(CATEGORIES, category[of].astype(np.int8)),
        pa.array(discount),
        pa.array(discount > 0),
        pa.array(gift[of]),
    ]
    return pa.table(columns, schema=ORDERS_SCHEMA)


def clock_times(hour: Array, rng: np.random.Generator) -> Ints:
    """Return seconds of the day around each one's usual hour; never midnight, which reads as no time at all."""
    hours = np.clip(hour + rng.normal(0.0, 2.5, len(hour)), 0.1, 23.9)
    return np.asarray(hours * 3600.0, dtype=np.int64)
