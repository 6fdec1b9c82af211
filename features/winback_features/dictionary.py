"""The feature dictionary: every column of ``build_features``, its unit, window and the meaning of null."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from winback_features.contracts import SEND_CHANNELS

Group = Literal["purchase", "engagement", "contact"]

NEVER = ""
NO_PURCHASE = "no purchase yet"
ONE_PURCHASE = "fewer than two purchase days"
TWO_PURCHASES = "fewer than three purchase days"
WHOLE, HERE = "all history", "at the cut"


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the feature table.

    Attributes
    ----------
    name : str
    group : {"purchase", "engagement", "contact"}
    dtype : {"float", "category"}
        ``float`` is a double (counts too), ``category`` a string.
    unit : str
    window : str
        The days before the cut that it looks at.
    null_meaning : str
        What a null says; empty when the column is never null, and then nothing known counts as 0.
    description : str
    """

    name: str
    group: Group
    dtype: Literal["float", "category"]
    unit: str
    window: str
    null_meaning: str
    description: str


def _purchase(name: str, unit: str, window: str, null_meaning: str, description: str) -> Feature:
    return Feature(name, "purchase", "float", unit, window, null_meaning, description)


def _engagement(name: str, unit: str, window: str, null_meaning: str, description: str) -> Feature:
    return Feature(name, "engagement", "float", unit, window, null_meaning, description)


def _days(window: int) -> str:
    return f"last {window} days"


