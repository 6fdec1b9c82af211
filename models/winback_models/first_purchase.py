"""P(first purchase) of contacts that never bought, from what they do beside buying: visits, carts, clicks, and how long ago.

They have no rhythm yet, so no BTYD model speaks for them: a discrete-time hazard over the horizon's intervals does. Its
members are the base rate, a regularised logistic regression and boosted trees, averaged in log-odds with weights found on a
later label time than they were fitted on. With few first purchases it steps back, at last to the base rate alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from winback_models.btyd import Array
from winback_models.combine import calibration_that_holds, failing, fit_weights, log_loss
from winback_models.design import Matrix, choose_columns, interval_edges, log_odds, signed_log
from winback_models.hazard import mix
from winback_models.label_time import LabelTime
from winback_models.linear import fit_linear
from winback_models.members import LIMIT, at_risk, in_blocks

BASE_RATE = "base_rate"
MEMBERS = ("logistic", "boosting")
"""Learned members, the one that needs less first."""

LINE_NEEDS, TREES_NEED = 50, 200
"""First purchases that a logistic regression and boosted trees need, and contacts that went without."""

PRIOR_PURCHASES, PRIOR_CONTACTS = 0.5, 10
"""The base rate starts from half a purchase in ten contacts' horizons: what is said where nothing was seen."""

SHAPE_PURCHASES = 10.0
"""The hazard of an interval starts from the base rate, as if so many purchases had shown it there."""

ROWS = 40_000
"""Contacts over all label times that the members learn from, beside all those who bought."""


@dataclass(frozen=True)
class FirstPurchaseModel:
    """Curves of the first purchase.

    Attributes
    ----------
    edges : tuple of int
        Ends of the intervals in days; the last is the horizon.
    base_hazards : tuple of float
        P(first purchase in the interval | none before it) of contacts at large.
    daily_rate : float
        First purchases per contact and day: the base rate.
    status : str
        How the model came about.
    columns : tuple of str
        Features it reads; none where the base rate speaks alone.
    members : mapping of str to object
        Learned members with a weight; their ``decision_function`` gives log-odds of rows of ``person_periods``.
    weights : mapping of str to float
        Weight of ``base_rate`` and of each member in the mean log-odds; they sum to 1.
    intercept, slope : float
        Calibration of the mean log-odds.

    Examples
    --------
    >>> model = base_rate_model(daily_rate=0.001, horizon_days=28, status="base rate")
    >>> model.p_within(pd.DataFrame(index=[0]), [7, 28, 56]).round(4)
    array([[0.007 , 0.0276, 0.0545]])
    >>> model.quantile(pd.DataFrame(index=[0]), 0.5).round()
    array([693.])
    """

    edges: tuple[int, ...]
    base_hazards: tuple[float, ...]
    daily_rate: float
    status: str
    columns: tuple[str, ...] = ()
    members: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=lambda: {BASE_RATE: 1.0})
    intercept: float = 0.0
    slope: float = 1.0

    def hazards(self, features: pd.DataFrame) -> Array:
        """Return P(first purchase in the interval | none before it), shape (n, intervals)."""
        if not self.members or len(features) == 0:
            return np.tile(np.asarray(self.base_hazards), (len(features), 1))
        mixed = mix(self.voices(features), self.weights)
        return np.asarray(expit(self.intercept + self.slope * mixed))

    def voices(self, features: pd.DataFrame) -> dict[str, Array]:
        """Return the log-odds that the base rate and each member give the intervals, each of shape (n, intervals)."""
        x = person_periods(self.columns, self.base_hazards, features)
        shape = (len(features), len(self.edges))
        said = {name: in_blocks(member, x).reshape(shape) for name, member in self.members.items()}
        said[BASE_RATE] = np.tile(log_odds(np.asarray(self.base_hazards)), (len(features), 1))
        return {name: np.clip(score, -LIMIT, LIMIT) for name, score in said.items()}

    def p_within(self, features: pd.DataFrame, days: Sequence[float]) -> Array:
        """Return P(first purchase within each of ``days``), shape (n, len(days)); non-decreasing in days.

        Within an interval the hazard is constant; that of the last one goes on beyond the horizon.
        """
        ends, silent = self._log_survival(features)
        ahead = np.asarray(days, dtype=np.float64)
        k = np.clip(np.searchsorted(ends, ahead, side="left"), 1, len(self.edges))
        share = (ahead - ends[k - 1]) / (ends[k] - ends[k - 1])
        return np.asarray(-np.expm1(silent[:, k - 1] + share * (silent[:, k] - silent[:, k - 1])))

    def quantile(self, features: pd.DataFrame, q: float) -> Array:
        """Return the days by which the first purchase has come with probability ``q`` in [0, 1), shape (n,)."""
        ends, silent = self._log_survival(features)
        target = float(np.log1p(-q))
        k = np.clip((silent > target).sum(axis=1), 1, len(self.edges))
        row = np.arange(len(silent))
        above, below = silent[row, k - 1], silent[row, k]
        return np.asarray(ends[k - 1] + (above - target) / (above - below) * (ends[k] - ends[k - 1]))

    def as_dict(self) -> dict[str, Any]:
        """Return what it is in JSON-ready words and numbers."""
        return {
            "status": self.status,
            "daily_rate": self.daily_rate,
            "edges": list(self.edges),
            "base_hazards": list(self.base_hazards),
            "columns": list(self.columns),
            "weights": dict(self.weights),
            "calibration": {"intercept": self.intercept, "slope": self.slope},
        }

    def _log_survival(self, features: pd.DataFrame) -> tuple[Array, Array]:
        """Return the intervals' bounds from 0 on, shape (m + 1,), and log P(no purchase by each), shape (n, m + 1)."""
        steps = np.log1p(-np.minimum(self.hazards(features), 1.0 - 1e-9))
        return np.array([0.0, *self.edges]), np.cumsum(np.pad(steps, ((0, 0), (1, 0))), axis=1)


