"""How much of the best possible Qini does each learner recover, on simulated campaigns whose effects are known?

    python benchmarks/uplift.py --develop                                        # all learners, on seed 0
    python benchmarks/uplift.py --markdown uplift.md                             # seeds never used for choosing
    python benchmarks/uplift.py --gate                                           # would the gate let it rank?

Every campaign has 100,000 contacts with 24 features, of which 6 matter and some are missing. One purchase in ten would come
anyway. The effect has one of six shapes. Each learner is fitted on one campaign and ranks the contacts of another of the same
kind; their true effects, not their outcomes, judge the ranking. The result stands in benchmarks/results/uplift.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from winback_models.btyd import Array
from winback_models.uplift import (
    Experiment,
    buys_anyway,
    fit_uplift,
    r_loss,
)
from winback_training.qini import recovered
from winback_training.uplift import train_uplift

CONTACTS, FEATURES, TARGET = 100_000, 24, 0.7
DEVELOP, FINAL, NEXT = (0,), (201, 202, 203, 204, 205), 1000
SHAPES = ("linear", "hump", "corner", "sleepers", "faint", "aside")
TOLD = {"linear": (0, 1), "faint": (0, 1), "aside": (3, 5)}
"""Where the effect is linear: the features that it depends on."""

SLOPES = {"faint": (0.006, -0.004), "aside": (0.006, -0.004)}
"""Points of effect for a standard deviation of each of them."""

HOLDOUTS = (0.1,)

Learner = Callable[[Experiment, Experiment, int], Array]


def simulate(shape: str, holdout: float, seed: int, n: int = CONTACTS) -> tuple[Experiment, Array]:
    """Make up a campaign.

    Returns
    -------
    Experiment
    ndarray of float, shape (n,)
        The true effects on P(purchase).
    """
    rng = np.random.default_rng([seed, SHAPES.index(shape), round(100 * holdout)])
    z = rng.standard_normal((n, FEATURES)) @ (
        np.eye(FEATURES) + 0.3 * rng.standard_normal((FEATURES, FEATURES)) / 5
    )
    z /= z.std(axis=0)
    silence, clicks, orders, sends, tenure, spend = z[:, :6].T
    anyway = 1 / (1 + np.exp(2.6 + 0.8 * silence - 0.5 * orders - 0.3 * clicks + 0.1 * tenure))
    effect = {
        "linear": 0.025 + 0.02 * clicks - 0.012 * silence,
        "hump": 0.07 * np.exp(-(silence**2)) + 0.01 * np.tanh(spend),
        "corner": 0.01 + 0.07 * ((clicks > 0) & (np.abs(silence) < 0.8)),
        "sleepers": 0.04 * (clicks > -0.3) - 0.05 * (sends > 0.8),
        "faint": 0.008 + 0.006 * clicks - 0.004 * silence,
        "aside": 0.008
        + 0.006 * sends
        - 0.004 * spend,  # as faint, on features that say nothing of who buys anyway
    }[shape]
    with_effect = np.clip(anyway + effect, 0.001, 0.95)
    effect = with_effect - anyway
    treated = rng.random(n) >= holdout
    bought = (rng.random(n) < np.where(treated, with_effect, anyway)).astype(float)
    seen = np.exp(z)  # counts and amounts are skewed
    seen[rng.random(z.shape) < 0.05] = np.nan
    return Experiment(seen, treated, bought, np.full(n, 1 - holdout)), effect


def _purchase(data: Experiment, rows: Array, seed: int) -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(random_state=seed)
    return model.fit(data.features[rows], data.bought[rows])


def t_learner(train: Experiment, test: Experiment, seed: int) -> Array:
    """One boosting for each arm, with scikit-learn's settings; the effect is their difference."""
    models = [_purchase(train, train.treated == arm, seed) for arm in (True, False)]
    yes, no = (model.predict_proba(test.features)[:, 1] for model in models)
    return yes - no


