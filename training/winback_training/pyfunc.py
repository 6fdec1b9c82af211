"""The bundle as MLflow serves it to others: features in, the ``scores`` columns out. Knows nothing of MLflow.

A model logged by :mod:`winback_training.tracking` names this module as its loader, so nothing of ours is
pickled: the bundle lies in the model's ``data/bundle``, and its digest is checked before it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from winback_features.dictionary import category_features
from winback_models.config import ScoreConfig
from winback_models.lapse_model import LapseModel

_DATES = ("as_of", "next_purchase_date", "next_purchase_low", "next_purchase_high")
_STRINGS = ("contact_id", "model_version", "base")


class LapsePyfunc:
    """What ``mlflow.pyfunc.load_model`` calls.

    Parameters
    ----------
    model : LapseModel
    score : ScoreConfig
        The questions it answers.
    as_of : date
        The day it scores for unless a call names another.
    """

    def __init__(self, model: LapseModel, score: ScoreConfig, as_of: date) -> None:
        self.model, self.score, self.as_of = model, score, as_of

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Return the scores, one row per contact, in the order given.

        Parameters
        ----------
        model_input : DataFrame
            ``contact_id`` and the model's features.
        params : mapping, optional
            ``as_of``: an ISO date.

        Raises
        ------
        InputError
            When a feature is missing.
        """
        day = date.fromisoformat((params or {}).get("as_of") or self.as_of.isoformat())
        doubles = [name for name, kind in input_columns(self.model, self.score).items() if kind == "double"]
        present = {name: "float64" for name in doubles if name in model_input}
        scores = self.model.predict(model_input.astype(present), day, self.score)
        return scores.astype(dict.fromkeys(_DATES, "datetime64[ns]"))


def _load_pyfunc(data_path: str, model_config: Mapping[str, Any]) -> LapsePyfunc:
    """Load the bundle; MLflow finds this function by its name."""
    score = model_config["score"]
    config = ScoreConfig(**{**score, "curve_days": tuple(score["curve_days"])})
    return LapsePyfunc(LapseModel.load(Path(data_path)), config, date.fromisoformat(model_config["as_of"]))


def default_score(horizon_days: int) -> ScoreConfig:
    """Return the questions for a horizon, with those days of the curve that lie within it.

    Examples
    --------
    >>> default_score(28).curve_days
    (7, 14)
    """
    days = tuple(d for d in ScoreConfig().curve_days if d <= horizon_days)
    return ScoreConfig(horizon_days=horizon_days, curve_days=days)


def input_columns(model: LapseModel, score: ScoreConfig) -> dict[str, str]:
    """Return what the model reads to answer, name -> MLflow's name of its type: the contact and its features."""
    texts = set(category_features())
    names = ("contact_id", *model.needed(score))
    return {n: "string" if n in texts or n == "contact_id" else "double" for n in names}


def output_columns(score: ScoreConfig) -> dict[str, str]:
    """Return the ``scores`` columns (all but the currency), name -> MLflow's name of its type.

    Examples
    --------
    >>> output_columns(default_score(28))["p_within_14d"]
    'double'
    """
    names = (
        *("contact_id", "as_of", "horizon_days", "model_version", "p_purchase", "p_lapse"),
        *(f"p_within_{d}d" for d in score.curve_days),
        *("p_alive", "expected_purchases", "next_purchase_date", "next_purchase_low", "next_purchase_high"),
        *("usual_gap_days", "days_since_purchase", "days_overdue", "expected_order_value", "value_at_risk"),
        *("clv_12m", "base"),
    )
    special = (
        dict.fromkeys(_STRINGS, "string") | dict.fromkeys(_DATES, "datetime") | {"horizon_days": "integer"}
    )
    return {name: special.get(name, "double") for name in names}


def spark_result_type(score: ScoreConfig) -> str:
    """Return the result of ``mlflow.pyfunc.spark_udf`` as Spark writes a struct, with days as text (``NaT`` where there is none).

    MLflow takes no dates in a struct: without this it refuses the signature's own.

    Examples
    --------
    >>> spark_result_type(default_score(28))[:54]
    'contact_id string, as_of string, horizon_days integer,'
    """
    kinds = {name: "string" if kind == "datetime" else kind for name, kind in output_columns(score).items()}
    return ", ".join(f"{name} {kind}" for name, kind in kinds.items())
