"""The decision and the hygiene compile for Spark from unbound tables, by every kind of definition."""

from __future__ import annotations

from datetime import date

import ibis
import pytest
from ibis.backends.sql.compilers.pyspark import compiler
from ibis.config import Config
from unbound import inputs

from winback_policy import hygiene
from winback_policy.config import PolicyConfig
from winback_policy.decide import DecisionDay, decide
from winback_policy.definitions import ENGAGEMENT_INACTIVE, Definition
from winback_policy.legal import LegalRule

OWN = Definition("asleep@1", all=("days_since_purchase >= 90",), any=("ignored_sends >= 8",))
CONFIGS = {
    "purchases": PolicyConfig(
        capacity=9, legal=(LegalRule("GB", "email", "soft_opt_in_buyers", 1095, 540, 730),)
    ),
    "engagement": PolicyConfig(definition=ENGAGEMENT_INACTIVE, unknown_consent="block"),
    "own": PolicyConfig(definition="asleep@1", definitions=(OWN,)),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_it_compiles_for_spark(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class SparkOptions(Config):
        treat_nan_as_null: bool = False

    # Ibis reads this option while it compiles, and sets it only when pyspark is installed.
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    day, config = date(2025, 3, 10), CONFIGS[name]
    scores, features, status, states = inputs()
    decision = decide(
        scores,
        features,
        status,
        states,
        DecisionDay(as_of=day, config=config, currency="EUR", has_contacts=True),
    )
    listed = ibis.table(decision.winback.schema(), name="winback")
    held = hygiene.summary(hygiene.records(listed, features, status, day, config), config)
    for table in (decision.states, decision.exits, held):
        assert "SELECT" in compiler.to_sqlglot(table.unbind()).sql(dialect="spark")
