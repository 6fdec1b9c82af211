"""Answers to "why did you stop?": from a few of those who have gone, and from hardly anybody who still buys.

They are drawn from a source of chance of their own, so that nothing else in the shop depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from winback_features.contracts import STATED_REASONS
from winback_models.btyd import Array
from winback_models.simulate.orders import clock_times
from winback_models.simulate.people import Ints, People
from winback_models.simulate.profiles import Profiles
from winback_models.simulate.world import World

GONE_ANSWER, ALIVE_ANSWER = 0.06, 0.004
"""Share that answers once it has gone, and while it still buys; of those who can be mailed on that day."""

AFTER_DAYS, WITHIN_DAYS = 7.0, 45.0
"""An answer comes so many days after the dropout at least, and so many more in the mean."""

ONLY_GONE = ("moved_away", "no_need")
"""What nobody says that still buys."""

WEIGHTS = dict.fromkeys(STATED_REASONS, 1.0) | {"no_need": 3.0, "price": 3.0, "competitor": 2.0, "other": 2.0}


@dataclass(frozen=True)
class Answers:
    """Survey answers with a reason, one entry per answer.

    Attributes
    ----------
    who : ndarray of int
        Place in the block.
    day : ndarray
        Whole days from the first.
    seconds : ndarray of int
        Of the day.
    reason : ndarray of int
        Place in ``STATED_REASONS``.
    """

    who: Ints
    day: Array
    seconds: Ints
    reason: Ints


def draw_answers(world: World, people: People, profiles: Profiles, rng: np.random.Generator) -> Answers:
    """Draw the answers of one block: at most one of a contact before its dropout, and one after.

    Parameters
    ----------
    world : World
    people : People
    profiles : Profiles
    rng : numpy Generator
        Of no other stream of the block.
    """
    n = len(people.number)
    buying = np.clip(np.minimum(people.leaves, world.days) - people.first, 0.0, None)
    alive_at = people.first + rng.random(n) * buying
    gone_at = people.leaves + AFTER_DAYS + rng.exponential(WITHIN_DAYS, n)
    drawn = rng.random((2, n)) < np.array([[ALIVE_ANSWER], [GONE_ANSWER]])
    at = np.stack([np.where(alive_at < people.leaves, alive_at, np.inf), gone_at])
    asked = profiles.mailed & (at < np.minimum(profiles.mail_ends, world.days))
    gone, who = np.nonzero(drawn & asked)
    return Answers(
        who,
        np.floor(at[gone, who]),
        clock_times(people.hour[who], rng),
        np.where(
            gone == 1, _reasons(len(who), rng, leaving_out=()), _reasons(len(who), rng, leaving_out=ONLY_GONE)
        ),
    )


def _reasons(n: int, rng: np.random.Generator, *, leaving_out: tuple[str, ...]) -> Ints:
    weights = np.array([0.0 if r in leaving_out else WEIGHTS[r] for r in STATED_REASONS])
    return rng.choice(len(STATED_REASONS), n, p=weights / weights.sum())
