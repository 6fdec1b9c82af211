"""What an estimate can be held against: each contact's own P(purchase), in closed form, and what came.

Given its rate, its regularity, its last purchase and the day it leaves, a contact's next gap is Erlang in the shop's clock:
no model that sees the facts alone can know more than this.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.special import gammaincc

from winback_models.btyd import Array
from winback_models.simulate.arrow import dates, texts
from winback_models.simulate.people import PROSPECT_DAYS, Ints, People
from winback_models.simulate.world import FUTURE_DAYS, World

TRUTH_HORIZONS = (30, 60, 90)


def true_p_purchase(world: World, people: People, last: Array, horizon_days: float) -> Array:
    """Return P(at least one purchase in the next ``horizon_days``) of every contact at the world's end, shape (n,).

    Parameters
    ----------
    world : World
    people : People
    last : ndarray, shape (n,)
        Time of the last purchase before the end that no treatment brought; nan where there is none.
    horizon_days : float
        At most `winback_models.simulate.world.FUTURE_DAYS`.
    """
    now, then = world.clock(world.days), world.clock(world.days + horizon_days)
    bought = np.isfinite(last)
    since = world.clock(np.where(bought, last, 0.0))
    until = np.minimum(then, world.clock(np.maximum(people.leaves, world.days)))
    pace = people.shape * people.rate
    silent = gammaincc(people.shape, pace * np.maximum(now - since, 0.0))
    still = gammaincc(people.shape, pace * np.maximum(until - since, 0.0))
    again = 1.0 - np.divide(still, silent, out=np.ones_like(still), where=silent > 0.0)
    first = -np.expm1(-(then - np.maximum(now, world.clock(people.arrived))) / PROSPECT_DAYS)
    gone = bought & (people.leaves <= world.days)
    return np.asarray(np.where(gone, 0.0, np.where(bought, again, first)))


def truth_table(world: World, people: People, who: Ints, when: Array) -> pa.Table:
    """Return one row per contact: the latent truth at the world's end, and the next purchase.

    ``left_on`` and ``next_purchase_on`` are null where they lie more than `FUTURE_DAYS` beyond the end.
    """
    n = len(people.number)
    past = when < world.days
    last, following = np.full(n, np.nan), np.full(n, np.nan)
    last[who[past]] = when[past]  # the last assignment of each contact stands
    following[who[~past][::-1]] = when[~past][::-1]
    columns = {
        "contact_id": texts("c", people.number, 9),
        "arrived_on": dates(world, people.arrived),
        "prospect": pa.array(people.prospect),
        "one_time": pa.array(people.one_time),
        "daily_rate": pa.array(people.rate),
        "regularity_k": pa.array(people.shape, pa.int32()),
        "alive": pa.array(people.leaves > world.days),
        "left_on": dates(world, np.where(people.leaves < world.days + FUTURE_DAYS, people.leaves, np.nan)),
        "uplift": pa.array(people.uplift),
        "last_purchase_on": dates(world, last),
        "next_purchase_on": dates(world, following),
        **{f"p_purchase_{h}d": pa.array(true_p_purchase(world, people, last, h)) for h in TRUTH_HORIZONS},
    }
    return pa.table(columns)
