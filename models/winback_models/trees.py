"""Small boosted trees asked column by column: the numbers of scikit-learn's own walk, several times sooner.

A walk goes row by row from node to node, and a processor cannot guess where it leads. A tree of eight leaves has but seven
questions: all of them are put to all rows at once, and the answers, seven bits, are the number of the leaf's value in a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from winback_models.btyd import Array

MOST_QUESTIONS = 8
"""A row's answers to one tree are kept in a byte."""


@dataclass(frozen=True, slots=True)
class SmallTree:
    """A tree as its questions, and what comes of all their answers together.

    Attributes
    ----------
    columns : tuple of int
    thresholds : tuple of float32
        A row answers 1 where its value is at most this. The largest that does not exceed the tree's own, so that values in
        single precision are parted alike.
    void_left : tuple of bool
        Whether a row that has no value answers 1.
    values : ndarray of float64, shape (2 ** questions,)
        The leaf's value for every set of answers; the first question's answer is the lowest bit.
    """

    columns: tuple[int, ...]
    thresholds: tuple[np.float32, ...]
    void_left: tuple[bool, ...]
    values: Array

    def add_to(self, said: Array, columns: npt.NDArray[np.float32]) -> None:
        """Add the value of the leaf that each row ends in; ``columns`` is (columns, rows)."""
        answers = np.zeros(len(said), np.uint8)
        for bit, (column, threshold, void_left) in enumerate(
            zip(self.columns, self.thresholds, self.void_left, strict=True)
        ):
            asked = columns[column]
            yes = ~(asked > threshold) if void_left else asked <= threshold
            answers |= yes.view(np.uint8) << np.uint8(bit)
        said += self.values[answers]


@dataclass(frozen=True, slots=True)
class SmallTrees:
    """The fitted trees of a binary ``HistGradientBoostingClassifier``.

    Attributes
    ----------
    baseline : float
    trees : tuple of SmallTree
    """

    baseline: float
    trees: tuple[SmallTree, ...]

    def decision_function(self, x: npt.NDArray[np.float32]) -> Array:
        """Return log-odds, shape (rows,): to the last bit those of the classifier that the trees are from."""
        columns = np.ascontiguousarray(x.T)
        said = np.full(len(x), self.baseline)
        for tree in self.trees:
            tree.add_to(said, columns)
        return said


_KNOWN: WeakKeyDictionary[Any, tuple[Any, SmallTrees | None]] = WeakKeyDictionary()
"""Classifier -> the fit it had when it was read, and its trees."""


def small_trees(estimator: Any) -> SmallTrees | None:
    """Return the trees of a fitted classifier, or None where it has none, large ones, or splits on categories.

    Parameters
    ----------
    estimator : object
        Its trees are read once after each fit.
    """
    if not isinstance(estimator, HistGradientBoostingClassifier):
        return None
    fit, trees = _KNOWN.get(estimator, (None, None))
    if fit is not estimator._predictors:
        trees = _read(estimator)
        _KNOWN[estimator] = (estimator._predictors, trees)
    return trees


def _read(estimator: Any) -> SmallTrees | None:
    if len(estimator.classes_) > 2:
        return None
    tables = [tree.nodes for (tree,) in estimator._predictors]
    if any(
        nodes["is_categorical"].any() or (nodes["is_leaf"] == 0).sum() > MOST_QUESTIONS for nodes in tables
    ):
        return None
    return SmallTrees(float(estimator._baseline_prediction[0, 0]), tuple(map(_tree, tables)))


def _tree(nodes: Any) -> SmallTree:
    (asked,) = np.nonzero(nodes["is_leaf"] == 0)
    exact = nodes["num_threshold"][asked]
    rounded = exact.astype(np.float32)
    thresholds = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    bits = {int(place): bit for bit, place in enumerate(asked)}
    return SmallTree(
        tuple(nodes["feature_idx"][asked].tolist()),
        tuple(thresholds),
        tuple(nodes["missing_go_to_left"][asked].astype(bool).tolist()),
        np.array([_leaf(nodes, bits, answers) for answers in range(2 ** len(asked))]),
    )


def _leaf(nodes: Any, bits: dict[int, int], answers: int) -> float:
    """Return the value of the leaf that a row with these answers ends in."""
    place = 0
    while place in bits:
        place = int(nodes["left" if answers >> bits[place] & 1 else "right"][place])
    return float(nodes["value"][place])
