"""Old runs go whole; what the next day, today's comparison and the outcomes need stays."""

import json
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_features.errors import InputError
from winback_serving import cli
from winback_serving.prune import OUTCOME_DAYS, StoredRun, choose, remove, stored_runs, withdraw
from winback_serving.store import PublishedRun, RunStore

NEWEST = date(2026, 3, 9)


def publish(store: RunStore, day: date, run_id: str = "aa", entries: int = 0) -> Path:
    with store.lock("test"), store.staging() as folder:
        (folder / "run.json").write_text('{"schema_version": 1}')
        pq.write_table(pa.table({"contact_id": ["c"] * entries}), folder / "entries.parquet")
        return store.publish(folder, day, run_id).folder


def stored(days_ago: int, *, current: bool = True, entries: int = 0) -> StoredRun:
    day = NEWEST - timedelta(days=days_ago)
    run = PublishedRun(day, "aa" if current else "bb", Path(f"{day}"))
    return StoredRun(run, current, entries, 1)


def ages(runs: list[StoredRun]) -> list[int]:
    return [(NEWEST - found.run.as_of).days for found in runs]


def test_old_runs_without_entries_go_and_the_newest_two_stay() -> None:
    runs = [stored(n) for n in (40, 30, 29, 1, 0)]
    gone, held = choose(runs, 30)
    assert (ages(gone), ages(held)) == ([40, 30], [])
    gone, _ = choose([stored(50), stored(40), stored(0)], 1)
    assert ages(gone) == [50], "the run before the newest stays, however old"


def test_entries_whose_outcomes_are_still_read_hold_their_run() -> None:
    runs = [stored(OUTCOME_DAYS, entries=3), stored(OUTCOME_DAYS - 1, entries=3), stored(1), stored(0)]
    gone, held = choose(runs, 30)
    assert (ages(gone), ages(held)) == ([OUTCOME_DAYS], [OUTCOME_DAYS - 1])
    gone, held = choose(runs, 30, forget_outcomes=True)
    assert (ages(gone), ages(held)) == ([OUTCOME_DAYS, OUTCOME_DAYS - 1], [])


def test_a_longer_window_holds_its_runs_longer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shop of beds looks two years ahead: what a holdout shows is known after that, and read within the month."""
    config, store = tmp_path / "winback.toml", RunStore(tmp_path / ".winback")
    for days in (762, 761, 760, 397, 396, 395, 1, 0):
        publish(store, NEWEST - timedelta(days=days), entries=1)

    def held(text: str) -> list[int]:
        config.write_text(f'[source]\norders = "orders.csv"\n{text}')
        words = ["runs", "prune", "--keep-days", "30", "--dry-run", "-c", str(config), "--json"]
        assert cli.run(words) == 0
        rows = json.loads(capsys.readouterr().out)["held"]
        return [(NEWEST - date.fromisoformat(row["as_of"])).days for row in rows]

    assert held("") == [395], "a year, and a month to read it in"
    assert held("[brand]\nhorizon_days = 730\n") == [760, 397, 396, 395]
    assert held("[outcomes]\nwindow_days = 730\n") == [760, 397, 396, 395]
    assert held("[outcomes]\nlater_days = [30, 730]\n") == [760, 397, 396, 395]


def test_a_run_that_was_replaced_goes_by_age_whatever_it_held() -> None:
    gone, _ = choose(
        [stored(40, current=False, entries=9), stored(1), stored(0, current=False), stored(0)], 30
    )
    assert ages(gone) == [40]
    assert choose([], 30) == ([], [])


RUNS = st.lists(st.tuples(st.integers(0, 800), st.booleans(), st.integers(0, 2)), max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    runs=RUNS.map(lambda found: [stored(days, current=now, entries=n) for days, now, n in found]),
    keep=st.integers(1, 500),
    forget=st.booleans(),
)
def test_nothing_is_both_gone_and_held_and_the_newest_two_are_neither(
    runs: list[StoredRun], keep: int, forget: bool
) -> None:
    gone, held = choose(runs, keep, forget_outcomes=forget)
    current = sorted((found.run.as_of for found in runs if found.current), reverse=True)
    safe = {*current[:2]}
    assert not [found for found in gone if found in held]
    assert not [found for found in gone + held if found.current and found.run.as_of in safe]
    if current:
        assert all((current[0] - found.run.as_of).days >= keep for found in gone + held)


def test_a_removed_run_is_gone_whole_and_leaves_no_day_behind(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    publish(store, NEWEST - timedelta(days=9))
    publish(store, NEWEST, "old")
    publish(store, NEWEST, "new")
    found = stored_runs(store)
    assert [(s.run.run_id, s.current) for s in found] == [("aa", True), ("new", True), ("old", False)]
    with store.lock("test"):
        remove(store, [s.run for s in found if s.run.run_id != "new"])
    assert [run.run_id for run in store.list_runs()] == ["new"]
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", ".staging", "2026-03-09"]


def test_a_removal_that_was_killed_half_way_is_invisible_and_gets_finished(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    old = publish(store, NEWEST - timedelta(days=9))
    publish(store, NEWEST)
    old.rename(store.staging_base() / "aside")
    assert [run.as_of for run in store.list_runs()] == [NEWEST]
    with store.lock("test"):
        assert list(store.staging_base().iterdir()) == []
        remove(store, [])
    assert not old.parent.exists()


def test_only_the_newest_day_can_be_withdrawn(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    publish(store, NEWEST)
    publish(store, NEWEST + timedelta(days=400))
    with store.lock("test"):
        with pytest.raises(InputError, match="Runs of later days"):
            withdraw(store, NEWEST)
        with pytest.raises(InputError, match="No run is published for 2026-03-10") as refused:
            withdraw(store, NEWEST + timedelta(days=1))
        assert "nothing to withdraw" in str(refused.value)
        assert "winback score" not in str(refused.value)
        assert "2027-04-13" in refused.value.how, "the newest there is"
        assert [run.run_id for run in withdraw(store, NEWEST + timedelta(days=400))] == ["aa"]
    assert store.read_run().as_of == NEWEST


def test_where_no_day_is_published_none_is_withdrawn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to withdraw") as refused:
        withdraw(RunStore(tmp_path), NEWEST)
    assert refused.value.how == "No day is published."


def test_the_commands_list_prune_and_withdraw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "winback.toml"
    config.write_text('[source]\norders = "orders.csv"\n')
    store = RunStore(tmp_path / ".winback")
    for days, entries in ((90, 0), (60, 2), (1, 0), (0, 1)):
        publish(store, NEWEST - timedelta(days=days), entries=entries)

    def run(*words: str) -> dict[str, object]:
        assert cli.run(["runs", *words, "-c", str(config), "--json"]) == 0
        answer: dict[str, object] = json.loads(capsys.readouterr().out)
        return answer

    assert cli.run(["runs", "prune", "-c", str(config)]) == 2
    assert "Say --keep-days" in capsys.readouterr().err
    assert len(run("list")["runs"]) == 4  # type: ignore[arg-type]
    tried = run("prune", "--keep-days", "30", "--dry-run")
    assert len(store.days()) == 4
    done = run("prune", "--keep-days", "30")
    assert tried["removed"] == done["removed"]
    assert [row["as_of"] for row in done["held"]] == ["2026-01-08"]  # type: ignore[attr-defined]
    assert len(store.days()) == 3
    assert run("withdraw", "2026-03-09")["newest"] == "2026-03-08"
    assert cli.run(["runs", "list", "-c", str(config)]) == 0
    assert "2026-03-08" in capsys.readouterr().out
