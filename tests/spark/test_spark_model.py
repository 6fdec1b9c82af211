"""The registered model asked from plain Spark, by its explicit signature. Needs the extra spark and Java."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from tracked import AS_OF, small_features, small_model, small_result

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_training.pyfunc import default_score, spark_result_type
from winback_training.tracking import log_training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # py4j leaves its sockets to the collector
]

NAME = "winback-lapse"


@pytest.fixture
def registered(tmp_path: Path) -> Iterator[str]:
    uri, before = f"sqlite:///{tmp_path / 'mlflow.db'}", mlflow.get_tracking_uri()
    log_training(small_result(), tracking_uri=uri, model_name=NAME, settings={})
    mlflow.set_tracking_uri(uri)
    yield f"models:/{NAME}@candidate"
    mlflow.set_tracking_uri(before)


@pytest.fixture
def spark(tmp_path: Path) -> Iterator[Any]:
    """A session of its own, as `winback score` opens one; its user need not know."""
    conf = {"spark.sql.shuffle.partitions": "2"}
    config = EngineConfig("spark", "1GB", spark_master="local[2]", spark_conf=conf)
    with open_engine(config, tmp_path / "scratch") as engine:
        yield engine._session


@pytest.mark.filterwarnings("default")  # what MLflow and Spark say of each other is theirs
def test_spark_udf_gives_the_scores_of_the_model(registered: str, spark: Any) -> None:
    from pyspark.sql import functions as F  # noqa: N812 — its usual name

    kinds = spark_result_type(default_score(90))
    ask = mlflow.pyfunc.spark_udf(spark, registered, result_type=kinds, env_manager="local")
    features = small_features(40)
    inputs = mlflow.models.get_model_info(registered).signature.inputs.input_names()
    asked = spark.createDataFrame(features).repartition(3).select(ask(F.struct(*inputs)).alias("score"))
    said = asked.select("score.*").toPandas().sort_values("contact_id", ignore_index=True)
    ours = (
        small_model().predict(features, AS_OF, default_score(90)).sort_values("contact_id", ignore_index=True)
    )
    assert said["contact_id"].tolist() == ours["contact_id"].tolist()
    for column in ("p_purchase", "p_lapse", "p_within_30d", "expected_purchases", "value_at_risk", "clv_12m"):
        pd.testing.assert_series_equal(said[column], ours[column], rtol=1e-9, check_dtype=False)
    assert set(said["as_of"]) == {AS_OF.isoformat()}
    assert set(said["model_version"]) == {""}, "as docs/engines.md says"
    days = pd.to_datetime(ours["next_purchase_date"]).dt.strftime("%Y-%m-%d").fillna("NaT")
    assert said["next_purchase_date"].tolist() == days.tolist()
