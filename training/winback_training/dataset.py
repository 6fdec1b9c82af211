"""Builds what one label time gives to training and to a forward test, and remembers it: cuts are shared between models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from winback_features.build import build_features
from winback_features.labels import build_labels
from winback_features.tables import Tables
from winback_models.btyd import Array
from winback_models.history import fit_rhythm_models
from winback_models.lapse_fit import LabelTime

HISTORY = ["frequency", "recency_days", "T_days"]


@dataclass
class LabelTimes:
    """Label times of one shop, built when first asked for.

    Attributes
    ----------
    tables : Tables
    horizon_days : int
    rows : int
        At most so many contacts of each label time come into memory, chosen by hashed contact id.
    """

    tables: Tables
    horizon_days: int
    rows: int
    say: Callable[[str], None] = lambda _: None
    _known: dict[date, LabelTime] = field(default_factory=dict)

    def at(self, as_of: date) -> LabelTime:
        """Return the label time ``as_of``; its waits say what came after, and nothing else does."""
        if as_of not in self._known:
            self.say(f"features at {as_of}")
            self._known[as_of] = self._build(as_of)
        return self._known[as_of]

    def _build(self, as_of: date) -> LabelTime:
        backend = self.tables.backend
        name = f"label_time_{as_of:%Y%m%d}"
        features = backend.create_table(name, build_features(self.tables, as_of))
        labels = build_labels(self.tables, as_of, self.horizon_days)
        buyers = features.filter(features.purchase_days > 0)
        histories = buyers.group_by(HISTORY).aggregate(n=buyers.count()).order_by(HISTORY)
        histories = histories.to_pyarrow().to_pandas()
        never = features.filter(features.purchase_days == 0)
        first = never.semi_join(labels, "contact_id").count()
        chosen = buyers
        if int(histories["n"].sum()) > self.rows:
            chosen = buyers.order_by([buyers.contact_id.hexdigest("sha256"), buyers.contact_id]).limit(
                self.rows
            )
        sample = (
            chosen.left_join(labels, "contact_id")
            .drop("contact_id_right")
            .order_by("contact_id")
            .to_pyarrow()
            .to_pandas()
        )
        waits = sample.pop("days_to_purchase").to_numpy(np.float64, na_value=np.inf)
        waits = np.where(np.isnan(waits), np.inf, waits)
        label_time = LabelTime(
            as_of=as_of,
            features=sample,
            waits=waits,
            models=fit_rhythm_models(histories, sample),
            never_bought=int(never.count().to_pyarrow().as_py()),
            first_purchases=int(first.to_pyarrow().as_py()),
        )
        backend.drop_table(name)
        return label_time


def bought_within(waits: Array, days: float) -> Array:
    """Return 1.0 where a purchase came within ``days``, else 0.0; shape (n,)."""
    return np.asarray(waits < days, dtype=np.float64)
