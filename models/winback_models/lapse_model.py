"""One bundle that says everything the ``scores`` table needs, and its form at rest.

At rest a bundle is two files: ``bundle.joblib`` (parameters and fitted members) and ``bundle.json`` (what it is, in words and
numbers, with the digest of the first). The digest is checked before anything is unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from winback_features.errors import InputError
from winback_models.btyd import Array
from winback_models.config import ScoreConfig
from winback_models.curve import PurchaseCurve, days_to_date
from winback_models.hazard import HazardModel
from winback_models.history import RhythmModels, history
from winback_models.order_value import OrderValueModel

FORMAT = 1
LIBRARIES = ("scikit-learn", "numpy", "pandas", "joblib")
ACTIVE_HORIZONS = 2
"""A contact is on the active base while its last purchase is at most so many horizons ago."""


@dataclass(frozen=True)
class LapseModel:
    """Who buys again, when, and for how much.

    Attributes
    ----------
    horizon_days : int
    models : RhythmModels
        BTYD and cadence, fitted on all that was known at training.
    order_value : OrderValueModel
    hazard : HazardModel or None
        None where the history was too short to train one: then the BTYD model speaks alone.
    first_purchase_rate : float
        Purchases per day of contacts that never bought.
    feature_names : tuple of str
        Columns of ``build_features`` the model reads.
    version : str
        Name under which it is registered; empty before.
    info : dict
        JSON-ready: training window, status, metrics, paths taken.
    """

    horizon_days: int
    models: RhythmModels
    order_value: OrderValueModel
    hazard: HazardModel | None
    first_purchase_rate: float
    feature_names: tuple[str, ...]
    version: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def curves(self, buyers: pd.DataFrame) -> PurchaseCurve:
        """Return the purchase curves of contacts that bought at least once."""
        x, t_x, age = history(buyers)
        if self.hazard is None:
            edges = np.array([float(self.horizon_days)])
            p = self.models.btyd.p_purchase(x, t_x, age, self.horizon_days)
            log_survival = np.log1p(-np.minimum(p, 1.0 - 1e-12))[:, None]
        else:
            edges = np.asarray(self.hazard.design.edges, dtype=np.float64)
            log_survival = self.hazard.log_survival(buyers, self.models)
        return PurchaseCurve(edges, log_survival, self.models.btyd, x, t_x, age)

    def curve(self, features: pd.DataFrame, days: Sequence[float]) -> Array:
        """Return P(at least one purchase within d), shape (n, len(days)); non-decreasing in d."""
        bought = self._bought(features)
        out = -np.expm1(-self.first_purchase_rate * np.asarray(days, dtype=np.float64))[None, :].repeat(
            len(features), 0
        )
        if bought.any():
            curves = self.curves(features[bought])
            out[bought] = np.column_stack([curves.p_within(d) for d in days])
        return np.asarray(out)

    def predict(self, features: pd.DataFrame, as_of: date, score: ScoreConfig) -> pd.DataFrame:
        """Return the ``scores`` columns (all but ``currency``), one row per row of ``features`` and in its order.

        Raises
        ------
        InputError
            When the features lack a column, or ``score`` asks for another horizon than the model was trained for.
        """
        self._check(features, score)
        bought = self._bought(features)
        ahead = (*score.curve_days, score.horizon_days)
        p = self.curve(features, ahead)
        quantiles = np.full((len(features), 3), np.inf)
        cadence = np.full((len(features), 2), np.nan)
        btyd = np.column_stack(
            [np.zeros(len(features)), p[:, -1], np.full(len(features), self.first_purchase_rate)]
        )
        buyers = features[bought]
        if len(buyers):
            curves = self.curves(buyers)
            quantiles[bought] = np.column_stack([curves.quantile(q) for q in (0.1, 0.5, 0.9)])
            cadence[bought] = np.column_stack(
                self.models.rhythm.cadence(buyers["frequency"], buyers["gap_log_mean"], buyers["gap_log_sd"])
            )
            btyd[bought] = self._btyd_columns(buyers, p[bought, -1], score)
        silence = features["days_since_purchase"].to_numpy(np.float64, na_value=np.nan)
        open_silence = silence - features["closed_days_in_silence"].to_numpy(np.float64, na_value=np.nan)
        spend = features["monetary_value"].to_numpy(np.float64, na_value=np.nan)
        orders = features["frequency"].to_numpy(np.float64, na_value=0.0)
        value = self.order_value.expected(np.where(np.isfinite(spend), orders, 0.0), spend)
        day = np.datetime64(as_of, "D")
        dates = [days_to_date(quantiles[:, i], day, score.max_days) for i in range(3)]
        return pd.DataFrame(
            {
                "contact_id": features["contact_id"].to_numpy(),
                "as_of": np.full(len(features), day),
                "horizon_days": np.full(len(features), score.horizon_days, dtype=np.int32),
                "model_version": self.version,
                "p_purchase": p[:, -1],
                "p_lapse": 1.0 - p[:, -1],
                **{f"p_within_{d}d": p[:, i] for i, d in enumerate(score.curve_days)},
                "p_alive": np.where(bought, btyd[:, 0], np.nan),
                "expected_purchases": btyd[:, 1],
                "next_purchase_date": dates[1],
                "next_purchase_low": dates[0],
                "next_purchase_high": dates[2],
                "usual_gap_days": cadence[:, 0],
                "days_since_purchase": silence,
                "days_overdue": open_silence - np.ceil(cadence[:, 1]),
                "expected_order_value": value,
                "value_at_risk": (1.0 - p[:, -1])
                * btyd[:, 2]
                * score.value_horizon_days
                * value
                * score.margin_share,
                "base": self.base(features),
            }
        )

    def base(self, features: pd.DataFrame) -> Any:
        """Return which base each contact is on: ``active``, ``one_time``, ``lapsed`` or ``never_bought``."""
        days = features["purchase_days"].to_numpy(np.float64, na_value=0.0)
        silence = features["days_since_purchase"].to_numpy(np.float64, na_value=np.inf)
        recent = silence <= ACTIVE_HORIZONS * self.horizon_days
        return np.select(
            [days == 0, ~recent, days == 1], ["never_bought", "lapsed", "one_time"], "active"
        ).astype(object)

    def save(self, folder: Path) -> str:
        """Write the bundle into ``folder`` and return the SHA-256 of ``bundle.joblib``."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "info"}
        joblib.dump(state, folder / "bundle.joblib", compress=3)
        digest = _sha256(folder / "bundle.joblib")
        described = {
            "format": FORMAT,
            "sha256": digest,
            "winback": installed_version("winback"),
            "libraries": {name: installed_version(name) for name in LIBRARIES},
            "horizon_days": self.horizon_days,
            "version": self.version,
            "feature_names": list(self.feature_names),
            "btyd": self.models.btyd.as_dict(),
            "rhythm": self.models.rhythm.as_dict(),
            "order_value": self.order_value.as_dict(),
            "first_purchase_rate": self.first_purchase_rate,
            "info": self.info,
        }
        (folder / "bundle.json").write_text(
            json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        return digest

    @classmethod
    def load(cls, folder: Path) -> LapseModel:
        """Read a bundle back, after checking its digest, its format and the library that must unpickle it.

        Raises
        ------
        InputError
            When a file is missing or changed, or was written by a version that this one cannot read.
        """
        where = str(folder)
        retrain = "Train again with `winback train`."
        try:
            described = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
            digest = _sha256(folder / "bundle.joblib")
        except (OSError, ValueError) as error:
            raise InputError(
                f"The model bundle cannot be read ({error}).", where=where, how=retrain
            ) from error
        if described.get("sha256") != digest:
            raise InputError(
                "The model bundle was changed after it was saved: its digest does not match; it was not opened.",
                where=where,
                how="Restore the file or roll back with `winback models rollback`.",
            )
        if described.get("format") != FORMAT:
            raise InputError(
                f"The bundle has format {described.get('format')}, this winback reads {FORMAT}.",
                where=where,
                how=retrain,
            )
        for name, then in described["libraries"].items():
            now = installed_version(name)
            if name == "scikit-learn" and then.split(".")[:2] != now.split(".")[:2]:
                raise InputError(
                    f"The bundle was saved with {name} {then}, here is {now}: its trees may not read the same.",
                    where=where,
                    how=f"Install {name}=={then}, or train again with `winback train`.",
                )
        return cls(**joblib.load(folder / "bundle.joblib"), info=described["info"])

    def _btyd_columns(self, buyers: pd.DataFrame, p_purchase: Array, score: ScoreConfig) -> Array:
        """Return P(alive), expected purchases within the horizon, and the daily rate if it stays; shape (n, 3)."""
        x, t_x, age = history(buyers)
        btyd = self.models.btyd
        bought = btyd.p_purchase(x, t_x, age, score.horizon_days)
        expected = btyd.expected_purchases(x, t_x, age, score.horizon_days)
        per_buyer = np.divide(expected, bought, out=np.ones_like(bought), where=bought > 1e-9)
        return np.column_stack(
            [btyd.p_alive(x, t_x, age), p_purchase * np.maximum(per_buyer, 1.0), btyd.rate_if_alive(x, age)]
        )

    def _check(self, features: pd.DataFrame, score: ScoreConfig) -> None:
        missing = [name for name in self.feature_names if name not in features.columns]
        if missing:
            raise InputError(
                f"The features lack {', '.join(missing)}, which the model was trained on.",
                where=f"model {self.version or '(unregistered)'}",
                how="Train again with this version: `winback train`.",
            )
        if score.horizon_days != self.horizon_days:
            raise InputError(
                f"The model was trained for a horizon of {self.horizon_days} days, the settings ask {score.horizon_days}.",
                where="brand.horizon_days",
                how="Set it back, or train again with `winback train`.",
            )

    @staticmethod
    def _bought(features: pd.DataFrame) -> Any:
        return features["purchase_days"].to_numpy(np.float64, na_value=0.0) > 0


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
