"""The memory limit is of the whole process: DuckDB has a part of it."""

from __future__ import annotations

import pytest

from winback_features.config import EngineConfig
from winback_features.engine import ASIDE, memory_of, open_engine, share_of

GB = 1000**3


@pytest.mark.parametrize(("limit", "size"), [("4GB", 4 * GB), ("1500 mb", 1.5 * GB), ("2GiB", 2 * 1024**3)])
def test_duckdb_leaves_room_for_the_arrays(limit: str, size: float) -> None:
    with open_engine(EngineConfig(memory_limit=limit, threads=1)) as backend:
        share = memory_of(backend)
        backend.raw_sql("SET memory_limit = '1TiB'")
        assert memory_of(backend) == 1024**4
    assert 0.2 * size < share <= (size - ASIDE) / 2


@pytest.mark.parametrize("limit", [10**8, 512 * 1024**2, GB, 10 * GB])
def test_a_small_process_gives_duckdb_a_quarter(limit: int) -> None:
    assert limit / 4 - 1 <= share_of(limit) <= limit / 2
