"""Which columns of a run the server shows, filters and sorts by: the white lists that every query is made of."""

from __future__ import annotations

PERSONAL = ("email", "first_name", "last_name", "phone")
"""Columns of a run that no table of the server has; they leave it in exports only."""

NUMBERS = ("p_purchase", "p_lapse", "value_at_risk", "clv_12m", "expected_order_value", "p_alive")
COUNTS = ("rank", "days_since_purchase", "days_overdue")
DATES = ("entered_at", "next_purchase_date", "farewell_due")
SORTED_WORDS = ("contact_id", "state", "rfm_segment", "recommended_action", "channel", "last_category")
SORTABLE = (*NUMBERS, *COUNTS, *DATES, *SORTED_WORDS)
"""Columns a list can be sorted by; ``-`` in front turns the order round. What is unknown comes last either way."""

WORDS = (
    *SORTED_WORDS,
    "base",
    "not_flagged_reason",
    "entry_reason",
    "arm",
    "consent_basis",
    "language",
    "country",
    "acquisition_source",
)
KEYS = (*NUMBERS, *COUNTS, *DATES, *WORDS)
"""Columns of ``keys``: all that a list can be filtered or sorted by."""

COLUMNS = (
    "rank",
    "contact_id",
    "state",
    "entered_at",
    "entry_reason",
    "exit_reason",
    "not_flagged_reason",
    "farewell_due",
    "p_purchase",
    "p_lapse",
    "p_alive",
    "next_purchase_date",
    "next_purchase_low",
    "next_purchase_high",
    "days_since_purchase",
    "days_overdue",
    "usual_gap_days",
    "expected_order_value",
    "value_at_risk",
    "clv_12m",
    "currency",
    "base",
    "rfm_code",
    "rfm_segment",
    "reason_1",
    "reason_2",
    "reason_3",
    "stated_reason",
    "recommended_action",
    "channel",
    "send_weekday",
    "send_hour",
    "send_timezone",
    "incentive_tier",
    "incentive_kind",
    "last_category",
    "arm",
    "consent_basis",
    "language",
    "country",
    "acquisition_source",
)
"""Columns of a row of a list, in order."""
