"""Trees asked column by column say what scikit-learn's own walk says, to the last bit."""

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from winback_models import trees
from winback_models.trees import MOST_QUESTIONS, small_trees


def fitted(seed: int, *, leaves: int = 8, share_unknown: float = 0.2) -> HistGradientBoostingClassifier:
    rng = np.random.default_rng(seed)
    x = table(rng, 400, share_unknown)
    y = rng.random(400) < expit(np.nan_to_num(x[:, 0]) - np.nan_to_num(x[:, 1] * x[:, 2]))
    boosting = HistGradientBoostingClassifier(
        max_iter=6, max_leaf_nodes=leaves, min_samples_leaf=5, early_stopping=False, random_state=seed
    )
    return boosting.fit(x, y)


def table(rng: np.random.Generator, rows: int, share_unknown: float) -> np.ndarray:
    x = np.round(rng.normal(size=(rows, 5)) * 3, 1).astype(np.float32)
    x[rng.random(x.shape) < share_unknown] = np.nan
    return x


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    leaves=st.integers(2, MOST_QUESTIONS + 1),
    unknown=st.sampled_from([0.0, 0.3]),
)
def test_small_trees_say_what_the_walk_says(seed: int, leaves: int, unknown: float) -> None:
    boosting = fitted(seed, leaves=leaves, share_unknown=unknown)
    small = small_trees(boosting)
    assert small is not None
    x = table(np.random.default_rng(seed + 1), 300, 0.3)
    assert np.array_equal(small.decision_function(x), boosting.decision_function(x))


def test_values_on_a_threshold_and_its_neighbours_go_the_same_way() -> None:
    boosting = fitted(1)
    thresholds = np.concatenate([tree.nodes["num_threshold"] for (tree,) in boosting._predictors])
    edges = thresholds.astype(np.float32)
    values = np.concatenate(
        [edges, np.nextafter(edges, np.float32(-np.inf)), np.nextafter(edges, np.float32(np.inf))]
    )
    x = np.tile(values[:, None], (1, 5))
    small = small_trees(boosting)
    assert small is not None
    assert np.array_equal(small.decision_function(x), boosting.decision_function(x))


def test_a_classifier_that_is_fitted_again_is_read_again() -> None:
    boosting = fitted(1)
    before = small_trees(boosting)
    rng = np.random.default_rng(2)
    x = table(rng, 400, 0.2)
    boosting.fit(x, rng.random(400) < 0.5)
    after = small_trees(boosting)
    assert before is not None
    assert after is not None
    assert np.array_equal(after.decision_function(x), boosting.decision_function(x))
    assert not np.array_equal(after.decision_function(x), before.decision_function(x))
    assert small_trees(boosting) is after


@pytest.mark.parametrize("column", range(5))
def test_a_threshold_between_two_single_precision_numbers_is_rounded_down(column: int) -> None:
    boosting = fitted(2)
    for (tree,) in boosting._predictors:
        nodes = tree.nodes
        nodes["num_threshold"] += np.where(nodes["feature_idx"] == column, 1e-9, 0.0)
    edges = np.concatenate([tree.nodes["num_threshold"] for (tree,) in boosting._predictors]).astype(
        np.float32
    )
    x = np.tile(np.concatenate([edges, np.nextafter(edges, np.float32(np.inf))])[:, None], (1, 5))
    small = small_trees(boosting)
    assert small is not None
    assert np.array_equal(small.decision_function(x), boosting.decision_function(x))


def test_what_is_no_small_tree_is_left_to_its_own() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 5)), rng.random(300) < 0.5
    assert small_trees(LogisticRegression().fit(x, y)) is None
    assert small_trees(fitted(0, leaves=31)) is None
    three = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4).fit(x, rng.integers(0, 3, 300))
    assert small_trees(three) is None
    word = rng.integers(0, 6, 300)
    words = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=4, categorical_features=[0])
    assert small_trees(words.fit(np.column_stack([word, x[:, 1:]]), word % 2 == 0)) is None


def test_trees_are_read_once_and_forgotten_with_their_classifier() -> None:
    boosting = fitted(3)
    assert small_trees(boosting) is small_trees(boosting)
    before = len(trees._KNOWN)
    del boosting
    gc.collect()
    assert len(trees._KNOWN) < before
