"""What the model registry says, as plain records, and the short history that rolling back walks.

Nothing here knows MLflow: :mod:`winback_training.registry` fills these records, the command line prints them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous_champion"
HISTORY_LENGTH = 100


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A model that training has just registered.

    Attributes
    ----------
    version : str
        Its number in the registry.
    run_id : str
        The MLflow run that holds its parameters, metrics and pictures.
    digest : str
        sha256 of ``bundle.joblib``; whoever loads the bundle checks it first.
    """

    version: str
    run_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version in the registry.

    Attributes
    ----------
    version, run_id, digest : str
    aliases : tuple of str
        Of ``candidate``, ``champion`` and ``previous_champion``, and any that people set themselves.
    as_of : date or None
        The day before which all its training facts lie.
    horizon_days : int or None
    created_at : str
        UTC, to the second.
    metrics : mapping
        ``population.metric`` and ``population.metric.baseline``, means over the forward tests.
    gate : str
        "passed", "forced: …" with the reasons it was promoted against, or "" when never promoted.
    override : str
        Why it was promoted against the gate, in the words of who did; "" when nobody said.
    params, tags : mapping
        Everything logged with it; filled by ``show`` only.
    """

    version: str
    run_id: str
    digest: str
    aliases: tuple[str, ...] = ()
    as_of: date | None = None
    horizon_days: int | None = None
    created_at: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    gate: str = ""
    override: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return one JSON-ready object."""
        return {**asdict(self), "aliases": list(self.aliases), "as_of": self.as_of and self.as_of.isoformat()}


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion or a rollback did.

    Attributes
    ----------
    champion : str
        Version that scores from now on.
    previous : str or None
        Version that did before.
    reasons : tuple of str
        What the gate had against it; not empty only when it was forced.
    changed : bool
        False when it was the champion already.
    """

    champion: str
    previous: str | None
    reasons: tuple[str, ...] = ()
    changed: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return one JSON-ready object."""
        return {**asdict(self), "reasons": list(self.reasons)}


def after_promotion(history: Sequence[str], champion: str | None, version: str) -> tuple[str, ...]:
    """Return the champions so far, oldest first, once ``version`` is promoted.

    Examples
    --------
    >>> after_promotion(("1", "2"), "2", "3")
    ('1', '2', '3')

    A champion that somebody set by hand in the MLflow pages is not forgotten:

    >>> after_promotion(("1",), "7", "8")
    ('1', '7', '8')

    One that lost its alias by hand is promoted anew, and does not come before itself:

    >>> after_promotion(("1", "2"), None, "2")
    ('1', '2')
    """
    past = _up_to(history, champion)
    return past[-HISTORY_LENGTH:] if past[-1:] == (version,) else (*past, version)[-HISTORY_LENGTH:]


def after_rollback(history: Sequence[str], champion: str | None) -> tuple[str, ...]:
    """Return the champions so far once the present one is taken back; its last is champion again.

    Examples
    --------
    >>> after_rollback(("1", "2", "1"), "1")
    ('1', '2')
    >>> after_rollback(("1",), "1")
    ()
    """
    return _up_to(history, champion)[:-1]


def _up_to(history: Sequence[str], champion: str | None) -> tuple[str, ...]:
    """Return the history ending in the present champion, whatever was set by hand meanwhile."""
    if champion is None:
        return tuple(history)
    if champion not in history:
        return (*history, champion)
    last = len(history) - 1 - list(reversed(history)).index(champion)
    return tuple(history[: last + 1])
