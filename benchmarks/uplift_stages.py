"""Which smooth last stage finds a faint effect? All are given the same, well fitted chance to buy; only the stage differs.

    python benchmarks/uplift_stages.py --seeds 1 2 3 4 5        # the table of ADR 15
    python benchmarks/uplift_stages.py --shapes faint aside     # what is lost where the effects spread by less than a point

The share of the best possible Qini recovered in the next campaign, as in benchmarks/uplift.py, of which these are the shops.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import ndtr
from sklearn.linear_model import LinearRegression, LogisticRegression
from uplift import NEXT, SHAPES, TOLD, simulate

from winback_models.btyd import Array
from winback_models.lasso_path import PENALTIES, Products, pseudo_bma, top_penalty
from winback_models.uplift import FOLDS, Experiment, r_loss
from winback_training.qini import recovered

HOLDOUT, LOUDER = 0.1, 3.0
STAGES = (
    "one penalty",
    "one penalty, weighted",
    "averaged, weighted",
    "with the chance to buy",
    "true model",
)


def lasso(columns: Array, target: Array, weight: Array, fresh: Array, *, average: bool) -> Array:
    """Fit a lasso, at the penalty that foretells best or averaged over all of them, and predict."""
    whole = Products.of(columns, target, weight)
    penalties = top_penalty(whole) * np.geomspace(1.0, 0.01, PENALTIES)
    foretold = np.empty((len(target), PENALTIES))
    for k in range(FOLDS):
        part = np.arange(len(target)) % FOLDS == k
        constants, slopes = Products.of(columns[~part], target[~part], weight[~part]).path(penalties)
        foretold[part] = constants + columns[part] @ slopes
    share = pseudo_bma(foretold, target, weight)
    if not average:
        share = (share == share.max()).astype(float)
    return fresh @ (whole.path(penalties)[1] @ share)


def shares(shape: str, seed: int) -> dict[str, float]:
    """Return the share of the best Qini that each stage recovers."""
    data, _ = simulate(shape, HOLDOUT, seed)
    fresh, effect = simulate(shape, HOLDOUT, seed + NEXT)
    known, unseen = (np.nan_to_num(np.log(d.features)) for d in (data, fresh))
    chances = LogisticRegression().fit(known, data.bought)
    anyway, later = (chances.predict_proba(x)[:, 1] for x in (known, unseen))
    target, weight = r_loss(data, anyway)
    plain = (data.treated - data.propensity) ** 2
    columns, new = curves(data, known), curves(fresh, unseen)
    with_chance = np.column_stack([columns, LOUDER * places(anyway, anyway)])
    new_chance = np.column_stack([new, LOUDER * places(later, anyway)])
    rankings = [
        lasso(columns, target, plain, new, average=False),
        lasso(columns, target, weight, new, average=False),
        lasso(columns, target, weight, new, average=True),
        lasso(with_chance, target, weight, new_chance, average=True),
    ]
    if shape in TOLD:
        model = LinearRegression().fit(known[:, TOLD[shape]], target, sample_weight=weight)
        rankings.append(model.predict(unseen[:, TOLD[shape]]))
    return {name: recovered(ranking, effect) for name, ranking in zip(STAGES, rankings, strict=False)}


def curves(data: Experiment, known: Array) -> Array:
    """Return ranks in -1..1 and their squares, the middle where unknown."""
    ranks = np.where(np.isnan(data.features), 0.0, 2.0 * ndtr(known) - 1.0)
    return np.hstack([ranks, 1.5 * ranks**2 - 0.5])


def places(chances: Array, among: Array) -> Array:
    """Return the rank of each chance among others, in -1..1."""
    return 2.0 * np.searchsorted(np.sort(among), chances) / len(among) - 1.0


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
