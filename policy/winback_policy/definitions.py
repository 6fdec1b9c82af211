"""What "inactive" means: definitions with a name and a version, as data.

Two definitions are built in and stand side by side for every contact. ``purchase_lapsed@1`` measures the silence against
the contact's own rhythm; ``engagement_inactive@1`` asks whether it still answers. A shop adds its own as conditions that
must hold all together, or at least one of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis

from winback_features.errors import ConfigError
from winback_policy.channels import CHANNELS

if TYPE_CHECKING:
    from winback_policy.config import PolicyConfig

PURCHASE_LAPSED = "purchase_lapsed@1"
ENGAGEMENT_INACTIVE = "engagement_inactive@1"
BUILT_IN = (PURCHASE_LAPSED, ENGAGEMENT_INACTIVE)

MEASURES = ("days_since_purchase", "days_since_activity", "ignored_sends", "loyalty_unchanged_days")
"""What a condition may speak of."""

_NAME = re.compile(r"[a-z][a-z0-9_]*@[1-9][0-9]*")
_CONDITION = re.compile(r"\s*(\w+)\s*>=\s*(\d+)\s*")


def read_condition(text: str) -> tuple[str, int]:
    """Return the measure and the limit of a condition.

    Raises
    ------
    ConfigError
        When the text is no ``measure >= whole number``, or there is no such measure.

    Examples
    --------
    >>> read_condition("ignored_sends >= 8")
    ('ignored_sends', 8)
    """
    found = _CONDITION.fullmatch(text)
    if found is None or found[1] not in MEASURES:
        how = f'Write "measure >= number", the measure being one of {", ".join(MEASURES)}.'
        raise ConfigError(f"The condition is {text!r}.", where="policy.definitions", how=how)
    return found[1], int(found[2])


@dataclass(frozen=True, slots=True)
class Definition:
    """A shop's own definition of inactive.

    Attributes
    ----------
    name : str
        Name and version, such as ``"asleep@1"``: what changes its meaning gets a new version.
    all : tuple of str
        Conditions that must all hold, such as ``"ignored_sends >= 8"``.
    any : tuple of str
        Of these at least one must hold; none need to where the list is empty.

    Raises
    ------
    ConfigError
        If the name has no version or is built in, a condition cannot be read, or there is none.

    Examples
    --------
    >>> Definition("asleep@1", all=("days_since_purchase >= 90", "ignored_sends >= 8")).name
    'asleep@1'
    """

    name: str
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = "policy.definitions"
        if _NAME.fullmatch(self.name) is None or self.name in BUILT_IN:
            how = 'Write a name of your own and a version, such as "asleep@1".'
            raise ConfigError(f"The definition is called {self.name!r}.", where=where, how=how)
        if not self.all and not self.any:
            how = 'Give it conditions: all = ["ignored_sends >= 8"].'
            raise ConfigError(f"{self.name} has no condition.", where=where, how=how)
        for text in (*self.all, *self.any):
            read_condition(text)


def measure(t: Any, name: str) -> Any:
    """Return a measure of `MEASURES` for each contact, null where it is unknown.

    Who never bought has not bought for as long as it is known, and likewise for activity. Days on which the shop was closed
    are no days of silence. ``ignored_sends`` counts the sends of all channels, on each since the last answer there.
    """
    if name == "days_since_purchase":
        bought = t.days_since_purchase - t.closed_days_in_silence.fill_null(0.0)
        return bought.fill_null(t.tenure_days - t.closed_known_days.fill_null(0))
    if name == "days_since_activity":
        return t.days_since_activity.fill_null(t.tenure_days) - t.closed_quiet_days.fill_null(0)
    if name == "loyalty_unchanged_days":
        return t.days_since_loyalty_change - t.closed_loyalty_days.fill_null(0)
    ignored = [t[f"{channel.prefix}_ignored_in_a_row"].fill_null(0) for channel in CHANNELS]
    return sum(ignored[1:], ignored[0])


def holds(t: Any, definition: Definition) -> Any:
    """Say whether each contact is inactive by a shop's own definition; never where a measure is unknown."""

    def met(text: str) -> Any:
        name, limit = read_condition(text)
        return (measure(t, name) >= limit).fill_null(False)

    every = ibis.and_(*map(met, definition.all))
    return every & ibis.or_(*map(met, definition.any)) if definition.any else every


def purchase_inactive(t: Any, config: PolicyConfig) -> Any:
    """Say whether a contact has lapsed as a buyer: past its own day and at risk, or silent for more than two horizons.

    A contact that never bought counts once it has been known for longer than the horizon.
    """
    late = (t.days_overdue > 0) & (t.p_lapse >= config.enter_p_lapse)
    never = (t.base == "never_bought") & (measure(t, "days_since_purchase") > t.horizon_days)
    return late.fill_null(False) | (t.base == "lapsed") | never.fill_null(False)


def engagement_inactive(t: Any, config: PolicyConfig) -> Any:
    """Say whether a contact shows no life: silent for ``engagement_days``, ``engagement_sends`` messages unanswered."""
    silent = measure(t, "days_since_activity") >= config.engagement_days
    return (silent & (measure(t, "ignored_sends") >= config.engagement_sends)).fill_null(False)


def persistently_inactive(t: Any, config: PolicyConfig) -> Any:
    """Say whether a contact shows no life and has not bought for more than two horizons, or ever."""
    gone = measure(t, "days_since_purchase") > 2 * t.horizon_days
    return engagement_inactive(t, config) & gone.fill_null(False)


def inactive(t: Any, config: PolicyConfig) -> Any:
    """Say whether a contact is inactive by ``config.definition``.

    Parameters
    ----------
    t : ibis.Table
        From `winback_policy.gather.gather`.
    config : PolicyConfig

    Returns
    -------
    ibis bool column
        Without nulls.
    """
    if config.definition == PURCHASE_LAPSED:
        return purchase_inactive(t, config)
    if config.definition == ENGAGEMENT_INACTIVE:
        return engagement_inactive(t, config)
    return holds(t, next(own for own in config.definitions if own.name == config.definition))
