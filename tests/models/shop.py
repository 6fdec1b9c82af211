"""A simulated shop whose truth is known: label times in the shape training builds them."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from winback_models.history import fit_rhythm_models
from winback_models.label_time import LabelTime

NUMERIC = [
    "frequency",
    "recency_days",
    "T_days",
    "days_since_purchase",
    "gap_mean",
    "gap_log_mean",
    "monetary_value",
]
HORIZON = 60


def buying_days(n=500, days=700, seed=3):
    """One array of purchase days for each contact, each with its own rate and its own end."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        start, rate, end = rng.integers(0, 300), rng.gamma(1.2, 1 / 40), rng.exponential(400)
        gaps = rng.exponential(1 / max(rate, 1e-3), 200)
        at = start + np.concatenate([[0.0], np.cumsum(gaps)])
        out.append(np.unique(at[(at < days) & (at <= start + end)].astype(int)))
    return out


def label_time(shop, day):
    rows, waits = [], []
    for i, all_days in enumerate(shop):
        past, later = all_days[all_days < day], all_days[all_days >= day]
        if len(past) == 0:
            continue
        gaps = np.diff(past)
        log_gaps = np.log(gaps) if len(gaps) else np.array([np.nan])
        rows.append(
            {
                "contact_id": f"c{i:04}",
                "purchase_days": float(len(past)),
                "frequency": len(past) - 1.0,
                "recency_days": float(past[-1] - past[0]),
                "T_days": float(day - past[0]),
                "days_since_purchase": float(day - past[-1]),
                "closed_days_in_silence": 0.0,
                "gap_mean": float(gaps.mean()) if len(gaps) else np.nan,
                "gap_log_mean": float(log_gaps.mean()),
                "gap_log_sd": float(log_gaps.std()) if len(gaps) else np.nan,
                "monetary_value": 20.0 + i % 7 if len(gaps) else np.nan,
            }
        )
        waits.append(later[0] - day if len(later) and later[0] < day + HORIZON else np.inf)
    features = pd.DataFrame(rows)
    histories = features.groupby(["frequency", "recency_days", "T_days"]).size().rename("n").reset_index()
    return LabelTime(
        as_of=date(2025, 1, 1) + timedelta(days=int(day)),
        features=features,
        waits=np.array(waits, dtype=float),
        models=fit_rhythm_models(histories, features),
        never_bought=50,
        first_purchases=3,
    )
