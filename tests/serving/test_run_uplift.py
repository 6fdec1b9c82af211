"""From published runs to an uplift model and back: simulated entries with a known effect, and a day scored with the model."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from winback_features.dictionary import numeric_features
from winback_features.engine import open_engine
from winback_features.errors import ConfigError, InputError
from winback_features.ingest import ingest
from winback_models.uplift import Experiment, fit_uplift
from winback_models.uplift_bundle import UpliftBundle, load_uplift, save_uplift
from winback_serving.batch import score_day
from winback_serving.commands.uplift import uplift, uplift_from_runs
from winback_serving.run_uplift import FROM_SCORES, uplift_entries, uplift_names, with_design
from winback_serving.settings import Settings, load_settings
from winback_serving.store import RunStore
from winback_serving.web.errors import ConflictError
from winback_serving.web.reader import Runs
from winback_serving.web.scoring import Histories, score_histories

DAYS = tuple(date(2025, 1, 1) + timedelta(days=7 * k) for k in range(4))
END = date(2025, 3, 20)
"""The windows of the first three days have closed by then, that of the last day has not."""

CONFIG = """
[source]
orders = "orders.parquet"
[brand]
currency = "EUR"
horizon_days = 60
[policy]
holdout_share = 0.5
"""
MOVED = "purchase_days"
EARLIER = "c0-0001"
"""Had entered before the first day, whose run is gone."""


def publish(home: Path, day: date, contacts: list[str], arms: np.ndarray, moved: np.ndarray) -> None:
    """Write what an uplift model reads of a run."""
    folder = home / "runs" / day.isoformat() / "run"
    folder.mkdir(parents=True)
    (folder.parent / "current").write_text("run\n", encoding="utf-8")
    (folder / "run.json").write_text('{"schema_version": 1}', encoding="utf-8")
    n, rng = len(contacts), np.random.default_rng(day.toordinal())
    ids = {"contact_id": contacts}
    features = ids | {name: rng.random(n) for name in numeric_features()} | {MOVED: np.where(moved, 5.0, 2.0)}
    scores = ids | {name: rng.random(n) for name in FROM_SCORES} | {"expected_order_value": np.full(n, 20.0)}
    arm = np.where(arms, "treatment", "holdout")
    entries = ids | {"entered_at": [day] * n, "arm": arm}
    states = ids | {"state": ["flagged"] * n, "journeys": [2 if c == EARLIER else 1 for c in contacts]}
    tables = {"features": features, "scores": scores, "entries": entries, "states": states}
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Runs whose treated buy 40 points more often where the feature is high, and 20 less often elsewhere."""
    shop = tmp_path_factory.mktemp("simulated")
    (shop / "winback.toml").write_text(CONFIG, encoding="utf-8")
    settings = load_settings(shop / "winback.toml", {})
    rng, orders = np.random.default_rng(1), []
    for k, day in enumerate(DAYS):
        contacts = [f"c{k}-{i:04}" for i in range(1000)]
        if k == 1:
            contacts[0] = "c0-0000"  # enters a second time
            contacts[1] = "erased-1"
        arms, moved = rng.random(1000) < 0.5, rng.random(1000) < 0.5
        publish(settings.home, day, contacts, arms, moved)
        bought = rng.random(1000) < 0.4 + arms * np.where(moved, 0.4, -0.2)
        late = rng.integers(0, 60, 1000)
        late[~bought] = np.where(
            rng.random((~bought).sum()) < 0.5, 60, -1
        )  # the day after the window, the day before
        orders += [(c, day + timedelta(days=int(d))) for c, d in zip(contacts, late, strict=True)]
    table = {
        "contact_id": [c for c, _ in orders],
        "order_id": [str(k) for k in range(len(orders))],
        "ordered_at": pa.array([d for _, d in orders], pa.date32()).cast(pa.timestamp("us")),
        "amount": [10.0] * len(orders),
    }
    pq.write_table(pa.table(table), shop / "orders.parquet")
    return settings


