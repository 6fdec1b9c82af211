"""Turn the raw lines of the Online Retail data set into orders winback can read.

The data are the UCI data set "Online Retail" (Chen, Sain & Guo 2012, CC BY 4.0): every line of every
invoice of a British gift shop from December 2010 to December 2011, with all the dirt of real data. Run

    python examples/online_retail.py raw_lines.parquet --out online-retail

with the raw lines as Parquet or CSV (columns InvoiceNo, StockCode, Description, Quantity, InvoiceDate,
UnitPrice, CustomerID, Country). The folder then holds ``orders.parquet``, ``set_aside.parquet`` (every
other line, with a reason) and ``winback.toml``; go on with ``winback check -c
online-retail/winback.toml``.

What is decided here, and what is left to winback:

- Lines that are no purchase and no return of goods are set aside here, because only someone who knows the
  shop can tell: bad-debt adjustments, stock write-offs, postage, fees, samples, manual corrections and
  discounts.
- Customer numbers lose the ".0" a spreadsheet gave them.
- Everything else is kept as it is. winback itself quarantines lines without a customer and exact
  duplicates, nets cancellations (invoices ``C…``, which do not say which sale they cancel) and keeps zero
  prices out of purchases.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb

NO_GOODS = {
    "POST": "postage",
    "DOT": "postage",
    "C2": "postage",
    "M": "manual_correction",
    "D": "discount",
    "S": "samples",
    "BANK CHARGES": "fee",
    "AMAZONFEE": "fee",
    "CRUK": "fee",
    "PADS": "test_line",
}
"""Stock codes that are no goods. Gift vouchers and the DCGS… codes of the sister shop are goods."""

SETTINGS = """\
[source]
orders = "orders.parquet"
# A quarter of the lines are guest purchases without a customer: they cannot be anyone's history and go to
# quarantine, which is more than the 5 % winback takes for a sign of damage.
max_bad_share = 0.3

[brand]
name = "Online Retail"
timezone = "Europe/London"
currency = "GBP"
horizon_days = 90
# The shop is closed between Christmas and New Year's; silence then means nothing.
closed = [["2010-12-24", "2011-01-04"]]
"""

COLUMNS = "InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country"


def load(source: Path, folder: Path) -> dict[str, int]:
    """Write orders, set-aside lines and settings; count lines by what became of them ("" = kept)."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as db:
        db.execute("SET preserve_insertion_order = true")
        db.execute("CREATE TABLE codes (code VARCHAR, reason VARCHAR)")
        db.executemany("INSERT INTO codes VALUES (?, ?)", list(NO_GOODS.items()))
        db.execute(f"CREATE TABLE raw AS SELECT {COLUMNS} FROM {_reader(source)}", [str(source)])
        db.execute(
            """
            CREATE TABLE lines AS
            SELECT
                raw.rowid AS line,
                regexp_replace(CAST(CustomerID AS VARCHAR), '\\.0$', '') AS contact_id,
                CAST(InvoiceNo AS VARCHAR) AS order_id,
                coalesce(
                    try_cast(InvoiceDate AS TIMESTAMP),
                    try_strptime(CAST(InvoiceDate AS VARCHAR), '%m/%d/%Y %H:%M')
                ) AS ordered_at,
                CAST(CAST(Quantity AS DOUBLE) * CAST(UnitPrice AS DOUBLE) AS DECIMAL(18, 4)) AS amount,
                CAST(StockCode AS VARCHAR) AS product_id,
                CAST(Quantity AS BIGINT) AS quantity,
                CAST(UnitPrice AS DOUBLE) AS unit_price,
                Description AS description,
                Country AS country,
                CASE
                    WHEN InvoiceNo LIKE 'A%' THEN 'bad_debt'
                    WHEN codes.reason IS NOT NULL THEN codes.reason
                    WHEN CAST(Quantity AS BIGINT) < 0 AND InvoiceNo NOT LIKE 'C%' THEN 'stock_write_off'
                    ELSE ''
                END AS reason
            FROM raw LEFT JOIN codes ON codes.code = upper(trim(CAST(StockCode AS VARCHAR)))
            """
        )
        orders, aside = str(folder / "orders.parquet"), str(folder / "set_aside.parquet")
        kept = "SELECT * EXCLUDE (line, reason) FROM lines WHERE reason = '' ORDER BY line"
        db.sql(kept).write_parquet(orders, compression="zstd")
        db.sql("SELECT * FROM lines WHERE reason <> '' ORDER BY line").write_parquet(
            aside, compression="zstd"
        )
        counts = dict(
            db.execute("SELECT reason, count(*) FROM lines GROUP BY reason ORDER BY reason").fetchall()
        )
        lines_in = db.execute("SELECT count(*) FROM raw").fetchall()[0][0]
    if lines_in != sum(counts.values()):
        raise AssertionError(f"{lines_in} lines in, {sum(counts.values())} accounted for")
    (folder / "winback.toml").write_text(SETTINGS, encoding="utf-8")
    return counts


def _reader(source: Path) -> str:
    if source.suffix.lower() == ".parquet":
        return "read_parquet(?)"
    try:
        source.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return "read_csv(?, header = true, all_varchar = true, encoding = 'latin-1')"
    return "read_csv(?, header = true, all_varchar = true)"


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare the Online Retail lines for winback.")
    parser.add_argument("source", type=Path, help="the raw lines, Parquet or CSV")
    parser.add_argument("--out", type=Path, default=Path("online-retail"), help="folder to write to")
    options = parser.parse_args()
    counts = load(options.source, options.out)
    print(f"{sum(counts.values()):>9,} lines in")
    print(f"{counts.get('', 0):>9,} kept in {options.out / 'orders.parquet'}")
    for reason, count in counts.items():
        if reason:
            print(f"{count:>9,} set aside: {reason}")


if __name__ == "__main__":
    main()
