"""Registered experiments: what is tried among the treated, why, and until when; said before anybody looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, pairwise
from typing import Any

import ibis

from winback_features.errors import ConfigError
from winback_policy.draw import drawn_below

WHERE = "policy.experiments"


@dataclass(frozen=True, slots=True)
class Experiment:
    """One comparison of incentives, steps or texts among the treated.

    Attributes
    ----------
    name : str
        Stands in the lists and the readout, and draws the arms: another name is another draw.
    hypothesis : str
        What is expected to come of it, and why; a sentence.
    arms : tuple of str
        The first one is the control: what one does today.
    starts, ends : date
        Contacts that enter from the first day on and before the last get an arm.
    shares : tuple of float
        Of the treated, for each arm; the same for all when empty.

    Raises
    ------
    ConfigError
        If the name or the hypothesis is empty, there are fewer than two arms or two of one name, the shares do not add up to
        one, or it ends before it starts.

    Examples
    --------
    >>> e = Experiment("gift", "A gift brings more back than 5 %.", ("5 %", "gift"), date(2026, 1, 1), date(2026, 4, 1))
    >>> e.control, e.share_of
    ('5 %', {'5 %': 0.5, 'gift': 0.5})
    """

    name: str
    hypothesis: str
    arms: tuple[str, ...]
    starts: date
    ends: date
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.hypothesis.strip():
            how = "Give it a name, and say in a sentence what you expect."
            raise ConfigError("An experiment has no name or no hypothesis.", where=WHERE, how=how)
        where = f"{WHERE}, {self.name}"
        if len(self.arms) < 2 or len({*self.arms}) < len(self.arms):
            how = "Name two arms or more, each once; the first is what you do today."
            raise ConfigError(f"Its arms are {list(self.arms)}.", where=where, how=how)
        fit = len(self.shares) in (0, len(self.arms)) and all(s > 0 for s in self.shares)
        if not fit or (self.shares and abs(sum(self.shares) - 1) > 1e-9):
            how = "Give each arm a share above zero, together 1; or leave them out."
            raise ConfigError(f"Its shares are {list(self.shares)}.", where=where, how=how)
        if self.ends <= self.starts:
            how = "Let it end after the day on which it starts."
            raise ConfigError(f"It starts on {self.starts} and ends on {self.ends}.", where=where, how=how)

    @property
    def control(self) -> str:
        """The arm that the others are held against."""
        return self.arms[0]

    @property
    def share_of(self) -> dict[str, float]:
        """Share of the treated, by arm."""
        return dict(zip(self.arms, self.shares or [1 / len(self.arms)] * len(self.arms), strict=True))


def check_experiments(experiments: Sequence[Experiment]) -> None:
    """Refuse experiments of one name, or two on one day: nobody could tell what did it.

    Raises
    ------
    ConfigError
    """
    if len({e.name for e in experiments}) < len(experiments):
        raise ConfigError("Two experiments have one name.", where=WHERE, how="Give each a name of its own.")
    for first, second in pairwise(sorted(experiments, key=lambda e: e.starts)):
        if second.starts < first.ends:
            what = f"{second.name} starts on {second.starts}, before {first.name} ends on {first.ends}."
            raise ConfigError(what, where=WHERE, how="Let one end before the next starts.")


def running(experiments: Sequence[Experiment], as_of: date) -> Experiment | None:
    """Return the experiment that contacts of that day enter, or None."""
    return next((e for e in experiments if e.starts <= as_of < e.ends), None)


def draw_variant(contact_id: Any, experiment: Experiment) -> Any:
    """Return each contact's arm of the experiment; see `winback_policy.draw.drawn_below`. Its name is the salt."""
    cases = [
        (drawn_below(contact_id, experiment.name, below), arm)
        for arm, below in zip(experiment.arms, accumulate(experiment.share_of.values()), strict=True)
    ]
    return ibis.cases(*cases[:-1], else_=experiment.arms[-1])
