"""Scoring streams: batches leave no trace in the file, and the model's promises are checked."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_features.files import file_digest
from winback_models.config import ScoreConfig
from winback_serving.parquet import OrderedFile
from winback_serving.scorer import score_columns, score_features

DAY = date(2020, 1, 2)
SCORE = ScoreConfig(horizon_days=30, curve_days=(7, 30))


@dataclass
class FakeModel:
    """A model with the interface of LapseModel whose scores follow from one feature."""

    horizon_days: int = 30
    version: str = "7"
    seen: list[int] = field(default_factory=list)

    def predict(self, features: pd.DataFrame, as_of: date, score: ScoreConfig) -> pd.DataFrame:
        self.seen.append(len(features))
        p = 1.0 / (1.0 + features["days_since_purchase"].to_numpy())
        columns = {name: p for name in score_columns(score.curve_days) if name != "currency"}
        never = pd.Series([None] * len(features), dtype="object")
        return pd.DataFrame(
            columns
            | {
                "contact_id": features["contact_id"].to_numpy(),
                "as_of": as_of,
                "horizon_days": score.horizon_days,
                "model_version": self.version,
                "next_purchase_date": np.datetime64("2020-02-01", "D"),
                "next_purchase_low": never,
                "next_purchase_high": np.datetime64("NaT"),
                "base": "active",
            }
        )


def features(folder: Path, rows: int, group: int) -> Path:
    table = pa.table(
        {
            "contact_id": [f"c{i:06d}" for i in range(rows)],
            "days_since_purchase": pa.array([float(i % 97) for i in range(rows)]),
            "last_category": pa.array([None if i % 3 else "tea" for i in range(rows)], pa.string()),
        }
    )
    path = folder / "features.parquet"
    pq.write_table(table, path, row_group_size=group)
    return path


def test_scores_have_the_contracts_columns_types_and_order(tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    assert score_features(features(tmp_path, 10, 4), FakeModel(), DAY, SCORE, "EUR", out) == 10
    scores = pq.read_table(out)
    assert scores.column_names == list(score_columns((7, 30)))
    assert scores.column_names[-2:] == ["currency", "base"]
    kinds = {name: str(scores.schema.field(name).type) for name in scores.column_names}
    assert kinds["contact_id"] == kinds["model_version"] == kinds["currency"] == "string"
    assert kinds["as_of"] == kinds["next_purchase_high"] == "date32[day]"
    assert kinds["horizon_days"] == "int32"
    assert {kinds[n] for n in ("p_purchase", "p_within_7d", "days_overdue")} == {"double"}
    row = scores.slice(3, 1).to_pylist()[0]
    assert row["contact_id"] == "c000003"
    assert row["p_purchase"] == 0.25
    assert row["as_of"] == DAY
    assert row["next_purchase_date"] == date(2020, 2, 1)
    assert row["next_purchase_low"] is row["next_purchase_high"] is None
    assert row["currency"] == "EUR"


def test_batches_leave_no_trace_and_bound_the_memory(tmp_path: Path) -> None:
    source = features(tmp_path, 1000, 300)
    digests = set()
    for size in (7, 250, 1000, 5000):
        model, out = FakeModel(), tmp_path / f"{size}.parquet"
        score_features(source, model, DAY, SCORE, "EUR", out, batch_rows=size)
        assert max(model.seen) <= size
        assert sum(model.seen) == 1000
        digests.add(file_digest(out))
    assert len(digests) == 1


def test_floats_are_written_as_they_are_and_words_by_a_dictionary(tmp_path: Path) -> None:
    out = tmp_path / "s.parquet"
    score_features(features(tmp_path, 100, 100), FakeModel(), DAY, SCORE, "EUR", out)
    group = pq.ParquetFile(out).metadata.row_group(0)
    columns = (group.column(place) for place in range(group.num_columns))
    dictionary = {column.path_in_schema: column.has_dictionary_page for column in columns}
    assert dictionary["currency"]
    assert dictionary["as_of"]
    assert not dictionary["p_purchase"]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    score_features(
        features(tmp_path, 10, 10),
        FakeModel(),
        DAY,
        SCORE,
        "EUR",
        tmp_path / "s.parquet",
        batch_rows=4,
        tick=lambda done, total: told.append((done, total)),
    )
    assert told == [(4, 10), (8, 10), (10, 10)]


def test_no_contacts_give_an_empty_table(tmp_path: Path) -> None:
    out = tmp_path / "s.parquet"
    assert score_features(features(tmp_path, 0, 1), FakeModel(), DAY, SCORE, "EUR", out) == 0
    assert pq.read_table(out).num_rows == 0


class Shuffled(FakeModel):
    def predict(self, features: pd.DataFrame, as_of: date, score: ScoreConfig) -> pd.DataFrame:
        return super().predict(features.iloc[::-1], as_of, score)


class Forgetful(FakeModel):
    def predict(self, features: pd.DataFrame, as_of: date, score: ScoreConfig) -> pd.DataFrame:
        return super().predict(features, as_of, score).drop(columns="p_alive")


@pytest.mark.parametrize(("model", "words"), [(Shuffled(), "another order"), (Forgetful(), "no p_alive")])
def test_a_model_that_breaks_its_promise_is_our_fault(tmp_path: Path, model: FakeModel, words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        score_features(features(tmp_path, 10, 10), model, DAY, SCORE, "EUR", tmp_path / "s.parquet")


def test_row_groups_have_one_size_however_the_rows_came(
    tmp_path: Path,
) -> None:
    schema = pa.schema([("x", pa.int64())])
    digests = set()
    for sizes in ([25], [10, 10, 5], [1] * 25, [24, 0, 1]):
        rows = iter(range(25))
        batches = [
            pa.record_batch({"x": pa.array([next(rows) for _ in range(n)], pa.int64())}) for n in sizes
        ]
        path = tmp_path / f"{len(sizes)}.parquet"
        with OrderedFile(path, 10) as file:
            file.extend(batches, schema)
            assert file.rows == 25
        meta = pq.read_metadata(path)
        assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [10, 10, 5]
        digests.add(file_digest(path))
    assert len(digests) == 1


def test_threads_leave_no_trace(tmp_path: Path) -> None:
    """Three threads over nine batches: the file of one thread, byte for byte, and progress told in order."""
    source = features(tmp_path, 25, 25)
    files: list[bytes] = []
    told: list[int] = []
    for threads in (1, 3):
        out = tmp_path / f"{threads}.parquet"
        score_features(
            source,
            FakeModel(),
            DAY,
            SCORE,
            "EUR",
            out,
            batch_rows=3,
            threads=threads,
            tick=lambda done, total: told.append(done),
        )
        files.append(out.read_bytes())
    assert files[0] == files[1]
    assert told[: len(told) // 2] == told[len(told) // 2 :] == sorted(told[: len(told) // 2])
