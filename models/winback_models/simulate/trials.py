"""Randomised win-back trials: every quarter half of the silent get an incentive, and some of them buy because of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from winback_models.btyd import Array
from winback_models.simulate.people import Bools, Ints, People
from winback_models.simulate.world import World

EVERY_DAYS, SILENT_DAYS, ANSWER_DAYS = 91, 45, 14
INCENTIVE = 5.0


@dataclass(frozen=True)
class Trials:
    """Who was drawn for a trial, and the orders that the treatment alone brought.

    Attributes
    ----------
    who, day : ndarray, shape (rows,)
        Place in the block, and day of the trial.
    treated : ndarray of bool
        Whether the lot gave the incentive.
    caused_who, caused_when : ndarray
        Orders there would not be without it.
    """

    who: Ints
    day: Array
    treated: Bools
    caused_who: Ints
    caused_when: Array


def run_trials(
    world: World, people: People, reachable: Bools, who: Ints, when: Array, rng: np.random.Generator
) -> Trials:
    """Draw the trials of one block.

    Parameters
    ----------
    world : World
    people : People
    reachable : ndarray of bool, shape (n,)
    who, when : ndarray
        Purchases without any treatment, from `draw_purchases`.
    rng : numpy Generator
    """
    n = len(people.number)
    drawn_who, drawn_day, lots = [], [], []
    for day in np.arange(EVERY_DAYS, world.days, EVERY_DAYS, dtype=np.float64):
        last = np.full(n, np.nan)
        past = when < day
        last[who[past]] = when[past]
        lot = rng.random(n) < 0.5
        silent = np.flatnonzero(reachable & (day - last >= SILENT_DAYS))
        drawn_who.append(silent)
        drawn_day.append(np.full(len(silent), day))
        lots.append(lot[silent])
    some = np.concatenate([*drawn_who, np.zeros(0, np.int64)])
    days, treated = np.concatenate([*drawn_day, np.zeros(0)]), np.concatenate([*lots, np.zeros(0, bool)])
    answer = days + 1.0 + (ANSWER_DAYS - 1.0) * rng.random(len(some))
    moved = treated & (rng.random(len(some)) < people.uplift[some])
    moved &= (answer < people.leaves[some]) & (answer < world.days)
    return Trials(some, days, treated, some[moved], answer[moved])
