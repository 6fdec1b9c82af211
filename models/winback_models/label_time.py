"""A label time: a past day, what was known of each contact on it, and how long each then waited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from winback_models.btyd import Array
from winback_models.history import RhythmModels
from winback_models.members import Shut, at_risk, mostly_shut
from winback_models.silence import SILENCE


@dataclass(frozen=True)
class LabelTime:
    """What one label time gives to training, as it could be seen on a later day.

    Attributes
    ----------
    as_of : date
    features : DataFrame
        Contacts that had bought, all or a sample.
    waits : ndarray
        Days to the next purchase, inf where none while it was watched; shape (n,).
    models : RhythmModels
    watched : int
        Days after ``as_of`` that are known: the horizon once its window has closed.
    never : DataFrame
        Contacts that had not bought, all or a sample.
    never_waits : ndarray
        The same of them.
    untreated : ndarray, optional
        Days after ``as_of`` until a message of win-back reached each of ``features``; inf where none did, 0 where one had
        lately. None where nobody was written to. What came after is no label: it is not the contact's own doing.
    shut : sequence of (float, float)
        When the shop was closed within the horizon: first day and day after the last, counted from ``as_of``. Nobody could buy,
        so that is no label either.
    """

    as_of: date
    features: pd.DataFrame
    waits: Array
    models: RhythmModels
    watched: int
    never: pd.DataFrame = field(default_factory=pd.DataFrame)
    never_waits: Array = field(default_factory=lambda: np.array([]))
    untreated: Array | None = None
    shut: Shut = ()

    def shut_within(self, days: float) -> bool:
        """Say whether the shop was closed for more than half of the next so many days."""
        return bool(mostly_shut(0.0, days, self.shut))

    def heard(self, edges: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Say of each contact that nobody had written to for at least the first interval whether it is seen to buy."""
        risk, bought = at_risk(edges, self.waits, self.untreated)
        return np.asarray(np.any(bought, axis=1))[np.any(risk, axis=1)]

    def only(self, silence: tuple[float, float]) -> LabelTime:
        """Return it with the contacts whose silence lies within the two bounds, in days."""
        days = self.features[SILENCE].to_numpy(np.float64)
        keep = (days >= silence[0]) & (days <= silence[1])
        untreated = None if self.untreated is None else self.untreated[keep]
        return replace(self, features=self.features[keep], waits=self.waits[keep], untreated=untreated)


Before = Callable[[date], Sequence[LabelTime]]
"""Gives the label times before a day, newest first, each as it could be seen on that day."""
