"""What the reading of outcomes can be told."""

from __future__ import annotations

from dataclasses import dataclass

from winback_features.errors import ConfigError


@dataclass(frozen=True, slots=True)
class OutcomesConfig:
    """Windows and confidence.

    Attributes
    ----------
    window_days : int, optional
        A contact has come back when it buys within so many days of its entry; the horizon when absent.
    later_days : tuple of int
        So long after entry it is asked whether the contact still buys; days in a year's quarters by default.
    confidence : float
        Of every interval.

    Raises
    ------
    ConfigError
        If a number of days is below one, or the confidence no share above a half.

    Examples
    --------
    >>> OutcomesConfig().later_days
    (91, 182, 365)
    """

    window_days: int | None = None
    later_days: tuple[int, ...] = (91, 182, 365)
    confidence: float = 0.95

    def __post_init__(self) -> None:
        window = () if self.window_days is None else (self.window_days,)
        for name, days in (("window_days", window), ("later_days", self.later_days)):
            if any(d < 1 for d in days):
                what = f"It is {list(days)}."
                raise ConfigError(what, where=f"outcomes.{name}", how="Give one day or more.")
        if not 0.5 < self.confidence < 1:
            what = f"It is {self.confidence}."
            raise ConfigError(what, where="outcomes.confidence", how="Write a share such as 0.95.")
