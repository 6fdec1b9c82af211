"""What kind of incentive a contact is offered: the first rule that fits, among those that its tier allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from winback_features.contracts import STATED_REASONS
from winback_features.errors import ConfigError

INCENTIVE_TIERS = ("none", "low", "mid", "high")
"""How generous an incentive may be; each includes the ones before it."""

INCENTIVE_KINDS = ("none", "content", "free_delivery", "points", "gift", "voucher", "percent_off")


@dataclass(frozen=True, slots=True)
class IncentiveRule:
    """One rule: who is offered which kind. All of its conditions must hold.

    Attributes
    ----------
    kind : str
        One of `INCENTIVE_KINDS`; ``none`` offers nothing.
    from_tier : {"low", "mid", "high"}
        Contacts of this tier or a higher one.
    because : tuple of str
        Contacts that gave one of these reasons for stopping; any contact where empty.
    bargain_share : float
        Contacts that made at least such a share of their purchases with a coupon; where the shop records none, at a discount.
        A coupon is looked for, a discount may be everybody's.

    Raises
    ------
    ConfigError
        If a word is not known, or the share is outside [0, 1].

    Examples
    --------
    >>> IncentiveRule("voucher", because=("price",)).from_tier
    'low'
    """

    kind: str
    from_tier: str = "low"
    because: tuple[str, ...] = ()
    bargain_share: float = 0.0

    def __post_init__(self) -> None:
        where = "policy.incentives"
        words = [("kind", self.kind, INCENTIVE_KINDS), ("from_tier", self.from_tier, INCENTIVE_TIERS[1:])]
        words += [("because", reason, STATED_REASONS) for reason in self.because]
        for name, word, known in words:
            if word not in known:
                how = f"Write one of {', '.join(known)}."
                raise ConfigError(f"{name} is {word!r}.", where=where, how=how)
        if not 0 <= self.bargain_share <= 1:
            what = f"bargain_share is {self.bargain_share}, which is no share."
            raise ConfigError(what, where=where, how="Give a number from 0 to 1.")


RULES = (
    IncentiveRule("free_delivery", because=("delivery",)),
    IncentiveRule("gift", because=("service", "quality")),
    IncentiveRule("percent_off", "mid", because=("price",)),
    IncentiveRule("voucher", because=("price",)),
    IncentiveRule("percent_off", "mid", bargain_share=0.5),
    IncentiveRule("gift", "high"),
    IncentiveRule("voucher", "mid"),
    IncentiveRule("free_delivery"),
)
"""Where the shop names none: make good what went wrong, and a share of the price for those only who look at it."""


def incentive_kind(t: Any, tier: Any, own: Sequence[IncentiveRule] = ()) -> Any:
    """Return the kind of the first rule that fits; ``none`` where the tier is ``none``, or none fits.

    Parameters
    ----------
    t : ibis.Table
        With ``stated_reason`` (as it stands), ``discount_share`` and ``coupon_share``.
    tier : ibis string column
        One of `INCENTIVE_TIERS`: the ceiling, lowered already by what was sent before.
    own : sequence of IncentiveRule
        The shop's; `RULES` where empty.

    Returns
    -------
    ibis string column
        One of `INCENTIVE_KINDS`.
    """
    return ibis.cases(*((_fits(t, tier, rule), rule.kind) for rule in own or RULES), else_="none")


def _fits(t: Any, tier: Any, rule: IncentiveRule) -> Any:
    found = [tier.isin(INCENTIVE_TIERS[INCENTIVE_TIERS.index(rule.from_tier) :])]
    if rule.because:
        found.append(t.stated_reason.isin(rule.because).fill_null(False))
    if rule.bargain_share:
        share = ibis.coalesce(t.coupon_share, t.discount_share, 0.0)
        found.append(share >= rule.bargain_share)
    return ibis.and_(*found)
