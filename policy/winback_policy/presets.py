"""Where a shop of a known kind starts: days that fit the life of what it sells. Every one may be set apart.

The days follow from how long the goods last: the horizon is about two usual gaps, win-back begins earlier and ends sooner
where people buy weekly, and nobody is called asleep before a second purchase was to be expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from winback_features.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Preset:
    """The days of one kind of shop, and why.

    Attributes
    ----------
    horizon_days : int
        As ``brand.horizon_days``.
    lead_days, quiet_days, cooldown_days, journey_days, sunset_days : int
        As in `winback_policy.config.PolicyConfig`.
    why : str
    """

    horizon_days: int
    lead_days: int
    quiet_days: int
    cooldown_days: int
    journey_days: int
    sunset_days: int
    why: str


PRESETS: Mapping[str, Preset] = {
    "grocery": Preset(28, 2, 1, 21, 42, 90, "bought weekly: three missed weeks are a change of shop"),
    "beauty": Preset(90, 7, 2, 30, 90, 180, "a jar lasts six to ten weeks"),
    "pets": Preset(60, 5, 2, 30, 60, 120, "food runs out on a fixed day, and is then bought somewhere"),
    "books": Preset(120, 7, 3, 45, 90, 270, "bought by mood, some times a year, and in peaks"),
    "fashion": Preset(180, 14, 3, 60, 120, 365, "bought by season: one may be left out"),
    "electronics": Preset(365, 21, 5, 90, 180, 540, "a device is replaced after years; accessories yearly"),
    "telecom": Preset(365, 60, 5, 90, 120, 365, "the contract names the day: speak before it ends"),
    "furniture": Preset(730, 30, 7, 180, 365, 1095, "beds are bought every eight years: silence is the rule"),
}
"""By kind of shop."""


def with_preset(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of ``[policy]`` with those of its preset where it says nothing itself.

    Parameters
    ----------
    policy : mapping
        May name a ``preset``.

    Returns
    -------
    dict

    Examples
    --------
    >>> with_preset({"preset": "grocery", "lead_days": 3})["lead_days"]
    3
    >>> with_preset({"preset": "grocery"})["journey_days"]
    42
    """
    preset = PRESETS.get(policy.get("preset", ""))
    if preset is None:
        return dict(policy)
    days = {f.name: getattr(preset, f.name) for f in fields(preset) if f.name not in ("horizon_days", "why")}
    return {**days, **policy}


def check_preset(name: str) -> None:
    """Refuse a preset that there is not.

    Raises
    ------
    ConfigError
    """
    if name and name not in PRESETS:
        how = f"Write one of {', '.join(PRESETS)}, or leave it out."
        raise ConfigError(f"It is {name!r}.", where="policy.preset", how=how)
