"""For which databases the daily decision compiles, from unbound tables; it is not run there."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
import ibis.backends.sql.compilers as compilers
import pytest
from ibis.common.exceptions import OperationNotDefinedError
from unbound import inputs

from winback_policy.config import PolicyConfig
from winback_policy.decide import DecisionDay, decide
from winback_policy.legal import LegalRule


@pytest.fixture(scope="module")
def steps() -> list[Any]:
    """The decision, cut where the daily job keeps a table."""
    kept: list[Any] = []

    def keep(step: Any) -> Any:
        kept.append(step)
        return ibis.table(step.schema(), name=f"step_{len(kept)}")

    decision = decide(
        *inputs(),
        DecisionDay(
            as_of=date(2025, 3, 10),
            config=PolicyConfig(
                capacity=9, legal=(LegalRule("GB", "email", "soft_opt_in_buyers", 1095, 540, 730),)
            ),
            currency="EUR",
            has_contacts=True,
        ),
        cache=keep,
    )
    return [*kept, decision.states, decision.exits, decision.winback]


def test_it_compiles_for_databricks(steps: list[Any]) -> None:
    assert len(steps) >= 5
    for step in steps:
        query = compilers.databricks.compiler.to_sqlglot(step.unbind()).sql(dialect="databricks")
        assert query.startswith(("SELECT", "WITH"))


@pytest.mark.parametrize("dialect", ["postgres", "bigquery", "snowflake"])
def test_elsewhere_ibis_lacks_the_digest_that_draws_the_holdout(dialect: str, steps: list[Any]) -> None:
    """The documents say so; a decision is computed by DuckDB or Spark, wherever its inputs come from."""
    (night,) = (step for step in steps if "tonight_arm" in step.columns)
    with pytest.raises(OperationNotDefinedError, match="'HexDigest'"):
        getattr(compilers, dialect).compiler.to_sqlglot(night.unbind())
