"""Contacts with a life beside their purchases (visits, sends, service, returns), and a model that looks at all of it."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from winback_features.dictionary import numeric_features

WINDOWS = (7, 14, 30, 60, 90, 180, 365)
CHANNELS = ("email", "sms", "push", "direct_mail")


def features_of(days, spend, visits, calls, sends, clicks, returned, at):
    """The feature dictionary over one contact's lists of days, counted one by one."""
    row = dict.fromkeys(numeric_features(), np.nan)
    past = [d for d in days if d < at]
    money = spend[: len(past)]
    gaps = np.diff(past).astype(float)
    silence, age = float(at - past[-1]), float(at - past[0])
    row |= {
        "frequency": len(past) - 1.0, "recency_days": age - silence, "T_days": age, "tenure_days": age + 5,
        "purchase_days": float(len(past)), "orders": float(len(past)), "days_since_purchase": silence,
        "closed_days_in_silence": 0.0, "spend_total": sum(money), "order_value_mean": np.mean(money),
        "order_value_last": money[-1], "monetary_value": np.mean(money[1:]) if len(gaps) else np.nan,
        "returns": float(returned), "return_share": returned / (returned + len(past)),
        "return_amount_share": 0.1 * returned,
    }  # fmt: skip
    for w in WINDOWS:
        row[f"purchase_days_{w}d"] = float(sum(at - d <= w for d in past))
        row[f"spend_{w}d"] = float(sum(m for d, m in zip(past, money, strict=True) if at - d <= w))
    ages = np.array([float(at - d) for d in past])
    row |= {f"days_since_last_{n}_purchases": ages[-n] if n <= len(past) else np.nan for n in (2, 3, 5, 10)}
    row |= {f"purchase_days_decayed_{w}d": np.exp(-ages / w).sum() for w in (7, 30, 90, 365)}
    row |= {f"spend_decayed_{w}d": (np.exp(-ages / w) * money).sum() for w in (30, 180)}
    if len(gaps):
        row |= {
            "gap_mean": gaps.mean(), "gap_median": np.median(gaps), "gap_max": gaps.max(), "gap_last": gaps[-1],
            "gap_log_mean": np.log(gaps).mean(), "gap_log_sd": np.log(gaps).std(),
            "silence_over_gap_mean": silence / gaps.mean(),
            "silence_over_gap_median": silence / np.median(gaps), "silence_over_gap_max": silence / gaps.max(),
        }  # fmt: skip
    if len(gaps) > 1:
        row |= {"gap_sd": gaps.std(ddof=1), "gap_trend": gaps[-1] / gaps[:-1].mean(), "regularity_k": 1.0}
    ages = {"visit": [at - d for d in visits if d < at], "service": [at - d for d in calls if d < at]}
    row["visit_days_30d"], row["visit_days_90d"] = (
        float(sum(a <= w for a in ages["visit"])) for w in (30, 90)
    )
    row["days_since_visit"] = min(ages["visit"], default=np.nan)
    row["days_since_service_contact"] = min(ages["service"], default=np.nan)
    row["service_contacts_90d"] = float(sum(a <= 90 for a in ages["service"]))
    row["visit_trend"] = (
        3 * row["visit_days_30d"] / row["visit_days_90d"] if row["visit_days_90d"] else np.nan
    )
    for channel in CHANNELS:
        sent = [at - d for d in sends[channel] if d < at]
        click = [at - d for d in clicks[channel] if d < at]
        last = min(click, default=np.inf)
        row |= {
            f"{channel}_ignored_in_a_row": float(sum(a < last for a in sent)),
            f"{channel}_days_since_send": min(sent, default=np.nan),
            f"{channel}_days_since_click": min(click, default=np.nan),
            f"{channel}_clicks_30d": float(sum(a <= 30 for a in click)),
            f"{channel}_clicks_90d": float(sum(a <= 90 for a in click)),
        }
    clicked = [at - d for c in CHANNELS for d in clicks[c] if d < at]
    active = {at - d for d in past} | set(ages["visit"]) | set(ages["service"]) | set(clicked)
    month, quarter = (float(sum(a <= w for a in active)) for w in (30, 90))
    row |= {"active_days_30d": month, "active_days_90d": quarter, "days_since_activity": float(min(active))}
    row["activity_trend"] = 3 * month / quarter if quarter else np.nan
    return row


def contacts(n=400, at=500, seed=7):
    """Contacts whose every fact pulls at the chance of buying again; (features, bought within the horizon)."""
    rng = np.random.default_rng(seed)
    rows, bought, lives = [], [], []
    for _ in range(n):
        pace, lost = rng.gamma(2.0, 12.0) + 2, rng.random() < 0.5
        days = np.unique((rng.integers(0, 450) + np.cumsum(rng.exponential(pace, 60))).astype(int))
        days = days[days < at]
        if not len(days):
            days = np.array([at - 20])
        days = days[: rng.integers(1, len(days) + 1)] if lost else days
        spend = list(
            rng.gamma(4.0, 10.0, len(days))
            * np.where(np.arange(len(days)) == len(days) - 1, rng.choice([0.3, 1.0]), 1)
        )
        visits = (
            sorted(set(at - rng.integers(1, 150, 6)))
            if not lost
            else sorted(set(at - rng.integers(20, 150, 4)))
        )
        calls = [at - int(rng.integers(1, 120))] if rng.random() < 0.3 else []
        sends = {c: sorted(at - rng.integers(1, 120, 8)) for c in CHANNELS}
        clicks = {
            c: [] if lost or rng.random() < 0.4 else [sends[c][-int(rng.integers(1, 6))]] for c in CHANNELS
        }
        returned = int(rng.poisson(0.4))
        lives.append((days.tolist(), spend, visits, calls, sends, clicks, returned))
        rows.append(features_of(*lives[-1], at))
        odds = (
            1.0
            - 2.0 * lost
            - 0.6 * bool(calls)
            - 0.5 * returned
            - 0.8 * (rows[-1]["days_since_purchase"] > 2 * pace)
        )
        bought.append(rng.random() < 1 / (1 + np.exp(-odds)))
    frame = pd.DataFrame(rows)
    frame.insert(0, "contact_id", [f"c{i:03}" for i in range(n)])
    return frame, np.array(bought), lives


class Classifier:
    """A model of its own kind: boosted trees over every numeric feature, without a memory of rhythm."""

    def __init__(self, features, bought):
        self.names = [n for n in numeric_features() if features[n].nunique() > 1]
        self.trees = HistGradientBoostingClassifier(max_iter=60, random_state=0, min_samples_leaf=10)
        self.trees.fit(features[self.names], bought)
        self.asked = 0

    def curve(self, features, days):
        self.asked += len(features)
        return self.trees.predict_proba(features[self.names])[:, [1]].repeat(len(days), axis=1)
