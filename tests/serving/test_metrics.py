"""What Prometheus reads: valid text, every number from the run, no word of a contact."""

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from prometheus_client.parser import text_string_to_metric_families

from winback_serving.metrics import render_metrics, write_metrics
from winback_serving.store import PublishedRun

INFO = {
    "schema_version": 1,
    "run_id": "3f2a",
    "as_of": "2026-03-09",
    "winback": "0.1.0",
    "model": {"name": "lapse", "version": "3", "digest": "d"},
    "counts": {
        "scored": 10,
        "flagged": 4,
        "entries": 1,
        "states": {"active": 6, "in_winback": 4},
        "not_flagged": {"low_risk": 6},
    },
    "inputs": {
        "orders": {"rows_in": 100, "rows_quarantined": 2, "last_day": "2026-03-07"},
        "contacts": {"rows_in": 11, "rows_quarantined": 0, "last_day": None},
    },
}
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name.removeprefix("winback_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_number_is_where_it_belongs() -> None:
    text = render_metrics(
        INFO, {"ingest": 1.5}, {"purchased": 2}, trained_on=date(2026, 2, 27), now=1772000000.5
    )
    assert samples(text) == {
        ("last_success_timestamp_seconds", ()): 1772000000.5,
        ("run_as_of_timestamp_seconds", ()): 1773014400.0,
        ("run_info", ("lapse 3", "3f2a", "0.1.0")): 1.0,
        ("step_duration_seconds", ("ingest",)): 1.5,
        ("contacts_scored", ()): 10.0,
        ("contacts", ("active",)): 6.0,
        ("contacts", ("in_winback",)): 4.0,
        ("not_flagged", ("low_risk",)): 6.0,
        ("flagged", ()): 4.0,
        ("entries", ()): 1.0,
        ("exits", ("purchased",)): 2.0,
        ("input_rows", ("orders",)): 100.0,
        ("input_rows", ("contacts",)): 11.0,
        ("quarantined_rows", ("orders",)): 2.0,
        ("quarantined_rows", ("contacts",)): 0.0,
        ("input_age_days", ("orders",)): 2.0,
        ("model_age_days", ()): 10.0,
    }


def test_the_file_is_replaced_whole_and_counts_the_exits_of_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(INFO))
    (folder / "timings.json").write_text('{"ingest": 0.25}')
    left = {"contact_id": ["anna", "bo", "cy"], "exit_reason": ["purchased", "sunset", "purchased"]}
    pq.write_table(pa.table(left), folder / "exits.parquet")
    path = tmp_path / "metrics.prom"
    path.write_text("old")
    write_metrics(path, PublishedRun(date(2026, 3, 9), "3f2a", folder), trained_on=None, now=1.0)
    text = path.read_text()
    found = samples(text)
    assert found["exits", ("purchased",)] == 2.0
    assert found["exits", ("sunset",)] == 1.0
    assert ("model_age_days", ()) not in found
    assert "anna" not in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["metrics.prom", "run"]
