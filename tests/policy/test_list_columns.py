"""What the list says of every contact beside its risk: segments, steps of the journey, tastes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from winback_features.errors import ConfigError
from winback_policy import segments
from winback_policy.config import PolicyConfig
from winback_policy.incentives import INCENTIVE_TIERS, RULES, IncentiveRule, incentive_kind
from winback_policy.segments import SEGMENT_COLUMNS
from winback_policy.steps import REACTIONS, STEPS, TONES, Step, journey_step, tone

AS_OF = date(2025, 3, 10)
SEGMENTS = (
    *("relationship_tier", "tenure_days", "tenure_band", "recency_band", "last_behaviour"),
    *("last_behaviour_on", "buyer_clicker_cell", "cell_action"),
)
KNOWN = {
    "purchase_days": 10.0,
    "tenure_days": 800.0,
    "order_value_mean": 50.0,
    "days_since_activity": 12.0,
    "email_days_since_click": 12.0,
    "email_clicks_90d": 1.0,
    "last_product": "SKU-7",
    "top_interest": "GARDEN",
    "acquisition_source": "fair",
}


def entered(days: int, **more: Any) -> dict[str, Any]:
    """Return yesterday's state of a contact that entered so many days before `AS_OF`."""
    day = AS_OF - timedelta(days=days)
    return {"state": "in_winback", "entered_at": day, "entry_reason": "late", "journeys": 1, **more}


@pytest.fixture(scope="module")
def listed(world: Any) -> Any:
    rows: dict[str, dict[str, Any]] = {
        "known": KNOWN,
        "objecting": {**KNOWN, "objected_profiling": True},
        "erased": {**KNOWN, "erased": True},
        "second day": KNOWN,
        "fifth day": KNOWN,
        "held out": KNOWN,
        "safe": {**KNOWN, "p_lapse": 0.1, "days_overdue": -20},
    }
    previous = {
        "second day": entered(2, arm="treatment"),
        "fifth day": entered(5, arm="treatment"),
        "held out": entered(5, arm="holdout"),
    }
    return world.winback(rows, previous=previous)


def test_every_contact_has_its_segments(listed: Any) -> None:
    expected = ("strong", 800, "1_to_3_years", "30_to_90_days", "click", AS_OF - timedelta(days=12))
    for name in ("known", "safe", "held out"):
        assert tuple(listed[name][c] for c in SEGMENTS) == (*expected, "clicker", "check_landing_page"), name


def test_who_objects_or_is_erased_is_in_no_segment(listed: Any) -> None:
    for name in ("objecting", "erased"):
        assert [listed[name][c] for c in SEGMENTS] == [None] * len(SEGMENTS), name


def test_the_steps_go_from_the_relation_to_the_offer(listed: Any) -> None:
    steps = {name: (row["journey_step"], row["tone"]) for name, row in listed.items()}
    assert steps == {
        "known": (1, "relational"),
        "second day": (2, "product"),
        "fifth day": (3, "incentive"),
        **dict.fromkeys(("objecting", "erased", "held out", "safe"), (None, None)),
    }


def test_dates_are_dates_in_the_engine_s_own_tables(world: Any) -> None:
    """A date plus days is a timestamp to DuckDB; what is written to a file must not be."""
    winback = world.decide({"known": KNOWN}).winback
    kinds = dict(
        zip(winback.columns, world.backend.con.sql(world.backend.compile(winback)).types, strict=True)
    )
    assert {str(kinds[n]) for n in ("last_behaviour_on", "farewell_due", "entered_at")} == {"DATE"}


def test_where_a_contact_came_from_is_told(listed: Any) -> None:
    assert listed["known"]["acquisition_source"] == listed["safe"]["acquisition_source"] == "fair"


def test_the_tastes_are_told(listed: Any) -> None:
    assert (listed["known"]["last_product"], listed["known"]["top_interest"]) == ("SKU-7", "GARDEN")


def test_the_usual_order_is_the_median_of_the_base(world: Any) -> None:
    regular = {"purchase_days": 4.0, "tenure_days": 10.0}
    rows = {str(value): {**regular, "order_value_mean": value} for value in (10.0, 20.0, 40.0)}
    tiers = {name: row["relationship_tier"] for name, row in world.winback(rows).items()}
    assert tiers == {"10.0": "weak", "20.0": "steady", "40.0": "steady"}


def test_the_action_of_the_journey_is_that_of_the_cell(world: Any) -> None:
    """One rule: where the cell asks for another way to win back, the journey takes it."""
    deaf = {"email_ignored_in_a_row": 5.0}
    rows: dict[str, dict[str, Any]] = {
        f"{n}": {**clicks, **ignores, **active, "consent_push": push}
        for n, (clicks, ignores, active, push) in enumerate(
            (clicks, ignores, active, push)
            for clicks in ({}, {"email_clicks_90d": 2.0})
            for ignores in ({}, deaf)
            for active in ({}, {"active_days_90d": 0.0}, {"days_since_purchase": 20})
            for push in (True, None)
        )
    }
    found = set()
    for name, row in world.winback(rows).items():
        assert row["rank"] is not None, name
        found.add((row["cell_action"], row["recommended_action"]))
    assert found == {
        ("check_landing_page", "check_landing_page"),
        ("change_channel", "change_channel"),
        ("refresh_content", "refresh_content"),
        ("win_back", "win_back"),
        ("sunset", "preference_form"),
        ("sunset", "win_back"),
        ("none", "win_back"),
    }