_INTERVALS = (
    _purchase(
        "frequency",
        "purchase days",
        WHOLE,
        NO_PURCHASE,
        "Purchase days after the first (x of the BTYD models).",
    ),
    _purchase("recency_days", "days", WHOLE, NO_PURCHASE, "First to last purchase day (t_x)."),
    _purchase("T_days", "days", WHOLE, NO_PURCHASE, "First purchase day to the cut (T)."),
    _purchase("purchase_days", "purchase days", WHOLE, NEVER, "Days with at least one purchase."),
    _purchase(
        "days_since_purchase", "days", WHOLE, NO_PURCHASE, "Last purchase day to the cut: the silence."
    ),
    _purchase(
        "closed_days_in_silence",
        "days",
        WHOLE,
        NO_PURCHASE,
        "Days of the silence on which the shop was closed; nobody is late for them.",
    ),
    _purchase("gap_mean", "days", WHOLE, ONE_PURCHASE, "Mean gap between successive purchase days."),
    _purchase("gap_median", "days", WHOLE, ONE_PURCHASE, "Median gap."),
    _purchase("gap_sd", "days", WHOLE, TWO_PURCHASES, "Sample standard deviation of the gaps."),
    _purchase("gap_max", "days", WHOLE, ONE_PURCHASE, "Longest gap."),
    _purchase("gap_last", "days", WHOLE, ONE_PURCHASE, "Gap before the last purchase day."),
    _purchase(
        "gap_trend",
        "ratio",
        WHOLE,
        TWO_PURCHASES,
        "Last gap / mean of the gaps before it; above 1 is slowing down.",
    ),
    _purchase("gap_log_mean", "ln days", WHOLE, ONE_PURCHASE, "Mean of the gaps' natural logarithms."),
    _purchase(
        "gap_log_sd", "ln days", WHOLE, ONE_PURCHASE, "Population standard deviation of the gaps' logarithms."
    ),
    _purchase("silence_over_gap_mean", "ratio", WHOLE, ONE_PURCHASE, "Silence / mean gap."),
    _purchase("silence_over_gap_median", "ratio", WHOLE, ONE_PURCHASE, "Silence / median gap."),
    _purchase(
        "silence_over_gap_max",
        "ratio",
        WHOLE,
        ONE_PURCHASE,
        "Silence / longest gap; above 1 is the longest silence so far.",
    ),
    _purchase(
        "regularity_k",
        "shape",
        WHOLE,
        TWO_PURCHASES,
        "Regularity of the gaps (Wheat & Morrison 1990), shrunk to 1: 1 is random, more is clockwork.",
    ),
)
_COUNTS = tuple(
    _purchase(
        f"purchase_days_{w}d", "purchase days", _days(w), NEVER, f"Purchase days among the last {w} days."
    )
    for w in (7, 14, 30, 60, 90, 180, 365)
)
_FADING = (
    *(
        _purchase(f"days_since_last_{n}_purchases", "days", WHOLE, f"fewer than {n} purchase days", text)
        for n, text in ((n, f"Days since the purchase day that began the last {n}.") for n in (2, 3, 5, 10))
    ),
    *(
        _purchase(f"purchase_days_decayed_{w}d", "purchase days", WHOLE, NEVER, text)
        for w, text in ((w, f"Purchase days, each faded by exp(-age / {w} days).") for w in (7, 30, 90, 365))
    ),
    *(
        _purchase(f"spend_decayed_{w}d", "money", WHOLE, NEVER, text)
        for w, text in (
            (w, f"Money spent, faded by exp(-age / {w} days); unknown counts as 0.") for w in (30, 180)
        )
    ),
)
_MONEY = (
    *(
        _purchase(
            f"spend_{w}d",
            "money",
            _days(w),
            NEVER,
            f"Money spent in the last {w} days; unknown amounts count as 0.",
        )
        for w in (30, 90, 180, 365)
    ),
    _purchase("spend_total", "money", WHOLE, NEVER, "Money spent; unknown amounts count as 0."),
    _purchase(
        "monetary_value",
        "money",
        WHOLE,
        "no amount known after the first purchase day",
        "Mean spend per purchase day after the first (m of Gamma-Gamma).",
    ),
    _purchase("order_value_mean", "money", WHOLE, "no amount known", "Mean spend per purchase day."),
    _purchase(
        "order_value_last",
        "money",
        WHOLE,
        "amount of the last purchase day unknown",
        "Spend of the last purchase day.",
    ),
)
_ORDERS = (
    _purchase(
        "orders",
        "orders",
        WHOLE,
        NEVER,
        "Purchases: orders of positive or unknown amount that were not cancelled.",
    ),
    _purchase("zero_orders", "orders", WHOLE, NEVER, "Orders of amount 0; no purchases."),
    _purchase("returns", "orders", WHOLE, NEVER, "Negative orders that cancelled no order."),
    _purchase("return_share", "share", WHOLE, "neither purchase nor return", "Returns / (orders + returns)."),
    _purchase(
        "return_amount_share",
        "share",
        WHOLE,
        "no money spent or returned",
        "Money returned / (money spent + money returned).",
    ),
    _purchase(
        "first_order_silence_days",
        "days",
        WHOLE,
        "not exactly one purchase day",
        "Silence of a one-time buyer.",
    ),
    _purchase("category_breadth", "categories", WHOLE, NEVER, "Different categories bought."),
    Feature(
        "last_category",
        "purchase",
        "category",
        "name",
        "last purchase day",
        "no category known on that day",
        "Category with most money on the last purchase day, ties by name.",
    ),
    _purchase("season_sin", "–", HERE, NEVER, "Sine of the cut's day of year."),
    _purchase("season_cos", "–", HERE, NEVER, "Cosine of the cut's day of year."),
    _purchase(
        "purchase_days_same_season_last_year",
        "purchase days",
        "336 to 365 days ago",
        NEVER,
        "Purchase days in the 30 days that follow the cut, a year earlier.",
    ),
    _purchase(
        "discount_share",
        "share",
        WHOLE,
        "discount of no purchase known",
        "Purchases with a discount / purchases where it is known.",
    ),
    _purchase(
        "coupon_share",
        "share",
        WHOLE,
        "coupon of no purchase known",
        "Purchases with a coupon / purchases where it is known.",
    ),
    _purchase(
        "gift_share",
        "share",
        WHOLE,
        "gift of no purchase known",
        "Purchases that were gifts / purchases where it is known.",
    ),
)


def _channel(channel: str) -> tuple[Feature, ...]:
    name = channel.replace("_", " ")
    return (
        _engagement(f"{channel}_sends_30d", "messages", _days(30), NEVER, f"Messages sent by {name}."),
        _engagement(f"{channel}_sends_90d", "messages", _days(90), NEVER, f"Messages sent by {name}."),
        _engagement(
            f"{channel}_ignored_in_a_row",
            "messages",
            WHOLE,
            NEVER,
            f"Messages sent by {name} after the last click there.",
        ),
        _engagement(
            f"{channel}_clicks_30d",
            "clicks",
            _days(30),
            NEVER,
            f"Answers to {name}: clicks, taps or redeemed coupons.",
        ),
        _engagement(
            f"{channel}_clicks_90d",
            "clicks",
            _days(90),
            NEVER,
            f"Answers to {name}: clicks, taps or redeemed coupons.",
        ),
        _engagement(
            f"{channel}_days_since_send",
            "days",
            WHOLE,
            "never sent",
            f"Days since the last message by {name}.",
        ),
        _engagement(
            f"{channel}_days_since_click",
            "days",
            WHOLE,
            "never clicked",
            f"Days since the last answer to {name}.",
        ),
    )