def x_learner(train: Experiment, test: Experiment, seed: int) -> Array:
    """Impute each arm's missing outcome from the other's model, regress the differences, weigh by propensity."""
    yes, no = (_purchase(train, train.treated == arm, seed) for arm in (True, False))
    t, c = train.treated, ~train.treated
    gained = train.bought[t] - no.predict_proba(train.features[t])[:, 1]
    missed = yes.predict_proba(train.features[c])[:, 1] - train.bought[c]
    stages = [
        HistGradientBoostingRegressor(random_state=seed).fit(train.features[rows], target)
        for rows, target in ((t, gained), (c, missed))
    ]
    of_treated, of_held = (stage.predict(test.features) for stage in stages)
    return test.propensity * of_held + (1 - test.propensity) * of_treated


def dr_learner(train: Experiment, test: Experiment, seed: int) -> Array:
    """Regress doubly robust scores by boosting, with scikit-learn's settings."""
    scores = np.empty(len(train))
    for others, part in train.folds(3, seed):
        rest = train.take(others)
        yes, no = (
            _purchase(rest, rest.treated == arm, seed).predict_proba(train.features[part])[:, 1]
            for arm in (True, False)
        )
        w, e, y = train.treated[part], train.propensity[part], train.bought[part]
        scores[part] = yes - no + w * (y - yes) / e - (1 - w) * (y - no) / (1 - e)
    return HistGradientBoostingRegressor(random_state=seed).fit(train.features, scores).predict(test.features)


def r_learner(train: Experiment, test: Experiment, seed: int) -> Array:
    """Explain what is left after the arm-blind prediction by the arm: a boosting with scikit-learn's settings."""
    surplus = train.treated - train.propensity
    target = (train.bought - buys_anyway(train, seed=seed)) / surplus
    model = HistGradientBoostingRegressor(random_state=seed)
    return model.fit(train.features, target, sample_weight=surplus**2).predict(test.features)


def told(train: Experiment, test: Experiment, seed: int, features: tuple[int, ...]) -> Array:
    """Fit the true model: linear in the features that matter and no others. Only who made the shop up can do that."""
    target, weight = r_loss(train, buys_anyway(train, seed=seed))
    known, fresh = (np.nan_to_num(np.log(data.features[:, features])) for data in (train, test))
    return LinearRegression().fit(known, target, sample_weight=weight).predict(fresh)


def told_how(train: Experiment, test: Experiment, seed: int, slopes: tuple[float, float]) -> Array:
    """Rank as well as anybody can who knows that the effect is linear in two features and how steep, but not in which.

    All ordered pairs of features are alike beforehand; the coefficients are the mean over them by their likelihood.
    """
    target, weight = r_loss(train, buys_anyway(train, seed=seed))
    known, fresh = (np.nan_to_num(np.log(data.features)) for data in (train, test))
    weight = weight / weight.sum()
    known, target = known - weight @ known, target - weight @ target
    moments, gram = known.T @ (weight * target), known.T @ (known * weight[:, None])
    pairs = np.array(list(permutations(range(FEATURES), 2)))
    steep = np.array(slopes)
    fit = (
        moments[pairs] @ steep
        - np.einsum("a,pab,b->p", steep, gram[pairs[:, :, None], pairs[:, None, :]], steep) / 2
    )
    log_likelihood = fit * len(train) / np.average(target**2, weights=weight)
    chance = np.exp(log_likelihood - log_likelihood.max())
    coefficients = np.zeros(FEATURES)
    np.add.at(coefficients, pairs, chance[:, None] / chance.sum() * steep)
    return fresh @ coefficients


LEARNERS: dict[str, Learner] = {
    "T, boosting": t_learner,
    "X, boosting": x_learner,
    "DR, boosting": dr_learner,
    "R, boosting": r_learner,
}
OURS, SMOOTH, STEPS, BEST = "winback", "its smooth half", "its stepwise half", "true model"
HOW = "told how, not where"