def test_the_segments_are_columns_of_the_list() -> None:
    from winback_policy.gather import FEATURE_COLUMNS, SCORE_COLUMNS, STATUS_COLUMNS

    assert set(SEGMENT_COLUMNS) <= {*FEATURE_COLUMNS, *SCORE_COLUMNS, *STATUS_COLUMNS}
    assert set(SEGMENTS) == set(segments.described(_unbound(), AS_OF, 1.0, _unbound().flag))


def _unbound() -> Any:
    import ibis

    columns = dict.fromkeys((*SEGMENT_COLUMNS, "horizon_days"), "float64")
    return ibis.table({**columns, "flag": "boolean"}, name="t")


OWN_STEPS = (Step(0, "incentive"), Step(30, "relational"), Step(30, "why_not", after="opened"))


@pytest.mark.parametrize("own", [(), (Step(1, "product"),), OWN_STEPS])
def test_a_step_is_the_last_one_that_is_due_and_goes_by_the_reaction(
    world: Any, own: tuple[Step, ...]
) -> None:

    steps, reactions = own or STEPS, (None, *REACTIONS)
    asked = {f"{n:02} {after}": {"days": n, "after": after} for n in range(40) for after in reactions}
    t = world.table(asked, {"days": "int64", "after": "string"})
    number = journey_step(t.days, own)
    found = world.rows(t.mutate(number=number, tone=tone(number, t.after, own)).order_by("contact_id"))
    for name, row in found.items():
        days = sorted({step.day for step in steps if step.day <= row["days"]})
        told = {step.after: step.tone for step in steps if days and step.day == days[-1]}
        assert row["number"] == (len(days) or None), name
        assert row["tone"] == told.get(row["after"], told.get("")), name


def test_steps_that_make_no_sense_are_refused() -> None:
    assert {step.tone for step in STEPS} == set(TONES)
    with pytest.raises(ConfigError, match="due on day -1"):
        Step(-1, "product")
    with pytest.raises(ConfigError, match="The tone is 'loud'"):
        Step(0, "loud")
    with pytest.raises(ConfigError, match="after is 'bought'"):
        Step(0, "product", after="bought")
    with pytest.raises(ConfigError, match="on day 3 follows one on day 5"):
        PolicyConfig(steps=(Step(5, "product"), Step(3, "incentive")))
    with pytest.raises(ConfigError, match="Two steps of day 3 are for the same contacts"):
        PolicyConfig(steps=(Step(3, "product"), Step(3, "incentive")))
    with pytest.raises(ConfigError, match="Every step of day 3 waits"):
        PolicyConfig(steps=(Step(0, "product"), Step(3, "incentive", after="opened")))


def test_the_shop_s_own_rules_choose_the_kind(world: Any) -> None:
    own = (
        IncentiveRule("none", because=("competitor",)),
        IncentiveRule("points", "mid", because=("price", "quality"), bargain_share=0.5),
        IncentiveRule("content", "mid"),
    )
    answer = {"stated_days": 9, "answers_365d": 1.0}
    rows: dict[str, dict[str, Any]] = {
        "competitor": {**answer, "stated_reason": "competitor"},
        "price, on offer": {**answer, "stated_reason": "price", "discount_share": 0.5},
        "price, never on offer": {**answer, "stated_reason": "price", "discount_share": 0.4},
        "quality, not known": {**answer, "stated_reason": "quality"},
        "low": {},
    }
    kinds = {name: row["incentive_kind"] for name, row in world.winback(rows, incentives=own).items()}
    assert kinds == {
        "competitor": "none",
        "price, on offer": "points",
        "price, never on offer": "content",
        "quality, not known": "content",
        "low": "none",
    }


@pytest.mark.parametrize("own", [(), RULES[::-1], RULES[2:3], (IncentiveRule("content"), *RULES)])
def test_the_first_rule_that_fits_counts_and_none_goes_beyond_the_tier(
    world: Any, own: tuple[IncentiveRule, ...]
) -> None:
    cases = {
        f"{tier} {reason} {discount} {coupon}": {
            "tier": tier,
            "stated_reason": reason,
            "discount_share": discount,
            "coupon_share": coupon,
        }
        for tier in INCENTIVE_TIERS
        for reason in (None, "price", "delivery", "other")
        for discount in (None, 0.2, 0.7)
        for coupon in (None, 0.0, 0.5)
    }
    columns = {"tier": "string", "stated_reason": "string"}
    t = world.table(cases, columns | {"discount_share": "float64", "coupon_share": "float64"})
    found = world.rows(t.select("contact_id", kind=incentive_kind(t, t.tier, own)).order_by("contact_id"))
    for name, case in cases.items():
        kind, coupon = found[name]["kind"], case["coupon_share"]
        bargains = (case["discount_share"] or 0.0) if coupon is None else coupon
        fitting = [
            rule.kind
            for rule in own or RULES
            if INCENTIVE_TIERS.index(rule.from_tier) <= INCENTIVE_TIERS.index(case["tier"])
            and (not rule.because or case["stated_reason"] in rule.because)
            and bargains >= rule.bargain_share
        ]
        assert kind == [*fitting, "none"][0], name
        assert kind == "none" or case["tier"] != "none", name


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({"kind": "cash"}, "kind is 'cash'"),
        ({"kind": "gift", "from_tier": "none"}, "from_tier is 'none'"),
        ({"kind": "gift", "because": ("mood",)}, "because is 'mood'"),
        ({"kind": "gift", "bargain_share": 1.1}, "bargain_share is 1.1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what) as refused:
        IncentiveRule(**rule)
    assert refused.value.how
