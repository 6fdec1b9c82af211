"""What one more contact that came back has cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from winback_policy.outcomes.comparison import Comparison

COST = "cost"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one arm.

    Attributes
    ----------
    arm : str
    cost : float
        Spent on the arm beyond what the control cost, were it as large.
    won : float
        Contacts that came back because of it, by the estimate.
    each, low, high : float, optional
        Cost of one of them; no ``high`` where the effect's interval reaches zero, none at all where the effect is not above it.
    """

    arm: str
    cost: float
    won: float
    each: float | None
    low: float | None
    high: float | None


def costs(
    effects: Sequence[Comparison],
    counts: Mapping[str, Mapping[str, float]],
    contacts: Mapping[str, int],
    control: str,
    metric: str,
) -> tuple[Cost, ...]:
    """Return the cost of each arm where the log names any.

    Parameters
    ----------
    effects : sequence of Comparison
    counts : mapping of str to mapping of str to float
        By arm; ``cost`` is looked at.
    contacts : mapping of str to int
        By arm.
    control, metric : str

    Examples
    --------
    >>> costs([], {"a": {"cost": 0.0}}, {"a": 1}, "a", "bought")
    ()
    """
    found = []
    for effect in effects:
        spent = counts.get(effect.arm, {}).get(COST, 0.0)
        if effect.metric != metric or not spent:
            continue
        n, beside = contacts[effect.arm], contacts[control]
        extra = spent - counts.get(control, {}).get(COST, 0.0) * n / max(beside, 1)
        bounds = (effect.value, effect.high, effect.low)
        each, low, high = (extra / (b * n) if b and b > 0 else None for b in bounds)
        found.append(Cost(effect.arm, extra, effect.value * n, each, low if each is not None else None, high))
    return tuple(found)
