"""The dictionary, the README and the columns of the features are one."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import ibis
from feature_shop import SCHEMAS, random_shop
from ibis.config import Config

from winback_features.contact_habits import SCHEMA as HABITS
from winback_features.contact_status import build_contact_status
from winback_features.dictionary import (
    FEATURES,
    category_features,
    feature_names,
    markdown_table,
    numeric_features,
)
from winback_features.fact_queries import fact_queries
from winback_features.labels import build_labels
from winback_features.tables import CAMPAIGN_LOG_SCHEMA

README = Path(__file__).parents[2] / "features" / "README.md"
CUT = date(2024, 1, 1)


def test_columns_are_the_dictionary(shop_engine):
    table = shop_engine.features(random_shop(1), CUT)
    assert table.column_names == ["contact_id", *feature_names()]
    types = {f.name: str(table.schema.field(f.name).type) for f in FEATURES}
    assert {n for n, t in types.items() if t == "double"} == set(numeric_features())
    assert {n for n, t in types.items() if t == "string"} == set(category_features())


def test_ibis_knows_the_same_types_as_the_engine(shop_engine):
    for build, args in ((build_contact_status, (shop_engine.habits,)), (build_labels, (30,))):
        promised = build(shop_engine.tables, CUT, *args).schema().to_pyarrow()
        assert shop_engine.run(build, CUT, *args).schema.equals(promised.remove_metadata())


def test_readme_holds_the_dictionary():
    assert README.read_text().endswith("## Dictionary\n\n" + markdown_table() + "\n")


def test_the_module_prints_its_table():
    run = [sys.executable, "-m", "winback_features.dictionary"]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == markdown_table() + "\n"


def test_readme_names_every_module_that_is_there():
    folder = README.parent / "winback_features"
    named = set(re.findall(r"`(\w+\.py)`", README.read_text()))
    assert named <= {path.name for path in folder.glob("*.py")}


def test_names_are_unique_and_everything_is_said():
    assert len(set(feature_names())) == len(FEATURES)
    for feature in FEATURES:
        assert feature.unit, feature.name
        assert feature.window, feature.name
        assert feature.description.endswith("."), feature.name
        assert feature.dtype == "float" or feature.null_meaning, feature.name
    unreliable = {name for name in feature_names() if "open" in name}
    assert unreliable
    assert all(name.endswith("_unreliable") for name in unreliable)


def test_expressions_do_not_depend_on_the_engine(monkeypatch):
    """Compile for Spark from unbound tables: nothing of DuckDB may be inside."""

    class SparkOptions(Config):
        treat_nan_as_null: bool = False

    class Unbound:
        has_events = has_contacts = True
        closed = ((date(2024, 1, 1), date(2024, 1, 3)),)
        timezone = "Europe/Amsterdam"
        campaign_log = ibis.table(CAMPAIGN_LOG_SCHEMA, name="campaign_log")

    # Ibis reads this option while it compiles, and sets it only when pyspark is installed.
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    tables = Unbound()
    for name, schema in SCHEMAS.items():
        setattr(tables, name, ibis.table(schema, name=name))
    compiler = ibis.backends.sql.compilers.pyspark.compiler
    habits = ibis.table(ibis.schema(HABITS), name="habits")
    for expression in (
        *fact_queries(tables, CUT).values(),
        build_labels(tables, CUT, 30),
        build_contact_status(tables, CUT, habits),
    ):
        assert "SELECT" in compiler.to_sqlglot(expression.as_table().unbind()).sql(dialect="spark")
