"""Many questions at once: a win among twenty segments must be better than the best of twenty accidents."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import chdtrc

from winback_policy.outcomes.effects import Interval


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that hold together: below 0.05 at most one time in twenty where nothing has an effect.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, least = [1.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        least = max(least, min(1.0, p_values[i] * (len(p_values) - place)))
        adjusted[i] = least
    return adjusted


def heterogeneity(effects: Sequence[Interval]) -> float:
    """Return the p-value of all effects being one (Cochran's Q); 1 where fewer than two can be told.

    References
    ----------
    Cochran (1954), The combination of estimates from different experiments. Biometrics 10.

    Examples
    --------
    >>> same, other = Interval(0.1, 0, 0, se=0.05), Interval(0.4, 0, 0, se=0.05)
    >>> round(heterogeneity([same, same]), 3), heterogeneity([same, other]) < 0.001
    (1.0, True)
    """
    known = [e for e in effects if e.se > 0]
    if len(known) < 2:
        return 1.0
    weights = [1 / e.se**2 for e in known]
    centre = sum(w * e.value for w, e in zip(weights, known, strict=True)) / sum(weights)
    q = sum(w * (e.value - centre) ** 2 for w, e in zip(weights, known, strict=True))
    return float(chdtrc(len(known) - 1, q))