def shares(shape: str, holdout: float, seed: int, learners: dict[str, Learner]) -> dict[str, float]:
    """Return the share of the best Qini that each ranking recovers in the next campaign."""
    data, _ = simulate(shape, holdout, seed)
    fresh, effect = simulate(shape, holdout, seed + NEXT)
    names = tuple(f"x{k}" for k in range(FEATURES))
    anyway = HistGradientBoostingClassifier(random_state=seed).fit(data.features, data.bought)
    ours = fit_uplift(data, names, seed)
    rankings = {
        "random": np.random.default_rng(seed).random(len(fresh)),
        "risk": 1 - anyway.predict_proba(fresh.features)[:, 1],
        **{name: learner(data, fresh, seed) for name, learner in learners.items()},
        SMOOTH: replace(ours, smooth_share=1.0).effect(fresh.features),
        STEPS: replace(ours, smooth_share=0.0).effect(fresh.features),
        OURS: ours.effect(fresh.features),
    }
    if shape in SLOPES:
        rankings[HOW] = told_how(data, fresh, seed, SLOPES[shape])
    if shape in TOLD:
        rankings[BEST] = told(data, fresh, seed, TOLD[shape])
    return {name: recovered(ranking, effect) for name, ranking in rankings.items()}


def gate(shape: str, holdout: float, seed: int) -> str:
    """Say whether the gate lets a model of the campaign rank, against the ranking by risk, and how it would have done."""
    data, _ = simulate(shape, holdout, seed)
    fresh, effect = simulate(shape, holdout, seed + NEXT)
    risk = 1 - buys_anyway(data, seed=seed)
    model, verdict = train_uplift(
        data, tuple(f"x{k}" for k in range(FEATURES)), np.ones(len(data)), risk, seed=seed
    )
    share = recovered(model.effect(fresh.features), effect) if model else 0.0
    said = "accepted" if verdict.accepted else "refused"
    return f"{shape}, seed {seed}: {said}, recovers {share:.2f}. {' '.join(verdict.reasons)}"


def cell(values: list[float]) -> str:
    """Return mean and range."""
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else "–"


def main() -> None:
    """Simulate, rank, print, and write the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--develop", action="store_true", help="all learners, on the seed used for choosing")
    parser.add_argument("--seeds", type=int, nargs="+", help="of the campaigns")
    parser.add_argument("--holdouts", type=float, nargs="+", default=list(HOLDOUTS), help="shares held out")
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES, help="of the effect")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    parser.add_argument(
        "--gate", action="store_true", help="say what the gate makes of each campaign, and no more"
    )
    args = parser.parse_args()
    seeds = args.seeds or (DEVELOP if args.develop else FINAL)
    if args.gate:
        for shape in args.shapes:
            for seed in seeds:
                print(gate(shape, args.holdouts[0], seed), flush=True)
        return
    learners = LEARNERS if args.develop else {"T, boosting": t_learner}
    names = ["random", "risk", *learners, SMOOTH, STEPS, OURS, HOW, BEST]
    lines = [
        "# Uplift",
        "",
        f"`python benchmarks/uplift.py`, seeds {', '.join(map(str, seeds))}: share of the best possible Qini recovered in",
        f"the next campaign, mean over the seeds and, in brackets, the range. {CONTACTS:,} contacts each. The aim is {TARGET}.",
        "",
        f"| effect | held out | {' | '.join(names)} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    print("\n".join(lines), flush=True)
    for holdout in args.holdouts:
        for shape in args.shapes:
            began = time.process_time()
            found = [shares(shape, holdout, seed, learners) for seed in seeds]
            cells = [cell([f[name] for f in found if name in f]) for name in names]
            lines.append(f"| {shape} | {holdout:.0%} | {' | '.join(cells)} |")
            print(lines[-1], f"{time.process_time() - began:.0f} s", flush=True)
            if args.markdown:
                args.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
