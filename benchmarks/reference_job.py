"""The daily job as one would write it in a notebook: pandas for the features, lifetimes and scikit-learn for the score.

It reads the same files as ``winback score``, builds the usual features of purchases and engagement, fits BG/NBD and a boosted
classifier on a sample as of one horizon earlier, scores everybody and writes a list. No checks of the input, no netting of
cancellations, no states, no reasons. Vectorised throughout: no row is looked at by Python.

    python benchmarks/reference_job.py FOLDER --as-of 2025-12-31 --out scores.parquet
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter
from sklearn.ensemble import HistGradientBoostingClassifier

HORIZON, LIST, SAMPLE = 60, 500, 30_000
WINDOWS = (7, 14, 30, 60, 90, 180, 365)
SPEND_WINDOWS = (30, 90, 180, 365)
SENDS = {"email": "email_sent", "sms": "sms_sent", "push": "push_sent", "direct_mail": "direct_mail_sent"}
CLICKS = {"email": "email_click", "sms": "sms_click", "push": "push_open", "direct_mail": "coupon_redeemed"}
VISITS = ("site_visit", "app_visit", "product_view")
CARTS = ("cart_add", "checkout_start")


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Read orders, events and contacts; contacts as numbers, other texts that repeat as categories."""
    orders = pd.read_parquet(
        folder / "orders.parquet",
        columns=["contact_id", "ordered_at", "amount", "category", "discount", "coupon", "is_gift"],
    )
    events = pd.read_parquet(
        folder / "events.parquet", columns=["contact_id", "occurred_at", "kind", "value", "machine"]
    )
    contacts = pd.read_parquet(
        folder / "contacts.parquet", columns=["contact_id", "created_at", "acquisition_source"]
    )
    ids = pd.Index(contacts["contact_id"])
    for table in (orders, events, contacts):
        table["contact_id"] = ids.get_indexer(table["contact_id"]).astype(np.int32)
    orders["category"] = orders["category"].astype("category")
    events["kind"] = events["kind"].astype("category")
    return orders, events, contacts


def purchase_features(orders: pd.DataFrame, cut: pd.Timestamp) -> pd.DataFrame:
    """Recency, frequency, money, gaps and counts in windows."""
    past = orders[orders["ordered_at"] < cut]
    by = past.groupby("contact_id")
    out = pd.DataFrame({"returns": (past["amount"] < 0).groupby(past["contact_id"]).sum()})
    for name in ("coupon", "is_gift"):
        out[f"{name}_share"] = by[name].mean()
    out["category_breadth"] = by["category"].nunique()
    bought = past[~(past["amount"] <= 0)]
    days = (
        bought.assign(day=bought["ordered_at"].dt.normalize())
        .groupby(["contact_id", "day"])["amount"]
        .agg(["sum", "size"])
        .reset_index()
    )
    days["age"] = (cut - days["day"]).dt.days
    days["gap"] = days.groupby("contact_id")["age"].diff().mul(-1)
    days["log_gap"] = np.log(days["gap"])
    by_day = days.groupby("contact_id")
    age, gap, log_gap, spend = by_day["age"], by_day["gap"], by_day["log_gap"], by_day["sum"]
    out = out.join(
        pd.DataFrame(
            {
                "purchase_days": age.size(),
                "T_days": age.max(),
                "days_since_purchase": age.min(),
                "orders": by_day["size"].sum(),
                "gap_mean": gap.mean(),
                "gap_median": gap.median(),
                "gap_sd": gap.std(),
                "gap_max": gap.max(),
                "gap_last": gap.last(),
                "gap_log_mean": log_gap.mean(),
                "gap_log_sd": log_gap.std(ddof=0),
                "spend_total": spend.sum(),
                "order_value_mean": spend.mean(),
                "order_value_last": spend.last(),
            }
        ),
        how="outer",
    )
    for window in WINDOWS:
        recent = days[days["age"] <= window]
        out[f"purchase_days_{window}d"] = recent.groupby("contact_id").size()
    for window in SPEND_WINDOWS:
        recent = days[days["age"] <= window]
        out[f"spend_{window}d"] = recent.groupby("contact_id")["sum"].sum()
    for span in (7, 30, 90, 365):
        days["faded"] = np.exp(-days["age"] / span)
        out[f"purchase_days_decayed_{span}d"] = days.groupby("contact_id")["faded"].sum()
    out["silence_over_gap_mean"] = out["days_since_purchase"] / out["gap_mean"]
    out["silence_over_gap_max"] = out["days_since_purchase"] / out["gap_max"]
    return out


