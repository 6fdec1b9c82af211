"""Builds what label times give to training and to forward tests, and remembers it: they are shared between models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import ibis
import numpy as np
import pandas as pd

from winback_features.facts import purchase_days
from winback_features.many_days import features_of_many_days, labels_of_many_days
from winback_features.sample import sample_contacts
from winback_features.tables import Tables
from winback_models.btyd import Array
from winback_models.btyd_fit import ALL_KINDS
from winback_models.design import step_days
from winback_models.history import TRAINED_KINDS, fit_rhythm_models
from winback_models.label_time import LabelTime
from winback_training.treated import Treated

SPACING = 4
"""Steps for which the label-free models of one label time serve the ones after it."""

_NOBODY = pd.Series(dtype=np.float64)
HISTORY = ["frequency", "recency_days", "T_days"]


@dataclass
class LabelTimes:
    """The label times of one shop, built all at once when the first is asked for.

    Attributes
    ----------
    tables : Tables
    horizon_days : int
    days : collection of date
        Every label time that will be asked for.
    tests : collection of date
        Those on which models are judged, and the day trained for: of them all contacts are looked at.
    rows : int
        About so many contacts of each other label time, chosen by hashed contact id.
    test_rows : int
        At most so many contacts of a day in ``tests`` come into memory.
    keep_treated : bool
        Whether what followed a message of win-back is a label like any other.
    """

    tables: Tables
    horizon_days: int
    days: Collection[date]
    tests: Collection[date]
    rows: int
    test_rows: int
    say: Callable[[str], None] = lambda _: None
    keep_treated: bool = False
    _purchases: dict[date, pd.DataFrame] = field(default_factory=dict)

    def at(self, as_of: date) -> LabelTime:
        """Return the label time ``as_of`` with its whole window; its waits say what came after, and nothing else does."""
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

    @cached_property
    def _known(self) -> dict[date, LabelTime]:
        tested, others = {*self.tests}, {*self.days} - {*self.tests}
        days = sorted(tested | others)
        self.say(f"features at {len(days)} days from {days[0]} to {days[-1]}")
        part = sample_contacts(self.tables, self.rows / max(_buyers(self.tables), 1))
        if part is self.tables:
            seen = self._seen(part, days, self.test_rows)
        else:
            seen = self._seen(self.tables, tested, self.test_rows) | self._seen(part, others, self.rows)
        treated = Treated(self.tables, days, self.horizon_days, keep=self.keep_treated)
        known: dict[date, LabelTime] = {}
        models, fitted = None, date.min
        for day in days:
            if (
                models is None
                or day in tested
                or (day - fitted).days >= SPACING * step_days(self.horizon_days)
            ):
                kinds = ALL_KINDS if day in tested else TRAINED_KINDS
                models, fitted = fit_rhythm_models(seen[day].histories, seen[day].buyers, kinds), day
            known[day] = LabelTime(
                as_of=day,
                features=seen[day].buyers,
                waits=seen[day].waits,
                models=models,
                watched=self.horizon_days,
                never=seen[day].never,
                never_waits=seen[day].never_waits,
                untreated=treated.get(day, seen[day].buyers["contact_id"]),
                shut=_shut(day, self.horizon_days, self.tables.closed),
            )
        return known

    def _seen(self, tables: Tables, days: Collection[date], rows: int) -> dict[date, _Seen]:
        if not days:
            return {}
        waits = labels_of_many_days(tables, sorted(days), self.horizon_days).to_pandas()
        of_day = {day: found.set_index("contact_id") for day, found in waits.groupby("label_time")}
        seen = {}
        for features in features_of_many_days(tables, sorted(days)):
            for day, buyers, never, histories in _contacts(features, rows):
                first = of_day[day]["days_to_purchase"].astype(np.float64) if day in of_day else _NOBODY
                seen[day] = _Seen(buyers, never, histories, _first(first, buyers), _first(first, never))
        return seen

    def _bought_before(self, today: date, since: date) -> pd.DataFrame:
        """Return (contact_id, day) of purchases in [since, today), oldest first, as they stood on the morning of today."""
        if today not in self._purchases:
            days = purchase_days(self.tables, today)
            recent = days.filter(days.day >= ibis.literal(today - timedelta(days=self.horizon_days)))
            ordered = recent.select("contact_id", "day").order_by("day", "contact_id")
            self._purchases[today] = ordered.to_pyarrow().to_pandas()
        bought = self._purchases[today]
        return bought[bought["day"] >= since]


@dataclass(frozen=True)
class _Seen:
    """What a day's facts and its window say, before any model: contacts, all buyers' histories, waits."""

    buyers: pd.DataFrame
    never: pd.DataFrame
    histories: pd.DataFrame
    waits: Array
    never_waits: Array


def _buyers(tables: Tables) -> int:
    return int(tables.orders.contact_id.nunique().to_pyarrow().as_py())


def _shut(
    as_of: date, horizon_days: int, closed: Sequence[tuple[date, date]]
) -> tuple[tuple[float, float], ...]:
    """Return the closed days within the horizon, counted from ``as_of``."""
    ahead = (((first - as_of).days, (end - as_of).days) for first, end in closed)
    return tuple((float(a), float(b)) for a, b in ahead if b > 0 and a < horizon_days)


def bought_within(waits: Array, days: float) -> Array:
    """Return 1.0 where a purchase came within ``days``, else 0.0; shape (n,)."""
    return np.asarray(waits < days, dtype=np.float64)


def _contacts(features: Any, rows: int) -> Iterator[tuple[date, pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    """Give each day, its buyers and those who never bought, ordered by id, and the distinct histories of all buyers.

    At most ``rows`` contacts of either kind and day, those of the lowest hashed ids.
    """
    bought = features.purchase_days > 0
    counts = (
        features.group_by("label_time", bought=bought).aggregate(n=features.count()).to_pyarrow().to_pandas()
    )
    histories = None
    if counts["n"].max() > rows:
        buyers = features.filter(bought)
        all_of_them = buyers.group_by("label_time", *HISTORY).aggregate(n=buyers.count())
        histories = all_of_them.order_by("label_time", *HISTORY).to_pyarrow().to_pandas()
        by_chance = [features.contact_id.hexdigest("sha256"), features.contact_id]
        draw = ibis.row_number().over(group_by=["label_time", bought], order_by=by_chance)
        features = features.mutate(draw=draw).filter(lambda t: t.draw < rows).drop("draw")
    every = features.order_by("label_time", "contact_id").to_pyarrow().to_pandas()
    for day, here in every.groupby("label_time"):
        here = here.drop(columns="label_time")
        has = here["purchase_days"] > 0
        buyers, never = here[has].reset_index(drop=True), here[~has].reset_index(drop=True)
        if histories is None:
            yield day, buyers, never, buyers.groupby(HISTORY).size().rename("n").reset_index()
        else:
            yield day, buyers, never, histories[histories["label_time"] == day].drop(columns="label_time")


def _first(days_to_purchase: pd.Series, contacts: pd.DataFrame) -> Array:
    """Return each contact's wait, inf where it did not buy."""
    return np.asarray(days_to_purchase.reindex(contacts["contact_id"]).fillna(np.inf), dtype=np.float64)


def _waits(contacts: pd.DataFrame, later: pd.DataFrame, as_of: date) -> Array:
    """Return the days from ``as_of`` to each contact's first of the ``later`` purchases; inf where there is none."""
    first = later.drop_duplicates("contact_id").set_index("contact_id")["day"]
    days = (pd.to_datetime(first) - pd.Timestamp(as_of)).dt.days.astype(np.float64)
    return _first(days, contacts)
