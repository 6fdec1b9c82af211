"""An accepted uplift model ranks by incremental value and leaves sleeping dogs asleep; without one nothing changes."""

from typing import Any

import pytest

PEOPLE = {
    name: {"value_at_risk": value} for name, value in (("a", 90.0), ("b", 60.0), ("c", 30.0), ("d", 10.0))
}
SAFE = {"safe": {"p_lapse": 0.3}}
UPLIFT = {"incremental_value": "float64", "leave_asleep": "boolean"}


@pytest.fixture
def listed(world: Any) -> Any:
    def run(said: dict[str, Any] | None, **settings: Any) -> dict[str, Any]:
        uplift = None if said is None else world.table(said, UPLIFT, "the_uplift")
        listed: dict[str, Any] = world.winback(PEOPLE | SAFE, uplift=uplift, **settings)
        return listed

    return run


def said(**values: float) -> dict[str, dict[str, Any]]:
    return {who: {"incremental_value": value, "leave_asleep": False} for who, value in values.items()}


def ranks(rows: dict[str, Any]) -> list[str]:
    return sorted((who for who, row in rows.items() if row["rank"]), key=lambda who: rows[who]["rank"])


def test_without_a_model_the_value_at_risk_ranks(listed: Any) -> None:
    assert ranks(listed(None)) == ["a", "b", "c", "d"]


def test_incremental_value_ranks_first_and_the_unknown_come_last(listed: Any) -> None:
    assert ranks(listed(said(a=-1.0, c=5.0, d=2.0))) == ["c", "d", "a", "b"]


def test_capacity_goes_to_the_largest_incremental_value(listed: Any) -> None:
    rows = listed(said(a=0.1, b=0.2, c=5.0, d=2.0), capacity=2)
    assert ranks(rows) == ["c", "d"]
    assert rows["a"]["not_flagged_reason"] == rows["b"]["not_flagged_reason"] == "over_capacity"


def test_sleeping_dogs_are_left_asleep_and_take_no_place(listed: Any) -> None:
    asleep = said(a=5.0, b=4.0, safe=9.0) | {
        who: {"incremental_value": -1.0, "leave_asleep": True} for who in "cd"
    }
    asleep["safe"]["leave_asleep"] = True
    rows = listed(asleep, capacity=2)
    assert ranks(rows) == ["a", "b"]
    assert {rows[who]["not_flagged_reason"] for who in "cd"} == {"left_asleep"}
    assert {rows[who]["arm"] for who in "cd"} == {None}
    assert rows["safe"]["not_flagged_reason"] == "low_risk", "what speaks against a flag anyway is said first"
