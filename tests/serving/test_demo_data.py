"""The demo's data: the published counts, the shops' clock, and settings beside the data."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from winback_features.errors import ConfigError
from winback_serving.demo_data import CDNOW, COMPLETE_JOURNEY, WRITERS, write_cdnow, write_complete_journey


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "with a space and a 'quote'"
    assert write_complete_journey(folder) is COMPLETE_JOURNEY
    return folder


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdnow")
    assert write_cdnow(folder) is CDNOW
    return folder


def ask(folder: Path, sql: str) -> tuple[object, ...]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in ("orders", "events"):
            path = folder / "data" / f"{name}.parquet"
            if path.exists():
                connection.read_parquet(str(path)).create_view(name)
        row = connection.execute(sql).fetchone()
    assert row is not None
    return row


def test_complete_journey_has_its_published_size(journey: Path) -> None:
    counts = ask(
        journey,
        "SELECT count(*), count(DISTINCT order_id), count(DISTINCT contact_id), sum(amount),"
        " sum((amount < 0)::int) FROM orders",
    )
    assert counts == (391_326, 155_848, 2_469, Decimal("4596039.5800"), 0)


def test_order_times_are_instants_that_fall_in_2017_on_the_shops_clock(journey: Path) -> None:
    assert pq.read_schema(journey / "data" / "orders.parquet").field("ordered_at").type.tz == "UTC"
    span = ask(
        journey,
        "SELECT min(local)::text, max(local)::text, max(ordered_at)::text"
        " FROM (SELECT ordered_at, timezone('America/New_York', ordered_at) AS local FROM orders)",
    )
    assert span == ("2017-01-01 06:53:26", "2017-12-31 23:01:20", "2018-01-01 04:01:20+00")


def test_redemptions_fall_on_the_day_of_their_order_only_on_the_shops_clock(journey: Path) -> None:
    sql = """
        WITH redeemed AS (
            SELECT DISTINCT contact_id, occurred_at AS day FROM events WHERE kind = 'coupon_redeemed'
        ), bought AS (
            SELECT DISTINCT contact_id, timezone('{zone}', ordered_at)::date AS day FROM orders WHERE coupon
        )
        SELECT count(*) / (SELECT count(*) FROM redeemed)
        FROM redeemed SEMI JOIN bought USING (contact_id, day)
    """
    (local,) = ask(journey, sql.format(zone="America/New_York"))
    (utc,) = ask(journey, sql.format(zone="UTC"))
    assert local == pytest.approx(0.877, abs=0.001)
    assert utc == pytest.approx(0.762, abs=0.001)


def test_events_keep_every_mailing_and_every_coupon(journey: Path) -> None:
    assert ask(journey, "SELECT count(*) FROM events WHERE kind = 'direct_mail_sent'") == (6_589,)
    redeemed = ask(journey, "SELECT count(*), sum(value) FROM events WHERE kind = 'coupon_redeemed'")
    assert redeemed == (1_148, 2_102.0)
    assert ask(journey, "SELECT count(*) FROM (SELECT DISTINCT * FROM events)") == (6_589 + 1_148,)


def test_cdnow_keeps_leading_zeros_free_orders_and_repeated_lines(cdnow: Path) -> None:
    counts = ask(
        cdnow,
        "SELECT count(*), count(DISTINCT order_id), count(DISTINCT contact_id), sum(amount),"
        " sum((amount = 0)::int), min(contact_id), min(ordered_at), max(ordered_at) FROM orders",
    )
    assert counts[:5] == (69_659, 69_659, 23_570, Decimal("2500315.6300"), 80)
    assert counts[5:] == ("00001", date(1997, 1, 1), date(1998, 6, 30))


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_the_data_end_with_a_full_day_and_the_settings_lie_beside_them(
    name: str, journey: Path, cdnow: Path
) -> None:
    folder, data = (journey, COMPLETE_JOURNEY) if name == COMPLETE_JOURNEY.name else (cdnow, CDNOW)
    settings = tomllib.loads((folder / "winback.toml").read_text(encoding="utf-8"))
    zone = settings["brand"]["timezone"]
    moment = "ordered_at" if data is CDNOW else f"timezone('{zone}', ordered_at)"
    (last_day,) = ask(folder, f"SELECT max({moment})::date FROM orders")
    assert isinstance(last_day, date)
    assert (data.data_end - last_day).days == 1
    assert (folder / settings["source"]["orders"]).is_file()


def test_writing_twice_gives_the_same_bytes(cdnow: Path, tmp_path: Path) -> None:
    write_cdnow(tmp_path)
    first, second = (f / "data" / "orders.parquet" for f in (cdnow, tmp_path))
    assert first.read_bytes() == second.read_bytes()


def test_a_folder_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be made") as caught:
        write_cdnow(tmp_path / "taken")
    assert "--home" in caught.value.how
