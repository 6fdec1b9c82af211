"""The holdout: a stable share of the flagged whom nobody writes to, so that the effect can be measured."""

from __future__ import annotations

from typing import Any

import ibis

from winback_policy.config import PolicyConfig

_DIGITS = 8


def draw_arm(contact_id: Any, config: PolicyConfig) -> Any:
    """Return ``holdout`` or ``treatment`` for each contact, the same on every engine and every day.

    The first eight hexadecimal digits of ``sha256(salt + ":" + contact_id)`` are compared, as text, with
    those of the share.

    Parameters
    ----------
    contact_id : ibis string column
    config : PolicyConfig
        ``holdout_share`` and ``holdout_salt`` are used.

    Returns
    -------
    ibis string column
    """
    bound = round(config.holdout_share * 16**_DIGITS)
    if bound >= 16**_DIGITS:
        return ibis.literal("holdout")
    digest = (ibis.literal(f"{config.holdout_salt}:") + contact_id).hexdigest("sha256").substr(0, _DIGITS)
    return ibis.ifelse(digest < f"{bound:0{_DIGITS}x}", "holdout", "treatment")
