"""Amounts of another currency come to the same ten-thousandths on both engines. Needs the extra spark and Java."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from winback_features.clean import order_lines
from winback_features.config import BrandConfig, EngineConfig
from winback_features.engine import open_engine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # py4j leaves its sockets to the collector
]

BRAND = BrandConfig(currency="EUR", rates={"USD": 0.915, "GBP": 1.1725})
CENTS = range(-999, 9999, 2)  # times the rates, every second product ends in the half of a ten-thousandth


def exchanged(engine: Any) -> pa.Table:
    money = pa.array([Decimal(cents) / 100 for cents in CENTS] * 2, pa.decimal128(18, 4))
    currency = ["USD"] * len(CENTS) + ["GBP"] * len(CENTS)
    times = pa.array([datetime(2026, 1, 1, 12)] * len(money), pa.timestamp("us"))
    rows = pa.table({"ordered_at": times, "currency": currency, "amount": money, "discount": money})
    lines = order_lines(engine.create_table("paid", rows, temp=True), BRAND)
    return lines.order_by("currency", "amount").select("currency", "amount", "discount").to_pyarrow()


def test_halves_are_rounded_alike(tmp_path: Path) -> None:
    spark = EngineConfig("spark", "1GB", spark_master="local[1]")
    with open_engine(EngineConfig(), tmp_path) as engine:
        ours = exchanged(engine)
    with open_engine(spark, tmp_path) as engine:
        theirs = exchanged(engine)
    assert theirs["amount"].to_pylist() == ours["amount"].to_pylist()
    assert theirs["discount"].to_pylist() == ours["discount"].to_pylist()
