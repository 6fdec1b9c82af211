"""What the daily job can be told about its own running."""

from __future__ import annotations

from dataclasses import dataclass

from winback_features.errors import ConfigError


@dataclass(frozen=True, slots=True)
class OperationsConfig:
    """The section ``[operations]``.

    Attributes
    ----------
    lock_hours : float
        The word of a job on another machine that it holds the lock counts for so long.
    keep_days : int, optional
        ``winback runs prune`` keeps the runs of so many days up to the newest one; all of them when absent.
    metrics_file : str
        Where the daily job leaves its numbers for Prometheus; below the home folder unless absolute, none when empty.
    """

    lock_hours: float = 24.0
    keep_days: int | None = None
    metrics_file: str = "metrics.prom"

    def __post_init__(self) -> None:
        if self.lock_hours <= 0:
            raise ConfigError(
                f"lock_hours is {self.lock_hours:g}.", where="[operations]", how="It must be above 0."
            )
        if self.keep_days is not None and self.keep_days < 1:
            raise ConfigError(
                f"keep_days is {self.keep_days}.", where="[operations]", how="It must be at least 1."
            )
