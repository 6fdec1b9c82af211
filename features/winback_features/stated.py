"""What a contact said of why it stopped: its own word, for the list and the message, not for a score."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import ibis

from winback_features.contracts import STATED_REASONS
from winback_features.facts import personal_events

if TYPE_CHECKING:
    from winback_features.tables import Tables

STATED = ("stated_reason", "stated_days")
"""The columns of `stated`."""


def stated(tables: Tables, as_of: date) -> ibis.Table:
    """Return the reason of each contact's last survey answer that gave one.

    Of several reasons given at one instant the first of ``STATED_REASONS`` counts.

    Returns
    -------
    ibis.Table
        ``contact_id``, ``stated_reason``, ``stated_days`` (since then; at least 1); one row per contact that gave a reason.
    """
    answers = personal_events(tables, as_of)
    answers = answers.filter(answers.reason.notnull())
    number = answers.reason.cases(*((word, n) for n, word in enumerate(STATED_REASONS)), else_=None)
    last = ibis.window(group_by=answers.contact_id, order_by=[answers.occurred_at.desc(), number.asc()])
    placed = answers.mutate(place=ibis.row_number().over(last)).filter(ibis._.place == 0)
    return placed.select("contact_id", stated_reason="reason", stated_days="age")
