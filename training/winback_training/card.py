"""The model card: what a model is, is for, has shown and cannot do, as data and as one page that needs no other.

References
----------
Mitchell et al. (2019), "Model Cards for Model Reporting", FAT* '19.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from platform import python_version
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from winback_models.btyd import BtydModel
from winback_models.charts import (
    MODEL_LABELS,
    calibration_chart,
    decay_chart,
    lift_chart,
    timing_chart,
    to_svg,
)
from winback_models.lapse_model import LIBRARIES
from winback_training.decay import decay_sentence
from winback_training.evaluate import Evaluation
from winback_training.forward_test import ACTIVE
from winback_training.gate import GateVerdict
from winback_training.limits import POPULATIONS, limitations

if TYPE_CHECKING:
    from winback_training.train import TrainingResult

SHOWN = ("n", "prevalence", "auc", "brier", "brier_skill", "ibs", "ece", "bias", "coverage_80")
INTENDED = (
    "Ranking a shop's contacts by the probability that they buy again within the horizon, day by day.",
    "Choosing whom to write to, together with a holdout that shows what writing brings.",
    "Expecting purchases and money of many contacts together.",
)
NOT_FOR = (
    "Deciding anything of weight about one person: credit, price, employment, service.",
    "Telling who can be persuaded: a high risk is no promise that a message helps.",
    "Another shop, another horizon, or contacts unlike those it was trained on.",
)
_PARAMETERS = {
    "pareto_nbd": ("r", "alpha", "s", "beta"),
    "base_rate": ("r", "alpha"),
}


def model_card(
    result: TrainingResult, verdict: GateVerdict, settings: Mapping[str, Any], digest: str = ""
) -> dict[str, Any]:
    """Return the card as one object; nan where a number is not known.

    Parameters
    ----------
    result : TrainingResult
    verdict : GateVerdict
    settings : mapping
        Flat, such as ``{"training.seed": 0}``.
    digest : str
        SHA-256 of the bundle.
    """
    model, evaluation, info = result.model, result.evaluation, result.model.info
    means = _means(evaluation)
    overall = evaluation.differences
    overall = overall[(overall["origin"].astype(str) == "all") & (overall["population"] == ACTIVE)]
    overall = overall.assign(baseline=overall["baseline"].map(lambda name: _label(str(name))))
    differences = _records(overall)
    money = _records(evaluation.money)
    return {
        "name": f"winback: who buys again within {model.horizon_days} days",
        "what": (
            f"For every contact the probability of at least one purchase within {model.horizon_days} days, the day it is "
            "expected, and its worth."
        ),
        "as_of": result.as_of.isoformat(),
        "horizon_days": model.horizon_days,
        "intended_use": list(INTENDED),
        "not_for": list(NOT_FOR),
        "data": dict(result.data),
        "status": {
            "active": info.get("status", ""),
            "lapsed": (info.get("lapsed") or {}).get("status", ""),
            "never_bought": (info.get("never_bought") or {}).get("status", ""),
        },
        "label_times": list(info.get("label_times") or ()),
        "members": [
            {"population": population, "member": name, "weight": weight}
            for population, part in (("active", info), ("lapsed", info.get("lapsed") or {}))
            for name, weight in (part.get("weights") or {}).items()
        ],
        "btyd": _btyd(model.models.btyd),
        "origins": [day.isoformat() for day in evaluation.origins],
        "metrics": _records(means),
        "differences": differences,
        "money": money,
        "decay": _records(result.checks.decay),
        "decay_says": decay_sentence(result.checks.decay),
        "drift": _records(result.checks.drift),
        "leakage": result.checks.leakage.as_dict(),
        "champion": result.checks.champion.as_dict(),
        "gate": asdict(verdict),
        "limitations": list(limitations(_nested(means), differences, len(evaluation.origins), info, money)),
        "notices": list(result.notices),
        "reproduce": {
            "winback": version("winback"),
            "python": python_version(),
            "libraries": {name: version(name) for name in LIBRARIES},
            "settings": {name: value for name, value in settings.items() if value is not None},
            "fingerprints": dict(result.fingerprints),
            "bundle": digest,
        },
    }


def card_page(card: Mapping[str, Any], evaluation: Evaluation, decay: pd.DataFrame) -> str:
    """Return the card as one HTML page without a script or anything from outside.

    Parameters
    ----------
    card : mapping
        From ``model_card``.
    evaluation : Evaluation
        For the pictures of calibration, lift and timing.
    decay : DataFrame
        For that of ageing.
    """
    environment = Environment(
        loader=PackageLoader("winback_training"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "share": _share, "label": _label, "day": str}
    tables = {name: [m for m in card["metrics"] if m["population"] == name] for name in POPULATIONS}
    charts = (
        (evaluation.calibration, calibration_chart),
        (evaluation.lift, lift_chart),
        (evaluation.timing, timing_chart),
        (decay, decay_chart),
    )
    return environment.get_template("model_card.html.j2").render(
        card=card,
        tables={POPULATIONS[name]: rows for name, rows in tables.items() if rows},
        pictures=[
            _picture(to_svg(draw(table)), f"p{i}") for i, (table, draw) in enumerate(charts) if len(table)
        ],
        drifted=[row for row in card["drift"] if row["drifted"]],
    )


def _means(evaluation: Evaluation) -> pd.DataFrame:
    """Return per population and model the mean over the tests, and the lowest and highest of our own; known ones first."""
    names = list(SHOWN)
    grouped = evaluation.metrics.groupby(["population", "model"], sort=False)[names]
    low, high = grouped.min().add_suffix("_low"), grouped.max().add_suffix("_high")
    table = pd.concat([grouped.mean(), low, high], axis=1).reset_index()
    populations, models = list(POPULATIONS), list(MODEL_LABELS)
    place = table["population"].map(lambda p: populations.index(p) if p in populations else len(populations))
    order = table["model"].map(lambda m: models.index(m) if m in models else len(models))
    return (
        table.assign(place=place, order=order)
        .sort_values(["place", "order", "model"])
        .drop(columns=["place", "order"])
    )


def _nested(means: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    out: dict[str, dict[str, dict[str, float]]] = {}
    for row in means.to_dict("records"):
        numbers = {str(k): float(v) for k, v in row.items() if k not in ("population", "model")}
        out.setdefault(str(row["population"]), {})[str(row["model"])] = numbers
    return out


def _btyd(btyd: BtydModel) -> dict[str, Any]:
    """Return the BTYD model's parameters with standard errors (of the logarithm times the value: the delta method)."""
    names = _PARAMETERS.get(btyd.kind, ("r", "alpha", "a", "b"))
    errors: Sequence[float] = btyd.standard_errors or (math.nan,) * len(names)
    parameters = [
        {"name": name, "value": getattr(btyd, name), "standard_error": getattr(btyd, name) * error}
        for name, error in zip(names, errors, strict=False)
    ]
    return {"kind": _label(btyd.kind), "k": btyd.k, "parameters": parameters, "path": list(btyd.path)}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain numbers and texts."""
    return [{str(k): _plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return plain if isinstance(plain, int | float | str) else str(plain)


def _label(name: str) -> str:
    return MODEL_LABELS.get(name, name.replace("_", " "))


def _number(value: float | None, digits: int = 3) -> str:
    """Return a number for a reader; a dash where it is not known."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.1%}"


def _picture(svg: str, prefix: str) -> Markup:
    """Return a chart's SVG as it is (its texts were escaped when it was drawn), with ids of its own: several share a page."""
    own = svg.replace('id="', f'id="{prefix}').replace("url(#", f"url(#{prefix}")
    return Markup(own.replace('href="#', f'href="#{prefix}'))  # noqa: S704
