"""What raises a contact's risk: the model asked again, without one fact at a time.

A driver is a fact and its counterfactual: the contact's own features as they would be if only that fact were otherwise,
coherent with one another (counts in nested windows, silence and gaps, totals and means). Its effect is how much likelier a
purchase would then be. So a reason made of it is the model's own, in the model's own measure, and can be tested by taking
it away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd

from winback_features.contracts import SEND_CHANNELS
from winback_models import counterfactuals as facts
from winback_models.btyd import Array
from winback_models.counterfactuals import Mask

PREFIX = "risk_from_"


class Curves(Protocol):
    """What is needed of a model; ``LapseModel`` has it."""

    def curve(self, features: pd.DataFrame, days: Sequence[float]) -> Array:
        """Return P(at least one purchase within d), shape (n, len(days)); each row by itself."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A fact about a contact, and its features without that fact.

    Attributes
    ----------
    name : str
        The effect's column is ``risk_from_<name>``.
    applies : callable
        Features to a bool mask of shape (n,): for whom the fact holds. Unknown is no.
    without : callable
        Features of contacts for whom it holds, to the same rows and columns as they would be otherwise.
    """

    name: str
    applies: Callable[[pd.DataFrame], Mask]
    without: Callable[[pd.DataFrame], pd.DataFrame]

    @property
    def column(self) -> str:
        """Return the name of the effect's column."""
        return f"{PREFIX}{self.name}"


def driver_effects(model: Curves, features: pd.DataFrame, horizon_days: float) -> pd.DataFrame:
    """Return how much each fact lowers P(purchase within the horizon): P without it − P.

    Parameters
    ----------
    model : Curves
    features : DataFrame
        Columns of ``build_features``; a column that a driver would change and that is absent stays absent.
    horizon_days : float

    Returns
    -------
    DataFrame
        ``contact_id`` and ``risk_from_<name>`` for each of `DRIVERS`, rows in the order of ``features``. Positive: the fact
        raises the risk, in probability. Exactly 0 where it does not hold.

    Notes
    -----
    The rows are scored once, and once more for each fact that holds for them.

    Examples
    --------
    >>> class Recency:
    ...     def curve(self, features, days):
    ...         return np.exp(-features[["days_since_purchase"]].to_numpy() / 40)
    >>> buyer = {"contact_id": "c1", "days_since_purchase": 40.0, "frequency": 9.0, "gap_mean": 10.0}
    >>> float(driver_effects(Recency(), pd.DataFrame([buyer]), 28)["risk_from_silence"][0].round(2))
    0.51
    """
    effects = {driver.column: np.zeros(len(features)) for driver in DRIVERS}
    if len(features):
        p = model.curve(features, [horizon_days])[:, 0]
        for driver in DRIVERS:
            holds = driver.applies(features)
            if holds.any():
                otherwise = model.curve(driver.without(features[holds]), [horizon_days])[:, 0]
                effects[driver.column][holds] = otherwise - p[holds]
    return pd.DataFrame({"contact_id": features["contact_id"].to_numpy(), **effects})


DRIVERS: tuple[Driver, ...] = (
    Driver("silence", facts.is_silent, facts.not_silent),
    Driver("buying_less", facts.buys_less, facts.at_its_former_pace),
    Driver("few_purchases", facts.is_new, facts.established),
    Driver("small_last_order", facts.spent_little, facts.spent_as_usual),
    Driver("returns", facts.sent_back, facts.kept_all),
    Driver("no_visit", facts.stayed_away, facts.visited),
    Driver("service", facts.called_service, facts.never_called),
    *(
        Driver(f"ignored_{c}", partial(facts.ignores, channel=c), partial(facts.answered, channel=c))
        for c in SEND_CHANNELS
    ),
)
"""Every driver there is. Add one here and it is measured; a reason in the policy gives it words."""
