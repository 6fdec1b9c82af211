"""The discrete-time hazard classifier: P(purchase in this interval | none before it), for every interval up to the horizon.

One model answers P within any d, the median date and its interval, all consistent with each other. Its members are averaged
in log-odds, with weights found on a later slice than they were fitted on and drawn towards equal ones; where it
has lasted, a slope corrects the mean's shape, and an intercept keeps its level. Where last year's season is known, it moves
all of them by the calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from winback_models.btyd import Array
from winback_models.design import CALENDAR
from winback_models.history import RhythmModels
from winback_models.linear import LinearModel
from winback_models.members import Member, ask_all
from winback_models.season import Season, middles_of

LinearMember = LinearModel
"""Its name in bundles of format 1."""


@dataclass(frozen=True)
class HazardModel:
    """A fitted hazard classifier.

    Attributes
    ----------
    edges : tuple of int
        Ends of the intervals in days; the last is the horizon.
    members : mapping of str to Member
        Only those with a weight.
    weights : mapping of str to float
        Weight of each member in the mean log-odds; they sum to 1.
    intercept, slope : float
        Calibration of the mean log-odds.
    season : Season, optional
        What last year says of the days ahead, where that is known.
    """

    edges: tuple[int, ...]
    members: Mapping[str, Member]
    weights: Mapping[str, float]
    intercept: float = 0.0
    slope: float = 1.0
    season: Season | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the feature columns that the members and the season read."""
        names = dict.fromkeys(name for member in self.members.values() for name in member.columns)
        return tuple(names | dict.fromkeys(CALENDAR if self.season else ()))

    def hazards(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return calibrated hazards, shape (n, intervals)."""
        said = ask_all(self.members, features, models)
        odds = self.intercept + self.slope * mix(said, self.weights)
        if self.season:
            odds = odds + self.season.at(features, middles_of(self.edges))
        return np.asarray(expit(odds))

    def log_survival(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return log P(no purchase by each edge), shape (n, intervals); non-increasing along a row."""
        return np.asarray(np.cumsum(np.log1p(-np.minimum(self.hazards(features, models), 1 - 1e-9)), axis=1))


def mix(said: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """Return the weighted mean of the members' log-odds."""
    return np.asarray(sum(weights[name] * said[name] for name in weights if weights[name] > 0))
