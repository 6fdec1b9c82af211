"""Forward tests: at past days the whole training is repeated with what was known then, and judged on what came after."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from winback_models.label_time import LabelTime
from winback_models.lapse_model import LapseModel
from winback_training.forward_test import (
    ACTIVE,
    DIFFERENCE_COLUMNS,
    OURS,
    ForwardTest,
    compare,
    forward_test,
)
from winback_training.metrics import calibration_table, lift_table
from winback_training.timing import d_calibration

__all__ = ["METRICS", "OURS", "Evaluation", "ForwardTest", "evaluate"]

METRICS = (
    "n", "prevalence", "auc", "pr_auc_churn", "brier", "brier_skill", "log_loss", "ece", "lift_10", "bias", "empc",
    "empc_target", "ibs", "concordance", "coverage_80", "d_calibration_p",
)  # fmt: skip
CALIBRATION = ("model", "bin", "n", "predicted", "observed")
LIFT = ("model", "share", "captured", "lift")
TIMING = ("model", "bin", "low", "high", "n", "share")


@dataclass(frozen=True)
class Evaluation:
    """What the forward tests found.

    Attributes
    ----------
    origins : tuple of date
        Days of the tests, newest first.
    horizon_days : int
    metrics : DataFrame
        ``origin, population, model`` and one column for each of ``METRICS``; nan where a model gives no such number.
        Populations: ``whole`` (every buyer), ``active`` (last purchase at most two horizons ago), of those ``one_time`` and
        ``repeat``, ``lapsed`` (the other buyers), and ``never_bought`` where there are any.
    calibration : DataFrame
        ``model, bin, n, predicted, observed`` on the active base of the newest test.
    lift : DataFrame
        ``model, share, captured, lift`` on the active base of the newest test.
    timing : DataFrame
        ``model, bin, low, high, n, share``: D-calibration on the active base of the newest test.
    differences : DataFrame
        ``origin, population, baseline, metric, difference, low, high``: our loss minus each baseline's on the active base, with
        a 95 % interval (see ``compare``).
    tests : tuple of ForwardTest
        What each model said of each contact, newest first; in memory only.
    """

    origins: tuple[date, ...]
    horizon_days: int
    metrics: pd.DataFrame
    calibration: pd.DataFrame
    lift: pd.DataFrame
    timing: pd.DataFrame = field(default_factory=lambda: _table([], TIMING))
    differences: pd.DataFrame = field(default_factory=lambda: _table([], DIFFERENCE_COLUMNS))
    tests: tuple[ForwardTest, ...] = field(default=(), repr=False)

    def value(self, model: str, metric: str, population: str = "active", origin: str = "mean") -> float:
        """Return one number: the mean over the tests, or the ``newest`` test's alone; nan when there is none."""
        rows = self.metrics
        rows = rows[(rows["model"] == model) & (rows["population"] == population)]
        if origin == "newest" and self.origins:
            rows = rows[rows["origin"] == self.origins[0]]
        return float(rows[metric].mean()) if len(rows) else float("nan")

    def summary(self) -> dict[str, Any]:
        """Return the numbers as JSON-ready nested objects; nan becomes None.

        ``populations``: population, model, metric and its mean over the tests. ``differences``: a list, one for each row.
        """
        out: dict[str, Any] = {}
        for (population, model), rows in self.metrics.groupby(["population", "model"]):
            means = {m: float(rows[m].mean()) for m in METRICS}
            out.setdefault(str(population), {})[str(model)] = {k: _known(v) for k, v in means.items()}
        return {
            "origins": [o.isoformat() for o in self.origins],
            "horizon_days": self.horizon_days,
            "populations": out,
            "differences": [
                {k: _known(v) if isinstance(v, float) else str(v) for k, v in row.items()}
                for row in self.differences.to_dict("records")
            ],
        }


def evaluate(
    origins: Sequence[date],
    horizon_days: int,
    label_time: Callable[[date], LabelTime],
    closed: Callable[[date], Sequence[LabelTime]],
    fit: Callable[[LabelTime], LapseModel],
    numeric_features: Sequence[str],
    seed: int = 0,
) -> Evaluation:
    """Repeat the training at each of ``origins`` and judge it, and the baselines, on the horizon that followed.

    Parameters
    ----------
    label_time : callable
        Gives the label time of a day.
    closed : callable
        Gives the label times whose windows had closed by a day: what the baselines learn from.
    fit : callable
        Fits a model as it could have been fitted on the day of a label time.
    """
    tests = []
    for origin in origins:
        today = label_time(origin)
        tests.append(forward_test(today, closed(origin), fit(today), horizon_days, numeric_features, seed))
    rows = [
        {"origin": test.origin, "population": population, "model": model, **test.metrics(model, population)}
        for test in tests
        for model in test.curves
        for population in test.populations
        if test.speaks_of(model, population)
    ]
    calibration, lift, timing = _newest_tables(tests[0]) if tests else ([], [], [])
    return Evaluation(
        tuple(origins),
        horizon_days,
        pd.DataFrame(rows, columns=["origin", "population", "model", *METRICS]),
        _table(calibration, CALIBRATION),
        _table(lift, LIFT),
        _table(timing, TIMING),
        compare(tests, ACTIVE, seed),
        tuple(tests),
    )


def _newest_tables(test: ForwardTest) -> tuple[list[pd.DataFrame], ...]:
    """Return the calibration, lift and timing tables of each model on the active base."""
    calibration, lift, timing = [], [], []
    for model in test.curves:
        if not test.speaks_of(model, ACTIVE):
            continue
        y, p = test.bought(ACTIVE), test.score(model, ACTIVE)
        lift.append(lift_table(y, p).assign(model=model))
        if model in test.intervals:
            calibration.append(calibration_table(y, p).assign(model=model))
            intervals = test.intervals[model][test.populations[ACTIVE]]
            timing.append(d_calibration(intervals)[0].assign(model=model))
    return calibration, lift, timing


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _table(frames: list[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    names = list(columns)
    return pd.concat(frames, ignore_index=True)[names] if frames else pd.DataFrame(columns=names)
