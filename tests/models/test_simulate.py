"""The made-up shop keeps its laws: same numbers same facts, no purchase after the dropout, a truth that comes true."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from winback_features.contracts import STATED_REASONS
from winback_models.simulate import surveys
from winback_models.simulate.people import draw_people, draw_purchases
from winback_models.simulate.shop import TABLES, Block, simulate
from winback_models.simulate.truth import TRUTH_HORIZONS, true_p_purchase
from winback_models.simulate.world import BLOCK, World
from winback_policy.stated import GONE

WORLD = World(contacts=BLOCK, days=400, seed=7)


@pytest.fixture(scope="module")
def block() -> Block:
    (only,) = simulate(WORLD)
    return only


@pytest.fixture(scope="module")
def truth(block: Block) -> pd.DataFrame:
    return block.truth.to_pandas(date_as_object=False)


@pytest.fixture(scope="module")
def purchases(block: Block) -> pd.DataFrame:
    """Purchase days: orders of a positive or unknown amount, less the cancelled ones (always on a purchase day)."""
    orders = block.orders.to_pandas()
    return orders[~(orders["amount"] <= 0)]


def test_the_same_world_again_is_the_same(block: Block) -> None:
    (again,) = simulate(WORLD)
    assert all(getattr(again, name).equals(getattr(block, name)) for name in TABLES)


def test_another_seed_is_another_shop(block: Block) -> None:
    (other,) = simulate(World(contacts=BLOCK, days=400, seed=8))
    assert not other.orders.equals(block.orders)


def test_a_larger_shop_begins_with_the_contacts_of_a_smaller_one(block: Block) -> None:
    (small,) = simulate(World(contacts=120, days=400, seed=7))
    first, second = simulate(World(contacts=BLOCK + 30, days=400, seed=7))
    known = pa.array(sorted(small.contacts["contact_id"].to_pylist()))
    for name in TABLES:
        large: pa.Table = getattr(block, name)
        assert large.filter(pc.is_in(large["contact_id"], known)).equals(getattr(small, name))
        assert getattr(first, name).equals(large)
    assert second.truth.num_rows == 30


def test_nobody_buys_before_arriving_or_after_leaving(purchases: pd.DataFrame, truth: pd.DataFrame) -> None:
    bought = purchases.merge(truth, on="contact_id")
    day = bought["ordered_at"].dt.normalize()
    assert (day >= bought["arrived_on"]).all()
    left = bought["left_on"].notna()
    assert (day[left] <= bought["left_on"][left]).all()


def test_the_dead_have_no_chance_and_no_purchase_to_come(truth: pd.DataFrame) -> None:
    gone = truth[~truth["alive"]]
    assert len(gone) > 1000
    assert (gone[[f"p_purchase_{h}d" for h in TRUTH_HORIZONS]] == 0.0).all(axis=None)
    assert gone["next_purchase_on"].isna().all()


@pytest.mark.parametrize("horizon", TRUTH_HORIZONS)
def test_the_true_probabilities_come_true(horizon: int, truth: pd.DataFrame) -> None:
    """In each fifth of the alive, those who buy are within four standard errors of what the closed form says."""
    alive = truth[truth["alive"]]
    p = alive[f"p_purchase_{horizon}d"]
    end = pd.Timestamp(WORLD.end) + pd.Timedelta(days=horizon)
    came = (alive["next_purchase_on"] < end).to_numpy()
    for _, part in p.groupby(pd.qcut(p, 5)):
        rows = alive.index.get_indexer(part.index)
        error = np.sqrt((part * (1.0 - part)).sum()) / len(part)
        assert abs(came[rows].mean() - part.mean()) < 4.0 * error


def test_chances_grow_with_the_horizon(truth: pd.DataFrame) -> None:
    p = truth[[f"p_purchase_{h}d" for h in TRUTH_HORIZONS]].to_numpy()
    assert (np.diff(p, axis=1) >= 0.0).all()
    assert ((p >= 0.0) & (p <= 1.0)).all()


def test_gaps_follow_their_law_in_the_shops_own_time() -> None:
    world = World(contacts=BLOCK, days=2000, seed=3, prospects=0.0, one_time=0.0, life_days=1e9)
    rng = world.generator(0)
    people = draw_people(world, 0, rng)
    who, when = draw_purchases(world, people, rng)
    clock = world.clock(when)
    first_two = np.searchsorted(who, np.arange(BLOCK))
    fast = first_two[people.rate * (world.days - people.arrived) > 60]
    k = people.shape[who[fast]]
    gaps = (clock[fast + 1] - clock[fast]) * k * people.rate[who[fast]]
    for shape in (1, 2, 4):
        assert kstest(gaps[k == shape], "gamma", args=(shape,)).pvalue > 1e-4


def test_orders_hold_what_real_ones_hold(block: Block, truth: pd.DataFrame) -> None:
    orders = block.orders.to_pandas()
    assert orders["order_id"].is_unique
    assert (orders["amount"] < 0).any()
    assert (orders["amount"] == 0).any()
    assert orders["amount"].isna().any()
    per_contact = purchases_of(orders).reindex(truth["contact_id"]).fillna(0)
    assert 0.15 < (per_contact == 1).mean() < 0.4
    assert 0.02 < (per_contact == 0).mean() < 0.2


def purchases_of(orders: pd.DataFrame) -> pd.Series:
    bought = orders[~(orders["amount"] <= 0)]
    return bought.assign(day=bought["ordered_at"].dt.normalize()).groupby("contact_id")["day"].nunique()


def test_machines_open_mail_and_nothing_else(block: Block) -> None:
    events = block.events.to_pandas()
    assert set(events.loc[events["machine"], "kind"]) == {"email_open"}


def test_the_lot_treats_half_and_only_the_treated_get_an_incentive(block: Block) -> None:
    drawn = block.campaigns.to_pandas()
    treated = drawn["arm"] == "treatment"
    assert abs(treated.mean() - 0.5) < 4.0 * 0.5 / np.sqrt(len(drawn))
    sent = block.events.to_pandas().query("kind == 'incentive_sent'")
    assert sorted(sent["contact_id"]) == sorted(drawn.loc[treated, "contact_id"])


def test_a_treatment_brings_about_what_the_truth_says() -> None:
    """Orders within the fortnight after a trial: treated less held out, against the mean uplift of the alive."""
    (block,) = simulate(World(contacts=BLOCK, days=1500, seed=2, one_time=0.0, life_days=1e9))
    drawn = block.campaigns.to_pandas()
    days = purchase_table(block.orders.to_pandas())
    uplift = block.truth.to_pandas().set_index("contact_id")["uplift"]
    both = drawn.merge(days, on="contact_id")
    after = (both["day"] - both["sent_at"].dt.normalize()).dt.days
    bought = both.loc[(after >= 1) & (after <= 14), ["contact_id", "sent_at"]].drop_duplicates()
    drawn = drawn.merge(bought.assign(bought=True), how="left", on=["contact_id", "sent_at"])
    came, treated = drawn["bought"].notna(), drawn["arm"] == "treatment"
    effect = came[treated].mean() - came[~treated].mean()
    wanted = uplift[drawn["contact_id"]].mean()
    # Who would have bought anyway cannot be won: a little less than the mean uplift.
    assert 0.7 * wanted < effect < 1.1 * wanted


def purchase_table(orders: pd.DataFrame) -> pd.DataFrame:
    bought = orders[~(orders["amount"] <= 0)]
    return bought.assign(day=bought["ordered_at"].dt.normalize())[["contact_id", "day"]].drop_duplicates()


def answers_of(block: Block, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the survey answers with a reason, with ``gone``: whether the contact had left by then."""
    events = block.events.to_pandas().dropna(subset="reason").merge(truth, on="contact_id")
    return events.assign(gone=events["occurred_at"].dt.normalize() > events["left_on"])


