"""The decision and the hygiene compile for Spark from unbound tables, by every kind of definition."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import pytest
from ibis.backends.sql.compilers.pyspark import compiler
from ibis.config import Config

from winback_features.contact_status import CONSENTS
from winback_policy import hygiene
from winback_policy.config import PolicyConfig
from winback_policy.decide import decide
from winback_policy.definitions import ENGAGEMENT_INACTIVE, Definition
from winback_policy.gather import FEATURE_COLUMNS, SCORE_COLUMNS, STATE_SCHEMA, STATUS_COLUMNS, STATUS_FLAGS
from winback_policy.legal import LegalRule

TEXTS = {"base", "last_category", "email", "phone", "first_name", "last_name", "language", "country"}
TEXTS |= {"last_product", "top_interest", "stated_reason"}
FLAGS = {*STATUS_FLAGS, "has_email", *CONSENTS}
OWN = Definition("asleep@1", all=("days_since_purchase >= 90",), any=("ignored_sends >= 8",))
CONFIGS = {
    "purchases": PolicyConfig(
        capacity=9, legal=(LegalRule("GB", "email", "soft_opt_in_buyers", 1095, 540, 730),)
    ),
    "engagement": PolicyConfig(definition=ENGAGEMENT_INACTIVE, unknown_consent="block"),
    "own": PolicyConfig(definition="asleep@1", definitions=(OWN,)),
}


def unbound(name: str, columns: tuple[str, ...]) -> Any:
    def kind(column: str) -> str:
        if column in TEXTS:
            return "string"
        return "boolean" if column in FLAGS else "date" if column.startswith("next_") else "float64"

    return ibis.table({"contact_id": "string"} | {c: kind(c) for c in columns}, name=name)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_compiles_for_spark(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class SparkOptions(Config):
        treat_nan_as_null: bool = False

    # Ibis reads this option while it compiles, and sets it only when pyspark is installed.
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    day, config = date(2025, 3, 10), CONFIGS[name]
    features = unbound("features", (*FEATURE_COLUMNS, "email_sends_90d"))
    status = unbound("status", (*STATUS_COLUMNS, *STATUS_FLAGS))
    decision = decide(
        unbound("scores", SCORE_COLUMNS),
        features,
        status,
        ibis.table(STATE_SCHEMA, name="states"),
        as_of=day,
        config=config,
        currency="EUR",
        has_contacts=True,
    )
    listed = ibis.table(decision.winback.schema(), name="winback")
    held = hygiene.summary(hygiene.records(listed, features, status, day, config), config)
    for table in (decision.states, decision.exits, held):
        assert "SELECT" in compiler.to_sqlglot(table.unbind()).sql(dialect="spark")