def base_rate_model(daily_rate: float, horizon_days: int, status: str) -> FirstPurchaseModel:
    """Return the model that gives every contact the same constant hazard.

    Parameters
    ----------
    daily_rate : float
        First purchases per contact and day.
    horizon_days : int
    status : str
    """
    edges = interval_edges(horizon_days)
    hazards = -np.expm1(-daily_rate * np.diff(edges, prepend=0))
    return FirstPurchaseModel(edges, tuple(hazards.tolist()), daily_rate, status)


def fit_first_purchase(
    closed: Sequence[LabelTime], *, horizon_days: int, numeric_features: Sequence[str], seed: int
) -> FirstPurchaseModel:
    """Fit the model from label times whose windows have closed.

    Parameters
    ----------
    closed : sequence of LabelTime
        Newest first; their ``never`` and ``never_waits`` are read, the rows in any order.
    horizon_days : int
    numeric_features : sequence of str
        Candidate columns; those that tell nothing of such contacts are left out.
    seed : int
    """
    windows = [_Window.of(t) for t in closed if len(t.never)]
    base = _base_rate(windows, horizon_days)
    purchases, others = _seen(windows)
    found = f"{purchases} first purchases after {len(windows)} label times"
    if not windows:
        return replace(base, status="base rate: no closed label time has a contact that had not bought")
    if min(purchases, others) < LINE_NEEDS:
        return replace(base, status=f"base rate: {found} are too few to learn from")
    span = windows[0].day - windows[-1].day
    columns, _ = choose_columns([w.features for w in windows], numeric_features, span)
    if not columns:
        return replace(base, status=f"base rate: {found}, but nothing known tells such contacts apart")
    names = MEMBERS if purchases >= TREES_NEED else MEMBERS[:1]
    draft = replace(base, columns=columns, members=_fit_members(base, columns, names, windows, seed))
    return _weighted(draft, windows, seed, found)


def person_periods(columns: Sequence[str], base_hazards: Sequence[float], features: pd.DataFrame) -> Matrix:
    """Return the matrix of every contact and interval, contact-major, shape (n * intervals, len(columns) + 2).

    Beside the features, by their signed logarithm: the base rate's log-odds of the interval, and its number.
    """
    values = signed_log(features[list(columns)].to_numpy(np.float64, na_value=np.nan))
    usual = log_odds(np.asarray(base_hazards))
    interval = np.column_stack([usual, np.arange(len(usual), dtype=np.float64)])
    static = np.repeat(values, len(usual), axis=0)
    return np.hstack([static, np.tile(interval, (len(features), 1))]).astype(np.float32)


@dataclass(frozen=True)
class _Window:
    """Contacts that had not bought on a day, by contact id, and the days each then waited."""

    day: int
    features: pd.DataFrame
    waits: Array

    @classmethod
    def of(cls, time: LabelTime) -> _Window:
        order = np.argsort(time.never["contact_id"].to_numpy(str), kind="stable")
        return cls(time.as_of.toordinal(), time.never.iloc[order], time.never_waits[order])

    def thinned(self, rows: int, seed: int) -> tuple[_Window, Array]:
        """Return it with all who bought and at most so many who did not, and what each row then counts for."""
        bought = np.isfinite(self.waits)
        others = np.flatnonzero(~bought)
        if len(others) <= rows:
            return self, np.ones(len(self.waits))
        chosen = np.random.default_rng(seed + self.day).choice(others, rows, replace=False)
        keep = np.sort(np.concatenate([np.flatnonzero(bought), chosen]))
        weight = np.where(bought[keep], 1.0, len(others) / rows)
        return replace(self, features=self.features.iloc[keep], waits=self.waits[keep]), weight


