"""What the values of ``winback.toml`` must satisfy beyond their type: settings in, the first breach out.

A config dataclass that checks itself is left alone here.
"""

from __future__ import annotations

import math
import re
import zoneinfo
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from winback_features.errors import ConfigError
from winback_serving.toml_section import did_you_mean

if TYPE_CHECKING:
    from winback_serving.settings import Settings

SHARES = (
    "source.max_bad_share",
    "source.max_shrink",
    "score.margin_share",
)
POSITIVE = (
    "score.horizon_days",
    "score.max_days",
    "score.value_horizon_days",
    "engine.threads",
    "training.cuts",
    "training.origins",
    "training.max_rows",
    "training.test_rows",
)
NOT_NEGATIVE = (
    "brand.cancellation_days",
    "training.seed",
)
WRITTEN_ELSEWHERE = {
    "score.horizon_days": "[brand] horizon_days",
    "score.value_horizon_days": "[policy] value_horizon_days",
    "score.margin_share": "[policy] margin_share",
}
HOURS_OF_A_DAY = 24
MOST_DISCOUNT = 10.0
"""A rate a year beyond this is a percentage written for a share."""

_CURRENCY = re.compile(r"[A-Z]{3}")
_MEMORY = re.compile(r"\d+(\.\d+)?\s*[KMGT]i?B", re.IGNORECASE)


def check_rules(settings: Settings, where: str) -> None:
    """Refuse values that make no sense.

    Parameters
    ----------
    settings : Settings
    where : str
        The file, for messages.

    Raises
    ------
    ConfigError
        Naming the setting, its value and the mend.
    """
    for key in SHARES:
        _require(0.0 <= _value(settings, key) <= 1.0, settings, key, "It must lie between 0 and 1.", where)
    for key in POSITIVE:
        _require(_value(settings, key) >= 1, settings, key, "It must be at least 1.", where)
    for key in NOT_NEGATIVE:
        value = _value(settings, key)
        _require(value is None or value >= 0, settings, key, "It must not be negative.", where)
    _check_brand(settings, where)
    _check_score(settings, where)
    engines = ("duckdb", "spark")
    _require(
        settings.engine.name in engines, settings, "engine.name", 'It must be "duckdb" or "spark".', where
    )
    _require(
        _MEMORY.fullmatch(settings.engine.memory_limit.strip()) is not None,
        settings,
        "engine.memory_limit",
        'Write a size such as "4GB".',
        where,
    )


def _check_brand(settings: Settings, where: str) -> None:
    brand = settings.brand
    zones = {"brand.timezone": brand.timezone, "source.timezone": settings.source.timezone}
    for key, zone in zones.items():
        if zone is not None and zone not in zoneinfo.available_timezones():
            near = did_you_mean(zone, zoneinfo.available_timezones())
            how = near if near.startswith("Did") else 'Write a name such as "Europe/Amsterdam".'
            _require(False, settings, key, how, where)
    _require(
        _CURRENCY.fullmatch(brand.currency) is not None,
        settings,
        "brand.currency",
        'Write three capital letters, such as "EUR".',
        where,
    )
    for code, rate in brand.rates.items():
        good = _CURRENCY.fullmatch(code) is not None and rate > 0
        _require(good, settings, "brand.rates", f"{code} needs a code such as USD and a rate above 0.", where)
    for first, after in brand.closed:
        _require(
            first < after, settings, "brand.closed", "Each pair is first day, day after the last.", where
        )
    periods = sorted(brand.closed)
    apart = all(after <= first for (_, after), (first, _) in pairwise(periods))
    _require(apart, settings, "brand.closed", "The periods overlap: join them into one.", where)
    first_hour, after_hour = brand.send_hours
    _require(
        0 <= first_hour < after_hour <= HOURS_OF_A_DAY,
        settings,
        "brand.send_hours",
        "Write the first hour and the hour after the last, such as [8, 21], within one day: 0 to 24.",
        where,
    )


def _check_score(settings: Settings, where: str) -> None:
    days = settings.score.curve_days
    rising = bool(days) and days[0] >= 1 and list(days) == sorted(set(days))
    _require(
        rising, settings, "score.curve_days", "It must be a rising list of days, such as [7, 30].", where
    )
    _require(
        0.0 <= settings.score.discount_rate < MOST_DISCOUNT,
        settings,
        "score.discount_rate",
        f"Write a share a year, such as 0.10 for 10 %: from 0 to below {MOST_DISCOUNT:g}.",
        where,
    )
    for category, gap in settings.score.category_gap_days.items():
        how = f"{category} needs the days between two purchases: at least 1."
        _require(1 <= gap < math.inf, settings, "score.category_gap_days", how, where)


def _value(settings: Settings, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(settings, section), name)


def _require(good: bool, settings: Settings, key: str, how: str, where: str) -> None:
    if not good:
        section, name = key.split(".")
        shown = WRITTEN_ELSEWHERE.get(key, f"[{section}] {name}")
        msg = f"{shown} is {_written(_value(settings, key))}."
        raise ConfigError(msg, where=where, how=how)


def _written(value: Any) -> str:
    """Return a value about as the settings file has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(_written(part) for part in value)}]"
    return repr(str(value) if isinstance(value, date) else value)
