"""Replay model and policy over past days, each with only what was known then, and keep what is to be judged.

The days run as the daily job runs them: features, scores, contact status, then the policy with the states of the day before.
Nothing is published. The policy knows its day only by how long ago things were; so every day is moved in time to one and the same
day, and the policy's query, far longer to plan than to run, is planned once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from winback_features.contact_status import build_contact_status
from winback_features.errors import InputError
from winback_features.many_days import (
    features_of_many_days,
    habits_of_many_days,
    labels_of_many_days,
)
from winback_features.tables import Tables
from winback_models.config import ScoreConfig
from winback_policy.config import PolicyConfig
from winback_policy.decide import DecisionDay, decide
from winback_policy.gather import STATE_SCHEMA
from winback_policy.judge import PANEL_SCHEMA
from winback_serving.parquet import write_expression
from winback_serving.scorer import Predictor, score_features

DAYS_AT_ONCE = 28
"""Days whose features and outcomes are computed together."""

MATTERS_OF_TIME = ("low_risk", "on_time", "not_inactive", "over_capacity", "cooldown")
"""Reasons not to flag that a rule judges for itself; any other keeps every rule from flagging that day."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What the replayed days left.

    Attributes
    ----------
    panel : ibis.Table
        `winback_policy.judge.PANEL_SCHEMA`.
    exits : ibis.Table
        Who left a journey, and why: ``contact_id, exited_at, exit_reason``.
    """

    panel: Any
    exits: Any


def replayed_days(first: date, end: date, horizon_days: int, step_days: int = 1) -> tuple[date, ...]:
    """Return the days to replay: the last third of the history, up to the last day whose horizon has closed.

    Parameters
    ----------
    first : date
        Day of the first order.
    end : date
        Nothing of that day or later is looked at.
    horizon_days : int
    step_days : int
        Days from one replayed day to the next.

    Raises
    ------
    InputError
        When the last third is no longer than the horizon.

    Examples
    --------
    >>> days = replayed_days(date(2025, 1, 1), date(2026, 1, 1), 28)
    >>> str(days[0]), str(days[-1]), len(days)
    ('2025-09-02', '2025-12-04', 94)
    """
    history = (end - first).days
    start = end - timedelta(days=history // 3)
    last = end - timedelta(days=horizon_days)
    if last < start + timedelta(days=step_days):
        raise InputError(
            f"The last third of the history has {history // 3} days; a horizon of {horizon_days} leaves none to judge.",
            where="orders",
            how="Bring a longer history, or set a shorter brand.horizon_days.",
        )
    return tuple(start + timedelta(days=n) for n in range(0, (last - start).days + 1, step_days))


def replay(
    tables: Tables,
    model: Predictor,
    days: Sequence[date],
    score: ScoreConfig,
    policy: PolicyConfig,
    currency: str,
    folder: Path,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Replay:
    """Run every day as the daily job would have, and keep what is to be judged.

    Parameters
    ----------
    tables : Tables
    model : Predictor
        Trained on what was known on the first of the days.
    days : sequence of date
        In order; the horizon of each has closed.
    score : ScoreConfig
    policy : PolicyConfig
    currency : str
    folder : Path
        For the tables in between; must last as long as the replay is looked at.
    tick : callable
        Told (days done, days in all).
    """
    backend, desk = tables.backend, _Desk(tables, days[0], policy, currency)
    features_file, scores_file = folder / "features.parquet", folder / "scores.parquet"
    passed = [0, *((day - before).days for before, day in pairwise(days))]
    done = 0
    for start in range(0, len(days), DAYS_AT_ONCE):
        together = days[start : start + DAYS_AT_ONCE]
        labels = labels_of_many_days(tables, together, score.horizon_days)
        bought = backend.create_table("replay_labels", labels, temp=True, overwrite=True)
        habits = _day_by_day(habits_of_many_days(tables, together))
        features = _day_by_day(features_of_many_days(tables, together))
        for (day, of_day), (_, habits_of_day) in zip(features, habits, strict=True):
            write_expression(of_day, ["contact_id"], features_file)
            score_features(features_file, model, desk.anchor, score, currency, scores_file)
            buyers = bought.filter(bought.label_time == ibis.literal(day)).select("contact_id")
            desk.decide(day, passed[done], features_file, scores_file, habits_of_day, buyers)
            done += 1
            tick(done, len(days))
    return Replay(backend.table("replay_panel"), backend.table("replay_exits"))


class _Desk:
    """The policy at work on tables of fixed names, each day moved in time to the ``anchor``; planned on the first."""

    def __init__(self, tables: Tables, anchor: date, policy: PolicyConfig, currency: str) -> None:
        self.tables, self.anchor, self.policy, self.currency = tables, anchor, policy, currency
        self.backend = tables.backend
        self.planned: list[str] = []
        edges = [edge for period in tables.closed if period[1] > anchor for edge in period]
        self.closed = {f"edge_{n}": edge for n, edge in enumerate(edges)}
        self.put("states", pa.table([[]] * len(STATE_SCHEMA), ibis.schema(STATE_SCHEMA).to_pyarrow()))

    def decide(
        self, day: date, passed_days: int, features: Path, scores: Path, habits: Any, bought: Any
    ) -> None:
        """Decide for ``day``, and add it to the panel and the exits."""
        backend, moved = self.backend, (self.anchor - day).days
        backend.read_parquet(features, table_name="replay_features")
        backend.read_parquet(scores, table_name="replay_scores")
        self.put("status", later(build_contact_status(self.tables, day, habits), moved))
        self.put("bought", bought)
        self.put("clock", pa.table({"day": [day], "number": [day.toordinal()]}))
        if self.closed:
            edges = {name: [edge + timedelta(days=moved)] for name, edge in self.closed.items()}
            self.put("closed", pa.table(edges))
        self.put("states", later(self.table("states"), -passed_days))
        if self.planned:
            for name in self.planned:
                self.put(name, self.table(f"{name}_planned"))
            for name in ("panel", "exits"):
                backend.insert(f"replay_{name}", self.table(f"{name}_planned"))
        else:
            self.plan()
        self.put("states", self.table("states_planned"))

    def plan(self) -> None:
        """Plan the policy's query, and run it for the first day."""

        def step(table: Any) -> Any:
            name = f"step_{len(self.planned)}"
            self.planned.append(name)
            self.view(name, table)
            return self.put(name, self.table(f"{name}_planned"))

        scores, features, clock = (self.table(name) for name in ("scores", "features", "clock"))
        edges = [self.table("closed")[name].as_scalar() for name in self.closed]
        decision = decide(
            scores,
            features,
            self.table("status"),
            self.table("states"),
            DecisionDay(
                as_of=self.anchor,
                config=self.policy,
                currency=self.currency,
                has_contacts=self.tables.has_contacts,
                closed=tuple(zip(edges[::2], edges[1::2], strict=True)),
            ),
            cache=step,
        )
        left = decision.exits.cross_join(clock)
        self.view("panel", panel_rows(scores, features, decision.winback, self.table("bought"), clock))
        self.view("exits", left.select("contact_id", "exit_reason", exited_at=left.day))
        self.view("states", decision.states)
        for name in ("panel", "exits"):
            self.put(name, self.table(f"{name}_planned"))

    def table(self, name: str) -> Any:
        return self.backend.table(f"replay_{name}")

    def view(self, name: str, expression: Any) -> None:
        self.backend.create_view(f"replay_{name}_planned", expression, overwrite=True)

    def put(self, name: str, rows: Any) -> Any:
        return self.backend.create_table(f"replay_{name}", rows, temp=True, overwrite=True)


