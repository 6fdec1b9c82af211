"""What treated contacts do to the labels, on simulated shops whose truth is known.

    python benchmarks/treated_labels.py

Contacts buy by their own rhythm. Once silent for twice their usual gap they are flagged; nine of ten flagged are written to, and
then buy more often for four weeks. A hazard classifier learns from windows in which that happened, and is asked what contacts do
when nobody writes. Four ways to learn are held against the truth. Then each of the models is judged as a forward test judges it,
on windows in which messages were sent: on everybody, and on the held out alone. Both results stand in
docs/adr/0014-treated-labels.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

Array = npt.NDArray[np.float64]

CONTACTS, STEPS, HISTORY = 30_000, 12, 60
FLAG_GAPS, TREATED, LIFT, LASTS = 2.0, 0.9, 2.5, 4
SEEDS = (1, 2, 3)
TESTS = 12
"""Bases whose held out judge each model: a tenth of one base is few."""

WAYS = ("keep", "drop", "until_sent", "holdout_only")


def buys(rate: Array, silence: Array, boost: Array) -> Array:
    """Return the chance of a purchase in a step: regular buyers, rarer the longer they are lost."""
    lateness = silence * rate
    hazard = rate * (0.4 + 1.6 * np.clip(lateness, 0, 1)) * np.exp(-0.25 * np.clip(lateness - 1.5, 0, 8))
    return np.asarray(1 - np.exp(-hazard * boost))


def live(rng: np.random.Generator, treat: float, *, stop: bool = False) -> dict[str, Array]:
    """Simulate a base: what is known at the label time, the step of the next purchase, and the step of the first message.

    With ``stop`` nobody is written to from the label time on, and messages sent before have no effect any more: what the
    contacts of the same draw would have done.
    """
    rate = np.clip(rng.gamma(1.5, 0.12, CONTACTS), 0.02, 1.0)
    silence = rng.integers(0, 10, CONTACTS).astype(float)
    sent_ago = np.full(CONTACTS, np.inf)
    group = rng.random(CONTACTS) < treat
    wait, sent = np.full(CONTACTS, np.inf), np.full(CONTACTS, np.inf)
    known: Array = np.zeros((CONTACTS, 2))
    for step in range(-HISTORY, STEPS):
        if step == 0:
            known = np.column_stack([np.log(1 / rate), np.log1p(silence)])
            already = sent_ago < LASTS
        flagged = (silence * rate >= FLAG_GAPS) & (sent_ago == np.inf)
        now = flagged & group & (step < 0 or not stop)
        sent_ago = np.where(now, 0, sent_ago)
        if step >= 0:
            sent = np.where(now & (wait == np.inf), step, sent)
        works = (sent_ago < LASTS) & (step < 0 or not stop)
        bought = rng.random(CONTACTS) < buys(rate, silence, np.where(works, LIFT, 1.0))
        if step >= 0:
            wait = np.where(bought & (wait == np.inf), step, wait)
        silence = np.where(bought, 0, silence + 1)
        sent_ago = np.where(bought, np.inf, sent_ago + 1)
    sent = np.where(already, 0, sent)
    return {
        "known": known,
        "wait": wait,
        "sent": np.where(sent <= wait, sent, np.inf),
        "group": group.astype(float),
    }


def learn(base: dict[str, Array], way: str) -> HistGradientBoostingClassifier:
    """Fit the chance of a purchase in each step that is entered without one."""
    touched = np.isfinite(base["sent"])
    who = {"drop": ~touched, "holdout_only": base["group"] == 0}.get(way, np.full(CONTACTS, True))
    rows, bought = [], []
    for step in range(STEPS):
        here = who & (base["wait"] >= step)
        if way == "until_sent":
            here &= base["sent"] > step
        rows.append(np.column_stack([base["known"][here], np.full(here.sum(), step)]))
        bought.append(base["wait"][here] == step)
    model = HistGradientBoostingClassifier(max_iter=120, learning_rate=0.08, random_state=0)
    return model.fit(np.concatenate(rows), np.concatenate(bought))


def chance(model: HistGradientBoostingClassifier, known: Array) -> Array:
    """Return the chance of a purchase within the horizon."""
    stay = np.ones(len(known))
    for step in range(STEPS):
        stay *= 1 - model.predict_proba(np.column_stack([known, np.full(len(known), step)]))[:, 1]
    return 1 - stay


def main() -> None:
    """Print how good each way to learn is, and what a forward test says of it."""
    learned()
    judged()


def learned() -> None:
    """Print bias and Brier score of each way, overall and for those that were silent for more than a usual gap."""
    print("| way | bias, all | bias, late | Brier, all | Brier, late |\n|---|---|---|---|---|")
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for seed in SEEDS:
        base = live(np.random.default_rng(seed), TREATED)
        truth = live(np.random.default_rng(seed + 100), 0.0)
        y = np.isfinite(truth["wait"]).astype(float)
        late = truth["known"][:, 1] > truth["known"][:, 0]
        for way in WAYS:
            p = chance(learn(base, way), truth["known"])
            error = p - y
            found[way].append(
                [error.mean(), error[late].mean(), (error**2).mean(), (error[late] ** 2).mean()]
            )
    for way, rows in found.items():
        b, bl, s, sl = np.mean(rows, axis=0)
        print(f"| {way} | {b:+.4f} | {bl:+.4f} | {s:.4f} | {sl:.4f} |")


def judged() -> None:
    """Print the bias of each way by the truth without messages, and as forward tests on everybody and on the held out say it."""
    print(
        "\n| way | without messages | forward test, everybody | forward test, held out |\n|---|---|---|---|"
    )
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    among: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in SEEDS:
        past = live(np.random.default_rng(seed), TREATED)
        models = {way: learn(past, way) for way in WAYS}
        now, without = (live(np.random.default_rng([seed, 0]), TREATED, stop=stop) for stop in (False, True))
        for way, model in models.items():
            p = chance(model, now["known"])
            found[way].append([(p - np.isfinite(base["wait"])).mean() for base in (without, now)])
        for test in range(TESTS):
            base = live(np.random.default_rng([seed, 1 + test]), TREATED)
            held = base["group"] == 0
            for way, model in models.items():
                among[way].append(
                    (chance(model, base["known"][held]) - np.isfinite(base["wait"][held])).mean()
                )
    for way, rows in found.items():
        told = (*np.mean(rows, axis=0), np.mean(among[way]))
        print(f"| {way} | {' | '.join(f'{bias:+.4f}' for bias in told)} |", flush=True)


if __name__ == "__main__":
    main()
