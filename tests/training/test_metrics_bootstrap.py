"""The paired bootstrap against the normal interval, and against contacts that return."""

import numpy as np
import pytest

from winback_training.bootstrap import paired_bootstrap


@pytest.fixture(scope="module")
def gaps():
    rng = np.random.default_rng(8)
    return np.column_stack([rng.normal(0.01, 0.2, 3000), rng.normal(-0.05, 0.5, 3000)])


def test_it_agrees_with_the_normal_interval(gaps):
    found = paired_bootstrap(gaps, seed=1)
    half = 1.96 * gaps.std(axis=0) / np.sqrt(len(gaps))
    assert found[:, 0] == pytest.approx(gaps.mean(axis=0))
    assert found[:, 1] == pytest.approx(gaps.mean(axis=0) - half, abs=0.15 * half.max())
    assert found[:, 2] == pytest.approx(gaps.mean(axis=0) + half, abs=0.15 * half.max())


def test_the_seed_decides(gaps):
    assert np.array_equal(paired_bootstrap(gaps, seed=4), paired_bootstrap(gaps, seed=4))
    assert not np.array_equal(paired_bootstrap(gaps, seed=4), paired_bootstrap(gaps, seed=5))


def test_the_same_contacts_seen_four_times_prove_no_more_than_once(gaps):
    once = paired_bootstrap(gaps, seed=1)
    again = paired_bootstrap(np.tile(gaps, (4, 1)), np.tile(np.arange(3000), 4), seed=1)
    assert again == pytest.approx(once)
    strangers = paired_bootstrap(np.tile(gaps, (4, 1)), seed=1)
    assert np.ptp(strangers[:, 1:], axis=1) == pytest.approx(np.ptp(once[:, 1:], axis=1) / 2, rel=0.15)


def test_equal_models_differ_by_nothing_and_nobody_by_nan():
    assert (paired_bootstrap(np.zeros((50, 2))) == 0).all()
    assert np.isnan(paired_bootstrap(np.zeros((0, 2)))).all()
