"""The alternatives our score is always shown beside, each given the same label times.

``bg_nbd`` and ``mbg_nbd`` (``base_rate`` where neither could be fitted): P(purchase) in closed form. ``logistic`` and
``boosting``: plain discrete-time hazard classifiers over equal steps of the horizon, of log RFM and gaps and of all our
features; neither sees a BTYD model. ``recency``: days since the last purchase alone. ``own_gap``: the vendors' rule, due one
own mean gap after the last purchase. ``constant_rate``: for those who never bought, what share of such contacts did so before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from winback_models.btyd import Array, BtydModel
from winback_models.history import history
from winback_models.label_time import LabelTime

Curve = Callable[[Array], Array]
"""Gives P(purchase within d) for days of shape (m,), none beyond the horizon, as an array of shape (n, m)."""

Steps = npt.NDArray[np.int64]

BTYD_KINDS = ("bg_nbd", "mbg_nbd", "base_rate")
STEPS = 12
MAX_PERIODS = 150_000
"""Person-periods a classifier learns from; a seeded sample of them beyond that."""

CUT_NAMES = ("T_days", "recency_days", "closed_days_in_silence", "season_sin", "season_cos")
"""Features the trees are spared: with a few cuts, or a base of one cohort, they only name the cut."""

GAPS = ("gap_mean", "gap_sd", "gap_last")
RFM = (
    *("days_since_purchase", "frequency", "T_days", "order_value_mean"),
    *GAPS,
    *("purchase_days_30d", "purchase_days_90d", "purchase_days_180d"),
)


def equal_steps(horizon_days: int, steps: int = STEPS) -> Array:
    """Return the ends of ``steps`` equal parts of the horizon, as whole days; the last is the horizon.

    Waits are counted in whole days, so who bought "within 7.5 days" bought on one of the first eight. A curve that runs in
    continuous time, asked for half a day less than it is judged on, would look too low where the others look right.

    >>> equal_steps(90)[[0, 1, 11]].tolist(), equal_steps(5).tolist()
    ([8.0, 15.0, 90.0], [1.0, 2.0, 3.0, 4.0, 5.0])
    """
    ends = (-(-part * horizon_days // steps) for part in range(1, steps + 1))
    return np.array(sorted(set(ends)), dtype=np.float64)


def baseline_rankings(today: LabelTime) -> dict[str, Array]:
    """Return the baselines that rank but give no probability, higher for those who should buy sooner; each of shape (n,)."""
    return {"recency": -today.features["days_since_purchase"].to_numpy(np.float64)}


def baseline_curves(
    today: LabelTime,
    closed: Sequence[LabelTime],
    horizon_days: int,
    numeric_features: Sequence[str],
    seed: int,
) -> dict[str, Curve]:
    """Return the curves of each baseline for the contacts of ``today``; the classifiers are missing without both outcomes.

    Parameters
    ----------
    today : LabelTime
        Its waits are not read.
    closed : sequence of LabelTime
        Label times whose windows have closed.
    """
    candidates = (m for m in today.models.candidates if m.kind in BTYD_KINDS)
    found: dict[str, Curve] = {m.kind: _btyd_curve(m, today.features) for m in candidates}
    found["own_gap"] = _own_gap(today)
    edges = equal_steps(horizon_days)
    if any(np.isfinite(t.waits).any() for t in closed) and any(np.isinf(t.waits).any() for t in closed):
        line = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, solver="newton-cholesky"))
        trees = HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=80,
            max_leaf_nodes=8,
            min_samples_leaf=200,
            l2_regularization=5.0,
            max_features=0.5,
            early_stopping=False,
            random_state=seed,
        )
        numbers = [name for name in numeric_features if name not in CUT_NAMES]
        found["logistic"] = _step_hazard(line, _log_rfm, _dummies, today, closed, edges, seed)
        found["boosting"] = _step_hazard(
            trees, lambda f: _matrix(f, numbers), _number, today, closed, edges, seed
        )
    return found


def constant_rate(waits: Sequence[Array], n: int) -> Curve:
    """Return the curve that gives ``n`` contacts the share of those in ``waits`` who bought within d; 0 without any."""
    seen = np.sort(np.concatenate(waits)) if waits else np.zeros(0)

    def curve(days: Array) -> Array:
        share = np.searchsorted(seen, days, side="left") / max(len(seen), 1)
        return np.tile(share, (n, 1))

    return curve


@dataclass(frozen=True)
class StepCurve:
    """The curve of a discrete-time hazard classifier: within each step the hazard is constant.

    Attributes
    ----------
    edges : ndarray, shape (m,)
        Ends of the steps in days.
    hazards : ndarray, shape (n, m)
        P(purchase in the step | none before it).
    """

    edges: Array
    hazards: Array

    def __call__(self, days: Array) -> Array:
        """Return P(purchase within each of ``days``), shape (n, len(days))."""
        survival = np.cumsum(np.log1p(-np.minimum(self.hazards, 1.0 - 1e-9)), axis=1)
        padded = np.column_stack([np.zeros(len(survival)), survival])
        ends = np.concatenate([[0.0], self.edges])
        place = np.interp(days, ends, np.arange(len(ends)))
        before = np.minimum(place.astype(np.int64), len(self.edges) - 1)
        share = place - before
        return np.asarray(-np.expm1(padded[:, before] * (1.0 - share) + padded[:, before + 1] * share))


def _btyd_curve(model: BtydModel, features: pd.DataFrame) -> Curve:
    x, t_x, age = (v[:, None] for v in history(features))
    return lambda days: model.p_purchase(x, t_x, age, days[None, :])


def _own_gap(today: LabelTime) -> Curve:
    """Return the step curve of who is sure to buy one own mean gap after the last purchase, and never if that is past."""
    gap = today.features["gap_mean"].fillna(np.exp(today.models.rhythm.log_gap)).to_numpy(np.float64)
    ahead = (gap - today.features["days_since_purchase"].to_numpy(np.float64))[:, None]
    return lambda days: ((ahead >= 0) & (ahead < days[None, :])).astype(np.float64)


def _step_hazard(
    classifier: Any,
    contact_columns: Callable[[pd.DataFrame], Array],
    step_columns: Callable[[Array, Steps, int], Array],
    today: LabelTime,
    closed: Sequence[LabelTime],
    edges: Array,
    seed: int,
) -> StepCurve:
    """Fit a classifier on the person-periods of ``closed`` and return its curve of today's contacts."""
    starts = np.concatenate([[0.0], edges[:-1]])
    waits = np.concatenate([t.waits for t in closed])[:, None]
    contact, step = np.nonzero(waits >= starts)
    bought = waits[contact, 0] < edges[step]
    if len(step) > MAX_PERIODS:
        chosen = np.random.default_rng(seed).choice(len(step), MAX_PERIODS, replace=False)
        contact, step, bought = contact[chosen], step[chosen], bought[chosen]
    x = np.concatenate([contact_columns(t.features) for t in closed])
    learnt = np.hstack([x[contact], step_columns(x[contact], step, len(edges))])
    told = ~np.isnan(learnt).all(axis=0)
    classifier.fit(learnt[:, told], bought)
    now = contact_columns(today.features)
    every = (np.full(len(now), k) for k in range(len(edges)))
    periods = (np.hstack([now, step_columns(now, step, len(edges))]) for step in every)
    hazards = np.column_stack([classifier.predict_proba(p[:, told])[:, 1] for p in periods])
    return StepCurve(edges, hazards)


def _matrix(features: pd.DataFrame, columns: Sequence[str]) -> Array:
    return features[list(columns)].to_numpy(np.float64, na_value=np.nan)


def _log_rfm(features: pd.DataFrame) -> Array:
    """Return the logarithms of ``RFM``, recency first, and where a contact has no gap, or only one."""
    known = _matrix(features, RFM)
    single = np.isnan(_matrix(features, ("gap_mean", "gap_sd"))).astype(np.float64)
    return np.hstack([np.log1p(np.maximum(np.nan_to_num(known), 0.0)), single])


def _dummies(x: Array, step: Steps, steps: int) -> Array:
    """Return a column for each step, and recency (the first column of ``x``) in each step."""
    own = np.eye(steps)[step]
    return np.hstack([own, own * x[:, :1]])


def _number(_: Array, step: Steps, __: int) -> Array:
    return step[:, None].astype(np.float64)
