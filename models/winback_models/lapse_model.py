"""One bundle that says everything the ``scores`` table needs, and its form at rest.

At rest a bundle is two files: ``bundle.joblib`` (parameters and fitted members) and ``bundle.json`` (what it is, in words and
numbers, with the digest of the first). The digest is checked before anything is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from winback_features.errors import InputError
from winback_features.files import file_digest
from winback_models.btyd import Array
from winback_models.config import ScoreConfig
from winback_models.curve import PurchaseCurve, days_to_date
from winback_models.customer_value import (
    VALUE_DAYS,
    customer_lifetime_value,
    discounted_purchases,
    newcomers_purchases,
    value_at_risk,
)
from winback_models.design import interval_edges
from winback_models.first_purchase import FirstPurchaseModel
from winback_models.hazard import HazardModel
from winback_models.history import ACTIVE_HORIZONS, RhythmModels, history, log_silence
from winback_models.legacy import upgrade
from winback_models.order_value import OrderValueModel

FORMAT = 2
LIBRARIES = ("scikit-learn", "numpy", "pandas", "joblib")
READABLE = (1, FORMAT)
QUANTILES = (0.1, 0.5, 0.9)
"""Of the next purchase's day: the ends of the 80 % interval, and its median between them."""

NEWCOMER_STEPS = 24
"""Into so many steps the days ahead are cut in which a contact that never bought may begin."""

