"""Forward tests: at past days the whole training is repeated with what was known then, and judged on what came after."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from winback_models.btyd import Array
from winback_models.label_time import LabelTime
from winback_models.lapse_model import LapseModel
from winback_training.forward_test import (
    ACTIVE,
    BUYERS,
    DIFFERENCE_COLUMNS,
    HELD_OUT,
    OURS,
    ForwardTest,
    Mask,
    compare,
    forward_test,
)
from winback_training.metrics import calibration_table, lift_table
from winback_training.money import METRICS as MONEY_METRICS
from winback_training.money import TABLE as MONEY_TABLE
from winback_training.money import expected_spend, money_by_population, money_table, spend_of
from winback_training.timing import d_calibration

__all__ = ["METRICS", "OURS", "Evaluation", "ForwardTest", "evaluate"]

METRICS = (
    "n", "prevalence", "auc", "pr_auc_churn", "brier", "brier_skill", "log_loss", "ece", "lift_10", "bias", "empc",
    "empc_target", "ibs", "concordance", "coverage_80", "d_calibration_p",
)  # fmt: skip
CALIBRATION = ("model", "bin", "n", "predicted", "observed")
LIFT = ("model", "share", "captured", "lift")
TIMING = ("model", "bin", "low", "high", "n", "share")
MONEY = ("origin", "population", *MONEY_METRICS)


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
        ``repeat``, ``lapsed`` (the other buyers), and ``never_bought`` where there are any. ``held_out``: those of the active
        base whom nobody writes to, in tests on whose outcome messages of win-back could tell.
    calibration : DataFrame
        ``model, bin, n, predicted, observed`` on the active base of the newest test.
    lift : DataFrame
        ``model, share, captured, lift`` on the active base of the newest test.
    timing : DataFrame
        ``model, bin, low, high, n, share``: D-calibration on the active base of the newest test.
    differences : DataFrame
        ``origin, population, baseline, metric, difference, low, high``: our loss minus each baseline's on the active base, and
        among the held out where there are any, with a 95 % interval (see ``compare``).
    money : DataFrame
        ``origin, population`` and what ``winback_training.money.money_metrics`` gives: money expected within the horizon
        against money spent, in the brand's currency; empty where nobody gave what was spent.
    money_tenths : DataFrame
        ``bin, n, expected, actual, ratio`` over tenths of every buyer by expected money, at the newest test.
    tests : tuple of ForwardTest
        What each model said of each contact, newest first; in memory only.
    statuses : tuple of str
        How the model of each test came about, newest first: a later one, with more to learn from, may be another kind.
    """

    origins: tuple[date, ...]
    horizon_days: int
    metrics: pd.DataFrame
    calibration: pd.DataFrame
    lift: pd.DataFrame
    timing: pd.DataFrame = field(default_factory=lambda: _table([], TIMING))
    differences: pd.DataFrame = field(default_factory=lambda: _table([], DIFFERENCE_COLUMNS))
    money: pd.DataFrame = field(default_factory=lambda: _table([], MONEY))
    money_tenths: pd.DataFrame = field(default_factory=lambda: _table([], MONEY_TABLE))
    tests: tuple[ForwardTest, ...] = field(default=(), repr=False)
    statuses: tuple[str, ...] = ()

    def value(self, model: str, metric: str, population: str = "active", origin: str = "mean") -> float:
        """Return one number: the mean over the tests, or the ``newest`` test's alone; nan when there is none."""
        rows = self.metrics
        rows = rows[(rows["model"] == model) & (rows["population"] == population)]
        if origin == "newest" and self.origins:
            rows = rows[rows["origin"] == self.origins[0]]
        return float(rows[metric].mean()) if len(rows) else float("nan")

    def summary(self) -> dict[str, Any]:
        """Return the numbers as JSON-ready nested objects; nan becomes None.

        ``populations``: population, model, metric and its mean over the tests. ``differences`` and ``money``: a list, one for
        each row.
        """
        out: dict[str, Any] = {}
        for (population, model), rows in self.metrics.groupby(["population", "model"]):
            means = {m: float(rows[m].mean()) for m in METRICS}
            out.setdefault(str(population), {})[str(model)] = {k: _known(v) for k, v in means.items()}
        return {
            "origins": [o.isoformat() for o in self.origins],
            "horizon_days": self.horizon_days,
            "populations": out,
            "differences": _rows(self.differences),
            "money": _rows(self.money),
        }


