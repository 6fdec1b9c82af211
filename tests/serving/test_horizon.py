"""The learned horizon: on bases whose truth is known, against pandas and textbook numbers."""

from datetime import date, timedelta
from itertools import pairwise

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.errors import InputError
from winback_features.ingest import ingest
from winback_serving.horizon import base_rhythm, choose_horizon, count_gaps, learn_horizon
from winback_serving.horizon_notices import (
    GapCounts,
    closing,
    closing_point,
    rate_variation,
    rhythm_notices,
    unevenness,
)
from winback_training.label_times import origins

START = date(2023, 1, 1)


def simulated(kind, contacts, days, seed=0):
    """Purchase days of each contact; all come in the first half."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(contacts):
        clock, own, mine = rng.uniform(0, days / 2), rng.gamma(1.0, 1 / 30), set()
        while clock < days:
            mine.add(int(clock))
            match kind:
                case "memoryless":
                    clock += rng.exponential(30)
                case "one rate each":
                    clock += rng.exponential(1 / own)
                case "regular":
                    clock += rng.gamma(4, 30 / 4)
                case "rarely again":
                    clock += rng.exponential(60) if rng.random() < 0.05 else np.inf
                case "yearly":
                    clock += rng.normal(365, 8) if rng.random() < 0.7 else np.inf
                case "gifts":
                    yearly = rng.random() < 0.8
                    gap = rng.normal(365, 9) if yearly else rng.exponential(60)
                    clock += gap if rng.random() < 0.72 else np.inf
                case "slow":
                    clock += rng.choice([rng.exponential(20), rng.uniform(100, 400)])
        out.append(sorted(mine))
    return out


def counted(shop, days):
    """What `count_gaps` counts, in plain Python."""
    gaps = [[b - a for a, b in pairwise(mine)] for mine in shop]
    x, t = np.array([len(g) for g in gaps]), np.array([days - mine[0] for mine in shop])
    pairs = np.array([p for g in gaps for p in pairwise(g)], dtype=float).reshape(-1, 2)
    both = pairs.sum(axis=1)

    def tally(lengths):
        return {int(k): int(n) for k, n in zip(*np.unique(list(lengths), return_counts=True), strict=True)}

    return GapCounts(
        closed=tally(v for g in gaps for v in g),
        closed_first=tally(g[0] for g in gaps if g),
        silent=tally(days - mine[-1] for mine in shop),
        silent_once=tally(days - mine[-1] for mine in shop if len(mine) == 1),
        pairs=len(pairs),
        uneven=float((((pairs[:, 0] - pairs[:, 1]) / (2 * both)) ** 2).sum()),
        uneven_by_chance=float(((1 - 2 / both) / 12).sum()),
        frequency=int(x.sum()),
        age=int(t.sum()),
        frequency_squared=int((x * x).sum()),
        frequency_age=int((x * t).sum()),
        age_squared=int((t * t).sum()),
    )


def said(kind, contacts, days, seed=0):
    return " ".join(rhythm_notices(counted(simulated(kind, contacts, days, seed), days)))


@pytest.mark.parametrize(
    ("kind", "contacts", "days", "words"),
    [
        ("memoryless", 2000, 500, "no better than chance"),
        ("rarely again", 2000, 700, "winning back makes little sense"),
        ("yearly", 1500, 1100, "about a year long"),
        ("gifts", 600, 1000, "about a year long"),
        ("slow", 800, 300, "have had little time to close"),
        ("memoryless", 3, 90, "little more than a guess"),
    ],
)
def test_a_base_against_which_something_speaks_is_told_so(kind, contacts, days, words):
    found = rhythm_notices(counted(simulated(kind, contacts, days), days))
    assert [n for n in found if words in n] == list(found)


@pytest.mark.parametrize("kind", ["one rate each", "regular"])
def test_predictable_bases_are_not_called_memoryless(kind):
    """Rates that differ are the normal case: there the number of purchases and the silence tell who comes back."""
    assert said(kind, 2000, 500) == ""


def test_chance_is_rarely_taken_for_a_rhythm():
    assert sum("no better than chance" in said("memoryless", 300, 400, seed) for seed in range(30)) >= 29


def test_few_one_time_buyers_are_no_proof():
    """One of twenty came back: as likely as not a tenth would."""
    counts = GapCounts({30: 1}, {30: 1}, {400: 20}, {400: 19})
    assert "second time" not in " ".join(rhythm_notices(counts))
    many = GapCounts({30: 100}, {30: 100}, {400: 2000}, {400: 1900})
    assert "Of 2,000 buyers 5.0% buy a second time within a year" in " ".join(rhythm_notices(many))


@pytest.mark.parametrize(("buyers", "days"), [(300, 1), (5, 400), (60, 30)])
def test_nobody_twice_is_no_proof_where_few_were_watched_for_long(buyers, days):
    """A shop that opened yesterday has no second orders, and five buyers without one are no rule."""
    counts = GapCounts({}, {}, {days: buyers}, {days: buyers})
    assert "second time" not in " ".join(rhythm_notices(counts))


def test_one_old_customer_is_no_year():
    """A shop of twenty days with one buyer of its pilot."""
    counts = GapCounts({5: 10}, {5: 10}, {20: 1000, 400: 1}, {20: 990, 400: 1})
    assert "second time" not in " ".join(rhythm_notices(counts))


def test_what_was_watched_for_less_than_a_year_is_said_of_those_days():
    nobody = GapCounts({}, {}, {165: 300}, {165: 300})
    assert "Of 300 buyers 0.0% buy a second time within 165 days" in " ".join(rhythm_notices(nobody))
    few = GapCounts({30: 20}, {30: 20}, {200: 2000}, {200: 1980})
    assert "Of 2,000 buyers 1.0% buy a second time within 200 days" in " ".join(rhythm_notices(few))
    soon = GapCounts({30: 100}, {30: 100}, {200: 2000}, {200: 1900})
    assert "second time" not in " ".join(rhythm_notices(soon))


def test_who_buys_every_day_does_not_buy_by_chance():
    assert rhythm_notices(counted([list(range(60))] * 20, 60)) == ()


def test_one_gap_is_one():
    assert rhythm_notices(GapCounts({30: 1}))[0].startswith("Only 1 gap between purchases was seen")


def test_kaplan_and_meier_agree():
    """Freireich's 21 leukaemia patients under 6-MP: .627 in remission after 10 weeks, .448 after 23, error .135."""
    ended = {6: 3, 7: 1, 10: 1, 13: 1, 16: 1, 22: 1, 23: 1}
    left = {6: 1, 9: 1, 10: 1, 11: 1, 17: 1, 19: 1, 20: 1, 25: 1, 32: 2, 34: 1, 35: 1}
    assert 1 - closing(ended, left, 7)[0] == pytest.approx(0.8067, abs=1e-4)
    assert 1 - closing(ended, left, 16)[0] == pytest.approx(0.6275, abs=1e-4)
    share, error = closing(ended, left, 30)
    assert (1 - share, error) == pytest.approx((0.4482, 0.1346), abs=1e-4)


