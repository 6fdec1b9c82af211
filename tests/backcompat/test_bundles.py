"""What an earlier version saved loads today and says the same; ``make.py`` adds a version's folder when it is released."""

import json
import zlib
from dataclasses import replace
from importlib.metadata import version as installed_version
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from winback_models.config import ScoreConfig
from winback_models.lapse_model import LapseModel
from winback_models.legacy import upgrade

EVERY = sorted(path.parent for path in Path(__file__).parent.glob("*/bundle.json"))
DATES = ["next_purchase_date", "next_purchase_low", "next_purchase_high"]
ONE = Path(__file__).parent / "0.1.0"


def readable(folder):
    """Trees are read by the minor version of scikit-learn that saved them, and no other: that is refused in words."""
    saved = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["libraries"]["scikit-learn"]
    return saved.split(".")[:2] == installed_version("scikit-learn").split(".")[:2]


FOLDERS = [folder for folder in EVERY if readable(folder)]


def described(folder):
    return json.loads((folder / "bundle.json").read_text(encoding="utf-8"))


@pytest.fixture(params=FOLDERS, ids=lambda path: path.name)
def folder(request):
    return request.param


def scores(folder):
    """(expected, what today's code says), the columns that both have."""
    expected = pd.read_parquet(folder / "expected.parquet")
    curve = [int(c.removeprefix("p_within_")[:-1]) for c in expected if c.startswith("p_within_")]
    score = ScoreConfig(horizon_days=int(expected["horizon_days"].iloc[0]), curve_days=tuple(curve))
    features = pd.read_parquet(folder / "features.parquet")
    said = LapseModel.load(folder).predict(features, expected["as_of"].iloc[0].date(), score)
    both = [c for c in expected if c in said]
    return expected[both], said[both].astype(expected[both].dtypes)  # Parquet knows no days, only instants


def test_there_is_a_bundle_of_every_earlier_format():
    assert {described(folder)["format"] for folder in FOLDERS} >= {1}


def test_an_old_bundle_loads_and_agrees(folder):
    expected, said = scores(folder)
    assert {"p_purchase", "next_purchase_date", "value_at_risk", "base"} <= set(expected)
    assert set(expected["base"]) == {"active", "one_time", "lapsed", "never_bought"}
    if described(folder)["format"] == 1:  # which gave no date to those who never bought, and one purchase
        never = expected["base"] == "never_bought"
        assert expected.loc[never, DATES].isna().all(axis=None)
        said.loc[never, DATES] = pd.NaT
        once = expected.loc[never, "p_purchase"]
        assert expected.loc[never, "expected_purchases"].equals(once.rename("expected_purchases"))
        assert (said.loc[never, "expected_purchases"] > once).all()
        said.loc[never, "expected_purchases"] = once
        first_alone = expected.loc[never, "value_at_risk"]
        assert (said.loc[never, "value_at_risk"] > first_alone).all()
        said.loc[never, "value_at_risk"] = first_alone
    pd.testing.assert_frame_equal(said, expected, rtol=0, atol=1e-9)


def test_no_machine_is_named_in_a_bundle(folder):
    state = zlib.decompress((folder / "bundle.joblib").read_bytes())
    assert b"winback_models" in state, "the pickle must be readable for this to say anything"
    for part in (b"/home/", b"/root/", b"/tmp/", b"/Users/", b"C:\\"):
        assert part not in state + (folder / "bundle.json").read_bytes()


@pytest.mark.parametrize("folder", [ONE], indirect=True)
def test_format_1_of_a_short_history_is_its_btyd_model(folder):
    state = joblib.load(folder / "bundle.joblib")
    model = LapseModel(**upgrade({**state, "hazard": None}, described(folder)))
    features = pd.read_parquet(folder / "features.parquet").query("purchase_days > 0")
    history = (features[c].to_numpy() for c in ("frequency", "recency_days", "T_days"))
    bought = model.models.btyd.p_purchase(*history, model.horizon_days)
    np.testing.assert_allclose(model.curve(features, [model.horizon_days])[:, 0], bought, rtol=0, atol=1e-12)
    assert model.reactivation is None


def test_an_upgraded_bundle_is_saved_in_todays_format(folder, tmp_path):
    features = pd.read_parquet(folder / "features.parquet")
    model = LapseModel.load(folder)
    replace(model, version="again").save(tmp_path)
    again = LapseModel.load(tmp_path)
    np.testing.assert_array_equal(again.curve(features, [7, 60]), model.curve(features, [7, 60]))
    assert described(tmp_path)["format"] >= 2
