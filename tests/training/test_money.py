"""Money metrics against hand-made cases, known truths and a sum in pandas."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.ingest import ingest
from winback_training.money import (
    expected_spend,
    money_by_population,
    money_metrics,
    money_table,
    ratio_interval,
    spend_of,
    spend_within,
)


@pytest.fixture(scope="module")
def drawn():
    """Expected money, and purchases of it that come by chance."""
    rng = np.random.default_rng(3)
    rate, value = rng.gamma(0.6, 1.0, 8000), rng.lognormal(3, 0.6, 8000)
    return rate * value, rng.poisson(rate) * value


def test_right_money_is_called_right_and_a_wrong_total_is_seen(drawn):
    found = money_metrics(*drawn)
    assert found["ratio_low"] < 1.0 < found["ratio_high"]
    assert found["ratio_high"] - found["ratio_low"] < 0.12
    assert found["misplaced"] < 0.1
    double = money_metrics(2 * drawn[0], drawn[1])
    assert double["ratio"] == pytest.approx(2 * found["ratio"])
    assert double["ratio_low"] == pytest.approx(2 * found["ratio_low"])
    assert double["misplaced"] > 0.9
    assert (double["gini"], double["spearman"]) == pytest.approx((found["gini"], found["spearman"]))


def test_a_right_total_on_the_wrong_contacts_is_seen(drawn):
    found = money_metrics(np.full(8000, drawn[1].mean()), drawn[1])
    assert found["ratio"] == pytest.approx(1.0)
    assert np.isnan(found["gini"])
    turned = money_metrics(drawn[0].max() - drawn[0], drawn[1])
    assert turned["gini"] < -0.3
    assert turned["spearman"] < -0.3


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(12)
    hits = 0
    for seed in range(120):
        expected = rng.lognormal(2, 0.5, 150)
        low, high = ratio_interval(expected, rng.poisson(0.7, 150) / 0.7 * expected, seed)
        hits += low < 1.0 < high
    assert 107 <= hits <= 119


def test_groups_do_not_change_the_width_of_the_interval(drawn, monkeypatch):
    widths = []
    for most in (1000, 100_000):
        monkeypatch.setattr("winback_training.money.MOST_GROUPS", most)
        widths.append(np.subtract(*ratio_interval(*drawn)))
    assert widths[0] == pytest.approx(widths[1], rel=0.15)


def test_gini_by_hand():
    """Four contacts, all money on one: in the right order 1, in the reverse -1, all tied 0."""
    actual = np.array([0.0, 0.0, 0.0, 8.0])
    assert money_metrics(np.array([1.0, 2.0, 3.0, 4.0]), actual)["gini"] == pytest.approx(1.0)
    assert money_metrics(np.array([4.0, 3.0, 2.0, 1.0]), actual)["gini"] == pytest.approx(-1.0)
    assert money_metrics(np.array([1.0, 1.0, 2.0, 2.0]), actual)["gini"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("actual", [np.zeros(3), np.zeros(0)], ids=["nobody bought", "nobody"])
def test_without_money_only_the_totals_are_given(actual):
    found = money_metrics(np.ones(len(actual)), actual)
    assert (found["n"], found["actual"]) == (len(actual), 0.0)
    assert np.isnan([found[k] for k in ("ratio", "ratio_low", "misplaced", "gini", "spearman")]).all()


def test_populations_are_judged_apart():
    expected, actual = np.array([1.0, 2.0, 30.0, 10.0]), np.array([1.0, 2.0, 10.0, 10.0])
    masks = {"low": expected < 5, "high": expected > 5, "none": expected > 99}
    found = money_by_population(expected, actual, masks).set_index("population")
    assert list(found.index) == ["low", "high"]
    assert found["ratio"].to_list() == [1.0, 2.0]


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), min_size=1, max_size=50))
def test_the_table_holds_all_the_money_once(rows):
    expected, actual = (np.array(v, dtype=float) for v in zip(*rows, strict=True))
    table = money_table(expected, actual)
    assert table["n"].sum() == len(rows)
    assert table["expected"].sum() == pytest.approx(expected.sum())
    assert table["actual"].sum() == pytest.approx(actual.sum())
    assert (table["expected"] / table["n"]).is_monotonic_increasing or np.ptp(expected) < 1e-6


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """A ten-day window that opens on 11 January: an order on either edge, a return, and an unknown amount."""
    rows = [
        ("a", "1", date(2025, 1, 10), 5.0), ("a", "2", date(2025, 1, 11), 7.0), ("a", "3", date(2025, 1, 20), 8.5),
        ("a", "4", date(2025, 1, 21), 90.0), ("b", "5", date(2025, 1, 12), 30.0), ("b", "6", date(2025, 1, 13), -30.0),
        ("c", "7", date(2025, 1, 15), None), ("d", "8", date(2025, 1, 1), 9.0),
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("money")
    frame = pd.DataFrame(rows, columns=["contact_id", "order_id", "ordered_at", "amount"])
    frame.to_parquet(folder / "orders.parquet")
    with open_engine(EngineConfig()) as backend:
        source = SourceConfig(orders="orders.parquet")
        tables = ingest(backend, source, BrandConfig(), today=date(2025, 3, 1), base_dir=folder)
        yield tables


def test_spend_is_summed_over_the_window_and_netted(window):
    spent = spend_within(window, date(2025, 1, 11), 10).to_pyarrow().to_pandas()
    assert spent["contact_id"].to_list() == ["a", "c"]
    assert spent["purchase_days"].to_list() == [2, 1]
    assert spent["spend"].iloc[0] == 15.5
    assert np.isnan(spent["spend"].iloc[1])
    assert spend_of(["d", "a", "c", "zz"], spent) == pytest.approx([0.0, 15.5, 0.0, 0.0])


def test_expected_spend_is_purchases_within_the_horizon_times_the_value_of_one():
    class Model:
        def predict(self, features, as_of, score):
            assert (as_of, score.horizon_days) == (date(2025, 1, 1), 28)
            return features

    said = pd.DataFrame({"expected_purchases": [0.5, 2.0], "expected_order_value": [10.0, 8.0]})
    assert expected_spend(Model(), said, date(2025, 1, 1), 28).tolist() == [5.0, 16.0]
    assert expected_spend(Model(), pd.DataFrame(), date(2025, 1, 1), 28).shape == (0,)


def test_what_comes_after_the_window_changes_nothing(window):
    """The return of 13 January is not known when a window closes on that morning."""
    closed = spend_within(window, date(2025, 1, 11), 2).to_pyarrow().to_pandas()
    assert closed.set_index("contact_id")["spend"].to_dict() == {"a": 7.0, "b": 30.0}


def test_a_window_without_days_is_refused(window):
    with pytest.raises(ValueError, match="must be positive, not 0"):
        spend_within(window, date(2025, 1, 11) + timedelta(days=1), 0)
