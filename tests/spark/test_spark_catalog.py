"""Tables of Spark's catalog are read as those of a database are: the same rows, numbers, faults and fingerprint."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.errors import ConfigError, InputError
from winback_features.ingest import Tables, ingest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # py4j leaves its sockets to the collector
]

TODAY = date(2026, 3, 1)
BRAND = BrandConfig(timezone="Europe/Amsterdam")
SOURCE = SourceConfig(
    orders="orders",
    events="web.visits",
    contacts="contacts",
    database="spark://shop",
    orders_columns={"contact_id": "Customer.Id"},
    max_bad_share=0.9,
)
DUCKDB = {"BIGINT": "BIGINT", "STRING": "VARCHAR", "TIMESTAMP_NTZ": "TIMESTAMP", "TIMESTAMP": "TIMESTAMPTZ"}
ORDERS = {
    "Customer.Id": ("STRING", ["'a'", "'b'", "NULL", "'a'", "'a'"]),
    "order_id": ("BIGINT", ["3", "2", "1", "4", "4"]),
    "ordered_at": (  # of one moment each, whatever the zone of the reader
        "TIMESTAMP",
        [f"TIMESTAMP '2026-0{month}-28 23:30:00+00:00'" for month in (1, 2, 1, 1, 1)],
    ),
    "amount": ("DECIMAL(9,2)", ["10.25", "NULL", "1", "7", "7"]),
}
VISITS = {
    "contact_id": ("STRING", ["'a'", "'nobody'", "'b'"]),
    "occurred_at": (
        "TIMESTAMP_NTZ",
        [f"TIMESTAMP_NTZ '2026-02-0{d} 23:30:00'" for d in (3, 1, 2)],
    ),
    "kind": ("STRING", ["'site_visit'", "'danced'", "NULL"]),
}
CONTACTS = {
    "contact_id": ("STRING", ["'b'", "'a'"]),
    "created_at": ("DATE", ["DATE '2025-01-01'", "NULL"]),
    "is_staff": ("BOOLEAN", ["TRUE", "NULL"]),
}
TABLES = {"shop.orders": ORDERS, "web.visits": VISITS, "shop.contacts": CONTACTS}


def _rows(columns: dict[str, tuple[str, list[str]]]) -> str:
    return ", ".join(f"({', '.join(row)})" for row in zip(*(v for _, v in columns.values()), strict=True))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session as a notebook has one, with tables in its catalog."""
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    warehouse = tmp_path_factory.mktemp("warehouse")
    builder = SparkSession.builder.master("local[2]").config("spark.sql.warehouse.dir", str(warehouse))
    builder = builder.config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
    session = builder.config("spark.sql.shuffle.partitions", "3").getOrCreate()
    for schema in ("shop", "web"):
        session.sql(f"CREATE SCHEMA {schema}")
    for name, columns in TABLES.items():
        kinds = ", ".join(f"`{column}` {kind}" for column, (kind, _) in columns.items())
        session.sql(f"CREATE TABLE {name} ({kinds}) USING parquet")
        session.sql(f"INSERT INTO {name} VALUES {_rows(columns)}")
    yield session
    session.stop()


def _duckdb_file(folder: Path) -> SourceConfig:
    with duckdb.connect(folder / "tables.duckdb") as db:
        db.execute("SET TimeZone = 'UTC'; CREATE SCHEMA web; CREATE SCHEMA shop")
        for name, columns in TABLES.items():
            kinds = ", ".join(f'"{column}" {DUCKDB.get(kind, kind)}' for column, (kind, _) in columns.items())
            db.execute(f"CREATE TABLE {name} ({kinds})")
            rows = (
                _rows(columns).replace("TIMESTAMP '", "TIMESTAMPTZ '").replace("TIMESTAMP_NTZ", "TIMESTAMP")
            )
            db.execute(f"INSERT INTO {name} VALUES {rows}")
    return replace(SOURCE, orders="shop.orders", contacts="shop.contacts", database="duckdb:///tables.duckdb")


def _read(engine: EngineConfig, source: SourceConfig, folder: Path) -> tuple[dict[str, Any], Any]:
    with open_engine(engine, folder) as backend:
        tables: Tables = ingest(backend, source, BRAND, today=TODAY, base_dir=folder)
        rows = {
            name: sorted(map(str, getattr(tables, name).to_pyarrow().to_pylist()))
            for name in ("orders", "events", "contacts", "quarantine")
        }
        return rows, tables.report


def test_it_is_read_as_a_database_is(session: SparkSession, tmp_path: Path) -> None:
    in_duckdb, report = _read(EngineConfig(), _duckdb_file(tmp_path), tmp_path)
    on_spark, said = _read(EngineConfig(name="spark"), SOURCE, tmp_path)
    assert on_spark == {
        name: [row.replace("shop.", "") for row in rows] if name == "quarantine" else rows
        for name, rows in in_duckdb.items()
    }
    assert len(on_spark["quarantine"]) == 3
    assert [t.fingerprint for t in said.tables] == [t.fingerprint for t in report.tables]
    assert session.sql("SELECT count(*) AS n FROM shop.orders").first() is not None  # the session stays open


def test_a_type_without_a_counterpart_becomes_its_text_and_an_empty_table_is_told(
    session: SparkSession, tmp_path: Path
) -> None:
    session.sql(
        "CREATE OR REPLACE TEMP VIEW one AS SELECT 'a' AS contact_id, '1' AS order_id, DATE '2026-01-05' AS ordered_at, "
        "map('k', 1.5D) AS extra, struct(12.5 AS amount) AS paid"
    )
    session.sql("CREATE TABLE shop.nested USING parquet AS SELECT * FROM one")
    spark = EngineConfig(name="spark")
    columns = {"amount": "CAST(trim(paid, '{}') AS DOUBLE)"}
    rows, _ = _read(spark, SourceConfig("nested", database="spark://shop", orders_columns=columns), tmp_path)
    assert "12.5" in rows["orders"][0]
    session.sql("CREATE TABLE shop.nothing USING parquet AS SELECT * FROM one WHERE false")
    with pytest.raises(InputError, match="no rows"):
        _read(spark, SourceConfig("nothing", database="spark://shop", orders_columns=columns), tmp_path)


@pytest.mark.parametrize(
    ("source", "error", "told"),
    [
        (SourceConfig("order", database="spark://shop"), InputError, "Did you mean orders"),
        (SourceConfig("nowhere.orders", database="spark://shop"), InputError, "no schema called nowhere"),
        (SourceConfig("shop.a-b", database="spark://"), InputError, "cannot open the table"),
        (SourceConfig("orders", database="spark://host:7077"), ConfigError, "engine.spark_master"),
    ],
)
def test_what_is_not_there_is_a_sentence(
    source: SourceConfig, error: type[Exception], told: str, session: SparkSession, tmp_path: Path
) -> None:
    with pytest.raises(error, match=told):
        _read(EngineConfig(name="spark"), source, tmp_path)
