"""What training can be told."""

from __future__ import annotations

from dataclasses import dataclass

from winback_features.errors import ConfigError

TREATED = ("until_sent", "keep")
SEASON = ("last_year", "none")
NOT_IN_NAMES = "/:.%\"'"
"""Signs that MLflow takes in no name of a model: it would say so once the model is trained."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a model is trained and tested.

    Attributes
    ----------
    cuts : int
        Label times a model learns from, newest first.
    origins : int
        Forward tests: past days at which the whole training is repeated and judged on what came after.
    max_rows : int
        About so many contacts are looked at on each label time; a sample by hashed contact id where there are more.
    test_rows : int
        At most so many contacts in a forward test.
    treated : {"until_sent", "keep"}
        Labels end where a message of win-back was sent, or count as if nobody had been written to; the same without a log.
    season : {"last_year", "none"}
        The season is expected to turn as it did last year, where the history reaches so far, or to stand still.
    seed : int
    model_name : str
        Name in the model registry.
    tracking_uri : str
        Of MLflow; empty for a SQLite file in the home folder.
    """

    cuts: int = 6
    origins: int = 3
    max_rows: int = 15_000
    test_rows: int = 50_000
    treated: str = "until_sent"
    season: str = "last_year"
    seed: int = 0
    model_name: str = "winback-lapse"
    tracking_uri: str = ""

    def __post_init__(self) -> None:
        for name, known in (("treated", TREATED), ("season", SEASON)):
            if (value := getattr(self, name)) not in known:
                how = f"Write one of {', '.join(known)}."
                raise ConfigError(f"It is {value!r}.", where=f"training.{name}", how=how)
        if not self.model_name.strip() or set(NOT_IN_NAMES) & set(self.model_name):
            how = f"Write a name without any of {' '.join(NOT_IN_NAMES)}, such as winback-lapse."
            raise ConfigError(f"It is {self.model_name!r}.", where="training.model_name", how=how)