def opened(settings: Settings, ask: Callable[[Any], Any]) -> Any:
    with open_engine(settings.engine) as backend:
        return ask(
            ingest(
                backend, settings.source, settings.brand, today=date(2025, 6, 1), base_dir=settings.base_dir
            )
        )


def test_entries_are_first_ones_with_closed_windows_and_their_outcome(simulated: Settings) -> None:
    runs = RunStore(simulated.home).list_runs()
    data, value, usual = opened(simulated, lambda tables: uplift_entries(tables, runs, END, 60))
    assert len(data) == len(value) == len(usual) == 2997
    assert (value == 20).all()
    orders: dict[str, list[date]] = {}
    for row in pq.read_table(simulated.base_dir / "orders.parquet").to_pylist():
        orders.setdefault(row["contact_id"], []).append(row["ordered_at"].date())
    expected = {}
    for run in runs[:3]:
        for row in pq.read_table(run.file("entries")).to_pylist():
            bought = any(0 <= (day - run.as_of).days < 60 for day in orders[row["contact_id"]])
            expected.setdefault(row["contact_id"], (row["arm"] == "treatment", bought))
    del expected["erased-1"], expected[EARLIER]
    assert [(bool(t), y == 1) for t, y in zip(data.treated, data.bought, strict=True)] == [
        expected[contact] for contact in sorted(expected)
    ]
    column = uplift_names().index(MOVED)
    assert set(data.features[:, column]) == {2.0, 5.0}


def test_before_a_window_has_closed_it_says_so(simulated: Settings) -> None:
    with pytest.raises(InputError, match="No contact entered"):
        opened(simulated, lambda tables: uplift_from_runs(simulated, tables, DAYS[0] + timedelta(days=59)))


