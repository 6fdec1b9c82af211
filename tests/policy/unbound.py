"""The inputs of a decision as tables that lie nowhere: enough to see for which engines it compiles."""

from __future__ import annotations

from typing import Any

import ibis

from winback_features.contact_status import CONSENTS
from winback_policy.gather import FEATURE_COLUMNS, SCORE_COLUMNS, STATE_SCHEMA, STATUS_COLUMNS, STATUS_FLAGS

TEXTS = {
    *("base", "email", "phone", "first_name", "last_name", "language", "country", "stated_reason"),
    *(name for name in (*FEATURE_COLUMNS, *STATUS_COLUMNS) if name.startswith(("last_", "top_"))),
}
FLAGS = {*STATUS_FLAGS, "has_email", *CONSENTS}


def unbound(name: str, columns: tuple[str, ...]) -> Any:
    """Return a table of these columns, of the kinds that upstream layers give them."""

    def kind(column: str) -> str:
        if column in FLAGS:
            return "boolean"
        return "string" if column in TEXTS else "date" if column.startswith("next_") else "float64"

    return ibis.table({"contact_id": "string"} | {c: kind(c) for c in columns}, name=name)


def inputs() -> tuple[Any, Any, Any, Any]:
    """Return scores, features, status and yesterday's states."""
    features = unbound("features", (*FEATURE_COLUMNS, "spend_total", "email_sends_90d"))
    status = unbound("status", (*STATUS_COLUMNS, *STATUS_FLAGS))
    return unbound("scores", SCORE_COLUMNS), features, status, ibis.table(STATE_SCHEMA, name="states")
