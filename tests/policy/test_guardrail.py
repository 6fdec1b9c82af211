"""The guardrail between batches: few prove nothing, many stop the release, and the interval is the exact one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_features.errors import ConfigError, GateRefusal
from winback_policy.config import PolicyConfig
from winback_policy.guardrail import ENOUGH, Reaction, Reading, check, read

CONFIG = PolicyConfig()


def complaints(found: int, mails: int) -> Reading:
    return read({"batch 1": Reaction(mails, found, 0)}, CONFIG)[0]


@pytest.mark.parametrize(
    ("found", "mails", "verdict"),
    [
        (0, 0, "fine"),
        (0, 40, "fine"),
        (1, 40, "unproven"),
        (2, 40, "unproven"),
        (3, 40, "too_many"),
        (1, 1000, "fine"),
        (3, 3000, "fine"),
        (4, 3000, "too_many"),
    ],
)
def test_verdicts(found: int, mails: int, verdict: str) -> None:
    assert complaints(found, mails).verdict == verdict


def at_least(found: int, mails: int, share: float) -> float:
    """Return the chance of so many or more, summed from the binomial itself."""
    return sum(math.comb(mails, k) * share**k * (1 - share) ** (mails - k) for k in range(found, mails + 1))


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_the_interval_leaves_a_fortieth_at_each_end(pair: tuple[int, int]) -> None:
    found, mails = pair
    low, high = complaints(found, mails).interval
    assert low <= found / mails <= high
    assert at_least(found, mails, low) == pytest.approx(0.025, rel=1e-4)
    if found < mails:
        assert 1 - at_least(found + 1, mails, high) == pytest.approx(0.025, rel=1e-4)


@given(st.integers(0, 50), st.integers(0, 5000), st.integers(0, 50))
def test_more_complaints_never_open_the_gate(found: int, mails: int, more: int) -> None:
    order = ("fine", "unproven", "too_many")
    mails = max(mails, found + more)
    assert order.index(complaints(found, mails).verdict) <= order.index(
        complaints(found + more, mails).verdict
    )


def test_the_refusal_has_the_numbers_and_the_way_on() -> None:
    readings = read(
        {"batch 2": Reaction(1000, 4, 9), "batches 1 to 2": Reaction(5000, 4, 150)}, PolicyConfig()
    )
    assert [r.verdict for r in readings] == ["too_many", "fine", "fine", "too_many"]
    with pytest.raises(GateRefusal) as refused:
        check(readings)
    text = str(refused.value)
    assert "4 complaints among 1,000 e-mails of batch 2: 0.40% (95 % interval 0.11% to 1.02%), limit" in text
    assert "150 bounces among 5,000 e-mails of batches 1 to 2: 3.00%" in text
    assert "--force" in refused.value.how
    check(readings[1:3])


def test_what_is_unproven_says_so() -> None:
    assert complaints(1, 40).said().endswith("limit 0.10%. So few prove nothing.")
    assert ENOUGH == 3
    assert complaints(0, 0).as_dict()["high"] == 1.0


def test_the_limits_of_the_limits() -> None:
    for wrong in (-0.1, 0.0031, 1.0):
        with pytest.raises(ConfigError, match="max_complaint_share"):
            PolicyConfig(max_complaint_share=wrong)
    with pytest.raises(ConfigError, match="max_bounce_share"):
        PolicyConfig(max_bounce_share=1.5)
