"""What a contact said of why it stopped, and what follows: do not win back, ask for its wishes, or show it something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis

from winback_policy.config import PolicyConfig

GONE = ("moved_away", "no_need")
"""Reasons after which nobody is won back."""

ASKED_FOR: Mapping[str, str] = {"assortment": "refresh_content", "too_many_messages": "preference_form"}
"""Reasons that call for an action of their own; an incentive of its own kind is a rule of `winback_policy.incentives`."""


def standing(t: Any, config: PolicyConfig) -> dict[str, Any]:
    """Return what the contact said and still holds, as ``stated_reason`` and ``stated_days``; null otherwise.

    A purchase on a later day takes it back, and after ``answer_days`` it is forgotten.

    Parameters
    ----------
    t : ibis.Table
        With ``stated_reason``, ``stated_days`` and ``days_since_purchase``.
    config : PolicyConfig
    """
    bought = (t.days_since_purchase < t.stated_days).fill_null(False)
    stands = (t.stated_days <= config.answer_days).fill_null(False) & ~bought
    return {name: ibis.ifelse(stands, t[name], None) for name in ("stated_reason", "stated_days")}


def left_for_good(t: Any) -> Any:
    """Say whether the contact told that it has no use for the shop any more; never null."""
    return t.stated_reason.isin(GONE).fill_null(False)


def asked_for(t: Any) -> Any:
    """Return the action that the contact's reason calls for, null where it calls for none."""
    return t.stated_reason.cases(*ASKED_FOR.items(), else_=None)