def test_open_gaps_move_the_point_to_where_the_truth_is():
    """All close within 200 days, evenly; watched for 200 to 0 days, only the short ones were seen to."""
    rng = np.random.default_rng(3)
    gap, watched = rng.integers(1, 201, 40_000), rng.integers(1, 221, 40_000)
    seen = gap < watched
    closed, still = (
        {int(k): int(n) for k, n in zip(*np.unique(v, return_counts=True), strict=True)}
        for v in (gap[seen], watched[~seen])
    )
    assert closing_point(closed, {}) < 160
    assert closing_point(closed, still) == pytest.approx(180, abs=6)


@pytest.mark.parametrize("k", [1.0, 2.0, 4.0])
def test_unevenness_gives_the_regularity_back_whatever_the_rates(k):
    rng = np.random.default_rng(5)
    rates = rng.gamma(2.0, 1.0, 40_000)[:, None]
    pair = np.ceil(rng.gamma(k, 400.0 / k, (40_000, 2)) / rates)
    both = pair.sum(axis=1)
    counts = GapCounts(
        {},
        pairs=len(pair),
        uneven=float(((np.diff(pair, axis=1)[:, 0] / (2 * both)) ** 2).sum()),
        uneven_by_chance=float(((1 - 2 / both) / 12).sum()),
    )
    assert unevenness(counts)[0] == pytest.approx(3 / (2 * k + 1), rel=0.02)


def test_daily_chance_is_even_also_where_gaps_are_two_days():
    rng = np.random.default_rng(6)
    shop = [sorted(np.flatnonzero(rng.random(400) < 0.5).tolist()) for _ in range(400)]
    assert unevenness(counted(shop, 400))[0] == pytest.approx(1.0, abs=0.02)


