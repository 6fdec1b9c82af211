"""In parts and blocks, or as a whole: the tables of a run are the same, byte for byte."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from winback_features import by_contact, parts
from winback_features.answers import count
from winback_features.engine import memory_of, open_engine
from winback_features.ingest import ingest
from winback_features.parts import contact_bounds, parts_of
from winback_features.retention import retention_figures
from winback_models.simulate.world import World
from winback_serving.parquet import OrderedFile, write_batches, write_expression
from winback_serving.run_features import write_features
from winback_serving.settings import load_settings
from winback_serving.simulated import write_shop

pytestmark = pytest.mark.slow  # whole runs, in parts and at once


def test_a_run_in_parts_is_the_run_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(contacts=400, days=150, seed=6)
    write_shop(world, tmp_path / "shop")
    settings = load_settings(tmp_path / "shop" / "winback.toml", {})
    with open_engine(settings.engine) as backend:
        tables = ingest(
            backend, settings.source, settings.brand, today=world.end, base_dir=settings.base_dir, hold=False
        )
        assert contact_bounds(tables) == ()
        files: dict[int, list[bytes]] = {}
        figures: dict[int, dict[str, Any]] = {}
        for rows, contacts, threads in ((parts.ROWS_PER_PART, 10**6, 1), (1_500, 30, 2)):
            monkeypatch.setattr(parts, "ROWS_PER_PART", rows)
            monkeypatch.setattr(by_contact, "CONTACTS_PER_BLOCK", contacts)
            backend.raw_sql(f"set threads = {threads}")
            folder = tmp_path / str(rows)
            folder.mkdir()
            contacts, status, counts = write_features(tables, date(2024, 5, 1), folder, 60)
            assert 0 < contacts <= 400
            write_expression(status, ["contact_id"], folder / "status.parquet")
            figures[rows] = retention_figures(counts, date(2024, 5, 1), 60)
            files[rows] = [path.read_bytes() for path in sorted(folder.glob("*.parquet"))]
        whole, cut = files.values()
        assert len(whole) == 3
        assert whole == cut
        in_one, in_parts = figures.values()
        assert in_one == in_parts
        bounds = contact_bounds(tables)
        assert len(bounds) >= 2
        monkeypatch.setattr(
            parts, "BYTES_PER_ROW", memory_of(backend) // 500
        )  # a third of the rows at a time
        assert len(contact_bounds(tables)) > 2 * len(bounds)
        monkeypatch.undo()
        monkeypatch.setattr(parts, "ROWS_PER_PART", 1_500)
        assert all(a < b for a, b in pairwise(bounds))
        there = [(count(part.orders), count(part.events), count(part.contacts)) for part in parts_of(tables)]
        assert len(there) == len(bounds) + 1
        wanted = (count(tables.orders), count(tables.events), count(tables.contacts))
        assert tuple(map(sum, zip(*there, strict=True))) == wanted


def test_how_rows_come_leaves_no_trace_in_the_file(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    rows = pa.record_batch([pa.array(range(120_001))], schema=schema)
    write_batches([rows], schema, tmp_path / "once.parquet")
    with OrderedFile(tmp_path / "pieces.parquet") as file:
        for start in (0, 7, 60_000, 110_000):
            end = {0: 7, 7: 60_000, 60_000: 110_000, 110_000: 120_001}[start]
            file.extend([rows.slice(start, end - start)], schema)
    assert file.rows == 120_001
    assert (tmp_path / "once.parquet").read_bytes() == (tmp_path / "pieces.parquet").read_bytes()
