"""Are today's contacts still those that the model learned from? Population stability of features and score, and calibration.

References
----------
Yurdakul & Naranjo (2020), "Statistical properties of the population stability index", Journal of Risk Model Validation 14(4):
without drift PSI is about ``(1 / n + 1 / m)`` times a chi-square of ``bins - 1`` degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from winback_models.btyd import Array
from winback_models.design import CALENDAR, ELSEWHERE

BINS = 10
PSI_LIMIT = 0.25
"""The usual rule: above this the population has shifted."""

SCORE_DIGITS = 6
"""Of a probability: where everybody buys daily, the distance from 1 shrinks with each day, and nothing has drifted."""

BIAS_LIMIT = 0.03
LEVEL = 0.001
"""Chance that noise alone is called drift, per row."""

COLUMNS = ("name", "kind", "before", "now", "psi", "drifted")
NAMED = 3


def psi(before: Array, now: Array, bins: int = BINS) -> float:
    """Return the population stability index over quantile bins of ``before``; unknown values are a bin of their own.

    Parameters
    ----------
    before, now : ndarray, shapes (n,), (m,)
        Values of one feature; nan where unknown.
    bins : int

    Returns
    -------
    float
        0 where the shares are the same; nan where one side is empty. Half a contact is added to each bin, so that an empty
        one costs no infinity.

    Examples
    --------
    >>> values = np.arange(1000.0)
    >>> psi(values, values)
    0.0
    >>> round(psi(values, values + 500.0), 2)
    3.53
    """
    expected, actual = _counts(before, now, bins)
    n, m = expected.sum(), actual.sum()
    if n == 0 or m == 0:
        return math.nan
    p, q = (expected + 0.5) / (n + 0.5 * len(expected)), (actual + 0.5) / (m + 0.5 * len(actual))
    return float(((q - p) * np.log(q / p)).sum())


def _counts(before: Array, now: Array, bins: int) -> tuple[Array, Array]:
    """Return how many fall in each bin that either side knows."""
    known = before[np.isfinite(before)]
    inner = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else np.zeros(0)

    def count(values: Array) -> Array:
        seen = values[np.isfinite(values)]
        places = np.searchsorted(inner, seen, side="left")
        return np.append(np.bincount(places, minlength=len(inner) + 1), len(values) - len(seen)).astype(float)

    expected, actual = count(before), count(now)
    used = (expected > 0) | (actual > 0)
    return expected[used], actual[used]


def noise_level(n: int, m: int, bins: int = BINS, level: float = LEVEL) -> float:
    """Return the PSI that samples of ``n`` and ``m`` from one population stay below with probability 1 - ``level``.

    >>> round(noise_level(50, 50), 2), round(noise_level(10_000, 10_000), 4)
    (1.18, 0.0059)
    """
    if n == 0 or m == 0:
        return math.inf
    return float((1.0 / n + 1.0 / m) * chi2.isf(level, bins))


def drift_table(before: pd.DataFrame, now: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the drift of each feature between two days.

    Parameters
    ----------
    before, now : DataFrame
        The training rows, and today's.
    names : sequence of str
        Numeric columns; those of the calendar and the age of the base are left out: they differ between any two days, and no
        classifier reads them.

    Returns
    -------
    DataFrame
        ``name, kind`` ("feature"), ``before, now`` (means of what is known), ``psi, drifted``; the most drifted first.
    """
    rows = [
        _row(name, "feature", _values(before, name), _values(now, name))
        for name in names
        if name not in (*CALENDAR, *ELSEWHERE)
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["psi", "name"], ascending=[False, True], ignore_index=True)


def score_drift(before: Array, now: Array) -> pd.DataFrame:
    """Return the same for the score itself, to the digits that matter: one row of kind "score"."""
    row = _row("p_purchase", "score", *(np.round(p, SCORE_DIGITS) for p in (before, now)))
    return pd.DataFrame([row], columns=list(COLUMNS))


def calibration_drift(y: Array, p: Array) -> pd.DataFrame:
    """Return what was expected on the newest window that has closed against what came: one row of kind "calibration".

    Parameters
    ----------
    y, p : ndarray, shape (n,)
        Outcomes, and what the model of that day had said.

    Returns
    -------
    DataFrame
        ``before`` is the mean prediction, ``now`` the share that bought, ``psi`` nan; drifted where they differ by more than
        ``BIAS_LIMIT`` and beyond noise.
    """
    said, came = float(p.mean()), float(y.mean())
    error = math.sqrt(float((p * (1.0 - p)).mean()) / len(p))
    drifted = abs(said - came) > max(BIAS_LIMIT, float(norm.isf(LEVEL / 2.0)) * error)
    return pd.DataFrame([("p_purchase", "calibration", said, came, math.nan, drifted)], columns=list(COLUMNS))


def drift_notices(table: pd.DataFrame) -> tuple[str, ...]:
    """Say in sentences what has drifted; nothing where nothing has."""
    said = []
    drifted = table[table["drifted"].astype(bool)]
    features = drifted[drifted["kind"] == "feature"]
    if len(features):
        shown = ", ".join(
            f"{row.name} ({row.psi:.2f})" for row in features.head(NAMED).itertuples(index=False)
        )
        of = int((table["kind"] == "feature").sum())
        said.append(
            f"{len(features)} of {of} features {'has' if len(features) == 1 else 'have'} drifted since the newest label time "
            f"(PSI above {PSI_LIMIT}): {shown}"
            f"{' and others' if len(features) > NAMED else ''}."
        )
    words = {
        "score": "The score has drifted: mean {before:.1%} at the newest label time, {now:.1%} today.",
        "calibration": "Calibration has drifted: in the newest window that has closed {before:.1%} were expected to buy, "
        "{now:.1%} did.",
    }
    rest = drifted[drifted["kind"] != "feature"].itertuples(index=False)
    return (*said, *(words[str(row.kind)].format(before=row.before, now=row.now) for row in rest))


def _row(name: str, kind: str, before: Array, now: Array) -> tuple[str, str, float, float, float, bool]:
    found = psi(before, now)
    return (
        name,
        kind,
        _mean(before),
        _mean(now),
        found,
        found > max(PSI_LIMIT, noise_level(len(before), len(now))),
    )


def _values(features: pd.DataFrame, name: str) -> Array:
    return np.asarray(features[name].to_numpy(np.float64, na_value=np.nan))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