def test_who_has_gone_says_why_and_hardly_anybody_else(block: Block, truth: pd.DataFrame) -> None:
    told = answers_of(block, truth)
    gone = told["gone"]
    assert set(told["kind"]) == {"survey_answer"}
    assert 40 < gone.sum() < 0.1 * (~truth["alive"]).sum()
    assert 0 < (~gone).sum() < 0.2 * gone.sum()
    assert set(told["reason"]) == set(STATED_REASONS)
    assert not told.loc[~gone, "reason"].isin(GONE).any(), "who still buys has not moved away"


def test_the_answers_leave_the_other_facts_as_they_are(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "GONE_ANSWER", 0.0)
    monkeypatch.setattr(surveys, "ALIVE_ANSWER", 0.0)
    (silent,) = simulate(WORLD)
    unasked = block.events.filter(pc.is_null(block.events["reason"]))
    assert silent.events.equals(unasked)
    assert unasked.num_rows < block.events.num_rows
    assert all(getattr(silent, name).equals(getattr(block, name)) for name in TABLES if name != "events")


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    days=st.integers(30, 900),
    contacts=st.integers(1, 60),
)
def test_every_fact_lies_within_the_days_and_belongs_to_a_contact(
    seed: int, days: int, contacts: int
) -> None:
    world = World(contacts=contacts, days=days, seed=seed)
    (block,) = simulate(world)
    known = set(block.contacts["contact_id"].to_pylist())
    assert len(known) == block.truth.num_rows == contacts
    for table, column in (
        (block.orders, "ordered_at"),
        (block.events, "occurred_at"),
        (block.campaigns, "sent_at"),
    ):
        assert set(table["contact_id"].to_pylist()) <= known
        assert all(world.first_day <= moment.date() < world.end for moment in table[column].to_pylist())


def test_a_contact_that_has_not_bought_waits_without_memory() -> None:
    world = World(contacts=BLOCK, days=300, seed=1, season=0.0)
    people = draw_people(world, 0, world.generator(0))
    p = true_p_purchase(world, people, np.full(BLOCK, np.nan), 60)
    assert np.allclose(p, 1.0 - np.exp(-60 / 400))


def test_an_impossible_world_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        World(contacts=0, days=10)
    assert World(contacts=1, days=1).end == date(2024, 1, 2)
