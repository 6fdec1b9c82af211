"""Trains a model for one day: label times, forward tests, the final fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import pandas as pd
from threadpoolctl import threadpool_limits

from winback_features.dictionary import numeric_features
from winback_features.errors import InputError
from winback_features.facts import purchase_days
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_models.label_time import LabelTime
from winback_models.lapse_fit import fit_lapse_model
from winback_models.lapse_model import LapseModel
from winback_training.config import TrainingConfig
from winback_training.dataset import LabelTimes
from winback_training.evaluate import OURS, Evaluation, evaluate
from winback_training.label_times import closed_label_times, label_times, origins, steps_apart
from winback_training.money import spend_within


@dataclass(frozen=True)
class TrainingResult:
    """A fitted model and what its forward tests found.

    Attributes
    ----------
    model : LapseModel
    evaluation : Evaluation
    as_of : date
        The model knows nothing of this day or later.
    notices : tuple of str
        What the user should know, in sentences.
    fingerprints : mapping
        SHA-256 of each input table.
    """

    model: LapseModel
    evaluation: Evaluation
    as_of: date
    notices: tuple[str, ...]
    fingerprints: dict[str, str]


def train(
    tables: Tables,
    as_of: date,
    score: ScoreConfig,
    config: TrainingConfig,
    say: Callable[[str], None] = lambda _: None,
) -> TrainingResult:
    """Train for ``as_of`` and test forward on the horizons before it.

    Raises
    ------
    InputError
        When nobody bought before ``as_of``.
    """
    horizon = score.horizon_days
    first_day, buyers = _first_day_and_buyers(tables, as_of)
    names = numeric_features()
    days = origins(as_of, first_day, horizon, config.origins)
    every = steps_apart(buyers)
    built = LabelTimes(tables, horizon, config.max_rows, config.test_rows, {*days, as_of}, say)

    def closed(day: date) -> Sequence[LabelTime]:
        return [built.at(t) for t in closed_label_times(day, first_day, horizon, config.cuts)]

    @cache
    def before(day: date) -> Sequence[LabelTime]:
        return [built.seen_on(day, t) for t in label_times(day, first_day, horizon, config.cuts, every)]

    def fit(today: LabelTime) -> LapseModel:
        say(f"model for {today.as_of}")
        return fit_lapse_model(today, before, horizon_days=horizon, numeric_features=names, seed=config.seed)

    def spend(day: date) -> pd.DataFrame:
        spent: pd.DataFrame = spend_within(tables, day, horizon).to_pyarrow().to_pandas()
        return spent

    with threadpool_limits(1, "blas"):  # many small problems: more threads only wait for each other
        evaluation = evaluate(days, horizon, built.at, closed, fit, names, config.seed, spend)
        model = fit(built.at(as_of))
    model = replace(model, info={**model.info, "evaluation": evaluation.summary()})
    fingerprints = {t.name: t.fingerprint for t in tables.report.tables}
    return TrainingResult(model, evaluation, as_of, tuple(_notices(model, evaluation)), fingerprints)


def _first_day_and_buyers(tables: Tables, as_of: date) -> tuple[date, int]:
    days = purchase_days(tables, as_of)
    found = days.aggregate(first=days.day.min(), buyers=days.contact_id.nunique()).to_pyarrow().to_pylist()[0]
    if found["first"] is None:
        raise InputError(
            f"Nobody bought anything before {as_of}.",
            where="orders",
            how="Train for a later day with --as-of, or check the orders with `winback check`.",
        )
    return found["first"], int(found["buyers"])


def _notices(model: LapseModel, evaluation: Evaluation) -> list[str]:
    """Say what a user should know of the model, in sentences."""
    said = [f"Model: {model.info['status']}."]
    if len(model.models.btyd.path) > 1:
        said.append("BTYD fit: " + "; ".join(model.models.btyd.path) + ".")
    if not evaluation.origins:
        said.append(
            "No forward test: the history holds less than three horizons. Treat the scores as provisional."
        )
    elif evaluation.value(OURS, "auc") < 0.55:
        said.append(
            "On the active base the score ranks no better than chance: these purchases look memoryless."
        )
    return said
