"""From a fitted model to the sentence: what the list says of a contact's risk is what the model says when asked again."""

import re
from datetime import date

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from engaged import Classifier, contacts
from shop import HORIZON

from winback_features.contact_status import CONSENTS
from winback_models.config import ScoreConfig
from winback_models.drivers import DRIVERS, driver_effects
from winback_policy.config import PolicyConfig
from winback_policy.decide import DecisionDay, decide
from winback_policy.gather import FEATURE_COLUMNS, SCORE_COLUMNS, STATUS_COLUMNS, STATUS_FLAGS
from winback_policy.reasons import CANDIDATES, FLOOR, Context
from winback_policy.texts import ENGLISH, pieces

DAY = date(2026, 8, 24)
TEXTS = ("email", "phone", "first_name", "last_name", "last_category", "stated_reason", "base")
BY_NAME = {driver.name: driver for driver in DRIVERS}


def typed(backend, frame, columns):
    """An engine table of those columns; null where the frame has none."""
    kinds = {
        name: "string" if name in TEXTS else "boolean" if name in (*STATUS_FLAGS, "has_email") or name in CONSENTS
        else "date" if name.startswith("next_") else "float64"
        for name in columns
    }  # fmt: skip
    frame = frame.reindex(columns=["contact_id", *columns]).astype({"contact_id": str})
    name = ibis.util.gen_name("given")
    backend.con.register(name, pa.Table.from_pandas(frame, preserve_index=False))
    t = backend.table(name)
    return t.select("contact_id", **{n: t[n].cast(kinds[n]) for n in columns})


def causes_told(model, features, scores):
    """[(contact's row number, driver named)] for each cause on the list, and how many contacts are on it."""
    backend = ibis.duckdb.connect(threads=1)
    status = features[["contact_id"]].assign(has_email=True, consent_email=True)
    for name in ("days_since_service_contact", "days_since_visit"):
        if name in features:
            status[name] = features[name]
    clicks = [n for n in features if n.endswith("_days_since_click")]
    if clicks:
        status["days_since_click"] = features[clicks].min(axis=1)
    effects = driver_effects(model, features, HORIZON)
    decision = decide(
        typed(backend, scores, SCORE_COLUMNS),
        typed(backend, features, (*FEATURE_COLUMNS, "spend_total")),
        typed(backend, status, (*STATUS_COLUMNS, *STATUS_FLAGS)),
        None,
        DecisionDay(
            as_of=DAY,
            config=PolicyConfig(quiet_days=0, service_days=0, holdout_share=0.0),
            currency="EUR",
            has_contacts=True,
        ),
        drivers=typed(backend, effects, [driver.column for driver in DRIVERS]),
        cache=lambda t: backend.create_table(ibis.util.gen_name("kept"), t, temp=True),
    )
    listed = backend.to_pyarrow(decision.entries).to_pylist()
    row_of = {contact: row for row, contact in enumerate(features["contact_id"].astype(str))}
    told = [
        (row_of[row["contact_id"]], driver)
        for row in listed
        for text in (row["reason_1"], row["reason_2"], row["reason_3"])
        if (driver := driver_of(text))
    ]
    return told, len(listed)


def driver_of(text):
    """Which driver the sentence claims; empty for a fact."""
    t = ibis.table(dict.fromkeys([*FEATURE_COLUMNS, *SCORE_COLUMNS, *STATUS_COLUMNS], "float64"), name="t")
    for code, template in ENGLISH.reasons.items():
        pattern = "".join(
            re.escape(before) + ("(.+)" if name else "") for before, name, _ in pieces(template)
        )
        if re.fullmatch(pattern, text):
            return CANDIDATES[code](t, Context(DAY, "EUR")).driver
    raise AssertionError(text)


def check_that_each_moves_the_score(model, features, told):
    p = model.curve(features, [HORIZON])[:, 0]
    for name in {driver for _, driver in told}:
        rows = [row for row, driver in told if driver == name]
        stated = features.iloc[rows]
        assert BY_NAME[name].applies(stated).all()
        assert (
            model.curve(BY_NAME[name].without(stated), [HORIZON])[:, 0] >= p[rows] + FLOOR - 1e-12
        ).all(), name


def test_every_reason_of_the_fitted_model_moves_its_score_the_stated_way(fitted, label_times):
    features = label_times[0].features
    features = features.assign(gap_max=features["gap_mean"] * 1.3)
    score = ScoreConfig(horizon_days=HORIZON, curve_days=(7, HORIZON))
    told, listed = causes_told(fitted, features, fitted.predict(features, DAY, score))
    assert listed > 20
    assert len(told) > listed / 2
    check_that_each_moves_the_score(fitted, features, told)


@pytest.fixture(scope="module")
def engaged():
    features, bought, _ = contacts(n=500)
    return features, Classifier(features, bought)


def test_every_kind_of_reason_moves_the_score_of_a_model_that_sees_it(engaged):
    features, model = engaged
    p = model.curve(features, [HORIZON])[:, 0]
    silence, gap = features["days_since_purchase"], features["gap_mean"]
    on_the_base = (features["purchase_days"] >= 2) & (silence <= 2 * HORIZON)
    scores = pd.DataFrame(
        {
            "contact_id": features["contact_id"],
            "horizon_days": HORIZON,
            "p_purchase": p,
            "p_lapse": 1 - p,
            "usual_gap_days": gap,
            "days_since_purchase": silence,
            "days_overdue": silence - np.ceil(gap),
            "value_at_risk": 100 * (1 - p),
            "base": np.where(on_the_base, "active", "lapsed"),
        }
    )
    told, listed = causes_told(model, features, scores)
    assert listed > 20
    check_that_each_moves_the_score(model, features, told)
    named = {driver for _, driver in told}
    assert len(named) >= 7, f"few kinds are told: {sorted(named)}"
