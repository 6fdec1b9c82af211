"""Two rules at once: which one is told."""

from __future__ import annotations

from scenarios.scenario import DEAF, GONE, NEVER, ONCE, PHONE, Scenario

CONFLICTS: dict[str, Scenario] = {
    "Nina": Scenario(
        "erased, and objected: the erasure is told",
        ("002.10",),
        {"erased": True, "objected_profiling": True},
        "erased",
        "erased",
    ),
    "Oskar": Scenario(
        "objected, and works here: the right comes first",
        ("001.9",),
        {"objected_profiling": True, "is_staff": True},
        "inactive",
        "objected_profiling",
    ),
    "Pola": Scenario(
        "dead address, though agreed to text messages: the record is wrong first",
        ("001.4",),
        {"hard_bounced": True, "consent_sms": True, "phone": PHONE},
        "active",
        "hard_bounced",
    ),
    "Quirijn": Scenario(
        "unsubscribed, and bought this morning's eve: he may not be written to anyway",
        ("002.7", "001.5"),
        {"consent_email": False, "days_since_purchase": 1},
        "active",
        "no_consent",
    ),
    "Roza": Scenario(
        "too old, and her mailbox is full: the law comes before the mailbox",
        ("002.10", "001.4"),
        {"days_since_activity": 1200.0, "soft_bounces_in_a_row": 20},
        "active",
        "past_retention",
    ),
    "Stefan": Scenario(
        "complained of our mail, and asked the service for help",
        ("001.9",),
        {"complained": True, "days_since_service_contact": 1},
        "active",
        "complained",
    ),
    "Tess": Scenario(
        "an open service case, and a cart: first the case",
        ("001.1", "002.3"),
        {"days_since_service_contact": 2, "cart_open_days": 1},
        "active",
        "open_service_case",
    ),
    "Ula": Scenario(
        "a cart, and a visit that goes with it: the cart journey has her",
        ("001.1", "001.5"),
        {"cart_open_days": 1, "days_since_visit": 1},
        "active",
        "cart_open",
    ),
    "Vera": Scenario(
        "bought once, yesterday: not pushy with newcomers either",
        ("001.2", "001.5"),
        {**ONCE, "days_since_purchase": 1},
        "active",
        "recently_active",
    ),
    "Wim": Scenario(
        "bought one gift: bought once is told, and the second purchase recommended",
        ("004.3", "001.2"),
        {**ONCE, "gift_share": 1.0},
        "active",
        "one_time_buyer",
        does="onboard_second_purchase",
    ),
    "Xenia": Scenario(
        "buys gifts once a year: gifts come first",
        ("004.3",),
        {"gift_share": 1.0, "gap_mean": 365.0, "gap_max": 365.0},
        "active",
        "gift_buyer",
    ),
    "Ype": Scenario(
        "bought each Christmas, silent for 400 days: an occasion, not a lapse",
        ("004.3", "002.2"),
        {**GONE, "gap_mean": 365.0, "gap_max": 365.0},
        "inactive",
        "occasion_buyer",
    ),
    "Zuzanna": Scenario(
        "late, but likely to buy: the risk is asked before the rhythm",
        ("002.2",),
        {"p_lapse": 0.2, "days_overdue": -9},
        "active",
        "low_risk",
    ),
    "Aart": Scenario(
        "never bought, and has an open cart: the cart journey",
        ("001.1",),
        {**NEVER, "cart_open_days": 1},
        "inactive",
        "cart_open",
    ),
    "Bogna": Scenario(
        "clicks, but has not bought for a horizon: look at the landing page",
        ("000.4",),
        {"email_clicks_90d": 3.0},
        "flagged",
        does="check_landing_page",
    ),
    "Casper": Scenario(
        "ignores e-mail, active elsewhere, agreed to push: another channel",
        ("000.4", "004.6"),
        {**DEAF, "consent_push": True},
        "flagged",
        does="change_channel",
        more={"channel": "push"},
    ),
    "Danuta": Scenario(
        "got two incentives lately: no third, though late and valuable",
        ("003.5",),
        {"incentives_180d": 2.0, "days_since_incentive": 20.0, "spend_total": 9000.0, "days_overdue": 90},
        "flagged",
        does="win_back",
        more={"incentive_tier": "low"},
    ),
}
"""Two rules at once: which one is told."""
