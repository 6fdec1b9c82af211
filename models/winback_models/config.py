"""What the score is asked to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ScoreConfig:
    """The questions a model answers per contact.

    Attributes
    ----------
    horizon_days : int
        H: ``p_purchase`` is the probability of a purchase in ``[as_of, as_of + H)``.
    curve_days : tuple of int
        Each d for which ``p_within_{d}d`` is given.
    max_days : int
        A date farther away than this is null.
    value_horizon_days : int
        Days of margin that a lapse puts at risk.
    margin_share : float
        Share of an order's amount that is margin; 1.0 ranks by revenue.
    discount_rate : float
        Effective annual rate at which later margin counts for less in ``clv_12m``.
    category_gap_days : mapping
        Category = usual gap in days of who buys from it, before what the model has learned. Who bought from it last is taken for
        one of them as far as its own gaps are few; elsewhere the base's usual gap counts.
    """

    horizon_days: int = 90
    curve_days: tuple[int, ...] = (7, 14, 30, 60, 90)
    max_days: int = 730
    value_horizon_days: int = 365
    margin_share: float = 1.0
    discount_rate: float = 0.10
    category_gap_days: Mapping[str, float] = field(default_factory=dict)