def _day_by_day(groups: Iterable[Any]) -> Iterator[tuple[date, Any]]:
    """Yield each day and its rows, the oldest first."""
    for rows in groups:
        days = rows.select("label_time").distinct().order_by("label_time").to_pyarrow()
        for day in days["label_time"].to_pylist():
            yield day, rows.filter(rows.label_time == ibis.literal(day)).drop("label_time")


def later(table: Any, days: int) -> Any:
    """Return a table with every date and time in it so many days later."""
    shift = ibis.interval(days=days)
    moments = {n: kind for n, kind in table.schema().items() if kind.is_date() or kind.is_timestamp()}
    return table.mutate(**{n: (table[n].cast("timestamp") + shift).cast(kind) for n, kind in moments.items()})


def panel_rows(scores: Any, features: Any, winback: Any, bought: Any, clock: Any) -> Any:
    """Return one day of the panel: contacts of the active base, and whoever entered.

    Parameters
    ----------
    scores, features, winback : ibis.Table
        Of that day.
    bought : ibis.Table
        ``contact_id`` of those who bought within the horizon.
    clock : ibis.Table
        One row: ``day``, and ``number``, its ordinal.
    """
    told = winback.select("contact_id", "state", "not_flagged_reason")
    gaps = features.select("contact_id", "gap_mean", "closed_days_in_silence")
    buyers = bought.select(bought_id=bought.contact_id)
    t = scores.inner_join(told, "contact_id").inner_join(gaps, "contact_id").cross_join(clock)
    t = t.left_join(buyers, t.contact_id == buyers.bought_id)
    t = t.mutate(
        on_base=t.base == "active",
        entered=t.state == "flagged",
        may_flag=t.not_flagged_reason.isnull() | t.not_flagged_reason.isin(MATTERS_OF_TIME),
        bought=t.bought_id.notnull(),
        spell=t.number - t.days_since_purchase.round().cast("int64"),
    )
    t = t.filter(t.on_base | t.entered)
    return t.select(**{name: t[name].cast(kind) for name, kind in PANEL_SCHEMA.items()})
