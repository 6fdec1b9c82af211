"""How low the loss could have been: the voices of a forward test mixed as only its own outcomes could have told.

Weights, a level and a slope for all of them together are found on the very outcomes that they are then judged on, which no
forecast can. A target below what comes out needs more than one weight for each voice, or another voice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit, softmax

from winback_training.evaluate import ForwardTest
from winback_training.timing import integrated_brier

Array = npt.NDArray[np.float64]

VOICES = ("winback", "bg_nbd", "mbg_nbd", "logistic", "boosting")
SURE = 1e-6


def hindsight_ibs(test: ForwardTest, population: str = "active", voices: Sequence[str] = VOICES) -> float:
    """Return the IBS of the best mixture of the voices on the outcomes it was chosen by: see `best_mixture`.

    Parameters
    ----------
    test : ForwardTest
    population : str
    voices : sequence of str
        Of ``test.curves``; those that are missing or do not speak of the population are passed over.
    """
    mask = test.populations[population]
    heard = {v: test.curves[v][mask] for v in voices if v in test.curves and test.speaks_of(v, population)}
    return best_mixture(heard, test.waits[mask], test.days)


def best_mixture(curves: Mapping[str, Array], waits: Array, days: Array) -> float:
    """Return the IBS of the curves' hazards averaged in log-odds, with the weights, level and slope that the outcomes ask for.

    Parameters
    ----------
    curves : mapping of str to ndarray, shape (n, m)
        P(purchase within each of ``days``), one for each voice.
    waits : ndarray, shape (n,)
    days : ndarray, shape (m,)

    Notes
    -----
    Found by descent from equal weights, level 0 and slope 1: where the loss has several valleys, in that one.
    """
    said = np.stack([step_log_odds(p) for p in curves.values()])

    def loss(theta: Array) -> float:
        mixed = np.tensordot(softmax(theta[2:]), said, axes=1)
        return integrated_brier(waits, within(theta[0] + np.exp(theta[1]) * mixed), days)

    return float(minimize(loss, np.zeros(2 + len(said)), method="L-BFGS-B").fun)


def step_log_odds(p: Array) -> Array:
    """Return the log-odds of a purchase in each step that is entered without one, shape (n, m).

    >>> expit(step_log_odds(np.array([[0.5, 0.75]]))).round(3).tolist()
    [[0.5, 0.5]]
    """
    silent = np.clip(1.0 - np.column_stack([np.zeros(len(p)), p]), SURE, 1.0)
    return np.asarray(logit(np.clip(1.0 - silent[:, 1:] / silent[:, :-1], SURE, 1.0 - SURE)))


def within(log_odds: Array) -> Array:
    """Return P(purchase by the end of each step), shape (n, m).

    >>> within(np.zeros((1, 2))).tolist()
    [[0.5, 0.75]]
    """
    return np.asarray(1.0 - np.cumprod(1.0 - expit(log_odds), axis=1))
