"""Which smooth last stage finds a faint effect? All are given the same, well fitted chance to buy; only the stage differs.

    python benchmarks/uplift_stages.py                          # the table of ADR 15
    python benchmarks/uplift_stages.py --shapes faint aside     # where the effects spread by less than a point

The share of the best possible Qini recovered in the next campaign, as in benchmarks/uplift.py, of which these are the shops.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import ndtr
from sklearn.linear_model import LinearRegression, LogisticRegression, lasso_path
from uplift import NEXT, SHAPES, TOLD, simulate

from winback_models.btyd import Array
from winback_models.uplift import FOLDS, OF_SQUARE, Experiment, likely_slopes, r_loss
from winback_models.uplift_slopes import Products, pseudo_bma, sparse_slopes
from winback_training.qini import recovered

HOLDOUT, PENALTIES = 0.1, 25
STAGES = (
    "lasso, one penalty",
    "lasso, averaged",
    "few of many",
    "few, squares rarer",
    "few, by who buys",
    "true model",
)


def lasso(columns: Array, target: Array, weight: Array, fresh: Array, *, average: bool) -> Array:
    """Fit a lasso, at the penalty that foretells best or averaged over all of them, and predict."""
    whole = Products.of(columns, target, weight)
    penalties = np.abs(whole.cross).max() * np.geomspace(1.0, 0.01, PENALTIES)
    foretold = np.empty((len(target), PENALTIES))
    for k in range(FOLDS):
        part = np.arange(len(target)) % FOLDS == k
        sums = Products.of(columns[~part], target[~part], weight[~part])
        slopes = path(sums, penalties)
        foretold[part] = sums.target_mean + (columns[part] - sums.means) @ slopes
    share = pseudo_bma(foretold, target, weight)
    if not average:
        share = (share == share.max()).astype(float)
    return fresh @ (path(whole, penalties) @ share)


def path(sums: Products, penalties: Array) -> Array:
    """Return the slopes of a lasso at each penalty, shape (d, k), from as many rows as there are columns."""
    root = np.linalg.cholesky(sums.square)
    size = np.sqrt(len(root))
    right = np.linalg.solve(root, sums.cross)
    return lasso_path(size * root.T, size * right, alphas=penalties, max_iter=20_000)[1]


def few(columns: Array, target: Array, weight: Array, fresh: Array, likely: Array) -> Array:
    """Take most slopes for nil, without knowing which, and predict."""
    return fresh @ sparse_slopes(Products.of(columns, target, weight), likely)[1]


def shares(shape: str, seed: int) -> dict[str, float]:
    """Return the share of the best Qini that each stage recovers."""
    data, _ = simulate(shape, HOLDOUT, seed)
    fresh, effect = simulate(shape, HOLDOUT, seed + NEXT)
    known, unseen = (np.nan_to_num(np.log(d.features)) for d in (data, fresh))
    anyway = LogisticRegression().fit(known, data.bought).predict_proba(known)[:, 1]
    target, weight = r_loss(data, anyway)
    columns, new = curves(data, known), curves(fresh, unseen)
    alike = np.ones(columns.shape[1])
    rarer = np.where(np.arange(len(alike)) < len(alike) // 2, 1.0, OF_SQUARE)
    rankings = [
        lasso(columns, target, (data.treated - data.propensity) ** 2, new, average=False),
        lasso(columns, target, weight, new, average=True),
        *(
            few(columns, target, weight, new, likely)
            for likely in (alike, rarer, likely_slopes(columns, anyway))
        ),
    ]
    if shape in TOLD:
        model = LinearRegression().fit(known[:, TOLD[shape]], target, sample_weight=weight)
        rankings.append(model.predict(unseen[:, TOLD[shape]]))
    return {name: recovered(ranking, effect) for name, ranking in zip(STAGES, rankings, strict=False)}


def curves(data: Experiment, known: Array) -> Array:
    """Return ranks in -1..1 and their squares, the middle where unknown."""
    ranks = np.where(np.isnan(data.features), 0.0, 2.0 * ndtr(known) - 1.0)
    return np.hstack([ranks, 1.5 * ranks**2 - 0.5])


def main() -> None:
    """Print mean and range over the seeds for each shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(11, 16)))
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES)
    args = parser.parse_args()
    print(f"| effect | {' | '.join(STAGES)} |\n|---|{'---|' * len(STAGES)}", flush=True)
    for shape in args.shapes:
        found = [shares(shape, seed) for seed in args.seeds]
        values = [[f[name] for f in found if name in f] for name in STAGES]
        cells = [f"{np.mean(v):.2f} ({min(v):.2f} to {max(v):.2f})" if v else "–" for v in values]
        print(f"| {shape} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
