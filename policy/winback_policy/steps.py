"""The steps of a journey: when each is due, and in which tone it speaks. First the relation, then the product, then the offer.

A step may have others in its place, for those who took the message before it in a certain way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import ibis

from winback_features.errors import ConfigError

TONES = ("relational", "product", "incentive", "new_subject", "why_not")
"""``relational``: how are you, what can we do. ``product``: what fits the last purchase. ``incentive``: within the tier.
``new_subject``: the message before once more, under another subject. ``why_not``: what held you back?"""

REACTIONS = ("clicked", "opened", "ignored")
"""How a contact may have taken the last message: `winback_policy.reactions`."""

THIRD_TOUCH = 3
"""From this step on a contact that has not answered is shown ads as well."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the journey, or one that stands in its place.

    Attributes
    ----------
    day : int
        Days after entry from which it is due, on which the shop was open; 0 is the day of entry.
    tone : str
        One of `TONES`.
    after : str
        One of `REACTIONS`: it stands in the place of the step of its day, for those who took the last message so. Empty: the
        step itself.

    Raises
    ------
    ConfigError
        If the day is negative, or the tone or the reaction no known word.

    Examples
    --------
    >>> Step(2, "product").tone
    'product'
    """

    day: int
    tone: str
    after: str = ""

    def __post_init__(self) -> None:
        if self.day < 0:
            how = "Write the days after entry; 0 is the day of entry."
            raise ConfigError(f"A step is due on day {self.day}.", where="policy.steps", how=how)
        if self.tone not in TONES:
            how = f"Write one of {', '.join(TONES)}."
            raise ConfigError(f"The tone is {self.tone!r}.", where="policy.steps", how=how)
        if self.after and self.after not in REACTIONS:
            how = f"Write one of {', '.join(REACTIONS)}, or leave it out."
            raise ConfigError(f"after is {self.after!r}.", where="policy.steps", how=how)


STEPS = (
    Step(0, "relational"),
    Step(2, "product"),
    Step(2, "new_subject", after="ignored"),
    Step(2, "why_not", after="clicked"),
    Step(4, "incentive"),
)
"""Where the shop names none: a follow-up after 48 hours, by how the first message was taken; two days later the third touch."""


def check_steps(steps: Sequence[Step]) -> None:
    """Refuse steps that are out of order, or stand in the place of none.

    Raises
    ------
    ConfigError
        If a step is due earlier than the one before it, a day has two steps for the same contacts, or none for those whose
        reaction is not known.
    """
    days = [day for day, _ in groupby(step.day for step in steps)]
    for before, day in pairwise(days):
        if day <= before:
            what = f"A step on day {day} follows one on day {before}."
            raise ConfigError(what, where="policy.steps", how="Write the steps in the order of their days.")
    for day in days:
        after = [step.after for step in steps if step.day == day]
        if len(set(after)) < len(after):
            how = "Give each a later day than the one before, or say after which reaction it comes (after)."
            raise ConfigError(
                f"Two steps of day {day} are for the same contacts.", where="policy.steps", how=how
            )
        if "" not in after:
            how = "Add one without after: it is for those whose reaction is not known."
            raise ConfigError(f"Every step of day {day} waits for a reaction.", where="policy.steps", how=how)


def _days(own: Sequence[Step]) -> list[int]:
    """Return the days on which a step is due; the place of one is its number, less 1."""
    return sorted({step.day for step in own or STEPS})


def journey_step(days_in_journey: Any, own: Sequence[Step] = ()) -> Any:
    """Return the number of the step that is due, 1 for the first; null before it.

    Parameters
    ----------
    days_in_journey : ibis integer column
        Since the day of entry, without those on which the shop was closed.
    own : sequence of Step
        The shop's; `STEPS` where empty.
    """
    due = [(days_in_journey >= day, n) for n, day in enumerate(_days(own), start=1)]
    return ibis.cases(*reversed(due), else_=None)


def tone(step: Any, reaction: Any, own: Sequence[Step] = ()) -> Any:
    """Return in which tone a step of `journey_step` speaks after a reaction; null where none is due.

    Parameters
    ----------
    step : ibis integer column
    reaction : ibis string column
        From `winback_policy.reactions.last_reaction`; null where it is not known.
    own : sequence of Step
        The shop's; `STEPS` where empty.
    """
    number = {day: n for n, day in enumerate(_days(own), start=1)}
    in_its_place_first = sorted(own or STEPS, key=lambda s: not s.after)
    said = [
        ((step == number[s.day]) & ((reaction == s.after).fill_null(False) if s.after else True), s.tone)
        for s in in_its_place_first
    ]
    return ibis.cases(*said, else_=None)
