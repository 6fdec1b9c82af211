"""What a holdout can show: the smallest detectable effect against published sample sizes and by simulation."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_policy.holdout import detectable_effect


@pytest.mark.parametrize(("base", "treated", "contacts"), [(0.02, 0.03, 17_922), (0.03, 0.06, 3_084)])
def test_the_sizes_that_are_known(base: float, treated: float, contacts: int) -> None:
    """With a holdout of a tenth, 2 % to 3 % takes 17,922 contacts in all and 3 % to 6 % takes 3,084."""
    held_out = round(contacts / 10)
    found = detectable_effect(contacts - held_out, held_out, base)
    assert found == pytest.approx(treated - base, rel=1e-3)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0.001, 0.999))
def test_the_effect_solves_its_equation_and_shrinks_with_contacts(
    treated: int, held: int, base: float
) -> None:
    found = detectable_effect(treated, held, base)
    if found is None:
        return
    z = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
    up = min(1.0, base + found)
    assert found == pytest.approx(z * sqrt(base * (1 - base) / held + up * (1 - up) / treated), rel=1e-6)
    more = detectable_effect(2 * treated, 2 * held, base)
    assert more is not None
    assert 0 < more < found


def test_the_effect_is_found_four_times_in_five() -> None:
    treated, held, base = 4000, 1000, 0.1
    rise = detectable_effect(treated, held, base)
    assert rise is not None
    rng = np.random.default_rng(1)
    p = rng.binomial(treated, base + rise, 20_000) / treated
    q = rng.binomial(held, base, 20_000) / held
    z = (p - q) / np.sqrt(p * (1 - p) / treated + q * (1 - q) / held)
    assert np.mean(np.abs(z) > NormalDist().inv_cdf(0.975)) == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("treated", "held"), [(0, 10), (10, 0), (1, 1)])
def test_too_few_show_nothing(treated: int, held: int) -> None:
    assert detectable_effect(treated, held, 0.5) is None
