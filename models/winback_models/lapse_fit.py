"""Fits a ``LapseModel`` from label times: the active base, those who lapsed, and those who never bought, each its own part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from winback_models.design import CALENDAR, steps_each
from winback_models.first_purchase import fit_first_purchase
from winback_models.hazard_fit import Plan, fit_hazards
from winback_models.history import ACTIVE_HORIZONS
from winback_models.label_time import Before, LabelTime
from winback_models.lapse_model import LapseModel
from winback_models.order_value import learn_order_value

NEEDED = (
    "frequency",
    "recency_days",
    "T_days",
    "purchase_days",
    "days_since_purchase",
    "closed_days_in_silence",
    "gap_log_mean",
    "gap_log_sd",
    "monetary_value",
    "order_value_mean",
)
"""Features that every model reads, whatever its classifiers see."""

ACTIVE_LEARNS_FROM = ACTIVE_HORIZONS + 1.0
"""In horizons of silence. A contact of the active base is asked where its silent path leads: one horizon further."""

LAPSED_SHARE = 0.3
"""Contacts that lapsed are many and buy seldom: their model needs fewer of them."""


def fit_lapse_model(
    today: LabelTime,
    before: Before,
    *,
    horizon_days: int,
    numeric_features: Sequence[str],
    seed: int = 0,
    last_year: Before = lambda day: (),
) -> LapseModel:
    """Fit everything that the scores need.

    Parameters
    ----------
    today : LabelTime
        What is known at training; its waits are not read.
    before : callable
        Gives the label times before a day, newest first, as they could be seen on that day. It is asked for today and,
        to weigh and recalibrate, for the newest label time whose window has closed.
    horizon_days : int
    numeric_features : sequence of str
        Candidate columns of the classifiers.
    seed : int
    last_year : callable
        Gives the label times around the same day of last year, where the history reaches so far. It is asked for the same days.
    """
    names = tuple(numeric_features)
    steps = steps_each(today.models.rhythm.log_spread)
    told = names if steps > 1 else tuple(name for name in names if name not in CALENDAR)
    active = Plan(horizon_days, told, (0.0, ACTIVE_LEARNS_FROM * horizon_days), seed, steps=steps)
    longer = (float(ACTIVE_HORIZONS * horizon_days), float("inf"))
    lapsed = Plan(horizon_days, told, longer, seed, LAPSED_SHARE, steps)
    closed = [t for t in before(today.as_of) if t.watched >= horizon_days]
    hazard, reactivation = fit_hazards(today, before, (active, lapsed), last_year)
    first = fit_first_purchase(closed, horizon_days=horizon_days, numeric_features=names, seed=seed)
    order_value = learn_order_value(today.features)
    info: dict[str, Any] = {
        "status": hazard.status,
        "trained_as_of": today.as_of.isoformat(),
        "btyd_path": list(today.models.btyd.path),
        "btyd": {model.kind: model.log_likelihood for model in today.models.candidates},
        **hazard.info,
        "lapsed": {"status": reactivation.status, **reactivation.info},
        "never_bought": first.as_dict(),
        "order_value_reason": order_value.reason,
    }
    seen = [part.model for part in (hazard, reactivation) if part.model]
    columns = [name for model in seen for name in model.feature_names]
    return LapseModel(
        horizon_days=horizon_days,
        models=today.models,
        order_value=order_value,
        hazard=hazard.model,
        reactivation=reactivation.model,
        first_purchase=first,
        feature_names=tuple(dict.fromkeys((*NEEDED, *columns, *first.columns))),
        info=info,
    )
