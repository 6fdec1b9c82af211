"""The steps of a journey: when each is due, and in which tone it speaks. First the relation, then the product, then the offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import ibis

from winback_features.errors import ConfigError

TONES = ("relational", "product", "incentive")
"""``relational``: how are you, what can we do. ``product``: what fits the last purchase. ``incentive``: within the tier."""

THIRD_TOUCH = 3
"""From this step on a contact that has not answered is shown ads as well."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the journey.

    Attributes
    ----------
    day : int
        Days after entry from which it is due; 0 is the day of entry.
    tone : str
        One of `TONES`.

    Raises
    ------
    ConfigError
        If the day is negative, or the tone no known word.

    Examples
    --------
    >>> Step(2, "product").tone
    'product'
    """

    day: int
    tone: str

    def __post_init__(self) -> None:
        if self.day < 0:
            how = "Write the days after entry; 0 is the day of entry."
            raise ConfigError(f"A step is due on day {self.day}.", where="policy.steps", how=how)
        if self.tone not in TONES:
            how = f"Write one of {', '.join(TONES)}."
            raise ConfigError(f"The tone is {self.tone!r}.", where="policy.steps", how=how)


STEPS = (Step(0, "relational"), Step(2, "product"), Step(4, "incentive"))
"""Where the shop names none: a follow-up after 48 hours, and the third touch two days later."""


def check_steps(steps: Sequence[Step]) -> None:
    """Refuse steps that are out of order.

    Raises
    ------
    ConfigError
        If a step is due on the day of the one before it, or earlier.
    """
    for before, step in pairwise(steps):
        if step.day <= before.day:
            what = f"A step on day {step.day} follows one on day {before.day}."
            raise ConfigError(
                what, where="policy.steps", how="Give each step a later day than the one before."
            )


def journey_step(days_in_journey: Any, own: Sequence[Step] = ()) -> Any:
    """Return the number of the step that is due, 1 for the first; null before it.

    Parameters
    ----------
    days_in_journey : ibis integer column
        Since the day of entry.
    own : sequence of Step
        The shop's; `STEPS` where empty.
    """
    due = [(days_in_journey >= step.day, n) for n, step in enumerate(own or STEPS, start=1)]
    return ibis.cases(*reversed(due), else_=None)


def tone(step: Any, own: Sequence[Step] = ()) -> Any:
    """Return in which tone a step of `journey_step` speaks; null where none is due."""
    return step.cases(*((n, s.tone) for n, s in enumerate(own or STEPS, start=1)), else_=None)
