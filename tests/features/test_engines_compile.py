"""What is asked of the clean tables compiles to the SQL of the databases that Ibis knows; what they compute is not tested."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

import ibis
import ibis.backends.sql.compilers as compilers
import pytest
import sqlglot
from feature_shop import SCHEMAS

from winback_features.config import EngineConfig
from winback_features.contact_habits import SCHEMA as HABITS
from winback_features.contact_status import build_contact_status
from winback_features.databases import load_tables
from winback_features.engine import open_engine
from winback_features.errors import ConfigError
from winback_features.fact_queries import fact_queries
from winback_features.labels import build_labels
from winback_features.tables import Tables

DAY = date(2024, 1, 1)
DIALECTS = ("postgres", "bigquery", "snowflake", "databricks")


def _facts(name: str, tables: Tables) -> ibis.Table:
    return fact_queries(tables, DAY)[name]


HABITS_TABLE = ibis.table(ibis.schema(HABITS), name="habits")
BUILDERS: dict[str, Any] = {
    **{f"facts of {name}": partial(_facts, name) for name in ("orders", "lines", "events", "contacts")},
    "status": lambda tables: build_contact_status(tables, DAY, HABITS_TABLE),
    "labels": lambda tables: build_labels(tables, DAY, 30),
}


@pytest.fixture(scope="module")
def unbound() -> Tables:
    named = {name: ibis.table(schema, name=name) for name, schema in SCHEMAS.items()}
    rest = {"backend": None, "report": None, "has_events": True, "has_contacts": True}
    closed = ((date(2023, 12, 25), date(2023, 12, 26)),)
    return Tables(**named, **rest, closed=closed)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("what", BUILDERS)
def test_it_compiles(dialect: str, what: str, unbound: Tables) -> None:
    expression = BUILDERS[what](unbound)
    query = getattr(compilers, dialect).compiler.to_sqlglot(expression.unbind()).sql(dialect=dialect)
    parsed = sqlglot.parse_one(query, dialect=dialect)
    assert [column.alias_or_name for column in parsed.selects] in (list(expression.columns), ["*"])
    asked = (
        what.removeprefix("facts of ")
        if what.startswith("facts")
        else {"status": "contacts"}.get(what, "orders")
    )
    assert asked in {table.name for table in parsed.find_all(sqlglot.exp.Table)}


@pytest.mark.parametrize("scheme", ["bigquery", "snowflake", "databricks"])
def test_a_driver_that_is_not_there_is_named(scheme: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="is not installed") as caught:
        load_tables(None, ["orders"], f"{scheme}://somewhere/shop", tmp_path)
    assert f"ibis-framework[{scheme}]" in caught.value.how


def test_the_engine_is_handed_nested_queries_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ibis.options.sql, "fuse_selects", True)
    with open_engine(EngineConfig(memory_limit="256MB", threads=1)) as engine:
        given = ibis.table({"a": "int64"}, name="given")
        query = given.mutate(b=given.a + 1)
        assert engine.compile(query.filter(query.b > 1)).count("SELECT") == 2