_ENGAGEMENT = (
    *(feature for channel in SEND_CHANNELS for feature in _channel(channel)),
    _engagement(
        "email_opens_90d_unreliable",
        "opens",
        _days(90),
        NEVER,
        "E-mail opens without those marked as a machine's; mail programs open unseen, so do not lean on it.",
    ),
    _engagement(
        "email_days_since_open_unreliable",
        "days",
        WHOLE,
        "never opened",
        "Days since such an open; as unreliable.",
    ),
    _engagement("visit_days_30d", "days", _days(30), NEVER, "Days with a visit, a product view or a cart."),
    _engagement("visit_days_90d", "days", _days(90), NEVER, "Days with a visit, a product view or a cart."),
    _engagement("days_since_visit", "days", WHOLE, "never visited", "Days since the last of them."),
    _engagement(
        "visit_trend",
        "ratio",
        _days(90),
        "no visit in 90 days",
        "Visit days per day, last 30 days / last 90 days; 1 is steady, at most 3.",
    ),
    _engagement("carts_30d", "events", _days(30), NEVER, "Cart and checkout events."),
    _engagement("days_since_cart", "days", WHOLE, "never", "Days since the last of them."),
    _engagement("service_contacts_90d", "contacts", _days(90), NEVER, "Contacts with customer service."),
    _engagement("days_since_service_contact", "days", WHOLE, "never", "Days since the last of them."),
    _engagement("loyalty_balance", "points", WHOLE, "no balance known", "Last loyalty balance."),
    _engagement(
        "loyalty_change_90d",
        "points",
        _days(90),
        "no balance known 90 days ago",
        "Balance now minus the balance 90 days ago.",
    ),
    _engagement(
        "days_since_loyalty_change",
        "days",
        WHOLE,
        "no balance known",
        "Days since the balance last changed; the first one counts as a change.",
    ),
    _engagement("answers_365d", "answers", _days(365), NEVER, "Answers to preference forms and surveys."),
    _engagement("incentives_180d", "incentives", _days(180), NEVER, "Incentives sent."),
    _engagement("days_since_incentive", "days", WHOLE, "never", "Days since the last of them."),
    _engagement("other_events_90d", "events", _days(90), NEVER, "Events of an unknown kind."),
    _engagement(
        "active_days_30d",
        "days",
        _days(30),
        NEVER,
        "Days with a purchase, click, visit, cart, service contact, answer or event of an unknown kind.",
    ),
    _engagement("active_days_90d", "days", _days(90), NEVER, "The same over 90 days."),
    _engagement("days_since_activity", "days", WHOLE, "never active", "Days since the last such day."),
    _engagement(
        "activity_trend",
        "ratio",
        _days(90),
        "not active in 90 days",
        "Active days per day, last 30 days / last 90 days; 1 is steady, at most 3.",
    ),
)
_CONTACT = (
    Feature(
        "tenure_days",
        "contact",
        "float",
        "days",
        WHOLE,
        "no date known",
        "Days since the contact was created or first seen, the earlier.",
    ),
    Feature(
        "acquisition_source",
        "contact",
        "category",
        "name",
        HERE,
        "not told",
        "Where the contact came from, as the shop names it.",
    ),
)

FEATURES: tuple[Feature, ...] = (*_INTERVALS, *_COUNTS, *_FADING, *_MONEY, *_ORDERS, *_ENGAGEMENT, *_CONTACT)
"""Every feature, in the order of the columns of ``build_features`` after ``contact_id``."""


def feature_names() -> tuple[str, ...]:
    """Return the names of all features, in column order."""
    return tuple(f.name for f in FEATURES)


def numeric_features() -> tuple[str, ...]:
    """Return the names of the double features, in column order."""
    return tuple(f.name for f in FEATURES if f.dtype == "float")


def category_features() -> tuple[str, ...]:
    """Return the names of the string features, in column order.

    Examples
    --------
    >>> category_features()
    ('last_category', 'acquisition_source')
    """
    return tuple(f.name for f in FEATURES if f.dtype == "category")


def markdown_table() -> str:
    """Return the dictionary as a Markdown table, one row per feature: the one in ``features/README.md``."""
    head = "| feature | group | unit | window | null means | what it is |\n|---|---|---|---|---|---|"

    def row(f: Feature) -> str:
        cells = (f"`{f.name}`", f.group, f.unit, f.window, f.null_meaning or "never null", f.description)
        return f"| {' | '.join(cells)} |"

    return "\n".join((head, *map(row, FEATURES)))


if __name__ == "__main__":
    print(markdown_table())  # noqa: T201 - the one job of running this module
