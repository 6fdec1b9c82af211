"""winback.toml: every key is read, every mistake is named with its mend."""

import re
import tomllib
from dataclasses import fields
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.errors import ConfigError
from winback_models.config import ScoreConfig
from winback_policy.config import PolicyConfig
from winback_policy.incentives import IncentiveRule
from winback_policy.rfm import RfmThresholds
from winback_policy.steps import Step
from winback_serving.settings import SECTIONS, Settings, load_settings
from winback_training.config import TrainingConfig
from winback_training.gate import GateConfig

MINIMAL = '[source]\norders = "orders.parquet"\n'


def load(folder: Path, text: str, **env: str) -> Settings:
    path = folder / "winback.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, env)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert caught.value.exit_code == 2
    assert "winback.toml" in caught.value.where
    return str(caught.value)


def test_a_minimal_file_gives_the_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, MINIMAL)
    assert settings.home == tmp_path / ".winback"
    assert settings.base_dir == tmp_path
    assert settings.source == SourceConfig(orders="orders.parquet")
    assert settings.score == ScoreConfig()
    assert settings.policy == PolicyConfig()
    assert settings.training == TrainingConfig()
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/.winback/mlflow.db"
    assert settings.artifact_root == tmp_path / ".winback" / "mlartifacts"


def test_every_section_reaches_its_dataclass(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        [home]
        path = "elsewhere"
        [source]
        orders = "o.csv"
        max_bad_share = 0
        [source.orders_columns]
        amount = "Quantity * UnitPrice"
        [brand]
        timezone = "America/New_York"
        currency = "USD"
        horizon_days = 28
        closed = [["2020-03-15", "2020-06-01"], [2021-01-01, 2021-01-02]]
        rates = {EUR = 1.1}
        send_hours = [9, 20]
        [score]
        curve_days = [7, 28]
        discount_rate = 0.04
        [score.category_gap_days]
        beds = 2900
        [policy]
        capacity = 50
        value_horizon_days = 180
        margin_share = 0.4
        [engine]
        threads = 1
        [training]
        origins = 2
        test_rows = 9000
        tracking_uri = "http://tracker"
        [gate]
        max_bias = 0.2
        """,
    )
    assert settings.home == tmp_path / "elsewhere"
    assert settings.source.max_bad_share == 0.0
    assert settings.source.orders_columns == {"amount": "Quantity * UnitPrice"}
    assert settings.brand.closed == (
        (date(2020, 3, 15), date(2020, 6, 1)),
        (date(2021, 1, 1), date(2021, 1, 2)),
    )
    assert settings.brand.rates == {"EUR": 1.1}
    assert settings.brand.send_hours == (9, 20)
    assert settings.score == ScoreConfig(28, (7, 28), 730, 180, 0.4, 0.04, {"beds": 2900.0})
    assert settings.policy.capacity == 50
    assert settings.engine.threads == 1
    assert (settings.training.origins, settings.training.test_rows) == (2, 9000)
    assert settings.tracking_uri == "http://tracker"
    assert settings.artifact_root is None
    assert settings.gate.max_bias == 0.2


def test_the_environment_overrides_three_settings(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        MINIMAL,
        WINBACK_HOME=str(tmp_path / "h"),
        WINBACK_DATABASE="duckdb:///shop.duckdb",
        WINBACK_TRACKING_URI="http://tracker",
    )
    assert settings.home == tmp_path / "h"
    assert settings.source.database == "duckdb:///shop.duckdb"
    assert settings.tracking_uri == "http://tracker"


def test_auto_horizon(tmp_path: Path) -> None:
    settings = load(tmp_path, MINIMAL + '[brand]\nhorizon_days = "auto"\n')
    assert settings.horizon_auto
    assert not load(tmp_path, MINIMAL).horizon_auto


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[surce]\norders = "x"', ["no section [surce]", "Did you mean source?"]),
        (
            MINIMAL + '[brand]\ncurency = "EUR"',
            ["[brand] has no setting 'curency'", "Did you mean currency?"],
        ),
        (
            MINIMAL + '[brand]\ntimezone = "Europe/Amsterdm"',
            ["[brand] timezone", "Did you mean Europe/Amsterdam?"],
        ),
        (MINIMAL + '[brand]\ncurrency = "euro"', ["[brand] currency is 'euro'", "three capital letters"]),
        (
            MINIMAL + '[brand]\nhorizon_days = "ninety"',
            ["[brand] horizon_days is 'ninety'", "a whole number"],
        ),
        (MINIMAL + "[brand]\nhorizon_days = 0", ["[brand] horizon_days is 0", "at least 1"]),
        (MINIMAL + "[brand]\nhorizon_days = true", ["[brand] horizon_days is True"]),
        (
            MINIMAL + '[brand]\nclosed = [["2020-06-01", "2020-03-15"]]',
            ["[brand] closed is [['2020-06-01', '2020-03-15']].", "first day"],
        ),
        (MINIMAL + '[brand]\nclosed = [["soon", "later"]]', ["[brand] closed is 'soon'", "2020-03-15"]),
        (MINIMAL + "[brand]\nsend_hours = [21, 8]", ["[brand] send_hours is [21, 8].", "[8, 21]"]),
        (MINIMAL + "[brand]\nsend_hours = [8, 25]", ["[brand] send_hours is [8, 25].", "0 to 24"]),
        (MINIMAL + "[brand]\nsend_hours = [8]", ["[brand] send_hours is [8].", "a list of 2 values"]),
        (MINIMAL + "[brand]\nrates = {dollar = 1.0}", ["dollar needs a code"]),
        (MINIMAL + "[score]\ncurve_days = [30, 7]", ["[score] curve_days is [30, 7]", "rising"]),
        (MINIMAL + "[score]\ncurve_days = 7", ["[score] curve_days is 7", "a list in square brackets"]),
        (MINIMAL + "[score]\nvalue_horizon_days = 7", ["[score] has no setting 'value_horizon_days'"]),
        (
            MINIMAL + "[score.category_gap_days]\nbeds = 0",
            ["[score] category_gap_days", "beds needs the days between two purchases"],
        ),
        (
            MINIMAL + '[score.category_gap_days]\nbeds = "long"',
            ["[score] category_gap_days.beds is 'long'"],
        ),
        (MINIMAL + "[score]\ndiscount_rate = 10", ["[score] discount_rate is 10", "0.10 for 10 %"]),
        (MINIMAL + "[score]\ndiscount_rate = -0.1", ["[score] discount_rate is -0.1", "from 0 to below 10"]),
        (MINIMAL + "[training]\ntest_rows = 0", ["[training] test_rows is 0", "at least 1"]),
        (MINIMAL + "[policy]\nmargin_share = 1.5", ["[policy] margin_share is 1.5", "between 0 and 1"]),
        (MINIMAL + "[policy]\nleave_p_lapse = 0.9", ["leave_p_lapse", "winback.toml"]),
        (MINIMAL + '[policy]\nlead_days = "3"', ["[policy] lead_days is '3'", "a whole number"]),
        (MINIMAL + '[engine]\nmemory_limit = "lots"', ["[engine] memory_limit is 'lots'", "4GB"]),
        (MINIMAL + '[engine]\nname = "abacus"', ["[engine] name is 'abacus'"]),
        ("[brand]", ["no [source] section", "winback init"]),
        ('[source]\nevents = "e.csv"', ["[source] says no orders"]),
        ("source = 3", ["source is no section"]),
        ("[source\n", ["not valid TOML", "line 1"]),
        (
            '[source]\norders = "C:\\data\\orders.csv"',
            ["not valid TOML", "line 2", "use single quotes, or /"],
        ),
        (
            '[source]\norders = "C:\\Users\\orders.csv"',
            ["not valid TOML", "line 2", "use single quotes, or /"],
        ),
    ],
)
def test_each_mistake_is_named_with_its_mend(tmp_path: Path, text: str, words: list[str]) -> None:
    message = refusal(tmp_path, text)
    for word in words:
        assert word in message


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="winback init"):
        load_settings(tmp_path / "winback.toml", {})
    with pytest.raises(ConfigError, match="That is a folder"):
        load_settings(tmp_path, {})


def test_the_config_hash_sees_what_changes_a_result_and_nothing_else(tmp_path: Path) -> None:
    digest = load(tmp_path, MINIMAL).config_hash()
    assert load(tmp_path, '[source]\norders = "other.parquet"\n[engine]\nthreads = 1').config_hash() == digest
    assert load(tmp_path, MINIMAL + '[gate]\nmax_bias = 0.3\n[brand]\nname = "X"').config_hash() == digest
    for change in (
        "[policy]\nlead_days = 4",
        "[brand]\ncancellation_days = 3",
        "[brand]\nsend_hours = [9, 20]",
        "[score]\nmax_days = 100",
        "[score]\ndiscount_rate = 0.2",
        '[source.orders_columns]\namount = "x"',
        '[brand]\nhorizon_days = "auto"',
    ):
        assert load(tmp_path, MINIMAL + change).config_hash() != digest


def test_steps_and_incentives_are_read_from_tables(tmp_path: Path) -> None:
    text = """
        [policy]
        steps = [{ day = 0, tone = "product" }, { day = 0, tone = "why_not", after = "clicked" }]
        [[policy.incentives]]
        kind = "points"
        from_tier = "mid"
        because = ["price"]
        bargain_share = 1
        """
    policy = load(tmp_path, MINIMAL + text).policy
    assert policy.steps == (Step(0, "product"), Step(0, "why_not", "clicked"))
    assert policy.incentives == (IncentiveRule("points", "mid", ("price",), 1.0),)
    with pytest.raises(ConfigError, match="kind is 'cash'"):
        load(tmp_path, MINIMAL + text.replace("points", "cash"))


def template() -> str:
    return files("winback_serving").joinpath("templates", "winback.toml").read_text(encoding="utf-8")


def test_the_template_is_read_as_it_is(tmp_path: Path) -> None:
    settings = load(tmp_path, template())
    assert settings.policy == PolicyConfig()
    assert settings.gate == GateConfig()


def test_the_template_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    """Uncommented, the template is a full file, and what it shows as defaults are the defaults."""
    full = re.sub(r"^# (?=\w+ = )", "", template(), flags=re.MULTILINE)
    shown = tomllib.loads(full)
    assert tuple(shown) == SECTIONS or set(shown) == set(SECTIONS)
    moved = {"horizon_days", "value_horizon_days", "margin_share"}
    expected = {
        "source": {f.name for f in fields(SourceConfig)},
        "brand": {f.name for f in fields(BrandConfig)} | {"horizon_days"},
        "score": {f.name for f in fields(ScoreConfig)} - moved,
        "policy": {f.name for f in fields(PolicyConfig)} | {"value_horizon_days", "margin_share"},
        "engine": {f.name for f in fields(EngineConfig)},
        "training": {f.name for f in fields(TrainingConfig)},
        "gate": {f.name for f in fields(GateConfig)},
    }
    for section, names in expected.items():
        assert set(shown[section]) == names, section
    settings = load(tmp_path, full)
    assert settings.score == ScoreConfig()
    shown_cuts = RfmThresholds((365.0, 180.0, 90.0, 30.0), (2.0, 4.0, 8.0, 16.0), (50.0, 100.0, 250.0, 500.0))
    assert settings.policy == PolicyConfig(capacity=500, rfm=shown_cuts)
    assert settings.engine == EngineConfig()
    assert settings.training == TrainingConfig()
    assert settings.gate == GateConfig()


@pytest.mark.parametrize(
    ("section", "wrong", "right"),
    [("brand", "horizon_day", "horizon_days"), ("policy", "margin", "margin_share")],
)
def test_a_setting_that_feeds_the_score_is_suggested_where_it_is_written(
    tmp_path: Path, section: str, wrong: str, right: str
) -> None:
    path = tmp_path / "winback.toml"
    path.write_text(f'[source]\norders = "o.csv"\n[{section}]\n{wrong} = 1\n')
    with pytest.raises(ConfigError) as refused:
        load_settings(path, {})
    assert f"Did you mean {right}?" in str(refused.value)
