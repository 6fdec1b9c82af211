"""Recency, frequency and money: scores with ties together, thresholds as data, ten segments on a 5 × 5 grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import ibis

from winback_features.errors import ConfigError

SEGMENT_GRID = (
    # F:   1              2                     3                     4           5
    ("hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"),  # R 1
    ("hibernating", "hibernating", "at_risk", "at_risk", "cant_lose"),  # R 2
    ("about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"),  # R 3
    ("promising", "potential_loyalist", "potential_loyalist", "loyal", "loyal"),  # R 4
    ("new", "potential_loyalist", "potential_loyalist", "champion", "champion"),  # R 5
)
"""``SEGMENT_GRID[r - 1][f - 1]``: each cell has exactly one segment."""

SEGMENTS = tuple(dict.fromkeys(name for row in SEGMENT_GRID for name in row))

HIGHER_SCORES = (2, 3, 4, 5)
"""Every buyer has a score of 1; these have a cut to pass."""

VALUE_COLUMNS = ("days_since_purchase", "purchase_days", "spend_total")
"""What R, F and M are scored on."""


@dataclass(frozen=True, slots=True)
class RfmThresholds:
    """The cuts between the scores: data of a run, so that any run can be scored again with another's.

    A score is 1 plus the number of cuts that the value passes: fewer days than the cut, more purchase days, more
    money. Each has four cuts, for the scores 2, 3, 4 and 5.

    Attributes
    ----------
    recency_days : tuple of float
        Days since the last purchase, falling.
    purchase_days : tuple of float
        Days with a purchase, rising.
    spend : tuple of float
        Money spent, rising, to the cent.

    Raises
    ------
    ConfigError
        If there are not four cuts, one is no finite number, or they are out of order.

    Examples
    --------
    >>> fixed = RfmThresholds((365, 180, 90, 30), (1, 2, 4, 8), (50, 100, 250, 500))
    >>> fixed.as_dict()["recency_days"]
    [365, 180, 90, 30]
    >>> RfmThresholds((30, 90, 180, 365), (1, 2, 4, 8), (50, 100, 250, 500))
    Traceback (most recent call last):
    winback_features.errors.ConfigError: rfm.recency_days: The cuts 30, 90, 180, 365 are out of order. ...
    """

    recency_days: tuple[float, ...]
    purchase_days: tuple[float, ...]
    spend: tuple[float, ...]

    def __post_init__(self) -> None:
        for field in fields(self):
            cuts = getattr(self, field.name)
            where, said = f"rfm.{field.name}", ", ".join(map(str, cuts))
            if len(cuts) != len(HIGHER_SCORES) or not all(map(math.isfinite, cuts)):
                what = f"The cuts are {said or 'none'}."
                raise ConfigError(what, where=where, how="Give four numbers, for the scores 2, 3, 4 and 5.")
            falls = field.name == "recency_days"
            if any(a < b if falls else a > b for a, b in pairwise(cuts)):
                what = f"The cuts {said} are out of order."
                how = f"They {'fall' if falls else 'rise'} from score 2 to score 5."
                raise ConfigError(what, where=where, how=how)

    def as_dict(self) -> dict[str, list[float]]:
        """Return the cuts as ``run.json`` keeps them."""
        return {field.name: list(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, cuts: Mapping[str, Sequence[float]]) -> RfmThresholds:
        """Return the thresholds that `as_dict` wrote down."""
        return cls(**{field.name: tuple(cuts[field.name]) for field in fields(cls)})

    @classmethod
    def from_row(cls, row: Mapping[str, float | None]) -> RfmThresholds | None:
        """Return the thresholds in the fetched row of `quintile_thresholds`; None where nobody has bought."""
        cuts = {
            f.name: [cut for score in HIGHER_SCORES if (cut := row[f"{f.name}_{score}"]) is not None]
            for f in fields(cls)
        }
        return cls.from_dict(cuts) if cuts["recency_days"] else None


def rfm_values(features: Any, scores: Any) -> Any:
    """Join what a run's RFM scores rest on.

    Parameters
    ----------
    features, scores : ibis.Table
        Of one run; the silence is the score's own.

    Returns
    -------
    ibis.Table
        ``contact_id`` and `VALUE_COLUMNS`, for the contacts that are in both.
    """
    recency = scores.select(recency_of="contact_id", days_since_purchase="days_since_purchase")
    known = features.select("contact_id", "purchase_days", "spend_total")
    joined = known.inner_join(recency, known.contact_id == recency.recency_of)
    return joined.select("contact_id", *VALUE_COLUMNS)


def quintile(t: Any, worse_first: Any) -> Any:
    """Score 1 to 5 by the share of contacts that are strictly worse, so that equal values score equally.

    Parameters
    ----------
    t : ibis.Table
        The contacts to compare.
    worse_first : ibis sort key
        Such as ``t.spend_total.asc()``.

    Returns
    -------
    ibis int64 column
        ``1 + floor(5 · worse / n)``.
    """
    worse = ibis.rank().over(order_by=worse_first)
    return (1 + (5 * worse) // t.count().over()).cast("int64")


def rfm(t: Any, thresholds: RfmThresholds | None = None) -> Any:
    """Score the contacts of a table.

    Parameters
    ----------
    t : ibis.Table
        With ``contact_id``, ``days_since_purchase``, ``purchase_days`` and ``spend_total``, one row
        per contact.
    thresholds : RfmThresholds, optional
        Fixed ones, or those of another run; without them the quintiles of this table.

    Returns
    -------
    ibis.Table
        ``rfm_of`` (the contact), ``rfm_r``, ``rfm_f``, ``rfm_m`` (int64), ``rfm_code`` such as ``"543"`` and
        ``rfm_segment``. Contacts without a purchase are left out, and count in nobody's quintile.
    """
    b = _buyers(t)
    r, f, m = _quintiles(b) if thresholds is None else _scores(b, thresholds)
    scored = b.select(rfm_of=b.contact_id, rfm_r=r, rfm_f=f, rfm_m=m)
    cells = [(r * 10 + f, SEGMENT_GRID[r - 1][f - 1]) for r in range(1, 6) for f in range(1, 6)]
    return scored.mutate(
        rfm_code=scored.rfm_r.cast("string") + scored.rfm_f.cast("string") + scored.rfm_m.cast("string"),
        rfm_segment=(scored.rfm_r * 10 + scored.rfm_f).cases(*cells, else_=None),
    )


def quintile_thresholds(t: Any) -> Any:
    """Find the cuts behind the quintiles of a table: `rfm` with them scores it just as without.

    Another contact gets the score it would have among the contacts of this table.

    Parameters
    ----------
    t : ibis.Table
        As for `rfm`.

    Returns
    -------
    ibis.Table
        One row: ``recency_days_2`` … ``spend_5`` (float64), for `RfmThresholds.from_row`. A cut is the best value
        that still scores below; null where nobody has bought.
    """
    b = _buyers(t)
    r, f, m = _quintiles(b)
    placed = b.mutate(r=r, f=f, m=m)
    cuts = {}
    for score in HIGHER_SCORES:
        cuts[f"recency_days_{score}"] = placed.days.min(where=placed.r < score)
        cuts[f"purchase_days_{score}"] = placed.purchases.max(where=placed.f < score)
        cuts[f"spend_{score}"] = placed.spend.max(where=placed.m < score)
    return placed.aggregate(**cuts)


def _buyers(t: Any) -> Any:
    """Return who has bought; money to the cent, so that the order of a sum parts no equals."""
    buyers = t.filter((t.purchase_days > 0) & t.days_since_purchase.notnull())
    return buyers.select(
        "contact_id",
        days=buyers.days_since_purchase.cast("float64"),
        purchases=buyers.purchase_days.cast("float64"),
        spend=buyers.spend_total.fill_null(0).cast("float64").round(2),
    )


def _quintiles(b: Any) -> tuple[Any, Any, Any]:
    return quintile(b, b.days.desc()), quintile(b, b.purchases.asc()), quintile(b, b.spend.asc())


def _scores(b: Any, thresholds: RfmThresholds) -> tuple[Any, Any, Any]:
    def passed(value: Any, cuts: tuple[float, ...], sign: int = 1) -> Any:
        beyond = [ibis.ifelse(value * sign > ibis.literal(cut * sign, "float64"), 1, 0) for cut in cuts]
        return (1 + beyond[0] + beyond[1] + beyond[2] + beyond[3]).cast("int64")

    return (
        passed(b.days, thresholds.recency_days, -1),
        passed(b.purchases, thresholds.purchase_days),
        passed(b.spend, thresholds.spend),
    )