def test_a_learned_horizon_is_the_window(simulated: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name none then, and what stands in its place says nothing of this shop."""
    seen = []

    def entries(*arguments: Any) -> Any:
        seen.append(arguments[-1])
        return None, np.empty(0), np.empty(0)

    monkeypatch.setattr("winback_serving.commands.uplift.uplift_entries", entries)
    newest = RunStore(simulated.home).read_run().folder / "run.json"
    newest.write_text('{"schema_version": 1, "horizon_days": 35}', encoding="utf-8")
    learned = replace(simulated, horizon_auto=True)
    for settings in (simulated, learned):
        with pytest.raises(InputError, match="No contact entered"):
            uplift_from_runs(settings, None, END)
    newest.unlink()
    assert seen == [60, 35]


def test_windows_that_end_after_the_newest_order_are_open(
    simulated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later day closes none of them: what was bought until then is not known."""
    seen = []

    def learned(settings: Settings, tables: Any, end: date) -> Any:
        seen.append(end)
        raise InputError("Enough.")

    monkeypatch.setattr("winback_serving.commands.uplift.uplift_from_runs", learned)
    config = str(simulated.base_dir / "winback.toml")
    newest = max(pq.read_table(simulated.base_dir / "orders.parquet")["ordered_at"].to_pylist()).date()
    for asked in ([], ["--as-of", "2025-03-20"], ["--as-of", "2999-01-01"]):
        CliRunner().invoke(uplift, ["-c", config, *asked])
    assert seen == [newest + timedelta(days=1), END, newest + timedelta(days=1)]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_a_holdout_there_is_nothing_to_compare(share: float) -> None:
    yes = np.ones(2, bool)
    with pytest.raises(ConfigError, match="nothing to compare"):
        with_design(Experiment(np.zeros((2, 1)), yes, np.ones(2), np.full(2, 0.5)), share)


@pytest.mark.slow
def test_the_command_learns_keeps_and_throws_away(simulated: Settings) -> None:
    def run(*args: str) -> Any:
        config = str(simulated.base_dir / "winback.toml")
        answer = CliRunner().invoke(uplift, ["-c", config, *args], catch_exceptions=False)
        assert answer.exit_code == 0
        return answer.stdout

    found = json.loads(run("--as-of", END.isoformat(), "--json"))
    assert found["accepted"]
    assert found["contacts"] == 2997
    assert found["sleeping"]["at_most"] < 0
    bundle = load_uplift(simulated.home / "uplift")
    assert bundle is not None
    x = np.full((2, len(uplift_names())), 0.5)
    x[:, uplift_names().index(MOVED)] = [5.0, 2.0]
    moved, harmed = bundle.model.effect(x)
    assert moved > 0.2 > 0 > harmed
    assert json.loads((simulated.home / "uplift" / "verdict.json").read_text())["accepted"]
    early = run("--as-of", (DAYS[0] + timedelta(days=60)).isoformat())
    assert "more of its contacts must be watched" in " ".join(early.split())
    assert load_uplift(simulated.home / "uplift") is None, (
        "a model that is not accepted any more must not rank"
    )


@pytest.mark.slow
def test_a_day_is_ranked_by_the_model_that_lies_in_the_home(
    tmp_path: Path, write_shop: Callable[..., Path], rule_model: Any
) -> None:
    settings = load_settings(write_shop(tmp_path / "shop", every=5), {})
    plain = score_day(settings, date(1998, 6, 1), rule_model(), "digest")
    assert "uplift" not in plain.info()
    rng, names = np.random.default_rng(2), uplift_names()
    x = rng.random((600, len(names))) * 100
    treated = rng.random(600) < 0.5
    late = x[:, names.index("days_since_purchase")]
    bought = (rng.random(600) < 0.5 + np.where(treated, (50 - late) / 120, 0)).astype(float)
    model = fit_uplift(Experiment(x, treated, bought, np.full(600, 0.5)), names)
    flagged = pq.read_table(plain.file("entries"))["contact_id"].to_pylist()
    features = pq.read_table(plain.file("features")).to_pandas().set_index("contact_id")
    scores = pq.read_table(plain.file("scores")).to_pandas().set_index("contact_id")
    seen = features.join(scores[[*FROM_SCORES]]).loc[flagged]
    effects = model.effect(seen[[*names]].to_numpy(float))
    limit = float(np.quantile(effects, 0.2))
    digest = save_uplift(settings.home / "uplift", UpliftBundle(model, limit, {}))
    run = score_day(settings, date(1998, 6, 1), rule_model(), "digest")
    assert run.run_id != plain.run_id
    assert run.info()["uplift"] == digest
    assert "uplift.parquet" in run.info()["files"]
    said = {row["contact_id"]: row for row in pq.read_table(run.file("uplift")).to_pylist()}
    asleep = {contact for contact, effect in zip(flagged, effects, strict=True) if effect <= limit}
    rows = pq.read_table(run.file("winback")).to_pylist()
    assert {row["contact_id"] for row in rows if row["not_flagged_reason"] == "left_asleep"} == asleep
    assert 0 < len(asleep) < len(flagged)
    listed = sorted((row for row in rows if row["rank"]), key=lambda row: row["rank"])
    assert {row["contact_id"] for row in listed} == {*flagged} - asleep
    worth = [said[row["contact_id"]]["incremental_value"] for row in listed]
    assert worth == sorted(worth, reverse=True)
    for contact, effect in zip(flagged, effects, strict=True):
        assert said[contact]["uplift"] == pytest.approx(effect)
        expected = effect * seen["expected_order_value"][contact]
        assert said[contact]["incremental_value"] == pytest.approx(expected)
    web, sleeper = Runs(settings.home).current(), min(asleep)
    with (settings.path.parent / "orders.csv").open(encoding="utf-8") as file:
        orders = [line for line in csv.DictReader(file) if line["contact_id"] == sleeper]
    (again,) = score_histories(settings, web, rule_model(), Histories(orders))
    assert again["not_flagged_reason"] == "left_asleep"
    (settings.home / "uplift" / "uplift.json").unlink()
    with pytest.raises(ConflictError, match="uplift model"):
        score_histories(settings, web, rule_model(), Histories(orders))
