"""How a contact took the last message of its journey: the next step goes by it."""

from __future__ import annotations

from typing import Any

import ibis

from winback_policy.channels import CHANNELS

WAIT_DAYS = 2
"""So long a message may lie before it counts as ignored: 48 hours."""

_NEVER = 10**6


def last_reaction(t: Any, days_in_journey: Any) -> Any:
    """Return how the contact took the last message since its entry.

    What was sent is known from the events and from the campaign log, whichever is the newer; what came back from the events
    alone. ``clicked``: a click or tap since, on the channel it was sent on. ``opened``: an e-mail, by a person as far as the
    mail tool can tell, which is not far. ``ignored``: neither, for `WAIT_DAYS`. Null while that has not passed, and where nothing
    was sent since the entry.

    Parameters
    ----------
    t : ibis.Table
        With ``<channel>_days_since_send``, ``_logged_days``, ``_days_since_click`` and ``_ignored_in_a_row``, and
        ``email_days_since_open_unreliable``.
    days_in_journey : ibis integer column
        Since the day of entry; null for a contact that nobody writes to.

    Returns
    -------
    ibis string column
        One of `winback_policy.steps.REACTIONS`, or null.
    """
    sent = {channel.prefix: _days_since_sent(t, channel.prefix) for channel in CHANNELS}
    last = ibis.least(*sent.values())
    clicked = ibis.or_(
        *(
            (days == last)
            & (t[f"{name}_days_since_click"] <= last).fill_null(False)
            & (t[f"{name}_ignored_in_a_row"].fill_null(0) == 0)
            for name, days in sent.items()
        )
    )
    opened = (sent["email"] == last) & (t.email_days_since_open_unreliable <= last)
    return ibis.cases(
        (~(last <= days_in_journey).fill_null(False), None),
        (clicked, "clicked"),
        (opened.fill_null(False), "opened"),
        (last >= WAIT_DAYS, "ignored"),
        else_=None,
    )


def _days_since_sent(t: Any, name: str) -> Any:
    recorded, logged = (t[f"{name}_{days}"].fill_null(_NEVER) for days in ("days_since_send", "logged_days"))
    return ibis.least(recorded, logged)
