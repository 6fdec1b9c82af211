"""Trains a model for one day: label times, forward tests, the final fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any

import pandas as pd
from threadpoolctl import threadpool_limits

from winback_features.category_gaps import count_category_gaps, slow_categories
from winback_features.dictionary import numeric_features
from winback_features.errors import InputError
from winback_features.facts import purchase_days
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_models.design import CALENDAR
from winback_models.label_time import LabelTime
from winback_models.lapse_fit import fit_lapse_model
from winback_models.lapse_model import LapseModel
from winback_policy.config import PolicyConfig
from winback_training.checks import Checks, run_checks
from winback_training.config import TrainingConfig
from winback_training.dataset import LabelTimes
from winback_training.drift import drift_notices
from winback_training.evaluate import OURS, Evaluation, evaluate
from winback_training.gate import USEFUL_AUC, GateConfig, auc_needed, too_few_to_tell
from winback_training.held_out import HeldOut
from winback_training.label_times import (
    all_label_times,
    closed_label_times,
    closing_days,
    label_times,
    last_year_label_times,
    origins,
)
from winback_training.money import spend_within

SLOW_NAMED = 5
"""Slow categories named in a notice, the slowest first."""


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
    data : mapping
        First day of purchases, buyers before ``as_of``, rows used of each input table.
    checks : Checks
        Leakage, comparison with the champion, ageing and drift.
    """

    model: LapseModel
    evaluation: Evaluation
    as_of: date
    notices: tuple[str, ...]
    fingerprints: dict[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)
    checks: Checks = field(default_factory=Checks)

    def summary(self) -> dict[str, Any]:
        """Return the forward tests and the checks as one JSON-ready object, the one the gate reads."""
        return {**self.evaluation.summary(), **self.checks.as_dict()}


def train(
    tables: Tables,
    as_of: date,
    score: ScoreConfig,
    config: TrainingConfig,
    say: Callable[[str], None] = lambda _: None,
    champion: LapseModel | None = None,
    policy: PolicyConfig | None = None,
) -> TrainingResult:
    """Train for ``as_of`` and test forward on the horizons before it.

    Parameters
    ----------
    tables : Tables
    as_of : date
    score : ScoreConfig
    config : TrainingConfig
    say : callable
        Told what begins.
    champion : LapseModel, optional
        The model that scores now, to be judged beside the new one.
    policy : PolicyConfig, optional
        Says whom nobody writes to; with a campaign log the forward tests report them apart.

    Raises
    ------
    InputError
        When nobody bought before ``as_of``.
    """
    horizon = score.horizon_days
    first_day, buyers = _first_day_and_buyers(tables, as_of)
    season = config.season == "last_year"
    names = tuple(name for name in numeric_features() if season or name not in CALENDAR)
    days = origins(as_of, first_day, horizon, config.origins)
    tests = (as_of, *days)
    wanted = all_label_times(tests, first_day, horizon, config.cuts, season=season)
    keep = config.treated == "keep"
    built = LabelTimes(tables, horizon, wanted, tests, config.max_rows, config.test_rows, say, keep)

    def closed(day: date) -> Sequence[LabelTime]:
        return [built.at(t) for t in closed_label_times(day, first_day, horizon, config.cuts)]

    models: dict[date, LapseModel] = {}

    @cache
    def before(day: date) -> Sequence[LabelTime]:
        return [built.seen_on(day, t) for t in label_times(day, first_day, horizon, config.cuts)]

    def last_year(day: date) -> Sequence[LabelTime]:
        times = last_year_label_times(day, first_day, horizon) if season else ()
        return [built.seen_on(day, t) for t in times]

    def fit(today: LabelTime) -> LapseModel:
        say(f"model for {today.as_of}")
        model = fit_lapse_model(
            today,
            before,
            horizon_days=horizon,
            numeric_features=names,
            seed=config.seed,
            last_year=last_year,
        )
        return models.setdefault(today.as_of, model)

    def spend(day: date) -> pd.DataFrame:
        spent: pd.DataFrame = spend_within(tables, day, horizon).to_pyarrow().to_pandas()
        return spent

    held_out = HeldOut(tables, horizon, policy or PolicyConfig(holdout_share=0.0))
    with threadpool_limits(1):  # many small problems: more threads only wait for each other
        evaluation = evaluate(days, horizon, built.at, closed, fit, names, config.seed, spend, held_out.at)
        model = fit(built.at(as_of))
        say("checks: leakage, champion, ageing, drift")
        known = closed_label_times(as_of, first_day, horizon, config.cuts)
        checks = run_checks(
            tables, built.at, as_of, known, model, evaluation, models, names, champion, config.seed
        )
    slow = slow_categories(count_category_gaps(tables, as_of))
    model = replace(model, category_gap_days=slow, info={**model.info, "evaluation": evaluation.summary()})
    fingerprints = {t.name: t.fingerprint for t in tables.report.tables}
    rows = {t.name: t.rows_used for t in tables.report.tables}
    data = {"first_day": first_day.isoformat(), "buyers": buyers, "rows": rows}
    notices = (*_notices(model, evaluation), *held_out.notices(), *drift_notices(checks.drift))
    return TrainingResult(model, evaluation, as_of, notices, fingerprints, data, checks)


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


def _by_chance(evaluation: Evaluation) -> bool:
    return evaluation.value(OURS, "auc") < _needed(evaluation)


def _too_few(evaluation: Evaluation) -> bool:
    margin = GateConfig().min_auc_margin
    return too_few_to_tell(evaluation.value(OURS, "auc"), _needed(evaluation), margin)


def _needed(evaluation: Evaluation) -> float:
    found = {name: evaluation.value(OURS, name) for name in ("n", "prevalence")}
    return auc_needed(found, GateConfig().min_auc_margin)


def _notices(model: LapseModel, evaluation: Evaluation) -> list[str]:
    """Say what a user should know of the model, in sentences."""
    said = [f"Model: {model.info['status']}."]
    if len(model.models.btyd.path) > 1:
        said.append("BTYD fit: " + "; ".join(model.models.btyd.path) + ".")
    slow = sorted(model.category_gap_days.items(), key=lambda item: -item[1])[:SLOW_NAMED]
    if slow:
        named = ", ".join(f"{name} ({days:g} days)" for name, days in slow)
        said.append(
            f"Seldom bought by nature: {named}. Few gaps of one's own do not make anybody late for them."
        )
    if not evaluation.origins:
        needed = model.horizon_days + 2 * closing_days(model.horizon_days)
        said.append(
            f"No forward test: to look {model.horizon_days} days ahead one takes a history of {needed} days. Treat the scores "
            "as provisional."
        )
    elif notice := ranking_notice(evaluation):
        said.append(notice)
    return said


def ranking_notice(evaluation: Evaluation) -> str:
    """Say where the score ranks the active base no better than chance; and memoryless, where nothing else ranks it either."""
    if _too_few(evaluation):
        return "The active base is too small to tell whether the score ranks it better than chance would."
    if not _by_chance(evaluation):
        return ""
    said = "On the active base the score ranks no better than chance"
    active = evaluation.metrics[evaluation.metrics["population"] == "active"]
    best = float(active.groupby("model")["auc"].mean().max())
    if best >= max(_needed(evaluation), USEFUL_AUC):
        return f"{said}, and something simpler ranks it with an AUC of {best:.3f}: the model misses what these purchases follow."
    return f"{said}: these purchases look memoryless."
