"""What the campaign log says was sent to each contact: to the policy, and to no score."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from winback_features.contracts import LIST_NAMES, SEND_CHANNELS
from winback_features.expressions import cut

LOGGED_DAYS = {channel: f"{channel}_logged_days" for channel in SEND_CHANNELS}
"""Channel -> the days since the last message on it that the log holds."""

LOGGED_INCENTIVES = "logged_incentives_180d"
LOGGED = (*LOGGED_DAYS.values(), LOGGED_INCENTIVES)
INCENTIVE_DAYS = 180
NO_INCENTIVE = ("", "none")


def sent_by_log(log: ibis.Table, as_of: date) -> ibis.Table:
    """Sum the log up to one row for each contact that was written to before ``as_of``.

    Parameters
    ----------
    log : ibis.Table
        `winback_features.tables.Tables.campaign_log`.
    as_of : date

    Returns
    -------
    ibis.Table
        ``contact_id``, the columns of `LOGGED_DAYS` (null where there is none; a message that names no channel counts for
        none) and `LOGGED_INCENTIVES`: messages of the last `INCENTIVE_DAYS` that carried an incentive.
    """
    sent = log.filter(log.sent_at.date() < cut(as_of))
    channel, incentive = sent.channel.strip().lower(), sent.incentive.strip().lower()
    sent = sent.select(
        "contact_id",
        age=cut(as_of).delta(sent.sent_at.date(), unit="day").cast("int64"),
        channel=channel.cases(*LIST_NAMES.items(), else_=channel),
        given=incentive.notin(NO_INCENTIVE).fill_null(False),
    )
    lately = sent.given & (sent.age <= INCENTIVE_DAYS)
    return sent.group_by("contact_id").aggregate(
        **{days: sent.age.min(where=sent.channel == name) for name, days in LOGGED_DAYS.items()},
        **{LOGGED_INCENTIVES: sent.count(where=lately)},
    )


def unlogged() -> dict[str, Any]:
    """Return the columns of `LOGGED` where there is no log."""
    return {name: ibis.null("int64") for name in LOGGED}
