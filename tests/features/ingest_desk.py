"""A small desk to take tables in from: writes files and reads the results back as plain rows."""

from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winback_features.config import BrandConfig, EngineConfig, SourceConfig
from winback_features.engine import open_engine
from winback_features.errors import WinbackError
from winback_features.ingest import Tables, ingest

TODAY = date(2024, 6, 30)
HEADER = "contact_id,order_id,ordered_at,amount"
CLEAN = {
    "contact_id": ["a", "b", "a"],
    "order_id": ["1", "2", "3"],
    "ordered_at": [date(2024, 1, 5), date(2024, 1, 6), date(2024, 2, 7)],
    "amount": [1.0, 2.0, 3.0],
}


class Desk:
    """Ingest from one folder with one engine."""

    def __init__(self, backend, folder: Path) -> None:
        self.backend, self.folder = backend, folder

    def csv(self, lines: str, name: str = "orders.csv", encoding: str = "utf-8") -> str:
        (self.folder / name).write_bytes((lines.strip() + "\n").replace("\n", "\r\n").encode(encoding))
        return name

    def parquet(self, columns: dict, name: str = "orders.parquet") -> str:
        pq.write_table(pa.table(columns), self.folder / name)
        return name

    def take(self, orders: str, *, brand: BrandConfig | None = None, today: date = TODAY, **source) -> Tables:
        config = SourceConfig(orders, **source)
        return ingest(self.backend, config, brand or BrandConfig(), today=today, base_dir=self.folder)

    def refuse(self, orders: str, **options) -> str:
        """Return the sentence with which this is refused."""
        with pytest.raises(WinbackError) as refusal:
            self.take(orders, **options)
        assert refusal.value.exit_code == 2
        assert refusal.value.how, "a refusal says how to mend it"
        assert str(self.folder) not in str(refusal.value), "a refusal names the file as configured"
        return str(refusal.value)


def open_desk(folder: Path):
    with open_engine(EngineConfig(memory_limit="1GB", threads=2)) as backend:
        yield Desk(backend, folder)


def rows(table) -> list[dict]:
    return table.to_pyarrow().to_pylist()


def reasons(tables: Tables, name: str = "orders") -> dict[str, int]:
    report = tables.report[name]
    assert report.rows_in == report.rows_used + report.rows_quarantined
    listed = [r for r in rows(tables.quarantine) if r["table"] == name]
    assert len(listed) == report.rows_quarantined == sum(report.reasons.values())
    assert Counter(r["reason"] for r in listed) == report.reasons
    return dict(report.reasons)


def notices(tables: Tables, name: str = "orders") -> dict[str, int]:
    return {n.code: n.count for n in tables.report[name].warnings}


def good(n: int, start: int = 0) -> str:
    """Return n clean order lines in the columns of HEADER."""
    return "\n".join(
        f"c{i % 7},o{i},2024-0{1 + i % 5}-{1 + i % 28:02d} 10:00:00,{10 + i}.50"
        for i in range(start, start + n)
    )
