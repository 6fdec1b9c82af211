"""Does any feature know the future? A planted future fact must change nothing, and no single feature may be too good.

The first check is exact: at a past day, features are built from the facts as they are and once more with facts planted on and
after that day; every value must be the same, bit by bit. The second looks for what the first cannot see, such as a column of
the contacts table that was filled in later: a single feature that tells the outcome nearly by itself, and better than the
purchases do, of which the first check says all. Where subscribers buy each month, a silence of six weeks is no leak.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis.util import gen_name
from scipy.stats import norm, rankdata

from winback_features.build import build_features
from winback_features.dictionary import FEATURES
from winback_features.sample import sample_contacts
from winback_features.tables import Tables
from winback_models.btyd import Array

Build = Callable[[Tables, date], ibis.Table]

MAX_AUC = 0.95
"""A single feature above this is implausible."""

ABOVE_BEST = 0.05
"""So is one that beats the best model of all features by so much."""

LEVEL = 0.01
"""Chance that luck alone makes any of the features pass for a leak."""

PURCHASES = frozenset(feature.name for feature in FEATURES if feature.group == "purchase")

MIN_OUTCOMES = 20
CONTACTS = 2_000


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """What the leakage check found.

    Attributes
    ----------
    as_of : str
        The past day it was made at; empty where none has closed yet.
    contacts : int
        Contacts whose features were compared bit by bit.
    changed : tuple of str
        Features that a planted future fact changed.
    suspects : mapping of str to float
        Features with an implausible AUC on the active base, either way round.
    best : mapping of str to float
        The three features that tell most, and their AUC.
    note : str
        What could not be checked.
    """

    as_of: str = ""
    contacts: int = 0
    changed: tuple[str, ...] = ()
    suspects: Mapping[str, float] | None = None
    best: Mapping[str, float] | None = None
    note: str = ""

    @property
    def findings(self) -> tuple[str, ...]:
        """Return each leak as a sentence; empty where there is none."""
        planted = (
            f"Leakage: a fact planted on or after {self.as_of} changed {', '.join(self.changed)}."
            if self.changed
            else ""
        )
        alone = (
            f"Leakage: {name} alone tells who buys, with an AUC of {auc:.3f}; look where it comes from."
            for name, auc in (self.suspects or {}).items()
        )
        return tuple(text for text in (planted, *alone) if text)

    def as_dict(self) -> dict[str, Any]:
        """Return one JSON-ready object."""
        return {
            **asdict(self),
            "changed": list(self.changed),
            "suspects": dict(self.suspects or {}),
            "best": dict(self.best or {}),
            "findings": list(self.findings),
        }


def plant_future(tables: Tables, as_of: date) -> Tables:
    """Return the tables with facts added on and after ``as_of``, and its orders cancelled then.

    Every order, line and event before ``as_of`` comes again, as if time ran back from that day on: those of the day before on
    the day itself. Every order that stood is cancelled then. What a feature may know is the same as before.
    """
    day = ibis.literal(as_of)
    orders = _mirrored(tables.orders, as_of, "ordered_at")
    cancelled = ibis.ifelse(orders.day < day, orders.cancelled_on.fill_null(day), orders.cancelled_on)
    return replace(
        tables,
        orders=orders.mutate(cancelled_on=cancelled),
        lines=_mirrored(tables.lines, as_of),
        events=_mirrored(tables.events, as_of, "occurred_at"),
    )


def _mirrored(table: ibis.Table, as_of: date, instant: str = "") -> ibis.Table:
    """Return the table and its rows before ``as_of`` once more, mirrored at it."""
    past = table.filter(table.day < ibis.literal(as_of))
    back = (ibis.literal(as_of) - past.day).cast("int64")
    later = (2 * back - 1).as_interval("D")
    columns: dict[str, Any] = {"day": past.day + later}
    if instant:
        columns[instant] = past[instant] + later
    if "order_id" in table.columns:
        columns["order_id"] = past.order_id + "'"
    return table.union(past.mutate(**columns).cast(table.schema()).select(*table.columns))


def _held(tables: Tables) -> Tables:
    """Return the facts as tables of the engine: a query over them is quicker to write than one over what made them."""
    return tables.each(lambda table: tables.backend.create_table(gen_name("held"), table, temp=True))


def changed_features(
    tables: Tables, as_of: date, build: Build = build_features
) -> tuple[int, tuple[str, ...]]:
    """Return the contacts compared and the columns of ``build`` that planted future facts change, by a single bit.

    ``contact_id`` among them says that other contacts are there than before.
    """
    before, after = (
        build(_held(t), as_of).order_by("contact_id").to_pyarrow().to_pandas()
        for t in (tables, plant_future(tables, as_of))
    )
    if not before["contact_id"].equals(after["contact_id"]):
        return len(before), ("contact_id",)
    return len(before), tuple(name for name in before.columns if not before[name].equals(after[name]))


def feature_aucs(features: pd.DataFrame, bought: Array, names: Sequence[str]) -> dict[str, float]:
    """Return each feature's AUC for the outcome, the better way round: 0.5 tells nothing; highest first.

    Parameters
    ----------
    features : DataFrame, shape (n, …)
    bought : ndarray, shape (n,)
        1.0 where a purchase came; both outcomes must occur.
    names : sequence of str
        Numeric columns. What is unknown counts as lower than all that is known.
    """
    ones = float(bought.sum())
    zeros = len(bought) - ones

    def auc(name: str) -> float:
        values = features[name].to_numpy(np.float64, na_value=np.nan)
        ranks = rankdata(np.where(np.isnan(values), -np.inf, values))
        found = float((ranks[bought > 0].sum() - ones * (ones + 1.0) / 2.0) / (ones * zeros))
        return max(found, 1.0 - found)

    found = {name: auc(name) for name in names}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def suspects(aucs: Mapping[str, float], bought: Array, best_model: float) -> dict[str, float]:
    """Return the features whose AUC is implausible: above ``MAX_AUC``, or well above the best model of them all.

    Those of the purchases are never, nor what tells no more than the best of them.

    Parameters
    ----------
    aucs : mapping of str to float
    bought : ndarray, shape (n,)
    best_model : float
        Highest AUC of a model of many features on the same contacts; nan where none was tested.
    """
    ones = float(bought.sum())
    zeros = len(bought) - ones
    if min(ones, zeros) < MIN_OUTCOMES:
        return {}
    luck = float(norm.isf(LEVEL / (2 * len(aucs)))) * np.sqrt((ones + zeros + 1.0) / (12.0 * ones * zeros))
    limit = MAX_AUC if np.isnan(best_model) else min(MAX_AUC, max(best_model, 0.5) + max(ABOVE_BEST, luck))
    limit = max(limit, *(auc for name, auc in aucs.items() if name in PURCHASES), 0.0)
    return {name: auc for name, auc in aucs.items() if auc > limit}


def check_leakage(
    tables: Tables,
    as_of: date,
    active: pd.DataFrame,
    bought: Array,
    names: Sequence[str],
    best_model: float,
    build: Build = build_features,
) -> LeakageReport:
    """Make both checks at one past day.

    Parameters
    ----------
    tables : Tables
    as_of : date
        A label time whose window has closed.
    active : DataFrame, shape (n, …)
        Features of its active base.
    bought : ndarray, shape (n,)
        1.0 where a purchase came in the window.
    names : sequence of str
        Numeric features.
    best_model : float
        See ``suspects``.
    build : callable
        What builds the features.
    """
    known = tables.orders.filter(tables.orders.day < ibis.literal(as_of)).contact_id.nunique()
    contacts = int(known.to_pyarrow().as_py())
    compared, changed = changed_features(sample_contacts(tables, CONTACTS / max(contacts, 1)), as_of, build)
    few = min(bought.sum(), len(bought) - bought.sum()) < MIN_OUTCOMES
    aucs = {} if few else feature_aucs(active, bought, names)
    return LeakageReport(
        as_of=as_of.isoformat(),
        contacts=compared,
        changed=changed,
        suspects=suspects(aucs, bought, best_model) if aucs else {},
        best=dict(list(aucs.items())[:3]),
        note="Single features were not checked for leaks: too few outcomes to judge them." if few else "",
    )
