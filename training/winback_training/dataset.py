"""Builds what label times give to training and to forward tests, and remembers it: they are shared between models."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd

from winback_features.facts import purchase_days
from winback_features.labels import build_labels
from winback_features.many_days import FeaturesOfManyDays
from winback_features.tables import Tables
from winback_models.btyd import Array
from winback_models.btyd_fit import ALL_KINDS
from winback_models.history import TRAINED_KINDS, fit_rhythm_models
from winback_models.label_time import LabelTime

HISTORY = ["frequency", "recency_days", "T_days"]


@dataclass
class LabelTimes:
    """Label times of one shop, built when first asked for.

    Attributes
    ----------
    tables : Tables
    horizon_days : int
    rows : int
        At most about so many contacts of a label time come into memory, chosen by hashed contact id.
    test_rows : int
        The same for the days in ``tests``, on which models are judged.
    tests : collection of date
    """

    tables: Tables
    horizon_days: int
    rows: int
    test_rows: int
    tests: Collection[date] = ()
    say: Callable[[str], None] = lambda _: None
    _features: FeaturesOfManyDays = field(init=False)
    _known: dict[date, LabelTime] = field(default_factory=dict)
    _purchases: dict[date, pd.DataFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare the query of the features once."""
        self._features = FeaturesOfManyDays(self.tables)

    def at(self, as_of: date) -> LabelTime:
        """Return the label time ``as_of`` with its whole window; its waits say what came after, and nothing else does."""
        if as_of not in self._known:
            self.say(f"features at {as_of}")
            self._known[as_of] = self._build(as_of)
        return self._known[as_of]

    def seen_on(self, today: date, as_of: date) -> LabelTime:
        """Return the label time ``as_of`` as it could be seen on the morning of ``today``."""
        time, watched = self.at(as_of), (today - as_of).days
        if watched >= self.horizon_days:
            return time
        later = self._bought_before(today, as_of)
        return replace(
            time,
            waits=_waits(time.features, later, as_of),
            never_waits=_waits(time.never, later, as_of),
            watched=watched,
        )

    def _bought_before(self, today: date, since: date) -> pd.DataFrame:
        """Return (contact_id, day) of purchases in [since, today), oldest first, as they stood on the morning of today."""
        if today not in self._purchases:
            days = purchase_days(self.tables, today)
            recent = days.filter(days.day >= ibis.literal(today - timedelta(days=self.horizon_days)))
            ordered = recent.select("contact_id", "day").order_by("day", "contact_id")
            self._purchases[today] = ordered.to_pyarrow().to_pandas()
        bought = self._purchases[today]
        return bought[bought["day"] >= since]

    def _build(self, as_of: date) -> LabelTime:
        backend = self.tables.backend
        name = f"label_time_{as_of:%Y%m%d}"
        features = self._features.create(name, as_of)
        labels = build_labels(self.tables, as_of, self.horizon_days).to_pyarrow().to_pandas()
        first = labels.set_index("contact_id")["days_to_purchase"].astype(np.float64)
        tested = as_of in self.tests
        rows, kinds = (self.test_rows, ALL_KINDS) if tested else (self.rows, TRAINED_KINDS)
        sample, never, histories = _contacts(features, rows)
        label_time = LabelTime(
            as_of=as_of,
            features=sample,
            waits=_first(first, sample),
            models=fit_rhythm_models(histories, sample, kinds),
            watched=self.horizon_days,
            never=never,
            never_waits=_first(first, never),
        )
        backend.drop_table(name)
        return label_time


def bought_within(waits: Array, days: float) -> Array:
    """Return 1.0 where a purchase came within ``days``, else 0.0; shape (n,)."""
    return np.asarray(waits < days, dtype=np.float64)


def _contacts(features: Any, rows: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return those who bought and those who never did, each ordered by id, and the distinct histories of all buyers.

    At most ``rows`` contacts of either kind, those of the lowest hashed ids.
    """
    if int(features.count().to_pyarrow().as_py()) <= rows:
        every = features.to_pyarrow().to_pandas().sort_values("contact_id", ignore_index=True)
        bought = every["purchase_days"] > 0
        buyers, never = every[bought].reset_index(drop=True), every[~bought].reset_index(drop=True)
        return buyers, never, buyers.groupby(HISTORY).size().rename("n").reset_index()
    buyers, never = features.filter(features.purchase_days > 0), features.filter(features.purchase_days == 0)
    histories = buyers.group_by(HISTORY).aggregate(n=buyers.count()).order_by(HISTORY)
    return _sample(buyers, rows), _sample(never, rows), histories.to_pyarrow().to_pandas()


def _sample(contacts: Any, rows: int) -> pd.DataFrame:
    chosen = contacts.order_by([contacts.contact_id.hexdigest("sha256"), contacts.contact_id]).limit(rows)
    frame: pd.DataFrame = chosen.order_by("contact_id").to_pyarrow().to_pandas()
    return frame


def _first(days_to_purchase: pd.Series, contacts: pd.DataFrame) -> Array:
    """Return each contact's wait, inf where it did not buy."""
    return np.asarray(days_to_purchase.reindex(contacts["contact_id"]).fillna(np.inf), dtype=np.float64)


def _waits(contacts: pd.DataFrame, later: pd.DataFrame, as_of: date) -> Array:
    """Return the days from ``as_of`` to each contact's first of the ``later`` purchases; inf where there is none."""
    first = later.drop_duplicates("contact_id").set_index("contact_id")["day"]
    days = (pd.to_datetime(first) - pd.Timestamp(as_of)).dt.days.astype(np.float64)
    return np.asarray(days.reindex(contacts["contact_id"]).fillna(np.inf), dtype=np.float64)
