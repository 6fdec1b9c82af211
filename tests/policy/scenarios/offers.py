"""What a contact is offered: within its tier, by what it said, and for as long as its journey lasts."""

from __future__ import annotations

from typing import Any

from scenarios.scenario import Scenario, journey, left, said

RICH_AND_LATE = {"spend_total": 9000.0, "days_overdue": 90}


def offered(story: str, today: dict[str, Any], tier: str, kind: str, *rows: str) -> Scenario:
    """Return a contact that enters today, with what it may be offered."""
    more = {"incentive_tier": tier, "incentive_kind": kind}
    return Scenario(story, ("001.6", *rows), today, "flagged", does="win_back", more=more)


def still_offered(
    story: str, today: dict[str, Any], before: str | None, tier: str, kind: str, arm: str = "treatment"
) -> Scenario:
    """Return a contact that entered five days ago, with what it was offered up to yesterday and what it is offered today."""
    does = "none" if arm == "holdout" else "win_back"
    more = {"incentive_tier": tier, "incentive_kind": kind}
    yesterday = journey(5, offered_tier=before, arm=arm)
    return Scenario(story, ("001.6", "003.5"), today, "in_winback", does=does, yesterday=yesterday, more=more)


def sent(days: int = 1, times: float = 1.0) -> dict[str, Any]:
    """Return a contact that had so many incentives, the last one so many days ago."""
    return {"incentives_180d": times, "days_since_incentive": float(days)}


OFFERED: dict[str, Scenario] = {
    "Felicja": offered(
        "too expensive, she says: a share of the price off", said("price"), "mid", "percent_off", "002.8"
    ),
    "Gijs": offered(
        "says so too, and had an incentive lately: his tier is lower, a voucher is within it",
        said("price", incentives_180d=1.0, days_since_incentive=20.0),
        "low",
        "voucher",
        "003.5",
    ),
    "Halina": offered(
        "says so too, and had two: nothing, so that she learns not to wait for it",
        said("price", incentives_180d=2.0, days_since_incentive=20.0),
        "none",
        "none",
        "003.5",
    ),
    "Hilde": offered(
        "says so too; the campaign log knows of one incentive, the events of none: one step lower",
        said("price", logged_incentives_180d=1),
        "low",
        "voucher",
        "003.5",
    ),
    "Ineta": offered(
        "says so too; log and events both know of one, the same: it counts once",
        said("price", incentives_180d=1.0, days_since_incentive=20.0, logged_incentives_180d=1),
        "low",
        "voucher",
        "003.5",
    ),
    "Pieter": Scenario(
        "says so too, and is held out: nothing",
        ("001.6", "003.6"),
        said("price"),
        "in_winback",
        yesterday=journey(5, arm="holdout"),
        more={"stated_reason": "price", "incentive_kind": "none"},
    ),
    "Ineke": offered(
        "the delivery kept her away: it is free once", said("delivery"), "mid", "free_delivery", "002.8"
    ),
    "Jarek": offered(
        "the service failed him: a gift makes good, and is no discount, though he looks for coupons",
        said("service", coupon_share=0.9),
        "mid",
        "gift",
        "002.8",
    ),
    "Wiesia": offered(
        "buys mostly with coupons: a share of the price off",
        {**RICH_AND_LATE, "coupon_share": 0.6, "discount_share": 0.1},
        "high",
        "percent_off",
    ),
    "Ximena": offered(
        "just as valuable and late, never looks for a coupon, and gets the discounts that all get: a gift",
        {**RICH_AND_LATE, "coupon_share": 0.1, "discount_share": 0.9},
        "high",
        "gift",
    ),
    "Ysolde": offered(
        "a little late, and buys with coupons: free delivery at most",
        {"coupon_share": 0.9},
        "low",
        "free_delivery",
    ),
    "Zenon": offered("not late yet: nothing", {"days_overdue": -1}, "none", "none"),
    "Adrie": still_offered(
        "got his incentive yesterday, in this journey: what he was offered stands",
        said("price") | sent(),
        "mid",
        "mid",
        "percent_off",
    ),
    "Bregje": still_offered(
        "got hers by the campaign log alone: it stands as well",
        said("price", logged_incentives_180d=2),
        "mid",
        "mid",
        "percent_off",
    ),
    "Czesia": still_offered(
        "was offered a little, and got later since: more, but for the one that she had",
        {**RICH_AND_LATE, **sent()},
        "low",
        "mid",
        "voucher",
    ),
    "Doortje": still_offered(
        "was offered nothing while she was nearly late: now she is late",
        said("price"),
        "none",
        "mid",
        "percent_off",
    ),
    "Edzard": still_offered(
        "entered under a version that kept no offers: as by today",
        said("price") | sent(),
        None,
        "low",
        "voucher",
    ),
    "Feline": still_offered(
        "is held out, whatever the states say: nothing", said("price"), "mid", "none", "none", arm="holdout"
    ),
    "Goswin": Scenario(
        "was offered much in the journey before, and had an incentive in it: the new journey begins with less",
        ("001.6", "003.5"),
        said("price") | sent(40),
        "flagged",
        does="win_back",
        yesterday=left("active", 90, 35, "risk_fell", offered_tier="high"),
        more={"incentive_tier": "low", "incentive_kind": "voucher"},
    ),
}
"""Kinds of incentive: by what was said, by what is bought with coupons, within the tier."""
