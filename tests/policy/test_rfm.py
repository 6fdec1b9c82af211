"""RFM: every cell of the grid, quintiles against pandas, thresholds that score again, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_policy.rfm import SEGMENTS, RfmThresholds, quintile_thresholds, rfm, rfm_values
from winback_policy.strategies import STRATEGIES
from winback_policy.texts import LANGUAGES

some = settings(
    max_examples=5,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

GRID = """
5 new         potential_loyalist potential_loyalist champion champion
4 promising   potential_loyalist potential_loyalist loyal    loyal
3 about_to_sleep about_to_sleep  need_attention     loyal    loyal
2 hibernating hibernating        at_risk            at_risk  cant_lose
1 hibernating hibernating        at_risk            at_risk  cant_lose
"""
EXPECTED = {
    (int(row.split()[0]), f): segment
    for row in GRID.strip().splitlines()
    for f, segment in enumerate(row.split()[1:], start=1)
}
FIXED = RfmThresholds((365, 180, 90, 30), (1, 2, 4, 8), (50, 100, 250, 500))

Values = list[tuple[float | None, float, float | None]]
Table = Callable[[Values], Any]

buyer = st.tuples(
    st.one_of(st.integers(1, 12), st.integers(1, 900)).map(float),
    st.integers(0, 6).map(float),
    st.one_of(st.none(), st.sampled_from([0.0, 5.0, 7.5]), st.floats(0, 1e6)),
)
bases = st.lists(buyer, min_size=1, max_size=60)


@pytest.fixture(scope="session")
def table(backend: Any) -> Table:
    """Make a table of (days since purchase, purchase days, spend), contacts c000, c001, …"""

    def make(values: Values) -> Any:
        days, purchases, spend = zip(*values, strict=True) if values else ((), (), ())
        name = ibis.util.gen_name("rfm")
        columns = {
            "contact_id": pa.array([f"c{i:03}" for i in range(len(values))], pa.string()),
            "days_since_purchase": pa.array(days, pa.float64()),
            "purchase_days": pa.array(purchases, pa.float64()),
            "spend_total": pa.array(spend, pa.float64()),
        }
        backend.con.register(name, pa.table(columns))
        return backend.table(name)

    return make


def by_contact(backend: Any, scored: Any) -> dict[str, dict[str, Any]]:
    return {row["rfm_of"]: row for row in backend.to_pyarrow(scored).to_pylist()}


def thresholds_of(backend: Any, t: Any) -> RfmThresholds | None:
    (row,) = backend.to_pyarrow(quintile_thresholds(t)).to_pylist()
    return RfmThresholds.from_row(row)


def test_each_of_the_25_cells_has_its_segment(backend: Any, table: Table) -> None:
    days = {1: 400, 2: 200, 3: 100, 4: 60, 5: 10}
    purchases = {1: 1, 2: 2, 3: 3, 4: 6, 5: 20}
    cells = list(EXPECTED)
    t = table([(days[r], purchases[f], 300.0) for r, f in cells])
    found = by_contact(backend, rfm(t, FIXED))
    for i, (r, f) in enumerate(cells):
        row = found[f"c{i:03}"]
        assert (row["rfm_r"], row["rfm_f"], row["rfm_code"]) == (r, f, f"{r}{f}4")
        assert row["rfm_segment"] == EXPECTED[r, f]
    assert set(EXPECTED.values()) == set(SEGMENTS)
    assert len(SEGMENTS) == 10


@some
@given(values=bases)
def test_quintiles_against_pandas(backend: Any, table: Table, values: Values) -> None:
    frame = pd.DataFrame(values, columns=["days", "purchases", "spend"], dtype=float)
    frame.index = [f"c{i:03}" for i in range(len(frame))]
    frame = frame[frame.purchases > 0]
    better = {"rfm_r": -frame.days, "rfm_f": frame.purchases, "rfm_m": frame.spend.fillna(0).round(2)}
    expected = pd.DataFrame(
        {k: 1 + 5 * (v.rank(method="min") - 1).astype(int) // max(len(v), 1) for k, v in better.items()}
    )
    found = by_contact(backend, rfm(table(values)))
    assert set(found) == set(frame.index)
    for contact, scores in expected.iterrows():
        row = found[str(contact)]
        assert [row[k] for k in better] == scores.tolist()
        assert row["rfm_segment"] == EXPECTED[scores["rfm_r"], scores["rfm_f"]]


@some
@given(values=bases)
def test_the_thresholds_of_a_run_give_its_scores_again(backend: Any, table: Table, values: Values) -> None:
    t = table(values)
    thresholds = thresholds_of(backend, t)
    scored = by_contact(backend, rfm(t))
    assert (thresholds is None) == (not scored)
    if thresholds is not None:
        assert by_contact(backend, rfm(t, thresholds)) == scored
        assert RfmThresholds.from_dict(thresholds.as_dict()) == thresholds


@some
@given(values=bases, stranger=buyer.filter(lambda v: v[1] > 0))
def test_a_stranger_scores_as_among_those_that_set_the_thresholds(
    backend: Any, table: Table, values: Values, stranger: tuple[float, float, float | None]
) -> None:
    thresholds = thresholds_of(backend, table(values))
    base = [v for v in values if v[1] > 0]
    if thresholds is None:
        return
    (row,) = by_contact(backend, rfm(table([stranger]), thresholds)).values()
    worse = (
        sum(v[0] > stranger[0] for v in base),
        sum(v[1] < stranger[1] for v in base),
        sum(round(v[2] or 0, 2) < round(stranger[2] or 0, 2) for v in base),
    )
    assert row["rfm_code"] == "".join(str(min(5, 1 + 5 * n // len(base))) for n in worse)


def test_equal_values_score_equally_even_where_a_sum_is_off_by_a_bit(backend: Any, table: Table) -> None:
    spend = [0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2, 0.3]
    found = by_contact(backend, rfm(table([(7, 3, s) for s in spend])))
    assert {row["rfm_code"] for row in found.values()} == {"111"}


def test_fixed_thresholds_are_passed_not_reached(backend: Any, table: Table) -> None:
    found = by_contact(backend, rfm(table([(30, 8, 500), (29, 9, 500.01), (366, 1, None)]), FIXED))
    assert [found[c]["rfm_code"] for c in ("c000", "c001", "c002")] == ["444", "555", "111"]


def test_nobody_has_bought(backend: Any, table: Table) -> None:
    t = table([(None, 0, 0.0)])
    assert by_contact(backend, rfm(t)) == by_contact(backend, rfm(t, FIXED)) == {}
    assert thresholds_of(backend, t) is None


def test_the_values_are_those_of_contacts_with_features_and_score(backend: Any, table: Table) -> None:
    features = table([(99, 3, 30.0), (99, 4, 40.0)]).drop("days_since_purchase")
    scores = table([(5, 0, 0.0)]).select("contact_id", "days_since_purchase")
    assert backend.to_pyarrow(rfm_values(features, scores)).to_pylist() == [
        {"contact_id": "c000", "days_since_purchase": 5.0, "purchase_days": 3.0, "spend_total": 30.0}
    ]


@pytest.mark.parametrize(
    ("cuts", "said"),
    [
        ({"recency_days": (30, 90, 180, 365)}, "fall from score 2"),
        ({"purchase_days": (8, 4, 2, 1)}, "rise from score 2"),
        ({"spend": (1, 2, 3)}, "four numbers"),
        ({"spend": (1, 2, 3, float("inf"))}, "four numbers"),
        ({"recency_days": ()}, "The cuts are none"),
    ],
)
def test_cuts_that_cannot_be_are_refused(cuts: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        RfmThresholds.from_dict({**FIXED.as_dict(), **cuts})
    assert refused.value.where == f"rfm.{next(iter(cuts))}"


def test_every_segment_has_a_strategy_in_every_language() -> None:
    assert set(STRATEGIES) == set(LANGUAGES)
    for language, strategies in STRATEGIES.items():
        assert set(strategies) == set(SEGMENTS), language
        assert len(set(strategies.values())) == len(SEGMENTS)
        assert all(text.endswith(".") for text in strategies.values())
