"""The scikit-learn shape of the BTYD models."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from winback_models.btyd_estimator import BtydEstimator
from winback_models.btyd_fit import fit_btyd


def histories(cdnow_sample):
    return cdnow_sample.rename(columns={"recency": "recency_days", "T": "T_days"})


def test_it_fits_what_the_function_fits(cdnow_sample):
    frame = histories(cdnow_sample)
    estimator = BtydEstimator(horizon_days=90).fit(frame)
    assert estimator.model_ == fit_btyd(*(cdnow_sample[c] for c in ("frequency", "recency", "T")))
    p = estimator.predict_proba(frame)
    assert p.shape == (len(frame), 2)
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert np.array_equal(p, estimator.predict_proba(frame.to_numpy()))
    assert (estimator.predict(frame) >= p[:, 1] - 1e-12).all()


def test_its_state_is_small_and_travels(cdnow_sample):
    frame = histories(cdnow_sample)
    estimator = BtydEstimator(kinds=("bg_nbd",)).fit(frame)
    stored = pickle.dumps(estimator)
    assert len(stored) < 2_000, "parameters only: no training table travels along"
    assert np.array_equal(pickle.loads(stored).predict(frame), estimator.predict(frame))
    fresh = clone(estimator)
    assert fresh.get_params() == {"kinds": ("bg_nbd",), "horizon_days": 90, "log_gaps": None}
    with pytest.raises(NotFittedError):
        fresh.predict(frame)


def test_bad_histories_are_refused(cdnow_sample):
    with pytest.raises(ValueError, match="NaN"):
        BtydEstimator().fit([[1.0, np.nan, 3.0]])
    with pytest.raises(KeyError, match="T_days"):
        BtydEstimator().fit(histories(cdnow_sample).drop(columns="T_days"))