def _seen(windows: Sequence[_Window]) -> tuple[int, int]:
    """Return how many contacts bought for the first time, and how many did not; windows overlap, and each counts once."""
    bought = {name for w in windows for name in w.features["contact_id"][np.isfinite(w.waits)]}
    known = {name for w in windows for name in w.features["contact_id"]}
    return len(bought), len(known) - len(bought)


def _base_rate(windows: Sequence[_Window], horizon_days: int) -> FirstPurchaseModel:
    """Return the base rate's model, its daily rate and its intervals' hazards each shrunk."""
    waits = np.concatenate([np.zeros(0), *(w.waits for w in windows)])
    exposure = float(np.minimum(waits, horizon_days).sum()) + PRIOR_CONTACTS * horizon_days
    rate = (float(np.isfinite(waits).sum()) + PRIOR_PURCHASES) / exposure
    model = base_rate_model(rate, horizon_days, "base rate")
    risk, bought = at_risk(model.edges, waits)
    usual = np.asarray(model.base_hazards)
    hazards = (bought.sum(axis=0) + SHAPE_PURCHASES) / (risk.sum(axis=0) + SHAPE_PURCHASES / usual)
    return replace(model, base_hazards=tuple(hazards.tolist()))


def _fit_members(
    base: FirstPurchaseModel,
    columns: Sequence[str],
    names: Sequence[str],
    windows: Sequence[_Window],
    seed: int,
) -> dict[str, Any]:
    """Fit the named members on the person-periods of all windows together."""
    xs, ys, weights = [], [], []
    for window in windows:
        some, weight = window.thinned(ROWS // len(windows), seed)
        risk, bought = at_risk(base.edges, some.waits)
        xs.append(person_periods(columns, base.base_hazards, some.features)[risk.ravel()])
        ys.append(bought[risk])
        weights.append(np.repeat(weight[:, None], len(base.edges), axis=1)[risk])
    x, y, weight = np.concatenate(xs), np.concatenate(ys), np.concatenate(weights)
    members: dict[str, Any] = {"logistic": fit_linear(x, y, weight)}
    if "boosting" in names:
        boosting = HistGradientBoostingClassifier(
            learning_rate=0.06,
            max_iter=80,
            max_leaf_nodes=8,
            min_samples_leaf=max(50, min(400, len(y) // 100)),
            l2_regularization=20.0,
            max_features=0.5,
            early_stopping=False,
            random_state=seed,
        )
        members["boosting"] = boosting.fit(x, y, weight)
    return members


def _weighted(
    draft: FirstPurchaseModel, windows: Sequence[_Window], seed: int, found: str
) -> FirstPurchaseModel:
    """Return the model with weights and a calibration found on the newest label time, or said to have none."""
    horizon, newest = draft.edges[-1], windows[0]
    older = [w for w in windows if w.day + horizon <= newest.day]
    between = [w for w in windows if w.day + horizon > newest.day][-1]
    names = (BASE_RATE, *draft.members)
    if min(_seen(older)) < LINE_NEEDS or not np.isfinite(newest.waits).any():
        equal = dict.fromkeys(names, 1.0 / len(names))
        status = f"{', '.join(names)} at equal weights: {found}, no later slice to weigh them on"
        return replace(draft, weights=equal, status=status)
    early = _base_rate(older, horizon)
    members = _fit_members(early, draft.columns, tuple(draft.members), older, seed)
    early = replace(early, columns=draft.columns, members=members)
    said, y = _outcomes(early, newest)
    dropped = failing(said, y)
    kept = {name: said[name] for name in names if name not in dropped}
    equal = dict.fromkeys(kept, 1.0 / len(kept))
    if log_loss(mix(kept, equal), y) >= log_loss(said[BASE_RATE], y):
        status = f"base rate: {found}, but what was learned from them failed on a later slice"
        return replace(draft, columns=(), members={}, status=status)
    weights = fit_weights(kept, y, equal)
    intercept, slope = 0.0, 1.0
    if between is not newest:
        then, outcomes = _outcomes(early, between)
        intercept, slope = calibration_that_holds((mix(then, weights), outcomes), (mix(said, weights), y))
    heard = [name for name, weight in weights.items() if weight > 0.0]
    status = f"{', '.join(heard)} weighted on a later slice: {found}"
    status += f"; {', '.join(dropped)} dropped for failing there" if dropped else ""
    status += "; recalibrated" if slope != 1.0 else ""
    used = {name: draft.members[name] for name in heard if name in draft.members}
    return replace(draft, members=used, weights=weights, intercept=intercept, slope=slope, status=status)


def _outcomes(model: FirstPurchaseModel, window: _Window) -> tuple[dict[str, Array], npt.NDArray[np.bool_]]:
    """Return what each voice said of the person-periods at risk, and whether a purchase fell in them."""
    risk, bought = at_risk(model.edges, window.waits)
    return {name: said[risk] for name, said in model.voices(window.features).items()}, bought[risk]
