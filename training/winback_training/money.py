"""Is the money right? Expected revenue within the horizon against what was spent, in total, by tenth and in order.

Throughout ``expected`` is each contact's expected purchases times its expected order value, ``actual`` what it spent in
[as_of, as_of + H), without cancelled orders; returns stay in, here as there. Both of shape (n,), in the brand's currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr

from winback_features.expressions import cut
from winback_features.facts import purchase_days
from winback_features.tables import Tables
from winback_models.btyd import Array
from winback_models.config import ScoreConfig
from winback_models.lapse_model import LapseModel

BINS = 10
RESAMPLES, LEVEL = 1000, 0.95
MOST_GROUPS = 5000
"""More contacts than this are drawn in random groups: their sums vary as the contacts do, and time stays bounded."""

METRICS = ("n", "expected", "actual", "ratio", "ratio_low", "ratio_high", "misplaced", "gini", "spearman")
TABLE = ("bin", "n", "expected", "actual", "ratio")


def spend_within(tables: Tables, as_of: date, horizon_days: int) -> ibis.Table:
    """Sum what every contact spent in [``as_of``, ``as_of`` + ``horizon_days``).

    Parameters
    ----------
    tables : Tables
    as_of : date
    horizon_days : int
        Positive.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``purchase_days`` (int64) and ``spend`` (float64; null where no amount is known), only contacts that
        bought, ordered by contact. Orders are netted with the facts known at the window's end, as labels are.

    Raises
    ------
    ValueError
        When ``horizon_days`` is not positive.
    """
    if horizon_days <= 0:
        message = f"horizon_days must be positive, not {horizon_days}"
        raise ValueError(message)
    days = purchase_days(tables, as_of + timedelta(days=horizon_days))
    days = days.filter(days.day >= cut(as_of))
    spent = days.group_by("contact_id").aggregate(
        purchase_days=days.count(), spend=days.amount.sum().cast("float64")
    )
    return spent.order_by("contact_id")


def expected_spend(model: LapseModel, features: pd.DataFrame, as_of: date, horizon_days: int) -> Array:
    """Return what each contact is expected to spend within the horizon, shape (n,): purchases times value of one."""
    if features.empty:
        return np.zeros(0)
    said = model.predict(features, as_of, ScoreConfig(horizon_days=horizon_days, curve_days=()))
    return np.asarray((said["expected_purchases"] * said["expected_order_value"]).to_numpy(np.float64))


def spend_of(contact_ids: npt.ArrayLike, spent: pd.DataFrame) -> Array:
    """Return the ``spend`` of each contact, shape (n,); 0 where it did not buy or no amount is known."""
    by_contact = spent.set_index("contact_id")["spend"].astype(np.float64)
    found = by_contact.reindex(pd.Index(np.asarray(contact_ids, dtype=object)))
    return np.asarray(np.nan_to_num(found.to_numpy(np.float64)), dtype=np.float64)


def money_metrics(expected: Array, actual: Array, seed: int = 0) -> dict[str, float]:
    """Return how well one population's money was foretold.

    Returns
    -------
    dict
        ``n``; ``expected`` and ``actual`` in total; their ``ratio`` (above 1: too much was promised) with its 95 % bootstrap
        interval ``ratio_low, ratio_high``; ``misplaced``, the absolute error summed over tenths of expected value, as a share of
        the actual money; ``gini``, that of the actual money in the order of the expected, as a share of what the perfect
        order would give; ``spearman``. nan where the data cannot tell.

    Examples
    --------
    >>> found = money_metrics(np.array([1.0, 2.0, 3.0, 10.0]), np.array([0.0, 0.0, 4.0, 10.0]))
    >>> round(found["ratio"], 3), found["gini"]
    (1.143, 1.0)
    """
    promised, came = float(expected.sum()), float(actual.sum())
    out = dict.fromkeys(METRICS, float("nan")) | {
        "n": float(len(actual)),
        "expected": promised,
        "actual": came,
    }
    if came <= 0:
        return out
    table = money_table(expected, actual)
    out["ratio"] = promised / came
    out["ratio_low"], out["ratio_high"] = ratio_interval(expected, actual, seed)
    out["misplaced"] = float((table["expected"] - table["actual"]).abs().sum()) / came
    if np.ptp(expected) > 0 and np.ptp(actual) > 0:
        out["gini"] = _concentration(expected, actual) / _concentration(actual, actual)
        out["spearman"] = float(spearmanr(expected, actual).statistic)
    return out


def money_by_population(
    expected: Array, actual: Array, populations: Mapping[str, npt.NDArray[np.bool_]], seed: int = 0
) -> pd.DataFrame:
    """Return ``population`` and the columns of `money_metrics`, one row for each population that has members."""
    rows = [
        {"population": name, **money_metrics(expected[mask], actual[mask], seed)}
        for name, mask in populations.items()
        if mask.any()
    ]
    return pd.DataFrame(rows, columns=["population", *METRICS])


def money_table(expected: Array, actual: Array, bins: int = BINS) -> pd.DataFrame:
    """Return ``bin, n, expected, actual, ratio`` over bins of equal size, the least expected first; money in total."""
    groups = [g for g in np.array_split(np.argsort(expected, kind="stable"), bins) if len(g)]
    table = pd.DataFrame(
        [(i + 1, len(g), expected[g].sum(), actual[g].sum()) for i, g in enumerate(groups)],
        columns=list(TABLE[:-1]),
    )
    return table.assign(ratio=table["expected"] / table["actual"].where(table["actual"] > 0))


def ratio_interval(expected: Array, actual: Array, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of expected over actual money, contacts drawn with replacement (Poisson bootstrap)."""
    rng = np.random.default_rng(seed)
    group = rng.permutation(len(actual)) % MOST_GROUPS
    parts = np.column_stack([np.bincount(group, weights=money) for money in (expected, actual)])
    drawn = rng.poisson(1.0, (RESAMPLES, len(parts))).astype(np.float64) @ parts
    ratios = drawn[drawn[:, 1] > 0]
    low, high = np.quantile(ratios[:, 0] / ratios[:, 1], [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return float(low), float(high)


def _concentration(by: Array, money: Array) -> float:
    """Return the Gini coefficient of ``money`` in the order of ``by``; equals share their mean."""
    tied = pd.Series(money).groupby(by).transform("mean").to_numpy()
    shared = np.cumsum(tied[np.argsort(by, kind="stable")]) / money.sum()
    return float(1.0 - (2.0 * shared.sum() - 1.0) / len(money))
