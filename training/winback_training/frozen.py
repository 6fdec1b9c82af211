"""A model that was trained on another day, asked at the forward tests: what the champion or an old model would have said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from winback_models.label_time import LabelTime
from winback_models.lapse_model import LapseModel
from winback_training.forward_test import OURS, ForwardTest, curve_of
from winback_training.timing import survival_intervals


def ask(test: ForwardTest, time: LabelTime, others: Mapping[str, LapseModel]) -> ForwardTest:
    """Return the test with what we said and, beside it, what each of ``others`` says of the same contacts.

    Parameters
    ----------
    test : ForwardTest
    time : LabelTime
        That of the test: the same contacts in the same order. Its waits are not read.
    others : mapping of str to LapseModel
        Of the same horizon.

    Returns
    -------
    ForwardTest
        Its models are ours and ``others``.
    """
    grid = np.concatenate([test.days, np.arange(test.days[-1] + 1.0)])
    said = {name: curve_of(model, time, grid) for name, model in others.items()}
    steps = len(test.days)
    return replace(
        test,
        curves={OURS: test.curves[OURS], **{name: p[:, :steps] for name, p in said.items()}},
        intervals={
            OURS: test.intervals[OURS],
            **{name: survival_intervals(test.waits, 1.0 - p[:, steps:]) for name, p in said.items()},
        },
    )
