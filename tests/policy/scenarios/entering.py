"""Who enters, who is kept out, and on what basis one may be written to."""

from __future__ import annotations

from scenarios.scenario import DEAF, GONE, NEVER, ONCE, PHONE, Scenario

ENTERS: dict[str, Scenario] = {
    "Anna": Scenario(
        "buys every 12 days, silent for 31, agreed to e-mail",
        ("002.1", "004.1"),
        {},
        "flagged",
        does="win_back",
        more={
            "entry_reason": "late",
            "channel": "email",
            "consent_basis": "consent",
            "purchase_inactive": True,
        },
    ),
    "Bram": Scenario(
        "is due in three days: within the lead, before the lapse",
        ("002.5",),
        {"days_overdue": -3},
        "flagged",
        does="win_back",
        more={"entry_reason": "nearly_late", "purchase_inactive": False},
    ),
    "Celina": Scenario(
        "buys every 25 days, silent for four: no fifth of her gap has passed, too early",
        ("002.5",),
        {"usual_gap_days": 25.0, "days_since_purchase": 4, "days_overdue": -34},
        "active",
        "on_time",
    ),
    "Quido": Scenario(
        "buys every 25 days, silent for five: at such a risk a fifth of the gap is enough",
        ("002.5",),
        {"usual_gap_days": 25.0, "days_since_purchase": 5, "days_overdue": -33},
        "flagged",
        does="win_back",
        more={"purchase_inactive": False},
    ),
    "Xandra": Scenario(
        "buys every 40 days, longer than the horizon, and is silent for 19: half her gap has not passed",
        ("002.2", "002.5"),
        {"usual_gap_days": 40.0, "days_since_purchase": 19, "days_overdue": -45},
        "active",
        "on_time",
    ),
    "Ysbrand": Scenario(
        "buys every 40 days, longer than the horizon, and is silent for 20: half his gap has passed",
        ("002.2", "002.5"),
        {"usual_gap_days": 40.0, "days_since_purchase": 20, "days_overdue": -44},
        "flagged",
        does="win_back",
        more={"purchase_inactive": False},
    ),
    "Daan": Scenario(
        "is exactly at the risk of entry", ("000.6",), {"p_lapse": 0.5}, "flagged", does="win_back"
    ),
    "Ewa": Scenario(
        "is just below the risk of entry, though late", ("000.6",), {"p_lapse": 0.49}, "active", "low_risk"
    ),
    "Floor": Scenario(
        "buys beds: silent for 300 days, and that is her rhythm",
        ("002.2", "003.2"),
        {"usual_gap_days": 800.0, "days_since_purchase": 300, "days_overdue": -500},
        "active",
        "on_time",
    ),
    "Gerard": Scenario(
        "was silent through the lockdown: closed days do not count, so he is not late",
        ("000.8",),
        {"days_since_purchase": 90, "closed_days_in_silence": 88.0, "days_overdue": -16},
        "active",
        "on_time",
    ),
    "Hania": Scenario(
        "still clicks, but has lapsed as a buyer: the two definitions differ",
        ("003.1",),
        {"days_since_activity": 4.0, "days_since_click": 4},
        "flagged",
        does="win_back",
        more={"purchase_inactive": True, "engagement_inactive": False},
    ),
    "Igor": Scenario(
        "neither clicks nor buys: inactive by both definitions",
        ("003.1", "000.1"),
        {**DEAF, "days_since_activity": 95.0, "active_days_90d": 0.0},
        "flagged",
        does="preference_form",
        more={"purchase_inactive": True, "engagement_inactive": True},
    ),
    "Quinta": Scenario(
        "visits the shop, but leaves every mail unopened, and no other channel is open: other content",
        ("000.4",),
        {**DEAF},
        "flagged",
        does="refresh_content",
    ),
}
"""Definitions: who is late by the own rhythm, and who is not."""

