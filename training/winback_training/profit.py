"""What a ranking earns a retention campaign: the expected maximum profit measure for customer churn.

References
----------
Verbraken, Verbeke & Baesens (2013), "A novel profit maximizing metric for measuring classification performance of customer
churn prediction models", IEEE Transactions on Knowledge and Data Engineering 25(5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import betainc

from winback_models.btyd import Array


@dataclass(frozen=True, slots=True)
class RetentionCampaign:
    """What targeting one contact costs and brings; the defaults are the paper's.

    Attributes
    ----------
    alpha, beta : float
        Of the Beta from which the share of targeted lapsers who accept the offer is drawn; mean ``alpha / (alpha + beta)``.
    clv : float
        Customer lifetime value kept by a lapser who accepts, in money.
    incentive : float
        Cost of the offer to each who takes it, in money: those who would have stayed anyway all take it (d in the paper).
    contact_cost : float
        Cost of reaching one contact, in money (f in the paper).
    """

    alpha: float = 6.0
    beta: float = 14.0
    clv: float = 200.0
    incentive: float = 10.0
    contact_cost: float = 1.0


PAPER = RetentionCampaign()


def expected_maximum_profit(y: Array, p: Array, campaign: RetentionCampaign = PAPER) -> tuple[float, float]:
    """Return (expected maximum profit per contact of the base, share of the base to target for it).

    For each possible acceptance rate the campaign stops where one more contact would cost more than it brings; the profit
    there is averaged over the Beta. Only the vertices of the ROC curve's convex hull can be such stops, so the mean is exact.

    Parameters
    ----------
    y : ndarray, shape (n,)
        1.0 where the contact bought, 0.0 where it lapsed.
    p : ndarray, shape (n,)
        Any score that rises with the chance to buy; equal scores are targeted together.
    campaign : RetentionCampaign

    Examples
    --------
    A perfect ranking of 100 contacts, of whom 20 lapse: those are targeted, whatever share of them accepts.

    >>> y = np.repeat([0.0, 1.0], [20, 80])
    >>> profit, share = expected_maximum_profit(y, y)
    >>> round(profit, 4), round(share, 4)  # .2 * (.3 * (200 - 10) - 1)
    (11.2, 0.2)
    """
    if len(y) == 0:
        return float("nan"), float("nan")
    lapsers, stayers = _hull(y, p)
    kept = campaign.clv - campaign.incentive  # from a lapser who accepts
    lost = campaign.incentive + campaign.contact_cost  # on one who would have stayed
    with np.errstate(divide="ignore"):
        worth = (lost * np.diff(stayers) / np.diff(lapsers) + campaign.contact_cost) / kept
    edges = np.concatenate(
        [[0.0], np.minimum(worth, 1.0), [1.0]]
    )  # acceptance rates at which the stop moves on
    a, b = campaign.alpha, campaign.beta
    likely = np.diff(betainc(a, b, edges))
    accepting = a / (a + b) * np.diff(betainc(a + 1.0, b, edges))
    profit = kept * lapsers * accepting - (campaign.contact_cost * lapsers + lost * stayers) * likely
    return float(profit.sum()) / len(y), float(((lapsers + stayers) * likely).sum()) / len(y)


def _hull(y: Array, p: Array) -> tuple[Array, Array]:
    """Return how many (lapsers, stayers) are targeted at each vertex of the ROC curve's convex hull.

    From nobody to those after whom no lapser is left; pooling adjacent violators finds the hull.
    """
    _, where, counts = np.unique(p, return_inverse=True, return_counts=True)
    lapsers = np.bincount(where, weights=1.0 - y, minlength=len(counts))
    pooled = isotonic_regression(lapsers / counts, weights=counts, increasing=False).blocks
    found = np.add.reduceat(lapsers, pooled[:-1])
    sizes = np.add.reduceat(counts.astype(np.float64), pooled[:-1])
    some = found > 0
    found, sizes = found[some], sizes[some]
    start = np.zeros(1)
    return np.concatenate([start, np.cumsum(found)]), np.concatenate([start, np.cumsum(sizes - found)])
