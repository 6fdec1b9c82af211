"""Drift: the index against its formula and its noise, and what is said of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from winback_training.drift import (
    calibration_drift,
    drift_notices,
    drift_table,
    noise_level,
    psi,
    score_drift,
)

values = arrays(float, st.integers(1, 60), elements=st.floats(-1e6, 1e6) | st.just(np.nan))


def test_psi_by_hand() -> None:
    """Two values, 100 of 400 against 300 of 400: (q - p) ln(q / p) in each of two bins, half a contact added."""
    before, now = np.repeat([0.0, 1.0], [100, 300]), np.repeat([0.0, 1.0], [300, 100])
    p, q = 100.5 / 401, 300.5 / 401
    assert psi(before, now) == pytest.approx(2 * (q - p) * np.log(q / p))


def test_what_is_unknown_is_a_bin_of_its_own() -> None:
    known = np.arange(1000.0)
    gone = np.where(known % 2 == 0, known, np.nan)
    assert psi(known, gone) > 1.0
    assert psi(gone, gone) == 0.0


def test_noise_stays_below_its_level_and_a_shift_does_not() -> None:
    rng = np.random.default_rng(2)
    found = [psi(rng.normal(size=200), rng.normal(size=300)) for _ in range(500)]
    assert np.mean(np.array(found) > noise_level(200, 300, level=0.05)) < 0.1
    assert np.mean(found) == pytest.approx(9 * (1 / 200 + 1 / 300), rel=0.15)  # chi-square's mean: bins - 1
    assert psi(rng.normal(size=200), rng.normal(1.0, 1.0, 300)) > noise_level(200, 300)


@given(before=values, now=values)
def test_psi_is_finite_not_negative_and_blind_to_order(before: np.ndarray, now: np.ndarray) -> None:
    found = psi(before, now)
    assert np.isfinite(found)
    assert found >= -1e-12
    assert psi(before[::-1], now[::-1]) == found


def test_without_contacts_nothing_is_said() -> None:
    assert np.isnan(psi(np.zeros(0), np.ones(3)))
    assert noise_level(0, 3) == np.inf


def test_the_table_puts_the_most_drifted_first_and_leaves_the_calendar_out() -> None:
    rng = np.random.default_rng(4)
    before = pd.DataFrame({"same": rng.normal(size=2000), "moved": rng.normal(size=2000), "season_sin": 0.0})
    now = pd.DataFrame(
        {"same": rng.normal(size=2000), "moved": rng.normal(2.0, 1.0, 2000), "season_sin": 1.0}
    )
    table = drift_table(
        before,
        now,
        [
            "same",
            "moved",
            "season_sin",
        ],
    )
    assert table["name"].tolist() == ["moved", "same"]
    assert table["drifted"].tolist() == [True, False]
    assert table["now"].iloc[0] == pytest.approx(2.0, abs=0.1)
    assert len(drift_table(before, now, [])) == 0


def test_calibration_drifts_beyond_noise_only() -> None:
    rng = np.random.default_rng(6)
    p = rng.uniform(0.2, 0.6, 4000)
    right, wrong = (rng.random(4000) < p).astype(float), (rng.random(4000) < p - 0.1).astype(float)
    assert not calibration_drift(right, p)["drifted"].iloc[0]
    (row,) = calibration_drift(wrong, p).itertuples(index=False)
    assert row.drifted
    assert (row.before, row.now) == (pytest.approx(0.4, abs=0.01), pytest.approx(0.3, abs=0.03))
    assert not calibration_drift(wrong[:40], p[:40])["drifted"].iloc[0]


def test_what_has_drifted_is_said_in_sentences() -> None:
    names = ("name", "kind", "before", "now", "psi", "drifted")
    rows = [(f"x{i}", "feature", 0.0, 1.0, 0.9 - i / 10, i < 4) for i in range(5)]
    rows += [("p", "score", 0.4, 0.5, 0.3, True), ("p", "calibration", 0.31, 0.26, np.nan, True)]
    table = pd.DataFrame(rows, columns=list(names))
    assert drift_notices(table) == (
        "4 of 5 features have drifted since the newest label time (PSI above 0.25): x0 (0.90), x1 (0.80), x2 (0.70) "
        "and others.",
        "The score has drifted: mean 40.0% at the newest label time, 50.0% today.",
        "Calibration has drifted: in the newest window that has closed 31.0% were expected to buy, 26.0% did.",
    )
    (one,) = drift_notices(table.assign(drifted=[True, *[False] * 6]))
    assert one.startswith("1 of 5 features has drifted")
    assert drift_notices(table.assign(drifted=False)) == ()
    assert drift_notices(table.iloc[:0]) == ()


def test_a_score_that_is_sure_to_ever_more_digits_has_not_drifted() -> None:
    """Daily buyers: one day more, and the chance is one digit nearer to 1."""
    (row,) = score_drift(np.full(500, 1.0 - 1e-9), np.full(500, 1.0 - 1e-10)).itertuples(index=False)
    assert not row.drifted


def test_the_score_is_one_row() -> None:
    (row,) = score_drift(np.full(500, 0.2), np.full(500, 0.8)).itertuples(index=False)
    assert (row.kind, row.before, row.now, row.drifted) == (
        "score",
        pytest.approx(0.2),
        pytest.approx(0.8),
        True,
    )