def test_the_spread_of_rates_is_found():
    rng = np.random.default_rng(7)
    t = rng.integers(100, 900, 30_000)
    for shape in (0.5, 2.0, np.inf):
        rate = 0.02 * (rng.gamma(shape, 1 / shape, t.size) if np.isfinite(shape) else 1.0)
        x = rng.poisson(rate * t)
        sums = [int(v.sum()) for v in (x, t, x * x, x * t, t * t)]
        found, error = rate_variation(GapCounts({}, {}, {}, {}, 0, 0.0, 0.0, *sums))
        assert found == pytest.approx(1 / shape, rel=0.06, abs=3 * error + 0.01)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A simulated base, counted by the engine at a day with purchases after it."""
    shop = simulated("one rate each", 300, 420, seed=9)
    rows = [
        (f"c{i}", f"o{i}-{d}-{n}", START + timedelta(days=d), 5.0)
        for i, mine in enumerate(shop)
        for d in mine
        for n in range(1 + (d % 5 == 0))
    ]
    folder = tmp_path_factory.mktemp("horizon")
    pd.DataFrame(rows, columns=["contact_id", "order_id", "ordered_at", "amount"]).to_parquet(
        folder / "orders.parquet"
    )
    with open_engine(EngineConfig()) as backend:
        source = SourceConfig(orders="orders.parquet")
        tables = ingest(backend, source, BrandConfig(), today=date(2026, 1, 1), base_dir=folder)
        yield shop, tables


def test_the_engine_counts_what_plain_python_counts(learnt):
    shop, tables = learnt
    past = [mine for all_days in shop if (mine := [d for d in all_days if d < 350])]
    expected = counted(past, 350)
    found, history = count_gaps(tables, START + timedelta(days=350))
    assert history == 350 - min(mine[0] for mine in past)
    for name in ("uneven", "uneven_by_chance"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-5)
    for name in set(GapCounts.__dataclass_fields__) - {"uneven", "uneven_by_chance"}:
        assert getattr(found, name) == getattr(expected, name), name


def test_horizon_and_cadence_are_quantiles_of_the_gaps(learnt):
    shop, tables = learnt
    gaps = np.concatenate([np.diff([d for d in mine if d < 420]) for mine in shop])
    found = learn_horizon(tables, START + timedelta(days=420))
    ninth = np.quantile(gaps, 0.9, method="inverted_cdf")
    assert found.days - 7 < ninth <= found.days
    assert found.cadence_days == np.quantile(gaps, 0.5, method="inverted_cdf")
    assert f"closed within {ninth:.0f} days" in found.reason
    assert found.notices == rhythm_notices(count_gaps(tables, START + timedelta(days=420))[0], found.days)


def test_a_short_history_limits_the_horizon_and_says_so():
    found = choose_horizon([(50, 100)], history_days=90)
    assert found.days == 22
    assert found.reason.endswith("and the history of 90 days allows 22")


@given(st.integers(30, 3000))
def test_a_learned_horizon_leaves_room_for_three_forward_tests(history):
    horizon = choose_horizon([(10_000, 100)], history).days
    assert len(origins(START + timedelta(days=history), START, horizon, 3)) == 3


def test_nobody_has_bought_twice(learnt):
    _, tables = learnt
    with pytest.raises(InputError, match="Nobody has bought twice yet"):
        learn_horizon(tables, START)
    assert rhythm_notices(GapCounts({}))[0].startswith("Only 0 gaps")
    cadence, notices = base_rhythm(tables, START, 90)
    assert cadence is None
    assert notices[0].startswith("Only 0 gaps")


def test_a_horizon_of_ones_own_does_not_hide_the_rhythm(learnt):
    _, tables = learnt
    day = START + timedelta(days=420)
    found = learn_horizon(tables, day)
    assert base_rhythm(tables, day, found.days) == (found.cadence_days, found.notices)


def test_a_horizon_far_shorter_than_the_rhythm_is_told_so():
    counts = GapCounts({50: 20, 60: 40, 90: 40})
    assert rhythm_notices(counts, 30) == ()
    (notice,) = rhythm_notices(counts, 29)
    assert notice.startswith("The horizon of 29 days is shorter than half the usual gap of 60:")
    assert rhythm_notices(counts, 1)[0].startswith("The horizon of 1 day is shorter")
    learned = choose_horizon(counts.closed.items(), history_days=100)
    assert (learned.days, len(rhythm_notices(counts, learned.days))) == (25, 1), (
        "also where a short history limits it"
    )


lengths = st.dictionaries(st.integers(1, 900), st.integers(1, 1000), max_size=12)


@settings(deadline=None)
@given(lengths, lengths, st.integers(0, 1000))
def test_more_time_closes_no_fewer_gaps(closed, still, days):
    share, error = closing(closed, still, days)
    assert 0 <= share <= 1 + 1e-12
    assert error >= 0
    assert share <= closing(closed, still, days + 50)[0] + 1e-12
    if closed:
        assert min(closed) <= closing_point(closed, still) <= max(closed)
        assert 7 <= choose_horizon(closed.items(), 700).days <= 365


def test_counting_needs_no_order_in_memory(learnt):
    """Rows fetched are as many as there are distinct lengths, not orders."""
    _, tables = learnt
    fetched = []
    original = ibis.Table.to_pyarrow

    def spy(table, *args, **kwargs):
        answer = original(table, *args, **kwargs)
        fetched.append(answer.num_rows)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ibis.Table, "to_pyarrow", spy)
        counts, _ = count_gaps(tables, START + timedelta(days=420))
    assert len(fetched) == 2
    assert sum(fetched) <= 2 * (len(counts.closed) + len(counts.silent))