EXCLUDED: dict[str, Scenario] = {
    "Jan": Scenario(
        "asked to be erased", ("002.10",), {"erased": True}, "erased", "erased", more={"email": None}
    ),
    "Kasia": Scenario(
        "objected to profiling: not even scored",
        ("001.9",),
        {"objected_profiling": True},
        "inactive",
        "objected_profiling",
        more={"p_lapse": None, "consent_basis": "none"},
    ),
    "Lars": Scenario("works in the shop", ("001.9",), {"is_staff": True}, "inactive", "staff"),
    "Maria": Scenario("has a dead address", ("001.4",), {"hard_bounced": True}, "active", "hard_bounced"),
    "Niels": Scenario(
        "has a full mailbox, eight times in a row",
        ("001.4",),
        {"soft_bounces_in_a_row": 8},
        "active",
        "soft_bounced",
    ),
    "Ola": Scenario(
        "has a full mailbox, seven times in a row: not yet",
        ("001.4",),
        {"soft_bounces_in_a_row": 7},
        "flagged",
        does="win_back",
    ),
    "Piet": Scenario("unsubscribed", ("002.7", "004.6"), {"consent_email": False}, "active", "no_consent"),
    "Renata": Scenario("called our mail spam", ("001.9",), {"complained": True}, "active", "complained"),
    "Sjoerd": Scenario(
        "asked the service for help a week ago",
        ("002.3",),
        {"days_since_service_contact": 7},
        "active",
        "open_service_case",
    ),
    "Teresa": Scenario(
        "asked the service for help eight days ago: closed",
        ("002.3",),
        {"days_since_service_contact": 8},
        "flagged",
        does="win_back",
    ),
    "Urszula": Scenario("left a cart yesterday", ("001.1",), {"cart_open_days": 1}, "active", "cart_open"),
    "Victor": Scenario(
        "was sent a voucher by another campaign last week",
        ("003.5",),
        {"days_since_incentive": 7.0},
        "active",
        "in_other_journey",
    ),
    "Wanda": Scenario(
        "visited the shop yesterday", ("001.5",), {"days_since_visit": 1}, "active", "recently_active"
    ),
    "Xander": Scenario(
        "clicked two days ago", ("001.5",), {"days_since_click": 2}, "active", "recently_active"
    ),
    "Yvonne": Scenario(
        "bought yesterday", ("001.5",), {"days_since_purchase": 1}, "active", "recently_active"
    ),
    "Zofia": Scenario(
        "opened a mail by machine this morning: no sign of a person",
        ("002.3", "003.6"),
        {"email_days_since_send": 1.0},
        "flagged",
        does="win_back",
    ),
    "Adam": Scenario("never bought", ("000.1",), NEVER, "inactive", "never_bought"),
    "Beata": Scenario(
        "bought once: led to the second purchase",
        ("001.2", "004.3"),
        ONCE,
        "active",
        "one_time_buyer",
        does="onboard_second_purchase",
        more={"channel": "email"},
    ),
    "Cor": Scenario(
        "bought twice in two days: one occasion, no relationship",
        ("001.2",),
        {"purchase_days": 2.0, "gap_mean": 2.0, "gap_max": 2.0},
        "active",
        "no_relationship_basis",
        does="onboard_second_purchase",
    ),
    "Dorota": Scenario("buys gifts, nine in ten", ("004.3",), {"gift_share": 0.9}, "active", "gift_buyer"),
    "Emil": Scenario(
        "buys once a year, for Mother's Day",
        ("004.3",),
        {"gap_mean": 364.0, "gap_max": 370.0},
        "active",
        "occasion_buyer",
    ),
    "Fenna": Scenario(
        "lapsed long ago", ("000.7",), {**GONE, "base": "lapsed"}, "inactive", "lapsed_already"
    ),
}
"""Eligibility: each reason alone, and what lies just inside its limit."""

BASES: dict[str, Scenario] = {
    "Grzegorz": Scenario(
        "Polish, no consent recorded: prior consent is needed",
        ("001.9", "002.7"),
        {"country": "PL", "consent_email": None},
        "active",
        "no_consent",
        more={"consent_basis": "none"},
    ),
    "Hendrik": Scenario(
        "Dutch buyer, no consent recorded: soft opt-in",
        ("001.9",),
        {"country": "NL", "consent_email": None},
        "flagged",
        does="win_back",
        more={"consent_basis": "soft_opt_in_buyers"},
    ),
    "Iza": Scenario(
        "Dutch, no consent recorded, never bought: soft opt-in is for buyers",
        ("001.9",),
        {**NEVER, "country": "NL", "consent_email": None},
        "inactive",
        "no_consent",
    ),
    "Jacques": Scenario(
        "French, agreed, and gave no sign for more than three years",
        ("002.10",),
        {"country": "FR", "days_since_activity": 1096.0},
        "active",
        "past_retention",
    ),
    "Madeleine": Scenario(
        "Canadian buyer, no consent recorded, bought two years ago to the day: the last day of implied consent",
        ("001.9",),
        {"country": "CA", "consent_email": None, "days_since_purchase": 730},
        "flagged",
        does="win_back",
        more={"consent_basis": "soft_opt_in_buyers"},
    ),
    "Noel": Scenario(
        "Canadian buyer, no consent recorded, bought a day earlier: the right to write to him has run out",
        ("001.9", "002.7"),
        {"country": "CA", "consent_email": None, "days_since_purchase": 731},
        "active",
        "consent_expired",
        more={"consent_basis": "none", "channel": None},
    ),
    "Odile": Scenario(
        "Canadian, bought as long ago, and agreed: express consent does not age there",
        ("001.9",),
        {"country": "CA", "consent_email_days": 3000, "days_since_purchase": 731},
        "flagged",
        does="win_back",
        more={"consent_basis": "consent"},
    ),
    "Philippa": Scenario(
        "agreed 730 days ago, in a country where the shop renews after two years: still good",
        ("001.9",),
        {"country": "GB", "consent_email_days": 730},
        "flagged",
        does="win_back",
        more={"consent_basis": "consent"},
    ),
    "Quentin": Scenario(
        "agreed 731 days ago there: to be asked again, though the law would let one write to a buyer",
        ("001.9",),
        {"country": "GB", "consent_email_days": 731},
        "active",
        "consent_expired",
        more={"consent_basis": "none", "email_basis": "none"},
    ),
    "Rosalind": Scenario(
        "agreed there, and nobody knows when: not guessed",
        ("001.9",),
        {"country": "GB"},
        "active",
        "consent_undated",
    ),
    "Klara": Scenario(
        "declined e-mail, agreed to text messages",
        ("004.6",),
        {"consent_email": False, "consent_sms": True, "phone": PHONE},
        "flagged",
        does="win_back",
        more={"channel": "sms"},
    ),
    "Leon": Scenario(
        "declined e-mail; a number is known, but he is not chased by text message",
        ("004.6",),
        {"consent_email": False, "consent_sms": None, "phone": PHONE, "country": "NL"},
        "active",
        "no_consent",
    ),
    "Mirjam": Scenario(
        "has a full mailbox, but agreed to push",
        ("001.4", "004.6"),
        {"soft_bounces_in_a_row": 9, "consent_push": True},
        "flagged",
        does="win_back",
        more={"channel": "push"},
    ),
}
"""Legal basis and channel: country, consent, age."""
