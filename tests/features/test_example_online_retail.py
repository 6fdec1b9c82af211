"""The loader of the Online Retail lines, on a few lines with every kind of its dirt."""

import importlib.util
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from ingest_desk import Desk, notices, reasons, rows

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.facts import purchase_days

LOADER = Path(__file__).parents[2] / "examples" / "online_retail.py"
LINES = """\
InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,71053,LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536365,71053,LANTERN,6,2010-12-01 08:26:00,3.39,17850.0,United Kingdom
536366,22633,WARMER,1,12/1/2010 9:02,1.85,,United Kingdom
536367,POST,POSTAGE,1,2010-12-01 09:10:00,18.00,12583.0,France
536368,m,Manual,1,2010-12-01 09:12:00,2.55,12583.0,France
536369,22633,,-10,2010-12-01 09:20:00,0,,United Kingdom
536370,22633,WARMER,2,2010-12-01 09:30:00,0,12583.0,France
541431,23166,JAR,74215,2011-01-18 10:01:00,1.04,12346.0,United Kingdom
C541433,23166,JAR,-74215,2011-01-18 10:17:00,1.04,12346.0,United Kingdom
A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom
C563187,22633,WARMER,-1,2011-08-12 15:00:00,1.85,15000.0,United Kingdom
"""


@pytest.fixture(scope="module")
def loader():
    spec = importlib.util.spec_from_file_location("online_retail_example", LOADER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_line_is_kept_or_set_aside_and_every_kept_one_used_or_quarantined(loader, tmp_path):
    (tmp_path / "raw.csv").write_text(LINES, encoding="utf-8")
    folder = tmp_path / "out"
    counts = loader.load(tmp_path / "raw.csv", folder)
    assert counts == {"": 8, "bad_debt": 1, "manual_correction": 1, "postage": 1, "stock_write_off": 1}
    settings = tomllib.loads((folder / "winback.toml").read_text(encoding="utf-8"))
    with open_engine(EngineConfig(memory_limit="1GB", threads=1)) as backend:
        tables = Desk(backend, folder).take(**settings["source"])
        assert reasons(tables) == {"duplicate_line": 1, "missing_contact_id": 1}
        assert notices(tables) == {"returns_only": 1, "zero_orders": 1}
        orders = {r["order_id"]: r for r in rows(tables.orders)}
        assert orders["536365"]["contact_id"] == "17850"
        assert orders["536365"]["amount"] == Decimal("35.6400")
        assert orders["541431"]["cancelled_on"] == date(2011, 1, 18)
        assert [r["contact_id"] for r in rows(purchase_days(tables, date(2011, 12, 10)))] == ["17850"]
