"""One row per contact with everything a decision looks at: status, score, features and yesterday's state."""

from __future__ import annotations

from typing import Any

import ibis

from winback_features.contact_habits import CLOSED_DAYS
from winback_features.sent_log import LOGGED
from winback_policy.channels import CHANNELS

STATE_SCHEMA = {
    "contact_id": "string",
    "state": "string",
    "entered_at": "date",
    "entry_reason": "string",
    "exited_at": "date",
    "exit_reason": "string",
    "cooldown_until": "date",
    "arm": "string",
    "experiment": "string",
    "variant": "string",
    "journeys": "int64",
    "asleep_since": "date",
    "farewell_since": "date",
    "offered_tier": "string",
}
"""The ``states`` table that one run hands to the next. One row per contact ever known."""

SCORE_COLUMNS = (
    "horizon_days",
    "p_purchase",
    "p_lapse",
    "next_purchase_date",
    "next_purchase_low",
    "next_purchase_high",
    "usual_gap_days",
    "days_since_purchase",
    "days_overdue",
    "value_at_risk",
    "base",
)

STATUS_COLUMNS = (
    "email",
    "phone",
    "first_name",
    "last_name",
    "language",
    "country",
    "consent_email",
    "consent_sms",
    "consent_push",
    "consent_post",
    *(f"consent_{channel.name}_days" for channel in CHANNELS),
    "has_email",
    "soft_bounces_in_a_row",
    "days_since_service_contact",
    "cart_open_days",
    "days_since_click",
    "days_since_visit",
    "send_weekday",
    "send_hour",
    "send_timezone",
    "send_time_n",
    "last_product",
    "top_interest",
    "stated_reason",
    "stated_days",
    *CLOSED_DAYS,
    *LOGGED,
)

STATUS_FLAGS = ("hard_bounced", "complained", "objected_profiling", "erased", "is_staff")

FEATURE_COLUMNS = (
    "purchase_days",
    "purchase_days_90d",
    "purchase_days_180d",
    "gap_mean",
    "gap_max",
    "gap_trend",
    "closed_days_in_silence",
    "orders",
    "returns",
    "order_value_mean",
    "order_value_last",
    "incentives_180d",
    "days_since_incentive",
    "answers_365d",
    "gift_share",
    "discount_share",
    "coupon_share",
    "tenure_days",
    "days_since_activity",
    "days_since_cart",
    "days_since_loyalty_change",
    "active_days_90d",
    "last_category",
    "acquisition_source",
    "email_days_since_open_unreliable",
    *(
        f"{channel.prefix}_{measure}"
        for channel in CHANNELS
        for measure in ("ignored_in_a_row", "clicks_90d", "days_since_click", "days_since_send")
    ),
)

NO_SCORE_BASE = "never_bought"


def previous_or_none(status: Any, previous_states: Any | None) -> Any:
    """Return yesterday's states, or an empty table of the same schema on the first day.

    A column that the run of an older version lacks is null.
    """
    nulls = {n: ibis.null(t) for n, t in STATE_SCHEMA.items() if n != "contact_id"}
    if previous_states is not None:
        there = {
            n: previous_states[n].cast(t) for n, t in STATE_SCHEMA.items() if n in previous_states.columns
        }
        return previous_states.select(**(nulls | there)).select(*STATE_SCHEMA)
    return status.filter(ibis.literal(False)).select("contact_id", **nulls)


def gather(scores: Any, features: Any, status: Any, previous: Any, graded: Any) -> Any:
    """Join the inputs of a decision, one row per contact in ``status``.

    Parameters
    ----------
    scores, features, status : ibis.Table
        Unique by ``contact_id``. ``scores`` and ``features`` may miss contacts (erased, objected).
    previous : ibis.Table
        From `previous_or_none`; its columns come out with the prefix ``previous_``.
    graded : ibis.Table
        From `winback_policy.rfm.rfm`, by ``contact_id``.

    Returns
    -------
    ibis.Table
        Flags without nulls; ``base`` is ``never_bought`` where there is no score.
    """
    known = status.select(
        "contact_id", *STATUS_COLUMNS, **{flag: status[flag].fill_null(False) for flag in STATUS_FLAGS}
    )
    scored = scores.select("contact_id", *SCORE_COLUMNS).rename(score_of="contact_id")
    featured = features.select("contact_id", *FEATURE_COLUMNS).rename(features_of="contact_id")
    before = previous.rename({f"previous_{name}": name for name in STATE_SCHEMA})
    graded = graded.rename(rfm_of="contact_id")
    joined = (
        known.left_join(scored, known.contact_id == scored.score_of)
        .left_join(featured, known.contact_id == featured.features_of)
        .left_join(before, known.contact_id == before.previous_contact_id)
        .left_join(graded, known.contact_id == graded.rfm_of)
    )
    return joined.drop("score_of", "features_of", "rfm_of", "previous_contact_id").mutate(
        base=joined.base.fill_null(NO_SCORE_BASE)
    )
