"""The days under a contact's curve: purchases and a person's clicks of two years, from before the run's day only."""

import csv
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from winback_serving.batch import score_day
from winback_serving.run_timeline import TIMELINE_DAYS
from winback_serving.settings import load_settings

pytestmark = pytest.mark.slow  # whole runs

AS_OF = date(1998, 6, 1)
EVENTS = """contact_id,occurred_at,kind,machine
0010,1998-05-30T09:00:00,email_click,false
0010,1998-05-30T10:00:00,sms_click,false
0010,1998-05-29T10:00:00,email_click,true
0010,1998-05-28T10:00:00,email_open,false
0010,1998-06-01T10:00:00,email_click,false
0010,1996-01-01T10:00:00,email_click,false
"""


def test_the_days_are_those_of_the_inputs(
    tmp_path: Path, write_shop: Callable[..., Path], rule_model: Any
) -> None:
    config = write_shop(tmp_path)
    (tmp_path / "events.csv").write_text(EVENTS, encoding="utf-8")
    text = config.read_text(encoding="utf-8").replace("[source]", '[source]\nevents = "events.csv"', 1)
    config.write_text(text, encoding="utf-8")
    run = score_day(load_settings(config, {}), AS_OF, rule_model(), "digest")
    rows = duckdb.execute("SELECT * FROM read_parquet(?)", [str(run.file("timeline"))]).fetchall()

    with (tmp_path / "orders.csv").open(encoding="utf-8") as file:
        orders = [
            (row["contact_id"], date.fromisoformat(row["ordered_at"]))
            for row in csv.DictReader(file)
            if float(row["amount"]) > 0
        ]
    since = AS_OF - timedelta(days=TIMELINE_DAYS)
    bought = Counter(order for order in orders if since <= order[1] < AS_OF)
    expected = [(contact, day, "purchase", n) for (contact, day), n in bought.items()]
    expected.append(("0010", date(1998, 5, 30), "click", 2))
    assert len(expected) > 100
    assert rows == sorted(expected)
