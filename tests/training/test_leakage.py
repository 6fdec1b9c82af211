"""The leakage check: what knows the future is found, what does not is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from winback_features.build import build_features
from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_features.sample import sample_contacts
from winback_features.tables import Tables
from winback_training.leakage import (
    MAX_AUC,
    LeakageReport,
    changed_features,
    check_leakage,
    feature_aucs,
    plant_future,
    suspects,
)

DAY = date(2025, 3, 1)


def shop(folder: Path) -> SourceConfig:
    rng = np.random.default_rng(3)
    n = 400
    days = [date(2024, 6, 1) + timedelta(days=int(d)) for d in rng.integers(0, 365, n)]
    orders = pd.DataFrame(
        {
            "contact_id": [f"c{i}" for i in rng.integers(0, 60, n)],
            "order_id": [f"o{i}" for i in range(n)],
            "ordered_at": [datetime(d.year, d.month, d.day, 12) for d in days],
            "amount": rng.gamma(3, 10, n).round(2),
            "category": rng.choice(["a", "b"], n),
        }
    )
    events = orders.rename(columns={"ordered_at": "occurred_at"})[["contact_id", "occurred_at"]]
    events = events.assign(kind=rng.choice(["site_visit", "email_click", "email_sent"], n), value=None)
    orders.to_parquet(folder / "orders.parquet")
    events.to_parquet(folder / "events.parquet")
    return SourceConfig(orders="orders.parquet", events="events.parquet")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    folder = tmp_path_factory.mktemp("shop")
    source = shop(folder)
    with open_engine(EngineConfig()) as backend:
        yield ingest(backend, source, BrandConfig(), today=date(2026, 1, 1), base_dir=folder)


def test_our_own_features_know_nothing_of_the_future(tables: Tables) -> None:
    contacts, changed = changed_features(tables, DAY)
    assert contacts > 50
    assert changed == ()


def counted(table: ibis.Table, rows: Any) -> ibis.Table:
    return table.group_by("contact_id").aggregate(leak=rows.sum().fill_null(0), fair=table.day.min())


@pytest.mark.parametrize(
    "leak",
    [
        lambda t, day: counted(t.orders, t.orders.day <= ibis.literal(day)),
        lambda t, day: counted(t.orders, t.orders.cancelled_on.isnull() & (t.orders.day < ibis.literal(day))),
        lambda t, day: counted(t.events, t.events.day < ibis.literal(day + timedelta(days=7))),
        lambda t, day: counted(t.events, t.events.occurred_at < ibis.literal(day + timedelta(days=30))),
        lambda t, day: counted(t.lines, t.lines.amount * 0 + 1),
    ],
    ids=["the day itself", "a later cancellation", "a week of visits", "by the clock", "lines of all times"],
)
def test_a_feature_that_sees_a_later_fact_is_caught(tables: Tables, leak: Any) -> None:
    assert changed_features(tables, DAY, leak) == (60, ("leak",))


def test_contacts_that_only_the_future_knows_are_caught(tables: Tables) -> None:
    planted = changed_features(tables, DAY, lambda t, _: t.orders.select("contact_id", "order_id"))[1]
    assert planted == ("contact_id",)


def test_planting_leaves_the_past_as_it_was(tables: Tables) -> None:
    planted = plant_future(tables, DAY)
    for name in ("orders", "lines", "events"):
        before, after = (
            getattr(t, name).filter(getattr(t, name).day < ibis.literal(DAY)).drop("cancelled_on")
            if name == "orders"
            else getattr(t, name).filter(getattr(t, name).day < ibis.literal(DAY))
            for t in (tables, planted)
        )
        assert before.schema() == after.schema()
        a, b = (t.order_by(*t.columns).to_pyarrow() for t in (before, after))
        assert a.equals(b)
        count = getattr(tables, name).count().to_pyarrow().as_py()
        assert getattr(planted, name).count().to_pyarrow().as_py() == count + len(a)


def test_a_sample_holds_whole_contacts_in_every_table(tables: Tables) -> None:
    some = sample_contacts(tables, 0.5)
    orders, events = (set(t.contact_id.to_pyarrow().to_pylist()) for t in (some.orders, some.events))
    assert 15 < len(orders) < 45
    assert orders == events
    all_of_them = tables.orders.filter(tables.orders.contact_id.isin(sorted(orders)))
    assert some.orders.count().to_pyarrow() == all_of_them.count().to_pyarrow()
    assert sample_contacts(tables, 1.0) is tables


def test_the_auc_of_a_feature_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(300) < 0.3).astype(float)
    features = pd.DataFrame(
        {"up": y + rng.normal(size=300), "down": rng.normal(size=300) - y, "ties": y.round() * 0}
    )
    features.loc[:50, "up"] = np.nan
    found = feature_aucs(features, y, list(features))
    assert found["up"] == pytest.approx(roc_auc_score(y, features["up"].fillna(-99)))
    assert found["down"] == pytest.approx(1 - roc_auc_score(y, features["down"]))
    assert found["ties"] == 0.5
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_a_feature_that_tells_the_outcome_is_suspected_and_noise_is_not() -> None:
    falsely = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = (rng.random(120) < 0.4).astype(float)
        noise = pd.DataFrame(rng.normal(size=(120, 50)), columns=[f"x{i}" for i in range(50)])
        falsely += bool(suspects(feature_aucs(noise, y, list(noise)), y, 0.52))
        leaky = noise.assign(leak=np.where(rng.random(120) < 0.97, y, 1 - y))
        assert list(suspects(feature_aucs(leaky, y, list(leaky)), y, 0.7)) == ["leak"]
    assert falsely <= 2


def test_borders_of_suspicion() -> None:
    y = np.repeat([0.0, 1.0], 2000)
    assert suspects({"x": 0.76, "z": 0.74}, y, 0.70) == {"x": 0.76}
    assert suspects({"x": MAX_AUC + 0.01}, y, 0.99) == {"x": MAX_AUC + 0.01}
    assert suspects({"x": 0.94}, y, float("nan")) == {}
    assert suspects({"x": 1.0}, y[1990:2010], 0.5) == {}, "ten buyers prove nothing"


def test_what_the_purchases_tell_is_no_leak_and_what_tells_more_is() -> None:
    """Subscribers of a month, asked about a horizon of six: who has been silent for long has gone."""
    y = np.repeat([0.0, 1.0], 500)
    told = {"days_since_purchase": 0.97, "purchase_days_decayed_7d": 0.96, "days_since_activity": 0.97}
    assert suspects(told, y, 0.95) == {}
    assert suspects(told | {"loyalty_balance": 0.98}, y, 0.95) == {"loyalty_balance": 0.98}


def test_both_checks_make_one_report(tables: Tables) -> None:
    y = np.tile([0.0, 1.0], 100)
    active = pd.DataFrame({"leak": y, "fair": np.arange(200.0)})
    found = check_leakage(
        tables,
        DAY,
        active,
        y,
        ["leak", "fair"],
        0.6,
        build=lambda t, d: counted(t.orders, t.orders.day <= ibis.literal(d)),
    )
    assert (found.as_of, found.contacts, found.changed) == ("2025-03-01", 60, ("leak",))
    assert found.findings == (
        "Leakage: a fact planted on or after 2025-03-01 changed leak.",
        "Leakage: leak alone tells who buys, with an AUC of 1.000; look where it comes from.",
    )
    assert found.as_dict()["findings"] == list(found.findings)
    few = check_leakage(
        tables,
        DAY,
        active[:30],
        y[:30],
        ["leak"],
        0.6,
        build=lambda t, d: counted(t.orders, t.orders.day < ibis.literal(d)),
    )
    assert few.findings == ()
    assert "too few outcomes" in few.note
    assert LeakageReport().findings == ()


def test_a_leak_in_the_real_features_is_caught_beside_them(tables: Tables) -> None:
    def doctored(t: Tables, day: date) -> ibis.Table:
        total = t.orders.group_by("contact_id").aggregate(orders_ever=t.orders.count())
        return build_features(t, day).left_join(total, "contact_id").drop("contact_id_right")

    assert changed_features(tables, DAY, doctored)[1] == ("orders_ever",)
