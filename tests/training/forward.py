"""A simulated shop at a label time, with the truth known: everybody buys at a constant rate of its own and never dies."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from winback_features.dictionary import numeric_features
from winback_models.btyd import BtydModel
from winback_models.history import RhythmModels
from winback_models.label_time import LabelTime
from winback_models.rhythm import RhythmModel

HORIZON = 24
DAY = date(2025, 3, 1)
FIRST_RATE = 0.01
FEATURES = ("gap_mean", "gap_sd", "days_since_purchase", "frequency")
"""What the trees are shown; one of them tells nothing."""
BG = BtydModel("bg_nbd", r=1.0, alpha=30.0, a=0.4, b=3.0)
MODELS = RhythmModels(BG, RhythmModel(np.log(30.0), 0.8), (BG,))


def rates(features: pd.DataFrame) -> np.ndarray:
    """Return the true daily rate of each contact: known from its mean gap, and constant for those who never bought."""
    gap = features["gap_mean"].to_numpy(float)
    return np.where(np.isfinite(gap), 1.0 / np.where(np.isfinite(gap), gap, 1.0), FIRST_RATE)


def truth(features: pd.DataFrame, days: np.ndarray) -> np.ndarray:
    """Return the true P(purchase within each of ``days``)."""
    return -np.expm1(-rates(features)[:, None] * np.asarray(days, dtype=float)[None, :])


def label_time(as_of: date = DAY, n: int = 1500, never: int = 0, seed: int = 0) -> LabelTime:
    """Return a label time; waits are drawn from the truth."""
    rng = np.random.default_rng(seed)
    gap = np.exp(rng.normal(np.log(20.0), 1.0, n + never))
    features = pd.DataFrame(dict.fromkeys(numeric_features(), np.zeros(n + never)))
    features = features.assign(
        gap_mean=gap,
        gap_last=gap,
        gap_sd=np.nan,
        frequency=3.0,
        purchase_days=np.where(rng.random(n + never) < 0.3, 1.0, 4.0),
        days_since_purchase=rng.integers(1, 4 * HORIZON, n + never).astype(float),
        recency_days=60.0,
    )
    features["T_days"] = features["recency_days"] + features["days_since_purchase"]
    features.insert(0, "contact_id", [f"c{i:05d}" for i in range(n + never)])
    features.loc[n:, ["gap_mean", "gap_last", "days_since_purchase"]] = np.nan
    features.loc[n:, "purchase_days"] = 0.0
    day = np.floor(rng.exponential(1.0 / rates(features)))
    waits = np.where(day < HORIZON, day, np.inf)
    return LabelTime(
        as_of=as_of,
        features=features.iloc[:n].reset_index(drop=True),
        waits=waits[:n],
        models=MODELS,
        watched=HORIZON,
        never=features.iloc[n:].reset_index(drop=True),
        never_waits=waits[n:],
    )


def earlier(times: int = 2, **shop: int) -> list[LabelTime]:
    """Return label times whose windows have closed by ``DAY``, newest first."""
    return [label_time(DAY - timedelta(days=HORIZON * (i + 1)), seed=10 + i, **shop) for i in range(times)]