_PARTS = ("p_alive", "expected_purchases", "usual_gap", "late_gap", "daily_rate", "year_purchases")


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
        Of the active base; None where the history was too short to train one: then the BTYD model speaks alone.
    reactivation : HazardModel or None
        Of those whose last purchase lies further back; None likewise.
    first_purchase : FirstPurchaseModel
        Of contacts that never bought.
    feature_names : tuple of str
        Columns of ``build_features`` the model reads.
    category_gap_days : mapping
        Category = usual gap in days of who buys from it, where that is clearly slower than the base's. What a `ScoreConfig` says
        comes first.
    version : str
        Name under which it is registered; empty before.
    info : dict
        JSON-ready: training window, status, metrics, paths taken.
    """

    horizon_days: int
    models: RhythmModels
    order_value: OrderValueModel
    hazard: HazardModel | None
    reactivation: HazardModel | None
    first_purchase: FirstPurchaseModel
    feature_names: tuple[str, ...]
    category_gap_days: Mapping[str, float] = field(default_factory=dict)
    version: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def curves(self, buyers: pd.DataFrame) -> PurchaseCurve:
        """Return the purchase curves of contacts that bought at least once."""
        learned = self.hazard or self.reactivation
        ends = learned.edges if learned else interval_edges(self.horizon_days)
        edges = np.asarray(ends, dtype=np.float64)
        log_survival = np.empty((len(buyers), len(edges)))
        lapsed = ~self._recent(buyers)
        for rows, hazard in ((~lapsed, self.hazard), (lapsed, self.reactivation)):
            if rows.any():
                some = buyers[rows]
                log_survival[rows] = (
                    hazard.log_survival(some, self.models)
                    if hazard
                    else log_silence(some, self.models, edges)
                )
        return PurchaseCurve(edges, log_survival, self.models.btyd, *history(buyers))

    def curve(self, features: pd.DataFrame, days: Sequence[float]) -> Array:
        """Return P(at least one purchase within d), shape (n, len(days)); non-decreasing in d."""
        bought = self._bought(features)
        out = np.empty((len(features), len(days)))
        if not bought.all():
            out[~bought] = self.first_purchase.p_within(features[~bought], days)
        if bought.any():
            curves = self.curves(features[bought])
            out[bought] = np.column_stack([curves.p_within(d) for d in days])
        return out

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
        p = np.empty((len(features), len(ahead)))
        quantiles = np.empty((len(features), 3))
        parts = np.full((len(features), len(_PARTS)), np.nan)
        for rows, part in ((bought, self._of_buyers), (~bought, self._of_others)):
            if rows.any():
                p[rows], quantiles[rows], parts[rows] = part(features[rows], ahead, score)
        said = dict(zip(_PARTS, parts.T, strict=True))
        silence = features["days_since_purchase"].to_numpy(np.float64, na_value=np.nan)
        open_silence = silence - features["closed_days_in_silence"].to_numpy(np.float64, na_value=np.nan)
        value = self.order_value.of(features)
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
                "p_alive": said["p_alive"],
                "expected_purchases": said["expected_purchases"],
                "next_purchase_date": dates[1],
                "next_purchase_low": dates[0],
                "next_purchase_high": dates[2],
                "usual_gap_days": said["usual_gap"],
                "days_since_purchase": silence,
                "days_overdue": open_silence - np.ceil(said["late_gap"]),
                "expected_order_value": value,
                "value_at_risk": value_at_risk(
                    1.0 - p[:, -1],
                    said["daily_rate"],
                    value,
                    value_horizon_days=score.value_horizon_days,
                    margin_share=score.margin_share,
                ),
                "clv_12m": customer_lifetime_value(said["year_purchases"], value, score.margin_share),
                "base": self.base(features),
            }
        )

    def needed(self, score: ScoreConfig) -> tuple[str, ...]:
        """Return the features that the model reads to answer."""
        by_category = ("last_category",) if self._gap_days(score) else ()
        return tuple(dict.fromkeys((*self.feature_names, *by_category)))

    def _gap_days(self, score: ScoreConfig) -> dict[str, float]:
        return {**self.category_gap_days, **score.category_gap_days}

    def _base_log_gap(self, buyers: pd.DataFrame, score: ScoreConfig) -> Array | None:
        """Return the log of the usual gap after the category bought last, shape (n,), nan where not known; None if none is."""
        by_category = self._gap_days(score)
        if not by_category:
            return None
        days = buyers["last_category"].map(by_category)
        return np.log(days.to_numpy(np.float64, na_value=np.nan))

    def base(self, features: pd.DataFrame) -> Any:
        """Return which base each contact is on: ``active``, ``one_time``, ``lapsed`` or ``never_bought``."""
        days = features["purchase_days"].to_numpy(np.float64, na_value=0.0)
        return np.select(
            [days == 0, ~self._recent(features), days == 1], ["never_bought", "lapsed", "one_time"], "active"
        ).astype(object)

    def save(self, folder: Path) -> str:
        """Write the bundle into ``folder`` and return the SHA-256 of ``bundle.joblib``."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "info"}
        joblib.dump(state, folder / "bundle.joblib", compress=3)
        digest = file_digest(folder / "bundle.joblib")
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
            "category_gap_days": dict(self.category_gap_days),
            "order_value": self.order_value.as_dict(),
            "first_purchase": self.first_purchase.as_dict(),
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
            digest = file_digest(folder / "bundle.joblib")
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
        if described.get("format") not in READABLE:
            raise InputError(
                f"The bundle has format {described.get('format')}, this winback reads {READABLE}.",
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
        state = joblib.load(folder / "bundle.joblib")
        if described["format"] == 1:
            state = upgrade(state, described)
        return cls(**state, info=described["info"])

    def _of_buyers(
        self, buyers: pd.DataFrame, ahead: Sequence[float], score: ScoreConfig
    ) -> tuple[Array, Array, Array]:
        """Return P(purchase) within each of ``ahead``, the three quantiles, and the columns of ``_PARTS``."""
        curves, btyd = self.curves(buyers), self.models.btyd
        p = np.column_stack([curves.p_within(d) for d in ahead])
        x, t_x, age = history(buyers)
        bought = btyd.p_purchase(x, t_x, age, score.horizon_days)
        expected = btyd.expected_purchases(x, t_x, age, score.horizon_days)
        per_buyer = np.divide(expected, bought, out=np.ones_like(bought), where=bought > 1e-9)
        usual, late = self.models.rhythm.cadence(
            buyers["frequency"],
            buyers["gap_log_mean"],
            buyers["gap_log_sd"],
            base_log_gap=self._base_log_gap(buyers, score),
        )
        parts = (
            btyd.p_alive(x, t_x, age),
            p[:, -1] * np.maximum(per_buyer, 1.0),
            usual,
            late,
            btyd.rate_if_alive(x, age),
            discounted_purchases(
                btyd, x, t_x, age, p[:, -1], horizon_days=score.horizon_days, annual_rate=score.discount_rate
            ),
        )
        return p, np.column_stack([curves.quantile(q) for q in QUANTILES]), np.column_stack(parts)

    def _of_others(
        self, others: pd.DataFrame, ahead: Sequence[float], score: ScoreConfig
    ) -> tuple[Array, Array, Array]:
        """Return the same of contacts that never bought; they have no rhythm yet."""
        steps = np.arange(1, NEWCOMER_STEPS + 1) / NEWCOMER_STEPS
        spans = [days * steps for days in (score.horizon_days, score.value_horizon_days, VALUE_DAYS)]
        p, *begun = np.split(
            self.first_purchase.p_within(others, np.concatenate([ahead, *spans]).tolist()),
            len(ahead) + NEWCOMER_STEPS * np.arange(len(spans)),
            axis=1,
        )
        rates = (0.0, 0.0, score.discount_rate)
        soon, stake, worth = (
            newcomers_purchases(self.models.btyd, part, days, annual_rate=rate)
            for part, days, rate in zip(begun, spans, rates, strict=True)
        )
        unknown = np.full(len(others), np.nan)
        daily_rate = stake / score.value_horizon_days
        parts = (unknown, np.maximum(soon, p[:, -1]), unknown, unknown, daily_rate, worth)
        quantiles = np.column_stack([self.first_purchase.quantile(others, q) for q in QUANTILES])
        return p, quantiles, np.column_stack(parts)

    def _check(self, features: pd.DataFrame, score: ScoreConfig) -> None:
        missing = [name for name in self.needed(score) if name not in features.columns]
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

    def _recent(self, features: pd.DataFrame) -> Any:
        silence = features["days_since_purchase"].to_numpy(np.float64, na_value=np.inf)
        return silence <= ACTIVE_HORIZONS * self.horizon_days

    @staticmethod
    def _bought(features: pd.DataFrame) -> Any:
        return features["purchase_days"].to_numpy(np.float64, na_value=0.0) > 0
