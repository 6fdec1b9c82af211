"""An old model and the champion, asked at forward tests they had not seen: whoever knows the truth is the better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from forward import DAY, HORIZON, label_time, truth

from winback_training.baselines import equal_steps
from winback_training.champion import ChampionReport, compare_champion
from winback_training.decay import COLUMNS, decay_sentence, decay_table
from winback_training.forward_test import ACTIVE, OURS, ForwardTest, populations
from winback_training.frozen import ask
from winback_training.timing import survival_intervals

DAYS = [DAY - timedelta(days=8 * i) for i in range(3)]
TIMES = {day: label_time(day, n=600, never=30, seed=i) for i, day in enumerate(DAYS)}


@dataclass(frozen=True)
class Said:
    """A model whose odds are the truth's times a factor: 1 knows everything."""

    factor: float = 1.0
    horizon_days: int = HORIZON
    version: str = "7"
    info: dict[str, Any] = field(default_factory=lambda: {"trained_as_of": "2020-01-01"})

    def curve(self, features: pd.DataFrame, days: Sequence[float]) -> np.ndarray:
        return 1.0 - (1.0 - truth(features, np.asarray(days))) ** self.factor


def forward(day: date, model: Said) -> ForwardTest:
    time, steps = TIMES[day], equal_steps(HORIZON)
    both = pd.concat([time.features, time.never])
    waits = np.concatenate([time.waits, time.never_waits])
    return ForwardTest(
        day,
        both["contact_id"].to_numpy(object),
        waits,
        populations(time, HORIZON),
        steps,
        {OURS: model.curve(both, steps), "bg_nbd": np.zeros((len(both), 12))},
        {OURS: survival_intervals(waits, 1.0 - model.curve(both, np.arange(HORIZON + 1.0)))},
    )


def judged(model: Said, days: Sequence[date] = DAYS) -> list[ForwardTest]:
    return [forward(day, model) for day in days]


def test_asked_again_a_model_says_the_same() -> None:
    test = forward(DAY, Said(2.0))
    asked = ask(test, TIMES[DAY], {"again": Said(2.0)})
    assert set(asked.curves) == {OURS, "again"}
    np.testing.assert_allclose(asked.curves["again"], test.curves[OURS])
    assert asked.metrics("again", ACTIVE) == pytest.approx(test.metrics(OURS, ACTIVE))


def test_decay_sets_the_oldest_model_beside_those_of_each_day() -> None:
    models = {day: Said() for day in DAYS[:2]} | {DAYS[2]: Said(3.0)}
    tests = [forward(day, models[day]) for day in DAYS]
    table = decay_table(tests, models.__getitem__, TIMES.__getitem__)
    assert tuple(table.columns) == COLUMNS
    assert table["age_days"].tolist() == [0, 0, 8, 8, 16, 16]
    wide = table.pivot_table(index="age_days", columns="model", values="ibs")
    assert wide.loc[0, "frozen"] == wide.loc[0, "fresh"]
    assert (wide.loc[8:, "frozen"] > wide.loc[8:, "fresh"]).all()
    newest = tests[0].metrics(OURS, ACTIVE)
    assert table.iloc[-1][["n", "ibs", "brier", "auc", "bias"]].to_dict() == pytest.approx(
        {k: newest[k] for k in ("n", "ibs", "brier", "auc", "bias")}
    )
    share = wide.loc[16, "frozen"] / wide.loc[16, "fresh"] - 1.0
    assert f"{share:.1%} above" in decay_sentence(table)


def test_one_test_shows_no_decay() -> None:
    table = decay_table(judged(Said(), DAYS[:1]), lambda _: Said(), TIMES.__getitem__)
    assert len(table) == 0
    assert tuple(table.columns) == COLUMNS
    assert decay_sentence(table) == ""


def test_where_nobody_buys_nothing_is_said_of_ageing() -> None:
    tiny = pd.DataFrame(
        {"age_days": [0, 0, 16, 16], "model": ["frozen", "fresh"] * 2, "ibs": [5e-9, 5e-9, 5e-9, 4e-9]}
    )
    assert decay_sentence(tiny) == ""
    assert decay_sentence(tiny.assign(ibs=[0.0] * 4)) == ""


@pytest.mark.parametrize(("ours", "theirs", "sign"), [(1.0, 4.0, -1), (4.0, 1.0, 1)])
def test_the_champion_is_judged_on_the_same_contacts(ours: float, theirs: float, sign: int) -> None:
    found = compare_champion(Said(theirs), judged(Said(ours)), TIMES.__getitem__, HORIZON)
    assert found.note == ""
    assert found.origins == tuple(day.isoformat() for day in DAYS)
    assert found.low < found.difference < found.high
    assert found.difference == pytest.approx(found.ours - found.champion)
    assert found.low * sign > 0 or found.high * sign > 0
    assert np.sign(found.low) == np.sign(found.high) == sign
    parts = [t.losses(OURS, ACTIVE)[:, 0] for t in judged(Said(ours))]
    assert found.ours == pytest.approx(np.concatenate(parts).mean())


def test_the_champion_is_not_asked_of_days_it_had_seen() -> None:
    young = Said(info={"trained_as_of": DAYS[1].isoformat()})
    assert compare_champion(young, judged(Said()), TIMES.__getitem__, HORIZON).origins == (
        DAYS[0].isoformat(),
        DAYS[1].isoformat(),
    )


def test_a_champion_trained_later_is_compared_by_its_record_where_days_are_shared() -> None:
    record = {
        "origins": [d.isoformat() for d in DAYS],
        "populations": {"active": {"winback": {"brier": 0.1234}}},
    }
    info = {"trained_as_of": (DAY + timedelta(days=1)).isoformat(), "evaluation": record}
    found = compare_champion(Said(info=info), judged(Said()), TIMES.__getitem__, HORIZON)
    assert "was trained for 2025-03-02, after every forward test" in found.note
    assert "its Brier score was 0.1234, ours is 0." in found.note
    other = compare_champion(Said(info=info), judged(Said(), DAYS[:1]), TIMES.__getitem__, HORIZON)
    assert other.note.endswith("No forward test is shared.")
    assert other.as_dict()["ours"] is None


@pytest.mark.parametrize(
    ("champion", "why"),
    [
        (None, "There is no champion yet"),
        (Said(horizon_days=30), "looks 30 days ahead, this model 24"),
        (Said(info={}), "does not say for which day"),
    ],
)
def test_why_there_was_no_comparison(champion: Any, why: str) -> None:
    found = compare_champion(champion, judged(Said()), TIMES.__getitem__, HORIZON)
    assert why in found.note
    assert np.isnan(found.ours)


def test_without_forward_tests_the_note_says_so() -> None:
    found = compare_champion(Said(), [], TIMES.__getitem__, HORIZON)
    assert isinstance(found, ChampionReport)
    assert found.note.startswith("Not compared")
