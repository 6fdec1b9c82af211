"""What holds for every base: one reason or none, ranks without gaps, capacity, hysteresis, order and ids."""

from __future__ import annotations

import hashlib
import random
from datetime import date
from itertools import pairwise
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from unbound import inputs

from winback_features.contracts import STATED_REASONS
from winback_features.parts import WHOLE, between
from winback_policy.config import PolicyConfig
from winback_policy.decide import DecisionDay, decide
from winback_policy.eligibility import NOT_FLAGGED_REASONS
from winback_policy.holdout import draw_arm
from winback_policy.ranking import admit
from winback_policy.rfm import SEGMENT_GRID, SEGMENTS, rfm
from winback_policy.stated import GONE
from winback_policy.states import EXIT_REASONS, IN_JOURNEY, STATES

AS_OF = date(2025, 3, 10)

few = settings(
    max_examples=settings.default.max_examples // 16,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # a base shrinks for minutes
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
        HealthCheck.data_too_large,
    ],
)
some = settings(few, max_examples=settings.default.max_examples // 4)

maybe = st.sampled_from([None, None, None, 1, 5, 30])

contact = st.fixed_dictionaries(
    {
        "base": st.sampled_from(["active"] * 6 + ["one_time", "lapsed", "never_bought"]),
        "p_lapse": st.sampled_from([0.2, 0.4, 0.5, 0.6, 0.9]),
        "days_overdue": st.sampled_from([-10, -3, 0, 4, 12]),
        "days_since_purchase": st.integers(1, 60),
        "value_at_risk": st.sampled_from([None, 0.0, 10.0, 10.0, 99.5]),
        "purchase_days": st.integers(2, 6).map(float),
        "spend_total": st.sampled_from([0.0, 10.0, 20.0, 20.0]),
        "consent_email": st.sampled_from([True, True, True, None, False]),
        "hard_bounced": st.sampled_from([False] * 9 + [True]),
        "erased": st.sampled_from([False] * 9 + [True]),
        "objected_profiling": st.sampled_from([False] * 9 + [True]),
        "days_since_visit": maybe,
        "cart_open_days": maybe,
        "days_since_service_contact": maybe,
        "email_ignored_in_a_row": st.integers(0, 8).map(float),
        "email_days_since_send": st.sampled_from([None, 1.0, 2.0, 7.0]),
        "email_days_since_open_unreliable": st.sampled_from([None, None, 1.0, 40.0]),
        "email_clicks_90d": st.sampled_from([0.0, 0.0, 2.0]),
        "email_days_since_click": st.sampled_from([None, 1.0, 2.0, 30.0]),
        "email_logged_days": st.sampled_from([None, None, 1, 2, 20]),
        "logged_incentives_180d": st.sampled_from([None, 0, 1, 2]),
        "sms_days_since_click": st.sampled_from([None, 1.0]),
        "sms_days_since_send": st.sampled_from([None, None, 1.0, 2.0]),
        "sms_ignored_in_a_row": st.sampled_from([0.0, 1.0, 6.0]),
        "consent_sms": st.sampled_from([None, True, False]),
        "phone": st.sampled_from([None, "+31612345678"]),
        "days_since_activity": st.sampled_from([None, 1.0, 5.0, 120.0]),
        "stated_reason": st.sampled_from([None] * 10 + list(STATED_REASONS)),
        "stated_days": st.sampled_from([1, 5, 30, 60, 365, 366]),
        "answers_365d": st.sampled_from([0.0, 1.0]),
        "incentives_180d": st.sampled_from([0.0, 0.0, 1.0, 3.0]),
        "coupon_share": st.sampled_from([None, 0.1, 0.9]),
    }
).map(lambda facts: facts if facts["stated_reason"] else facts | {"stated_days": None})


def stands(facts: dict[str, Any]) -> str | None:
    """Return the reason that a drawn contact gave, unless it bought since or gave it too long ago."""
    told, days = facts["stated_reason"], facts["stated_days"]
    scored = not (facts["erased"] or facts["objected_profiling"])
    return told if told and days <= 365 and not (scored and facts["days_since_purchase"] < days) else None


bases = st.lists(contact, min_size=25, max_size=50).map(
    lambda rows: {f"c{i:03}": r for i, r in enumerate(rows)}
)


def taken(facts: dict[str, Any], days_in_journey: int) -> str | None:
    """Return how a drawn contact that is written to took the last message of its journey."""
    days = {
        c: min((d for d in (facts[f"{c}_days_since_send"], facts.get(f"{c}_logged_days")) if d), default=99)
        for c in ("email", "sms")
    }
    last = min(days.values())
    if last > days_in_journey:
        return None
    for c in days:
        clicked = facts[f"{c}_days_since_click"]
        if days[c] == last and facts[f"{c}_ignored_in_a_row"] == 0 and clicked and clicked <= last:
            return "clicked"
    opened = facts["email_days_since_open_unreliable"]
    if days["email"] == last and opened and opened <= last:
        return "opened"
    return "ignored" if last >= 2 else None


def holds_for_what_is_sent(row: dict[str, Any], facts: dict[str, Any], as_of: date) -> None:
    """Check what the contact said, how it took the last message, and what it is sent."""
    written_to = row["state"] in IN_JOURNEY and row["arm"] == "treatment"
    told = stands(facts)
    assert row["stated_reason"] == told
    assert (row["stated_on"] is None) == (told is None)
    if told in GONE:
        assert row["state"] not in IN_JOURNEY
        assert row["exit_reason"] in (None, *EXIT_REASONS[: EXIT_REASONS.index("left_for_good") + 1])
        place = NOT_FLAGGED_REASONS.index("left_for_good") + 1
        assert row["not_flagged_reason"] in NOT_FLAGGED_REASONS[:place]
        off_limits = row["not_flagged_reason"] in ("erased", "objected_profiling")
        assert row["state"] == "farewell" or off_limits or row["exit_reason"] == "purchased"
    else:
        assert "left_for_good" not in (row["not_flagged_reason"], row["exit_reason"])
    if row["state"] in IN_JOURNEY and told not in (None, "other"):
        assert row["reason_1"].startswith("said on")
    assert (row["tone"] is None) == (row["journey_step"] is None) == (not written_to)
    reaction = taken(facts, (as_of - row["entered_at"]).days) if written_to else None
    assert row["last_reaction"] == reaction
    if row["tone"] in ("new_subject", "why_not"):
        assert row["last_reaction"] == {"new_subject": "ignored", "why_not": "clicked"}[row["tone"]]
    assert (row["incentive_kind"] == "none") == (row["incentive_tier"] == "none")
    if row["incentive_kind"] == "percent_off":
        assert row["incentive_tier"] in ("mid", "high")
    if row["incentive_tier"] != "none":
        assert written_to


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@few
@given(first=bases, second=bases)
def test_invariants_over_two_days(world: Any, first: Any, second: Any) -> None:
    one = world.day(0, first, None, holdout_share=0.3)
    two = world.day(2, second, one.states, holdout_share=0.3)  # a day without a run between
    assert set(one.winback) == set(first)
    assert set(two.states) == set(first) | set(second)
    for day, facts, today in ((one, first, AS_OF), (two, second, world.day_of(2))):
        listed = {c: r for c, r in day.winback.items() if r["state"] in IN_JOURNEY}
        for contact_id, row in day.winback.items():
            assert row["state"] in STATES
            assert (row["not_flagged_reason"] is None) == (contact_id in listed)
            assert row["not_flagged_reason"] in (None, *NOT_FLAGGED_REASONS)
            assert row["exit_reason"] in (None, *EXIT_REASONS)
            assert (row["rank"] is None) == (row["reason_3"] is None) == (contact_id not in listed)
            assert day.states[contact_id]["state"] == row["state"]
            holds_for_what_is_sent(row, facts[contact_id], today)
        assert sorted(r["rank"] for r in listed.values()) == list(range(1, len(listed) + 1))
        best = sorted(
            listed.values(),
            key=lambda r: (
                -(-1.0 if r["value_at_risk"] is None else r["value_at_risk"]),
                -r["p_lapse"],
                r["contact_id"],
            ),
        )
        assert [r["rank"] for r in best] == list(range(1, len(best) + 1))
        assert day.entries == {c: r for c, r in day.winback.items() if r["state"] == "flagged"}
        assert set(day.exits) == {c for c, r in day.winback.items() if r["exit_reason"]}

    # Who was in a journey is in it still, or has left with a reason: hysteresis and nobody lost.
    before = {c for c, r in one.states.items() if r["state"] in IN_JOURNEY} & set(second)
    stay = {c for c, r in two.winback.items() if r["state"] == "in_winback"}
    assert before == stay | set(two.exits)
    assert all(two.winback[c]["p_lapse"] >= 0.35 for c in stay)
    assert all(two.winback[c]["p_lapse"] >= 0.5 for c in two.entries)
    assert all(two.states[c]["arm"] == one.states[c]["arm"] for c in before)


def frames(day: Any) -> list[Any]:
    return [list(table.items()) for table in day]


@few
@given(rows=bases, order=st.randoms(use_true_random=False))
def test_row_order_changes_nothing(world: Any, rows: Any, order: Any) -> None:
    shuffled = list(rows.items())
    order.shuffle(shuffled)
    assert frames(world.day(0, rows, None)) == frames(world.day(0, dict(shuffled), None))


candidates = st.lists(
    st.tuples(st.booleans(), st.sampled_from([None, 0.0, 5.0, 80.0]), st.sampled_from([0.5, 0.6, 0.9])),
    min_size=1,
    max_size=12,
)


def entering(backend: Any, table: pa.Table, capacity: int | None, *cuts: str) -> set[str]:
    """Return who enters, asked of the table in parts."""
    name = ibis.util.gen_name("candidates")
    backend.con.register(name, table)
    t = backend.table(name)
    parts = [between(t, ids) for ids in pairwise([None, *cuts, None])]

    def kept(part: Any) -> Any:
        return backend.create_table(ibis.util.gen_name("kept"), part, temp=True)

    found = admit(parts, PolicyConfig(capacity=capacity), kept)
    rows = [row for part in found for row in backend.to_pyarrow(part).to_pylist()]
    assert sorted(row["contact_id"] for row in rows) == table["contact_id"].to_pylist()
    return {row["contact_id"] for row in rows if row["entered"]}


@some
@given(rows=candidates, capacity=st.integers(0, 8), cut=st.integers(0, 12))
def test_more_capacity_drops_nobody(backend: Any, rows: Any, capacity: int, cut: int) -> None:
    columns = list(zip(*rows, strict=True))
    table = pa.table(
        {
            "contact_id": [f"{i:02}" for i in range(len(rows))],
            "candidate": pa.array(columns[0], pa.bool_()),
            "value_at_risk": pa.array(columns[1], pa.float64()),
            "p_lapse": pa.array(columns[2], pa.float64()),
            "incremental_value": pa.nulls(len(rows), pa.float64()),
        }
    )
    fewer, more, everybody = (entering(backend, table, c) for c in (capacity, capacity + 1, None))
    assert fewer <= more <= everybody
    assert len(fewer) == min(capacity, len(everybody))
    assert everybody == {f"{i:02}" for i, row in enumerate(rows) if row[0]}
    assert entering(backend, table, capacity, f"{cut:02}") == fewer, "parts change nothing"


def test_the_best_enter_and_the_rest_is_told_why(world: Any) -> None:
    rows = {
        f"c{i:02}": {"value_at_risk": float(i * 7 % 20), "p_lapse": 0.2 if i == 19 else 0.7}
        for i in range(20)
    }
    unlimited = world.winback(rows)
    limited = world.day(0, rows, None, capacity=5)
    best = sorted((c for c, r in unlimited.items() if r["rank"]), key=lambda c: unlimited[c]["rank"])
    assert len(best) == 19
    assert set(limited.entries) == set(best[:5])
    over = {c for c, r in limited.winback.items() if r["not_flagged_reason"] == "over_capacity"}
    assert over == set(best[5:])
    assert {limited.states[c]["state"] for c in over} == {"active"}


@pytest.mark.slow
def test_the_cache_changes_nothing(world: Any) -> None:
    rows = {"c1": {}, "c2": {"p_lapse": 0.1}, "c3": {"value_at_risk": 900.0}, "c4": {"erased": True}}
    cached = world.day(0, rows, None, capacity=1)
    lazy = world.decide(rows, capacity=1, lazy=True)
    assert world.rows(lazy.winback) == cached.winback
    assert world.rows(lazy.states) == cached.states


@pytest.mark.slow
@pytest.mark.parametrize("capacity", [None, 2])
def test_ranges_of_contacts_change_nothing(world: Any, capacity: int | None) -> None:
    rows = {f"c{i}": {"value_at_risk": float(i * 7 % 5), "p_lapse": 0.4 + i / 20} for i in range(9)}
    rows |= {"c5": {"erased": True}, "c7": {"hard_bounced": True}}
    ranges = ((None, "c2"), ("c2", "c6"), ("c6", None))
    whole, parts = (world.decide(rows, capacity=capacity, ranges=r) for r in (WHOLE, ranges))
    for name in ("winback", "states", "entries", "exits"):
        assert world.rows(getattr(whole, name)) == world.rows(getattr(parts, name)), name


def test_an_empty_base_gives_empty_tables(world: Any) -> None:
    assert [len(table) for table in world.day(0, {}, None)] == [0, 0, 0, 0]


buyer = st.tuples(st.integers(0, 4), st.integers(1, 90), st.sampled_from([None, 0.0, 5.0, 7.5, 80.0]))


@some
@given(rows=st.lists(buyer, min_size=1, max_size=40))
def test_rfm_against_counting(backend: Any, rows: list[tuple[int, int, float | None]]) -> None:
    """Score each contact by counting who is strictly worse; equal values thereby score equally."""
    table = pa.table(
        {
            "contact_id": [f"{i:03}" for i in range(len(rows))],
            "purchase_days": pa.array([float(f) for f, _, _ in rows]),
            "days_since_purchase": pa.array([r if f else None for f, r, _ in rows], pa.int32()),
            "spend_total": pa.array([m for _, _, m in rows], pa.float64()),
        }
    )
    name = ibis.util.gen_name("rfm")
    backend.con.register(name, table)
    found = {row["rfm_of"]: row for row in backend.to_pyarrow(rfm(backend.table(name))).to_pylist()}
    buyers = {f"{i:03}": (-r, f, m or 0.0) for i, (f, r, m) in enumerate(rows) if f}
    assert set(found) == set(buyers)
    for contact_id, mine in buyers.items():
        r, f, m = (
            1 + 5 * sum(other[k] < mine[k] for other in buyers.values()) // len(buyers) for k in range(3)
        )
        assert found[contact_id]["rfm_code"] == f"{r}{f}{m}"
        assert found[contact_id]["rfm_segment"] == SEGMENT_GRID[r - 1][f - 1]


def test_the_grid_has_ten_segments() -> None:
    assert len(SEGMENTS) == 10
    assert all(len(row) == 5 for row in SEGMENT_GRID)
    assert (SEGMENT_GRID[4][0], SEGMENT_GRID[1][1], SEGMENT_GRID[0][4]) == ("new", "hibernating", "cant_lose")


def test_the_holdout_is_the_share_it_should_be_and_grows_with_it(backend: Any) -> None:
    contacts = [f"contact-{i}" for i in range(4000)]
    backend.con.register("arms", pa.table({"contact_id": contacts}))
    t = backend.table("arms")
    drawn = {}
    for share in (0.0, 0.1, 0.3, 1.0):
        arm = draw_arm(t.contact_id, PolicyConfig(holdout_share=share))
        rows = backend.to_pyarrow(t.mutate(arm=arm)).to_pylist()
        drawn[share] = {row["contact_id"] for row in rows if row["arm"] == "holdout"}
    assert drawn[0.0] == set()
    assert drawn[1.0] == set(contacts)
    assert drawn[0.1] < drawn[0.3]
    assert abs(len(drawn[0.1]) / 4000 - 0.1) < 0.02
    by_hand = {
        c for c in contacts if int(hashlib.sha256(f"winback:{c}".encode()).hexdigest()[:8], 16) < 0.1 * 16**8
    }
    assert drawn[0.1] == by_hand
    other = backend.to_pyarrow(
        t.mutate(arm=draw_arm(t.contact_id, PolicyConfig(holdout_salt="b")))
    ).to_pylist()
    assert {row["contact_id"] for row in other if row["arm"] == "holdout"} != drawn[0.1]


def test_admission_takes_the_best_candidates_only(backend: Any) -> None:
    table = pa.table(
        {
            "contact_id": ["a", "b", "c", "d", "e"],
            "value_at_risk": pa.array([1.0, None, 5.0, 5.0, 9.0]),
            "p_lapse": [0.9, 0.99, 0.6, 0.7, 0.9],
            "candidate": [True, True, True, True, False],
            "incremental_value": pa.nulls(5, pa.float64()),
        }
    )
    admitted = {capacity: entering(backend, table, capacity) for capacity in (0, 1, 2, 3, 4, 9, None)}
    assert admitted == {
        0: set(),
        1: {"d"},
        2: {"d", "c"},
        3: {"d", "c", "a"},
        4: {"a", "b", "c", "d"},
        9: {"a", "b", "c", "d"},
        None: {"a", "b", "c", "d"},
    }


def base_of(contacts: int) -> dict[str, dict[str, Any]]:
    """Draw a base with ties in everything that is ranked."""
    rng = random.Random(11)
    return {
        f"c{n:04}": {
            "p_lapse": rng.choice([0.2, 0.5, 0.6, 0.9]),
            "days_overdue": rng.choice([-10, 0, 4, 12, 30]),
            "days_since_purchase": rng.randrange(1, 60),
            "value_at_risk": rng.choice([None, 10.0, 10.0, 99.5]),
            "order_value_mean": rng.choice([10.0, 10.1, 33.3]),
            "spend_total": rng.choice([0.1, 0.2, 0.3, 20.0]),
            "tenure_days": float(rng.randrange(1, 900)),
            "email_ignored_in_a_row": float(rng.randrange(8)),
        }
        for n in range(contacts)
    }


@pytest.mark.slow
def test_threads_and_the_order_of_the_rows_change_nothing(world: Any) -> None:
    """Enough contacts that several threads have work; sums, medians, ranks and ties must not notice."""
    rows = base_of(5000)
    found = []
    for threads in (1, 2, 4):
        shuffled = list(rows.items())
        random.Random(threads).shuffle(shuffled)
        day = type(world)(ibis.duckdb.connect(threads=threads)).day(0, dict(shuffled), None, capacity=40)
        found.append(frames(day))
    assert found[0] == found[1] == found[2]
    assert len(found[0][2]) == 40, "entries at capacity"


@pytest.mark.slow
def test_one_more_place_adds_the_next_best_and_changes_nobody_else(world: Any) -> None:
    rows = base_of(60)
    entered = [set(world.day(0, rows, None, capacity=n).entries) for n in (3, 4, 5)]
    assert [len(e) for e in entered] == [3, 4, 5]
    assert entered[0] < entered[1] < entered[2]


@pytest.mark.slow
def test_the_policy_needs_no_backend_to_be_written_down() -> None:
    """Decide over unbound tables: nothing is executed until the caller asks an engine."""
    scores, features, status, _ = inputs()
    decision = decide(
        scores,
        features,
        status,
        None,
        DecisionDay(
            as_of=AS_OF,
            config=PolicyConfig(capacity=10),
            currency="EUR",
            has_contacts=True,
        ),
    )
    for table in (decision.winback, decision.states, decision.entries, decision.exits):
        assert ibis.to_sql(table, dialect="duckdb").startswith(("WITH", "SELECT"))
