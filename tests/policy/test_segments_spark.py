"""RFM, moves, segments and the sandbox's base compile for Spark from unbound tables."""

from __future__ import annotations

from typing import Any

import ibis
import pytest
from ibis.config import Config

from winback_policy import segments
from winback_policy.config import PolicyConfig
from winback_policy.moves import moves, moves_matrix
from winback_policy.rfm import RfmThresholds, quintile_thresholds, rfm, rfm_values
from winback_policy.sandbox import BASE_COLUMNS, DESCRIBING, sandbox_base

NAMES = {*segments.SEGMENT_COLUMNS, *DESCRIBING, "spend_total", "closed_days_in_silence"}
FEATURES = ibis.table({"contact_id": "string", **dict.fromkeys(sorted(NAMES), "float64")}, name="features")
SCORES = ibis.table(
    {"contact_id": "string"}
    | dict.fromkeys((*BASE_COLUMNS, "usual_gap_days", "horizon_days"), "float64")
    | {"base": "string"},
    name="scores",
)
FIXED = RfmThresholds((365, 180, 90, 30), (1, 2, 4, 8), (50, 100, 250, 500))


def all_segments() -> Any:
    kind, days = segments.last_behaviour(FEATURES)
    return FEATURES.select(
        tier=segments.relationship_tier(FEATURES, FEATURES.order_value_mean.median()),
        tenure=segments.tenure_band(FEATURES),
        recency=segments.recency_band(FEATURES),
        kind=kind,
        days=days,
        cell=segments.buyer_clicker_cell(FEATURES, 60),
        action=segments.cell_action(FEATURES, 60, ibis.literal(True)),
    )


VALUES = rfm_values(FEATURES, SCORES)
TABLES = {
    "rfm": rfm(VALUES),
    "fixed": rfm(VALUES, FIXED),
    "thresholds": quintile_thresholds(VALUES),
    "moves": moves_matrix(moves(VALUES, VALUES, FIXED, FIXED)),
    "segments": all_segments(),
    "sandbox": sandbox_base(SCORES, FEATURES, policy=PolicyConfig()),
}


@pytest.mark.parametrize("name", TABLES)
def test_it_compiles_for_spark(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class SparkOptions(Config):
        treat_nan_as_null: bool = False

    # Ibis reads this option while it compiles, and sets it only when pyspark is installed.
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    from ibis.backends.sql.compilers.pyspark import compiler

    assert "`features`" in compiler.to_sqlglot(TABLES[name].unbind()).sql(dialect="spark")
