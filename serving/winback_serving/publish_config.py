"""Where published runs are copied to besides the home folder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from winback_features.errors import ConfigError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class PublishConfig:
    """A database that gets a copy of every published run.

    Attributes
    ----------
    postgres : str
        ``postgresql://…``; nothing is copied when empty. It may hold a password, so it is never shown.
    schema : str
        Of the tables; made if need be.
    keep_days : int
        Days of runs whose rows stay there, counted back from the newest; all of them when 0.

    Raises
    ------
    ConfigError
        When the address is of another kind, or the schema's name would need quotes.
    """

    postgres: str = field(default="", repr=False)
    schema: str = "winback"
    keep_days: int = 90

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.postgres and not self.postgres.startswith(("postgresql://", "postgres://")):
            how = "Write it like postgresql://user@host/database."
            raise ConfigError("It is no address of PostgreSQL.", where="[publish] postgres", how=how)
        if not _NAME.fullmatch(self.schema):
            what = f"{self.schema!r} cannot name the schema."
            how = "Use small letters, digits and _, such as winback."
            raise ConfigError(what, where="[publish] schema", how=how)
        if self.keep_days < 0:
            what = f"{self.keep_days} days cannot be kept."
            raise ConfigError(what, where="[publish] keep_days", how="Write 0 to keep all, or more.")