def evaluate(
    origins: Sequence[date],
    horizon_days: int,
    label_time: Callable[[date], LabelTime],
    closed: Callable[[date], Sequence[LabelTime]],
    fit: Callable[[LabelTime], LapseModel],
    numeric_features: Sequence[str],
    seed: int = 0,
    spend: Callable[[date], pd.DataFrame] | None = None,
    held_out: Callable[[LabelTime], Mask | None] = lambda _: None,
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
    spend : callable, optional
        Gives ``contact_id`` and ``spend`` of those who bought within the horizon from a day on (see
        ``winback_training.money.spend_within``); money is judged where it is given.
    held_out : callable, optional
        Gives which buyers of a label time nobody writes to, or None (see ``winback_training.held_out``).
    """
    tests, spent, statuses = [], [], []
    for origin in origins:
        today = label_time(origin)
        model = fit(today)
        statuses.append(str(model.info.get("status", "")))
        tests.append(
            forward_test(today, closed(origin), model, horizon_days, numeric_features, seed, held_out(today))
        )
        if spend is not None:
            spent.append(_spent(today, model, horizon_days, spend(origin)))
    rows = [
        {"origin": test.origin, "population": population, "model": model, **test.metrics(model, population)}
        for test in tests
        for model in test.curves
        for population in test.populations
        if test.speaks_of(model, population)
    ]
    judged = [ACTIVE, *([HELD_OUT] if any(test.has(HELD_OUT) for test in tests) else [])]
    calibration, lift, timing = _newest_tables(tests[0]) if tests else ([], [], [])
    return Evaluation(
        tuple(origins),
        horizon_days,
        pd.DataFrame(rows, columns=["origin", "population", "model", *METRICS]),
        _table(calibration, CALIBRATION),
        _table(lift, LIFT),
        _table(timing, TIMING),
        _table([gaps for p in judged if len(gaps := compare(tests, p, seed))], DIFFERENCE_COLUMNS),
        _table([_money(test, both, seed) for test, both in zip(tests, spent, strict=False)], MONEY),
        _table([_tenths(tests[0], both) for both in spent[:1]], MONEY_TABLE),
        tuple(tests),
        tuple(statuses),
    )


def _spent(
    today: LabelTime, model: LapseModel, horizon_days: int, spent: pd.DataFrame
) -> tuple[Array, Array]:
    """Return expected and actual money of each contact of a forward test, in its order."""
    parts = [part for part in (today.features, today.never) if len(part)]
    expected = [expected_spend(model, part, today.as_of, horizon_days) for part in parts]
    actual = [spend_of(part["contact_id"], spent) for part in parts]
    return np.concatenate([*expected, np.zeros(0)]), np.concatenate([*actual, np.zeros(0)])


def _money(test: ForwardTest, spent: tuple[Array, Array], seed: int) -> pd.DataFrame:
    return money_by_population(*spent, test.populations, seed).assign(origin=test.origin)


def _tenths(test: ForwardTest, spent: tuple[Array, Array]) -> pd.DataFrame:
    buyers = test.populations[BUYERS]
    return money_table(spent[0][buyers], spent[1][buyers])


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows in JSON's terms."""
    return [
        {str(k): _known(v) if isinstance(v, float) else str(v) for k, v in row.items()}
        for row in table.to_dict("records")
    ]


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
