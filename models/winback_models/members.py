"""The members of the hazard classifier: each says, for every contact and interval, the log-odds of a purchase in it.

*Direct* members learn from label windows that have closed, with the interval as a column: they know how the hazard falls
along the horizon, and lag behind the season by one horizon. *Rolled* members learn one short step at a time, up to today,
and are asked along the silent path: they know the present level, and trust it to last. The BTYD model is the third voice.

References
----------
Singer & Willett (1993), "It's about time", J. of Educational Statistics 18(2).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from winback_models.btyd import Array
from winback_models.design import Design, Matrix, log_odds, signed_log
from winback_models.history import RhythmModels, cadence_scores, history, log_silence
from winback_models.silence import SILENCE, SilentPath
from winback_models.trees import small_trees

LIMIT = 14.0
"""No member is surer than so many log-odds."""


BLOCK_ROWS = 2_048
"""Rows that an estimator is asked at a time: few enough to stay in a processor's cache while it goes over them."""

TREES_BLOCK_ROWS = 16_384
"""Rows that small trees are asked at a time: they read a column at a time, so more rows stay in the cache."""


Shut = Sequence[tuple[float, float]]
"""When a shop is closed: pairs of first day and day after the last, counted from a cut."""


class Member(Protocol):
    """What the hazard classifier needs of a member."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Features it reads beside the purchase history."""

    def log_odds(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return the log-odds of a purchase in each interval that is entered without one, shape (n, intervals)."""


@dataclass(frozen=True)
class Slice:
    """One label time: who was there, what was known, and how long they then waited.

    Attributes
    ----------
    features : DataFrame, shape (n, …)
        Contacts with at least one purchase.
    waits : ndarray, shape (n,)
        Days to the next purchase (0 on the cut itself); inf where none came while it was watched.
    models : RhythmModels
        Fitted on what was known at the cut.
    weight : float
        How much each of its rows counts.
    untreated : ndarray, optional
        Days until a message reached each contact (see ``LabelTime``).
    shut : sequence of (float, float)
        When the shop was closed, in days from the cut (see ``LabelTime``).
    """

    features: pd.DataFrame
    waits: Array
    models: RhythmModels
    weight: float = 1.0
    untreated: Array | None = None
    shut: Shut = ()

    def watched_for(self, days: int) -> Slice:
        """Return it with the contacts that nobody had written to for so many days."""
        if self.untreated is None:
            return self
        keep = self.untreated >= days
        return replace(self, features=self.features[keep], waits=self.waits[keep], untreated=None)


@dataclass(frozen=True)
class BtydMember:
    """What the BTYD model says of each interval.

    Attributes
    ----------
    edges : tuple of int
        Ends of the intervals in days.
    """

    edges: tuple[int, ...]
    columns: tuple[str, ...] = ()

    def log_odds(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return log-odds, shape (n, intervals)."""
        log_s = log_silence(features, models, np.asarray(self.edges, dtype=np.float64))
        step = np.diff(log_s, axis=1, prepend=0.0)
        return np.asarray(np.clip(log_odds(-np.expm1(step)), -LIMIT, LIMIT))


class LearnedMember(Protocol):
    """A member with an estimator, which reads matrices that other members may read as well."""

    @property
    def estimator(self) -> Any:
        """Its ``decision_function`` gives log-odds of the rows of each matrix."""

    @property
    def reads(self) -> Hashable:
        """Equal for members that read the same matrices."""

    def matrices(self, features: pd.DataFrame, models: RhythmModels) -> Iterator[Matrix]:
        """Yield what the estimator is asked about, one matrix after the other."""

    def read(self, said: Sequence[Array], contacts: int) -> Array:
        """Turn what the estimator said of each matrix into log-odds, shape (contacts, intervals)."""


@dataclass(frozen=True)
class DirectMember:
    """A classifier of person-periods in closed label windows.

    Attributes
    ----------
    design : Design
    estimator : object
        Its ``decision_function`` gives log-odds of rows of the design's matrix.
    """

    design: Design
    estimator: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """Features it reads beside the purchase history."""
        return (*self.design.columns, *self.design.told)

    @property
    def reads(self) -> Hashable:
        """Equal for members that read the same matrix."""
        return self.design

    def matrices(self, features: pd.DataFrame, models: RhythmModels) -> Iterator[Matrix]:
        """Yield the person-periods of all contacts."""
        yield person_periods(self.design, features, models)

    def read(self, said: Sequence[Array], contacts: int) -> Array:
        """Return the log-odds, shape (contacts, intervals)."""
        return np.asarray(np.clip(said[0], -LIMIT, LIMIT).reshape(contacts, -1))

    def log_odds(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return log-odds, shape (n, intervals)."""
        return ask_together({"": self}, features, models)[""]


@dataclass(frozen=True)
class RolledMember:
    """A classifier of one step ahead, asked along the silent path.

    Attributes
    ----------
    path : SilentPath
        The features it sees.
    step_days : int
        Days that one step lasts.
    edges : tuple of int
        Ends of the intervals in days; an interval may hold several steps.
    estimator : object
        Its ``decision_function`` gives log-odds of a purchase within one step.
    """

    path: SilentPath
    step_days: int
    edges: tuple[int, ...]
    estimator: Any

    @property
    def columns(self) -> tuple[str, ...]:
        """Features it reads beside the purchase history."""
        return self.path.names

    @property
    def reads(self) -> Hashable:
        """Equal for members that read the same matrices."""
        return self.path, self.step_days, self.edges

    def matrices(self, features: pd.DataFrame, models: RhythmModels) -> Iterator[Matrix]:
        """Yield a matrix for each interval: the step in the middle of it stands for all of it."""
        values = feature_values(features, self.path.names)
        now, start = signed_log(values), 0
        for end in self.edges:
            ahead = start + max(0.0, (end - start - self.step_days) / 2.0)
            yield step_matrix(self.path, self.step_days, features, values, models, ahead, now)
            start = end

    def read(self, said: Sequence[Array], contacts: int) -> Array:
        """Return the log-odds, shape (contacts, intervals): each interval holds the hazard of its step as often as that fits."""
        out, start = np.empty((contacts, len(self.edges))), 0
        for k, end in enumerate(self.edges):
            hazard = expit(np.clip(said[k], -LIMIT, LIMIT))
            out[:, k] = log_odds(-np.expm1(np.log1p(-hazard) * (end - start) / self.step_days))
            start = end
        return out

    def log_odds(self, features: pd.DataFrame, models: RhythmModels) -> Array:
        """Return log-odds, shape (n, intervals)."""
        return ask_together({"": self}, features, models)[""]


def ask_all(members: Mapping[str, Member], features: pd.DataFrame, models: RhythmModels) -> dict[str, Array]:
    """Return what each member says, shape (n, intervals); a matrix that several read is built once."""
    said: dict[str, Array] = {}
    groups: dict[Hashable, dict[str, LearnedMember]] = {}
    for name, member in members.items():
        if isinstance(member, DirectMember | RolledMember):
            groups.setdefault(member.reads, {})[name] = member
        else:
            said[name] = member.log_odds(features, models)
    for group in groups.values():
        said |= ask_together(group, features, models)
    return {name: said[name] for name in members}


def ask_together(
    members: Mapping[str, LearnedMember], features: pd.DataFrame, models: RhythmModels
) -> dict[str, Array]:
    """Return what members say that read the same matrices; one matrix is held at a time."""
    said: dict[str, list[Array]] = {name: [] for name in members}
    first = next(iter(members.values()))
    for x in first.matrices(features, models):
        for name, member in members.items():
            said[name].append(in_blocks(member.estimator, x))
    return {name: member.read(said[name], len(features)) for name, member in members.items()}


def in_blocks(estimator: Any, x: Matrix) -> Array:
    """Return ``estimator.decision_function(x)``, shape (rows,), asked block by block: each row counts by itself.

    The same numbers to the last bit, in a fraction of the time: see `BLOCK_ROWS` and `winback_models.trees`.
    """
    trees = small_trees(estimator) if x.dtype == np.float32 else None
    asked, block = (estimator, BLOCK_ROWS) if trees is None else (trees, TREES_BLOCK_ROWS)
    said = [asked.decision_function(x[start : start + block]) for start in range(0, len(x), block)]
    return np.concatenate(said) if said else np.zeros(0)


def feature_values(features: pd.DataFrame, names: Sequence[str]) -> Array:
    """Return features as doubles, shape (n, len(names)); nan where unknown."""
    return np.asarray(features[list(names)].to_numpy(np.float64, na_value=np.nan))


def step_matrix(
    path: SilentPath,
    step_days: int,
    features: pd.DataFrame,
    values: Array,
    models: RhythmModels,
    ahead: float,
    now: Array,
) -> Matrix:
    """Return the matrix of a rolled member after ``ahead`` days of silence, shape (n, len(path.names) + 5).

    Beside the features: the BTYD model's log-odds of a purchase in the step and of being alive at its start, how late
    the contact is by its own cadence, and its silence, in days and in own gaps. ``now`` is ``signed_log(values)``: most
    features stay what they are.
    """
    x, t_x, age = history(features)
    log_s = log_silence(features, models, np.array([ahead, ahead + step_days]))
    late = cadence_scores(features, models, np.array([ahead]))
    usual, _ = models.rhythm.cadence(features["frequency"], features["gap_log_mean"], features["gap_log_sd"])
    silence = features[SILENCE].to_numpy(np.float64) + ahead
    then = now.copy()
    then[:, path.moving] = signed_log(path.moved(values, ahead))
    return np.column_stack(
        [
            then,
            log_odds(-np.expm1(log_s[:, 1] - log_s[:, 0])),
            log_odds(models.btyd.p_alive(x, t_x, age + ahead)),
            late,
            np.log(np.maximum(silence, 0.5)),
            np.minimum(silence / usual, 50.0),
        ]
    ).astype(np.float32)


def person_periods(design: Design, features: pd.DataFrame, models: RhythmModels) -> Matrix:
    """Return the design matrix of every contact and interval, contact-major, shape (n * intervals, columns)."""
    static = design.static(features)
    varying = design.by_interval(features, models)
    n, intervals, width = varying.shape
    known = static.shape[1]
    periods = np.empty((n, intervals, known + width), np.float32)
    periods[:, :, :known] = static[:, None, :]
    periods[:, :, known:] = varying
    return periods.reshape(n * intervals, known + width)


def mostly_shut(starts: npt.ArrayLike, ends: npt.ArrayLike, shut: Shut) -> npt.NDArray[np.bool_]:
    """Say of each interval of days whether the shop was closed for more than half of it.

    >>> mostly_shut([0, 10, 20], [10, 20, 30], [(16, 26)])
    array([False, False,  True])
    """
    a, b = np.asarray(starts, np.float64), np.asarray(ends, np.float64)
    days = sum(
        (np.maximum(np.minimum(b, to) - np.maximum(a, since), 0.0) for since, to in shut), np.zeros(a.shape)
    )
    return np.asarray(days > (b - a) / 2.0)


def at_risk(
    edges: Sequence[int], waits: npt.ArrayLike, untreated: npt.ArrayLike | None = None, shut: Shut = ()
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (interval was entered without a purchase, purchase fell in it), each of shape (n, intervals).

    With ``untreated``, intervals that had not ended when a message reached the contact are left out, bought in or not; with
    ``shut``, those in which the shop was closed for more than half the time.
    """
    ends = np.asarray(edges, dtype=np.float64)
    starts = np.concatenate([[0.0], ends[:-1]])
    wait = np.asarray(waits, dtype=np.float64)[:, None]
    risk = wait >= starts
    if untreated is not None:
        risk &= ends <= np.asarray(untreated, dtype=np.float64)[:, None]
    if shut:
        risk &= ~mostly_shut(starts, ends, shut)
    return risk, risk & (wait < ends)
