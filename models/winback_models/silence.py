"""What is known today of the days to come: the features as they will be if nothing new happens.

A contact that stays silent for some days more has the same past, further away. Silences and ages grow, what fades goes on
fading, ratios of the silence grow with it, and what tells of the past alone stays. Counts within a window cannot be moved
without the history itself, so they have no place here: their faded sisters have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from winback_models.btyd import Array
from winback_models.design import CALENDAR, turned

STAYS = frozenset(
    {
        "frequency", "recency_days", "purchase_days", "orders", "zero_orders", "returns", "return_share",
        "return_amount_share", "gap_mean", "gap_median", "gap_sd", "gap_max", "gap_last", "gap_trend", "gap_log_mean",
        "gap_log_sd", "regularity_k", "spend_total", "monetary_value", "order_value_mean", "order_value_last",
        "category_breadth", "discount_share", "coupon_share", "gift_share", "loyalty_balance", "closed_days_in_silence",
    }
)  # fmt: skip
"""What silence does not change. A closed day after today is not known, so none is added."""

AGES = frozenset({"T_days", "tenure_days", "first_order_silence_days"})
SCALES = ("silence_over_gap_mean", "silence_over_gap_median", "silence_over_gap_max")
SILENCE = "days_since_purchase"
_FADES = re.compile(r"_decayed_(\d+)d$")


def movable(name: str) -> bool:
    """Say whether a feature is known for a day to come, should nothing new happen.

    Examples
    --------
    >>> movable("days_since_purchase"), movable("purchase_days_30d"), movable("purchase_days_decayed_30d")
    (True, False, True)
    """
    stays = name in STAYS or name.endswith("_ignored_in_a_row")
    return stays or _ages(name) or name in (*SCALES, *CALENDAR) or _FADES.search(name) is not None


@dataclass(frozen=True)
class SilentPath:
    """Moves feature values along days of silence.

    Attributes
    ----------
    names : tuple of str
        Movable features, ``days_since_purchase`` among them.

    Examples
    --------
    >>> path = SilentPath(("days_since_purchase", "purchase_days_decayed_30d", "frequency"))
    >>> path.at(np.array([[10.0, 2.0, 4.0]]), 30.0).round(3).tolist()
    [[40.0, 0.736, 4.0]]
    """

    names: tuple[str, ...]

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take the names alone out of a bundle: what follows from them may have been kept there by another version."""
        self.__dict__["names"] = state["names"]

    def at(self, values: Array, days: float) -> Array:
        """Return the values after ``days`` more days of silence, shape (n, len(names)) as given."""
        after = values.copy()
        after[:, self.moving] = self.moved(values, days)
        return after

    def moved(self, values: Array, days: float) -> Array:
        """Return the columns `moving` after ``days`` more days of silence, shape (n, len(moving))."""
        if days == 0.0:
            return values[:, self.moving]
        ages, scales, calendar, fading, factors = self._moves
        silence = values[:, [self.names.index(SILENCE)]]
        return np.hstack(
            [
                values[:, ages] + days,
                values[:, scales] * ((silence + days) / silence),
                *(
                    [np.column_stack(turned(values[:, calendar[0]], values[:, calendar[1]], days))]
                    if calendar
                    else []
                ),
                values[:, fading] * np.exp(-days / factors),
            ]
        )

    @cached_property
    def moving(self) -> list[int]:
        """Places of the features that silence changes."""
        ages, scales, calendar, fading, _ = self._moves
        return [*ages, *scales, *calendar, *fading]

    @cached_property
    def _moves(self) -> tuple[list[int], list[int], list[int], list[int], Array]:
        fades = {i: float(m.group(1)) for i, n in enumerate(self.names) if (m := _FADES.search(n))}
        return (
            _where(self.names, _ages),
            _where(self.names, lambda n: n in SCALES),
            [self.names.index(n) for n in CALENDAR if n in self.names],
            list(fades),
            np.array(list(fades.values()), dtype=np.float64),
        )


def _where(names: Sequence[str], holds: Callable[[str], bool]) -> list[int]:
    return [i for i, name in enumerate(names) if holds(name)]


def _ages(name: str) -> bool:
    return name in AGES or name.startswith("days_since_") or "_days_since_" in name
