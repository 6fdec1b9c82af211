"""Learn whom a message moves, and say whether that may rank the list.

The gate: enough contacts of the holdout with a closed window, a Qini whose lower bound is above zero, and a lead over the
ranking in use whose lower bound is above zero. All of it on predictions of models fitted on other contacts, drawn before.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from winback_models.btyd import Array
from winback_models.uplift import Experiment, UpliftModel, buys_anyway, fit_uplift, forward_fitted
from winback_training.qini import (
    Estimate,
    Ranking,
    compare_rankings,
    effect_scores,
    uplift_curve,
)

MIN_OUTCOMES = 300
"""So many purchases, and as many contacts without one, each arm must hold before anything is learned."""

WITHIN_REACH = 100.0
"""So many times as many contacts may come together some day; a proof that wants more will not come."""

CUTS = (0.05, 0.1, 0.2, 0.3)
"""Shares of the contacts, least effect first, that may turn out to be sleeping dogs."""


@dataclass(frozen=True)
class Distance:
    """How far the holdout is from carrying an uplift model.

    Attributes
    ----------
    outcomes : int
        The scarcest there is: purchases, or contacts without one, of an arm.
    needed : int
    more_contacts : int
        Of that arm still to come, at its rate so far; 0 when there are enough.
    sentence : str
        For the page.
    """

    outcomes: int
    needed: int
    more_contacts: int
    sentence: str


def how_far(treated: Any, bought: Any, needed: int = MIN_OUTCOMES) -> Distance:
    """Say how many more outcomes are needed before an effect can be learned contact by contact.

    Parameters
    ----------
    treated, bought : array_like, shape (n,)
        Arm and outcome of the contacts whose window has closed.
    needed : int

    Examples
    --------
    >>> how_far([True] * 900 + [False] * 100, ([1.0] + [0.0] * 9) * 100, needed=40).sentence
    'The holdout has 10 of the 40 purchases needed: at its rate so far, 300 more of its contacts must be watched to the end.'
    """
    arm, y = np.asarray(treated, bool), np.asarray(bought, np.float64) > 0
    cases = [
        (int(np.sum(y[rows] == outcome)), int(rows.sum()), who, what)
        for rows, who in ((~arm, "holdout"), (arm, "treated arm"))
        for outcome, what in ((True, "purchases"), (False, "contacts without a purchase"))
    ]
    n, contacts, who, what = min(cases)
    if n >= needed:
        sentence = f"The {who} has {n:,} {what}: enough to learn whom a message moves."
        return Distance(n, needed, 0, sentence)
    sentence = f"The {who} has {n:,} of the {needed:,} {what} needed"
    if n == 0:
        return Distance(0, needed, needed, f"{sentence}: too few to say how long it takes.")
    more = math.ceil((needed - n) * contacts / n)
    sentence += f": at its rate so far, {more:,} more of its contacts must be watched to the end."
    return Distance(n, needed, more, sentence)


@dataclass(frozen=True)
class Sleeping:
    """Contacts that a message is proven to drive away, as a group.

    Attributes
    ----------
    at_most : float or None
        A contact whose predicted effect is no larger is left asleep; None where no such group is proven.
    share : float
        Of the contacts.
    effect : Estimate or None
        The mean effect on P(purchase) in the group; its upper bound, with Bonferroni's correction over `CUTS`, is below 0.
    """

    at_most: float | None
    share: float
    effect: Estimate | None


@dataclass(frozen=True)
class Verdict:
    """Whether an uplift model may rank the list, and why.

    Attributes
    ----------
    accepted : bool
    reasons : tuple of str
        What speaks against it, in sentences; empty when accepted.
    distance : Distance
    contacts, held_out : int
    uplift, usual : Ranking or None
        Of the value won back, per contact: ranked by incremental value, and by the ranking in use. None with too few outcomes.
    lead : Estimate or None
        Qini of the first minus that of the second.
    curve, usual_curve : list of (share treated, value won back per contact)
    sleeping : Sleeping
    times_qini, times_lead : float or None
        How many times as many contacts it would take to prove the Qini and the lead, see `times_as_many`; None where they are
        proven, or seem to be none.
    """

    accepted: bool
    reasons: tuple[str, ...]
    distance: Distance
    contacts: int
    held_out: int
    uplift: Ranking | None = None
    usual: Ranking | None = None
    lead: Estimate | None = None
    curve: tuple[tuple[float, float], ...] = ()
    usual_curve: tuple[tuple[float, float], ...] = ()
    sleeping: Sleeping = Sleeping(None, 0.0, None)
    times_qini: float | None = None
    times_lead: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as a JSON-ready object."""
        return asdict(self)


