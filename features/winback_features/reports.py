"""What ingest says about each table: counts, reasons, notices, first and last day, fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that stops nothing.

    Attributes
    ----------
    code : str
        Stable name, e.g. ``float_ids``.
    message : str
        One or two sentences, with the mend where there is one.
    count : int
        Rows (or contacts) concerned.
    """

    code: str
    message: str
    count: int

    def as_dict(self) -> dict[str, Any]:
        """Return the notice as a flat JSON-ready object."""
        return {"code": self.code, "message": self.message, "count": self.count}


@dataclass(frozen=True, slots=True)
class TableReport:
    """The reconciliation of one input table.

    Attributes
    ----------
    name : str
        ``orders``, ``events``, ``contacts`` or ``campaign_log``.
    source : str
        The file or table as the configuration names it.
    rows_in, rows_used, rows_quarantined : int
        Always ``rows_in == rows_used + rows_quarantined``.
    reasons : mapping of str to int
        Quarantined rows by reason code, sorted by code.
    warnings : tuple of Notice
    first_day, last_day : datetime.date or None
        Of the rows used; None for contacts.
    fingerprint : str
        SHA-256 of the files' bytes, or of the rows read from a database.
    """

    name: str
    source: str
    rows_in: int
    rows_used: int
    rows_quarantined: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if self.rows_in != self.rows_used + self.rows_quarantined:
            kept = f"{self.rows_used} used, {self.rows_quarantined} quarantined"
            msg = f"{self.name}: {self.rows_in} rows in, {kept}"
            raise AssertionError(msg)

    def adding(self, warnings: Iterable[Notice]) -> TableReport:
        """Return the report with more notices at the end."""
        return replace(self, warnings=(*self.warnings, *warnings))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a JSON-ready object."""
        return {
            "name": self.name,
            "source": self.source,
            "rows_in": self.rows_in,
            "rows_used": self.rows_used,
            "rows_quarantined": self.rows_quarantined,
            "reasons": dict(self.reasons),
            "warnings": [w.as_dict() for w in self.warnings],
            "first_day": self.first_day.isoformat() if self.first_day else None,
            "last_day": self.last_day.isoformat() if self.last_day else None,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The reconciliation of every table that was read, in the order orders, events, contacts, campaign_log."""

    tables: tuple[TableReport, ...]

    def __getitem__(self, name: str) -> TableReport:
        """Return the report of one table.

        Raises
        ------
        KeyError
            If that table was not configured.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """Return ``table name -> report`` as a JSON-ready object."""
        return {table.name: table.as_dict() for table in self.tables}
