"""The sandbox against counting by hand: sizes, value, overlap, differences, hints, refusals."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_policy.own_content import HINTS
from winback_policy.sandbox import BASE_COLUMNS, DESCRIBING, MOST_SEGMENTS, Sandbox, sandbox_base
from winback_policy.sandbox_terms import Bound, Segment

some = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

LATE = Segment("late", (Bound("p_lapse", at_least=0.5),))
EVERYBODY = Segment("everybody")


def large_base(n: int = 4000) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "p_lapse": np.linspace(0, 1, n, endpoint=False),
        "value_at_risk": np.ones(n),
        "visits": np.where(np.arange(n) < n // 2, 1.0, 3.0),
        "noise": rng.normal(size=n),
    }


def between(name: str, low: float, high: float) -> Segment:
    return Segment(name, (Bound("p_lapse", at_least=low, below=high),))


maybe = st.one_of(st.none(), st.integers(0, 9).map(float))
contact = st.tuples(maybe, maybe, st.one_of(st.none(), st.sampled_from(["active", "lapsed"])), maybe)
limit = st.one_of(st.none(), st.integers(0, 9).map(float))
numeric = st.builds(
    lambda column, low, high: Bound(
        column, at_least=0.0 if low is None and high is None else low, below=high
    ),
    st.sampled_from(["days", "value_at_risk"]),
    limit,
    limit,
)
words = st.sets(st.sampled_from(["active", "lapsed", "unheard"]), min_size=1)
bound = st.one_of(numeric, words.map(lambda w: Bound("base", among=tuple(sorted(w)))))
rules = st.lists(st.lists(bound, max_size=3).map(tuple), max_size=5)


def meets(row: dict[str, Any], bounds: tuple[Bound, ...]) -> bool:
    for b in bounds:
        value = row[b.column]
        if value is None:
            return False
        if b.among:
            if value not in b.among:
                return False
        elif (b.at_least is not None and value < b.at_least) or (b.below is not None and value >= b.below):
            return False
    return True


@some
@given(rows=st.lists(contact, max_size=40), asked=rules)
def test_against_counting(rows: list[Any], asked: list[tuple[Bound, ...]]) -> None:
    base = [dict(zip(("days", "value_at_risk", "base", "visits"), row, strict=True)) for row in rows]
    columns = {
        name: np.array([row[name] for row in base], object if name == "base" else float)
        for name in ("days", "value_at_risk", "base", "visits")
    }
    view = Sandbox(columns, describe=["visits"]).ask([Segment(f"s{i}", b) for i, b in enumerate(asked)])
    inside = [{i for i, row in enumerate(base) if meets(row, bounds)} for bounds in asked]

    assert view.contacts == len(base)
    assert view.outside == len(set(range(len(base))) - set().union(*inside))
    for members, found in zip(inside, view.segments, strict=True):
        assert found.contacts == len(members)
        assert found.share == (len(members) / len(base) if base else 0)
        assert found.value_at_risk == sum(base[i]["value_at_risk"] or 0 for i in members)
        assert found.hint in HINTS
        here = pd.Series([base[i]["visits"] for i in sorted(members)], dtype=float).dropna()
        rest = pd.Series([r["visits"] for i, r in enumerate(base) if i not in members], dtype=float).dropna()
        spread = pd.concat([here, rest]).std(ddof=0)
        if len(here) and len(rest) and spread > 0:
            assert found.differs["visits"] == pytest.approx((here.mean() - rest.mean()) / spread)
        else:
            assert found.differs == {}
    assert len(view.overlaps) == len(inside) * (len(inside) - 1) // 2
    for (i, j), shared in zip(combinations(range(len(inside)), 2), view.overlaps, strict=True):
        assert (shared.first, shared.second) == (f"s{i}", f"s{j}")
        assert shared.contacts == len(inside[i] & inside[j])
        assert shared.jaccard == (
            shared.contacts / len(inside[i] | inside[j]) if inside[i] | inside[j] else 0
        )


@some
@given(cuts=st.lists(st.floats(0, 1), min_size=2, max_size=6, unique=True))
def test_neighbouring_bounds_share_nobody_and_lose_nobody(cuts: list[float]) -> None:
    edges = sorted(cuts)
    sandbox = Sandbox(large_base(500))
    parts = [between(str(a), a, b) for a, b in pairwise(edges)]
    view = sandbox.ask(parts)
    (whole,) = sandbox.ask([between("whole", edges[0], edges[-1])]).segments
    assert sum(part.contacts for part in view.segments) == whole.contacts
    assert {shared.contacts for shared in view.overlaps} <= {0}
    assert view.outside == view.contacts - whole.contacts


@some
@given(low=st.floats(0, 1), lower=st.floats(0, 1))
def test_a_lower_threshold_drops_nobody(low: float, lower: float) -> None:
    low, lower = max(low, lower), min(low, lower)
    asked = [
        Segment("high", (Bound("p_lapse", at_least=low),)),
        Segment("low", (Bound("p_lapse", at_least=lower),)),
    ]
    view = Sandbox(large_base(500)).ask(asked)
    assert view.overlaps[0].contacts == view.segments[0].contacts <= view.segments[1].contacts


def hints(*segments: Segment, describe: tuple[str, ...] = ("visits", "noise")) -> dict[str, Any]:
    view = Sandbox(large_base(), describe=describe).ask(segments)
    return {s.name: (s.hint, s.shares_with) for s in view.segments}


def test_large_and_different_deserves_its_own_content() -> None:
    assert hints(LATE) == {"late": ("own_content", None)}


def test_less_than_five_per_cent_is_too_small() -> None:
    """4.5 % of 4,000 is also below 300 contacts; 7 % is 280 of them."""
    assert hints(between("few", 0.9, 0.945), between("some", 0.9, 0.97)) == {
        "few": ("too_small", None),
        "some": ("too_small", None),
    }


def test_no_difference_is_too_alike() -> None:
    assert hints(between("middle", 0.25, 0.75)) == {"middle": ("too_alike", None)}
    assert hints(EVERYBODY) == {"everybody": ("too_alike", None)}


def test_a_column_that_defines_a_segment_is_no_difference() -> None:
    by_visits = Segment("visitors", (Bound("visits", at_least=2),))
    assert hints(by_visits, describe=("visits",)) == {"visitors": ("too_alike", None)}


def test_the_same_people_are_named() -> None:
    assert hints(between("later", 0.7, 1.0), LATE, between("latest", 0.8, 1.0)) == {
        "later": ("same_people", "late"),
        "late": ("own_content", None),
        "latest": ("own_content", None),
    }


def test_nobody_at_all() -> None:
    view = Sandbox({"p_lapse": np.array([]), "value_at_risk": np.array([])}).ask([LATE])
    assert (view.contacts, view.value_at_risk, view.outside) == (0, 0.0, 0)
    assert view.segments[0].hint == "too_small"


def test_no_segments_leave_everybody_outside() -> None:
    view = Sandbox(large_base(10)).ask([])
    assert (view.segments, view.overlaps, view.outside) == ((), (), 10)


def test_the_view_is_ready_for_json() -> None:
    view = Sandbox(large_base(), describe=("visits",)).ask([LATE, EVERYBODY])
    assert json.loads(json.dumps(view.as_dict()))["overlaps"] == [
        {"first": "late", "second": "everybody", "contacts": 2000, "jaccard": 0.5}
    ]


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([LATE, LATE], "a name of its own"),
        ([Segment(str(i)) for i in range(MOST_SEGMENTS + 1)], f"at most {MOST_SEGMENTS}"),
        ([Segment("x", (Bound("risk", at_least=1),))], "There is: noise, p_lapse, value_at_risk, visits"),
        ([Segment("x", (Bound("p_lapse", among=("high",)),))], "holds a text"),
    ],
)
def test_what_cannot_be_asked_is_refused(segments: list[Segment], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Sandbox(large_base(10)).ask(segments)


@pytest.mark.parametrize("limits", [{}, {"at_least": 1.0, "among": ("a",)}])
def test_a_bound_bounds_numbers_or_words(limits: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="Give at_least or below, or among"):
        Bound("base", **limits)


def test_the_base_of_a_run(backend: Any) -> None:
    scores = {name: [0.4, 0.8, None] for name in BASE_COLUMNS} | {
        "base": ["active", "lapsed", "never_bought"]
    }
    features = {name: [1.0, 2.0, 3.0] for name in DESCRIBING} | {"spend_total": [1.0, 2.0, 0.0]}
    features |= {"purchase_days": [3.0, 1.0, 0.0]}
    ids = {"contact_id": ["a", "b", "c"]}
    tables = []
    for columns in (scores, features):
        name = ibis.util.gen_name("sandbox")
        backend.con.register(name, pa.table(ids | columns))
        tables.append(backend.table(name))
    sandbox = Sandbox.from_arrow(backend.to_pyarrow(sandbox_base(*tables)))
    lapsed = Segment("lapsed", (Bound("base", among=("lapsed",)), Bound("p_lapse", at_least=0.5)))
    worst = Segment("worst", (Bound("rfm_segment", among=("hibernating",)),))
    view = sandbox.ask([lapsed, worst])
    assert [(s.contacts, s.value_at_risk) for s in view.segments] == [(1, 0.8), (1, 0.8)]
    assert view.outside == 2
