"""How good a probability is: discrimination, calibration, lift, profit. Pure functions of truth and prediction.

Throughout ``y`` is 1.0 where the contact bought within the horizon, ``p`` the predicted probability of it, both of shape (n,).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from winback_models.btyd import Array
from winback_training.profit import expected_maximum_profit

BINS = 10


def score_metrics(y: Array, p: Array, *, probability: bool = True) -> dict[str, float]:
    """Return every metric of one model on one population.

    Parameters
    ----------
    probability : bool
        False for a mere ranking: only what depends on the order is given, the rest is nan.

    Returns
    -------
    dict
        ``n, prevalence, auc, pr_auc_churn, lift_10, empc, empc_target, brier, brier_skill, log_loss, ece, bias``; ``empc`` is
        the expected maximum profit per contact, ``empc_target`` the share of the base to target for it.

    Examples
    --------
    >>> score_metrics(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))["auc"]
    0.75
    """
    n, prevalence = len(y), float(y.mean()) if len(y) else float("nan")
    out = {"n": float(n), "prevalence": prevalence}
    mixed = n > 0 and 0.0 < prevalence < 1.0
    out["auc"] = float(roc_auc_score(y, p)) if mixed else float("nan")
    out["pr_auc_churn"] = float(average_precision_score(1.0 - y, -p)) if mixed else float("nan")
    out["lift_10"] = top_lift(y, p, 0.1) if mixed else float("nan")
    out["empc"], out["empc_target"] = expected_maximum_profit(y, p)
    names = ("brier", "brier_skill", "log_loss", "ece", "bias")
    if not probability or n == 0:
        return {**out, **dict.fromkeys(names, float("nan"))}
    brier = float(np.mean((p - y) ** 2))
    plain = prevalence * (1.0 - prevalence)
    clipped = np.clip(p, 1e-6, 1.0 - 1e-6)
    return {
        **out,
        "brier": brier,
        "brier_skill": 1.0 - brier / plain if plain > 0 else float("nan"),
        "log_loss": float(-np.mean(y * np.log(clipped) + (1.0 - y) * np.log1p(-clipped))),
        "ece": expected_calibration_error(y, p),
        "bias": float(np.mean(p) - prevalence),
    }


def top_lift(y: Array, p: Array, share: float) -> float:
    """Return how many times more lapsers are among the ``share`` most at risk than in the base; ties share their mean."""
    lapsed = 1.0 - y
    risk = pd.Series(-p).rank(method="average").to_numpy()
    smoothed = pd.Series(lapsed).groupby(risk).transform("mean").to_numpy()
    top = np.argsort(-risk, kind="stable")[: max(1, round(share * len(y)))]
    return float(smoothed[top].mean() / lapsed.mean())


def calibration_table(y: Array, p: Array, bins: int = BINS) -> pd.DataFrame:
    """Return ``bin, n, predicted, observed`` over bins of equal size, lowest probabilities first."""
    order = np.argsort(p, kind="stable")
    groups = [g for g in np.array_split(order, bins) if len(g)]
    rows = [(i + 1, len(g), float(p[g].mean()), float(y[g].mean())) for i, g in enumerate(groups)]
    return pd.DataFrame(rows, columns=["bin", "n", "predicted", "observed"])


def expected_calibration_error(y: Array, p: Array, bins: int = BINS) -> float:
    """Return the mean distance between predicted and observed over bins of equal size."""
    table = calibration_table(y, p, bins)
    return float((table["n"] * (table["predicted"] - table["observed"]).abs()).sum() / table["n"].sum())


def lift_table(y: Array, p: Array, steps: int = 20) -> pd.DataFrame:
    """Return ``share, captured, lift``: of the ``share`` most at risk, which part of all lapsers is among them."""
    lapsed = 1.0 - y
    tied = pd.Series(lapsed).groupby(p).transform("mean").to_numpy()
    found = np.concatenate([[0.0], np.cumsum(tied[np.argsort(p, kind="stable")])]) / max(lapsed.sum(), 1.0)
    shares = np.arange(1, steps + 1) / steps
    captured = np.interp(shares * len(y), np.arange(len(y) + 1), found)
    return pd.DataFrame({"share": shares, "captured": captured, "lift": captured / shares})
