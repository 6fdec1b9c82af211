"""What is looked at once a model is trained and tested: leaks, the champion, how models age, and what has drifted since."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pandas as pd

from winback_features.tables import Tables
from winback_models.btyd import Array
from winback_models.history import ACTIVE_HORIZONS
from winback_models.label_time import LabelTime
from winback_models.lapse_model import LapseModel
from winback_training import decay, drift
from winback_training.champion import ChampionReport, compare_champion
from winback_training.dataset import bought_within
from winback_training.evaluate import Evaluation
from winback_training.forward_test import ACTIVE, HELD_OUT, OURS
from winback_training.leakage import LeakageReport, check_leakage


@dataclass(frozen=True)
class Checks:
    """What the checks found.

    Attributes
    ----------
    leakage : LeakageReport
    champion : ChampionReport
        On the active base.
    champion_held_out : ChampionReport or None
        Among the held out; None where there are none in the forward tests.
    decay : DataFrame
        See ``decay.decay_table``.
    drift : DataFrame
        See ``drift.drift_table``; after the features come the score and its calibration.
    """

    leakage: LeakageReport = field(default_factory=LeakageReport)
    champion: ChampionReport = field(default_factory=ChampionReport)
    decay: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(decay.COLUMNS)))
    drift: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(drift.COLUMNS)))
    champion_held_out: ChampionReport | None = None

    def with_unread_champion(self) -> Checks:
        """Return the same, told that there is a champion which could not be read."""
        unread = ChampionReport(note="The champion could not be read, and was not compared.")
        held_out = None if self.champion_held_out is None else unread
        return replace(self, champion=unread, champion_held_out=held_out)

    def as_dict(self) -> dict[str, Any]:
        """Return what the gate reads, JSON-ready."""
        found = {"leakage": self.leakage.as_dict(), "champion": self.champion.as_dict()}
        if self.champion_held_out is not None:
            found["champion_held_out"] = self.champion_held_out.as_dict()
        return found


def run_checks(
    tables: Tables,
    label_time: Callable[[date], LabelTime],
    as_of: date,
    closed: Sequence[date],
    model: LapseModel,
    evaluation: Evaluation,
    models: Mapping[date, LapseModel],
    numeric_features: Sequence[str],
    champion: LapseModel | None = None,
    seed: int = 0,
) -> Checks:
    """Make every check.

    Parameters
    ----------
    tables : Tables
    label_time : callable
        Gives the label time of a day.
    as_of : date
        The day trained for.
    closed : sequence of date
        Label times whose windows have closed, newest first.
    model : LapseModel
        The one trained for ``as_of``.
    evaluation : Evaluation
    models : mapping of date to LapseModel
        Those of the forward tests.
    numeric_features : sequence of str
    champion : LapseModel, optional
    seed : int
    """
    horizon = model.horizon_days
    versus = compare_champion(champion, evaluation.tests, label_time, horizon, seed)
    among_held_out = None
    if any(test.has(HELD_OUT) for test in evaluation.tests):
        among_held_out = compare_champion(champion, evaluation.tests, label_time, horizon, seed, HELD_OUT)
    if not closed:
        note = "Not checked for leaks: no label window has closed yet."
        return Checks(LeakageReport(note=note), versus, champion_held_out=among_held_out)
    then, bought = _active(label_time(closed[0]), horizon)
    now, _ = _active(label_time(as_of), horizon)
    read = [name for name in numeric_features if name in model.feature_names]
    parts = [drift.drift_table(then, now, read), drift.score_drift(_score(model, then), _score(model, now))]
    newest = evaluation.tests[0] if evaluation.tests else None
    if newest is not None and newest.populations[ACTIVE].any():
        parts.append(drift.calibration_drift(newest.bought(ACTIVE), newest.score(OURS, ACTIVE)))
    return Checks(
        check_leakage(tables, closed[0], then, bought, numeric_features, _best_auc(evaluation, closed[0])),
        versus,
        decay.decay_table(evaluation.tests, models.__getitem__, label_time),
        pd.concat(parts, ignore_index=True),
        among_held_out,
    )


def _active(time: LabelTime, horizon_days: int) -> tuple[pd.DataFrame, Array]:
    """Return the features of the active base, and whether each bought within the horizon."""
    active = time.features["days_since_purchase"].to_numpy() <= ACTIVE_HORIZONS * horizon_days
    return time.features[active], bought_within(time.waits, horizon_days)[active]


def _score(model: LapseModel, features: pd.DataFrame) -> Array:
    return model.curve(features, [model.horizon_days])[:, 0]


def _best_auc(evaluation: Evaluation, day: date) -> float:
    """Return the best AUC of any model in the forward test of that day; nan where there is none."""
    rows = evaluation.metrics
    rows = rows[(rows["origin"] == day) & (rows["population"] == ACTIVE)]
    return float(rows["auc"].max()) if len(rows) else math.nan