def times_as_many(found: Estimate) -> float | None:
    """Return how many times as many contacts would bring the lower bound above zero, were the estimate the truth.

    The width of an interval falls with the root of the number of contacts.

    Returns
    -------
    float or None
        None where the bound is above zero already, or the estimate is not.

    Examples
    --------
    >>> times_as_many(Estimate(1.0, -1.0, 3.0)), times_as_many(Estimate(1.0, 0.5, 1.5)), times_as_many(Estimate(-1.0, -2.0, 0.0))
    (4.0, None, None)
    """
    if found.low > 0.0 or found.value <= 0.0:
        return None
    return ((found.value - found.low) / found.value) ** 2


def sleeping_dogs(effects: Array, scores: Array) -> Sleeping:
    """Find the largest group, least predicted effect first, that a message is proven to drive away.

    Parameters
    ----------
    effects : ndarray of float, shape (n,)
        Predicted by models that did not see the contact; only negative ones come into question.
    scores : ndarray of float, shape (n,)
        From `winback_training.qini.effect_scores`.
    """
    z = NormalDist().inv_cdf(1.0 - 0.025 / len(CUTS))
    for share in sorted(CUTS, reverse=True):
        cut = min(float(np.quantile(effects, share)), -1e-9)
        group = scores[effects <= cut]
        if len(group) < 2:
            continue
        mean, width = float(group.mean()), z * float(group.std(ddof=1)) / math.sqrt(len(group))
        if mean + width < 0.0:
            return Sleeping(cut, len(group) / len(effects), Estimate(mean, mean - width, mean + width))
    return Sleeping(None, 0.0, None)


def train_uplift(
    data: Experiment,
    names: tuple[str, ...],
    value: Array,
    usual: Array,
    *,
    seed: int = 0,
    needed: int = MIN_OUTCOMES,
) -> tuple[UpliftModel | None, Verdict]:
    """Fit an uplift model and judge it.

    Parameters
    ----------
    data : Experiment
        First entries whose outcome window has closed.
    names : tuple of str
        Of the features.
    value : ndarray of float, shape (n,)
        Margin that a purchase of the contact was expected to bring, known at entry, 0 or more: the incremental value is the
        effect times this. Money spent is not learned from: a few large orders would drown the effect.
    usual : ndarray of float, shape (n,)
        What the list was ranked by, highest first.
    seed : int
    needed : int
        See `how_far`.

    Returns
    -------
    UpliftModel or None
        None with too few outcomes. It may rank only where the verdict says so.
    Verdict
    """
    distance = how_far(data.treated, data.bought, needed)
    counts = len(data), int(np.sum(~data.treated))
    if distance.more_contacts:
        return None, Verdict(False, (distance.sentence,), distance, *counts)
    effects = forward_fitted(data, names, seed=seed)
    scores = effect_scores(data.treated, data.bought, data.propensity, buys_anyway(data, seed=seed + 1))
    judged = np.isfinite(effects)
    effects, scores, usual = effects[judged], scores[judged], usual[judged]
    ours, worth = effects * value[judged], scores * value[judged]
    (uplift, before), (_, lead) = compare_rankings([ours, usual], worth, seed=seed)
    reasons = []
    if uplift.qini.low <= 0.0:
        reason = "The effect does not differ between contacts beyond chance, so it cannot rank them."
        reasons.append(reason + told_distance(times_as_many(uplift.qini)))
    if lead.low <= 0.0:
        reason = "Ranking by incremental value is not proven better than the ranking in use."
        reasons.append(reason + told_distance(times_as_many(lead)))
    sleeping = sleeping_dogs(effects, scores) if not reasons else Sleeping(None, 0.0, None)
    verdict = Verdict(
        not reasons,
        tuple(reasons),
        distance,
        *counts,
        uplift,
        before,
        lead,
        tuple(uplift_curve(ours, worth)),
        tuple(uplift_curve(usual, worth)),
        sleeping,
        times_as_many(uplift.qini),
        times_as_many(lead),
    )
    return fit_uplift(data, names, seed), verdict


def told_distance(times: float | None) -> str:
    """Say how far away the proof is; nothing where it is not to be said.

    Parameters
    ----------
    times : float or None
        From :func:`times_as_many`.
    """
    if times is None:
        return ""
    if times > WITHIN_REACH:
        return " What was measured is next to nothing: no number of contacts within reach would show it."
    return f" If it is as large as it seems, {times:,.1f} times as many contacts would show it."