def engagement_features(events: pd.DataFrame, cut: pd.Timestamp) -> pd.DataFrame:
    """Sends, clicks, visits, carts and service contacts: in windows, and days since the last."""
    past = events[events["occurred_at"] < cut]
    past = past.assign(age=(cut - past["occurred_at"].dt.normalize()).dt.days)
    machine = past["machine"].fillna(False).astype(bool)
    parts: dict[str, pd.Series] = {}

    def measure(name: str, rows: pd.DataFrame, windows: tuple[int, ...]) -> None:
        for window in windows:
            recent = rows[rows["age"] <= window]
            parts[f"{name}_{window}d"] = recent.groupby("contact_id").size()
        parts[f"days_since_{name}"] = rows.groupby("contact_id")["age"].min()

    for channel in SENDS:
        measure(f"{channel}_sends", past[past["kind"] == SENDS[channel]], (30, 90))
        measure(f"{channel}_clicks", past[(past["kind"] == CLICKS[channel]) & ~machine], (30, 90))
    measure("opens", past[(past["kind"] == "email_open") & ~machine], (90,))
    measure("visits", past[past["kind"].isin(VISITS)], (30, 90))
    measure("carts", past[past["kind"].isin(CARTS)], (30,))
    measure("service", past[past["kind"] == "service_contact"], (90,))
    measure("incentives", past[past["kind"] == "incentive_sent"], (180,))
    clicked = past[(past["kind"] == "email_click") & ~machine].groupby("contact_id")["occurred_at"].max()
    sent = past.loc[past["kind"] == "email_sent", ["contact_id", "occurred_at"]]
    last = sent["contact_id"].map(clicked).astype("datetime64[us]")
    ignored = sent[last.isna() | (sent["occurred_at"] > last)]
    parts["email_ignored_in_a_row"] = ignored.groupby("contact_id").size()
    points = past[past["kind"] == "loyalty_points"].sort_values("occurred_at")
    parts["loyalty_balance"] = points.groupby("contact_id")["value"].last()
    return pd.DataFrame(parts)


def features(
    orders: pd.DataFrame, events: pd.DataFrame, contacts: pd.DataFrame, cut: pd.Timestamp
) -> pd.DataFrame:
    """Join the parts for every contact known before the cut."""
    known = contacts[contacts["created_at"] < cut].set_index("contact_id")
    out = known[["acquisition_source"]].assign(tenure_days=(cut - known["created_at"].dt.normalize()).dt.days)
    out = out.join(purchase_features(orders, cut)).join(engagement_features(events, cut))
    counts = [c for c in out.columns if c.endswith("d") and not c.startswith(("gap", "order"))]
    out[counts] = out[counts].fillna(0.0)
    return out


def main() -> None:
    """Do the job and print what each step took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as-of", type=pd.Timestamp, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--features-only", action="store_true", help="stop after the features")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    seconds: dict[str, float] = {}
    begun = time.perf_counter()

    def done(step: str) -> None:
        nonlocal begun
        now = time.perf_counter()
        seconds[step] = round(now - begun, 2)
        begun = now

    orders, events, contacts = read(args.folder)
    done("read")
    today = features(orders, events, contacts, args.as_of)
    done("features")
    if not args.features_only:
        scores = _score(today, orders, events, contacts, args.as_of, done)
        if args.out:
            scores.reset_index().to_parquet(args.out)
            scores.nlargest(LIST, "value_at_risk").to_csv(args.out.with_suffix(".csv"))
        done("write")
    print(json.dumps({"contacts": len(today), "columns": today.shape[1], "seconds": seconds}))


def _score(
    today: pd.DataFrame,
    orders: pd.DataFrame,
    events: pd.DataFrame,
    contacts: pd.DataFrame,
    as_of: pd.Timestamp,
    done: Callable[[str], None],
) -> pd.DataFrame:
    """Fit on a sample one horizon ago (a step of its own: the daily job of winback does not train), and score today."""
    cut = as_of - pd.Timedelta(days=HORIZON)
    some = contacts.sample(min(SAMPLE, len(contacts)), random_state=0)["contact_id"]
    few = [t[t["contact_id"].isin(some)] for t in (orders, events, contacts)]
    before = features(*few, cut)
    before = before[before["purchase_days"] > 0]
    later = few[0][(few[0]["ordered_at"] >= cut) & ~(few[0]["amount"] <= 0)]
    columns = [c for c in before.columns if c != "acquisition_source" and before[c].notna().any()]
    trees = HistGradientBoostingClassifier(random_state=0)
    trees.fit(before[columns].to_numpy(float), before.index.isin(later["contact_id"]))
    btyd = BetaGeoFitter(penalizer_coef=0.001)
    btyd.fit(before["purchase_days"] - 1, before["T_days"] - before["days_since_purchase"], before["T_days"])
    done("fit")
    buyers = today[today["purchase_days"] > 0]
    x, age = buyers["purchase_days"] - 1, buyers["T_days"]
    recency = age - buyers["days_since_purchase"]
    p = trees.predict_proba(buyers[columns].to_numpy(float))[:, 1]
    expected = btyd.conditional_expected_number_of_purchases_up_to_time(365, x, recency, age)
    scores = pd.DataFrame(
        {
            "p_purchase": p,
            "p_alive": btyd.conditional_probability_alive(x, recency, age),
            "expected_purchases": expected,
            "value_at_risk": (1.0 - p) * np.asarray(expected) * buyers["order_value_mean"],
        },
        index=buyers.index,
    )
    done("score")
    return scores


if __name__ == "__main__":
    main()
