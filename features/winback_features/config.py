"""What the feature layer can be told: sources, brand and engine. Only ``winback.toml``'s reader fills it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

SEND_HOURS = (8, 21)
"""From the first hour on, and no more from the second."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where orders, events and contacts come from.

    Attributes
    ----------
    orders, events, contacts, campaign_log : str
        A file (Parquet or CSV), a glob, or a table name when ``database`` is set.
    database : str, optional
        ``duckdb:///file.duckdb``, ``postgresql://…``, an address of BigQuery, Snowflake or Databricks, or ``spark://`` for the
        catalog of the engine ``spark``.
    orders_columns, events_columns, contacts_columns, campaign_log_columns : mapping
        ``our column -> their column``, or a SQL expression over their columns.
    timezone : str, optional
        Zone in which times without a zone are written; the brand's when absent.
    encoding : str
        Of CSV files.
    max_bad_share : float
        Above this share of quarantined rows a table is refused.
    max_shrink : float
        The daily job refuses a table with fewer rows than in its last run by more than this share.
    """

    orders: str
    events: str | None = None
    contacts: str | None = None
    campaign_log: str | None = None
    database: str | None = None
    orders_columns: Mapping[str, str] = field(default_factory=dict)
    events_columns: Mapping[str, str] = field(default_factory=dict)
    contacts_columns: Mapping[str, str] = field(default_factory=dict)
    campaign_log_columns: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    encoding: str = "utf-8"
    max_bad_share: float = 0.05
    max_shrink: float = 0.1


@dataclass(frozen=True, slots=True)
class BrandConfig:
    """The shop: its name, its clock, its money, and the days on which it was closed.

    Attributes
    ----------
    timezone : str
        IANA name; a calendar day is a day in this zone.
    currency : str
        ISO 4217 code in which every amount is reported.
    rates : mapping
        ``currency -> value of one unit in the brand's currency``.
    cancellation_days : int
        A negative order cancels an earlier order of the same contact and amount up to this many days back;
        later it is a return, and the purchase stands.
    closed : sequence of (first day, day after the last)
        Days on which silence is not inactivity.
    send_hours : (first hour, hour after the last)
        The hours of a day, by the contact's clock, among which the best hour to write to it is looked for.
    """

    name: str = "Demo"
    timezone: str = "UTC"
    currency: str = "EUR"
    rates: Mapping[str, float] = field(default_factory=dict)
    cancellation_days: int = 30
    closed: tuple[tuple[date, date], ...] = ()
    send_hours: tuple[int, int] = SEND_HOURS


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Which engine computes the features, and how much of the machine it may use.

    Attributes
    ----------
    name : {"duckdb", "spark"}
    memory_limit : str
        Of the daily job's process: DuckDB gets a share of it, and spills beyond that. Of Spark's driver where Spark runs on
        this machine.
    threads : int
        Of DuckDB.
    spark_master : str
        ``local[2]``, ``yarn``, ``spark://host:7077``; when empty, what spark-submit or the notebook says.
    spark_conf : mapping
        Settings of Spark by their own names.
    """

    name: str = "duckdb"
    memory_limit: str = "4GB"
    threads: int = 2
    spark_master: str = ""
    spark_conf: Mapping[str, str] = field(default_factory=dict)
