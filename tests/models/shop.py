"""A simulated shop whose truth is known: label times in the shape training builds them."""

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

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
    "gap_last",
    "gap_log_mean",
    "purchase_days_decayed_30d",
    "monetary_value",
]
HORIZON = 60
START = date(2025, 1, 1)
TODAY = 600


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


def label_time(shop, day, closed=None):
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
                "order_value_mean": 20.0 + i % 7,
                "purchase_days_decayed_30d": float(np.exp(-(day - past) / 30.0).sum()),
                "gap_last": float(gaps[-1]) if len(gaps) else np.nan,
            }
        )
        waits.append(later[0] - day if len(later) and later[0] < day + HORIZON else np.inf)
    features = pd.DataFrame(rows)
    histories = features.groupby(["frequency", "recency_days", "T_days"]).size().rename("n").reset_index()
    never = pd.DataFrame({"contact_id": [f"n{i:03}" for i in range(50)], "purchase_days": 0.0})
    return LabelTime(
        as_of=START + timedelta(days=int(day)),
        features=features,
        waits=np.array(waits, dtype=float),
        models=fit_rhythm_models(histories, features, ["mbg_nbd"]),
        watched=HORIZON,
        never=never,
        never_waits=np.where(np.arange(50) < 3, 20.0, np.inf),
        shut=[(closed[0] - day, closed[1] - day)] if closed else [],
    )


def seen_before(shop, closed=None):
    """Label times before a day as they could be seen on it, newest first: every fourth step, and closed ones."""
    whole = cache(lambda day: label_time(shop, day, closed))

    def seen(day, today):
        time, watched = whole(day), min(today - day, HORIZON)
        waits = np.where(time.waits < watched, time.waits, np.inf)
        return replace(time, waits=waits, watched=watched)

    @cache
    def before(as_of):
        today = (as_of - START).days
        days = {today - 5 * j for j in (1, *range(4, 37, 4))} | {today - HORIZON - 20 * i for i in range(5)}
        return [seen(day, today) for day in sorted(days, reverse=True) if day >= 100]

    return before
