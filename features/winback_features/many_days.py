"""The features of many days, compiled once.

Training takes them at dozens of label times, and writing the query costs more than running it. The query of one day
differs from that of another by the day itself and by the season's two numbers. So it is compiled for a day that no shop has,
kept as a template, and filled in; the first day asked for is compiled in full and must come out the same, else (or where the
shop had closed days, or on another engine) every day is compiled for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import ibis

from winback_features.build import build_features
from winback_features.order_features import season_of
from winback_features.tables import Tables

STAND_IN = date(1971, 11, 29)


@dataclass
class FeaturesOfManyDays:
    """Builds feature tables of one shop.

    Attributes
    ----------
    tables : Tables
    """

    tables: Tables
    _template: str | None = field(default=None, init=False)
    _proven: bool = field(default=False, init=False)

    def create(self, name: str, as_of: date) -> ibis.Table:
        """Compute the features of a day into a temporary table ``name``, and return it.

        Columns as `build_features`; the rows in no order.
        """
        backend = self.tables.backend
        query = self._query(as_of)
        if query is None:
            return backend.create_table(name, build_features(self.tables, as_of), temp=True)
        backend.raw_sql(f'CREATE TEMP TABLE "{name}" AS {query}').fetchall()
        return backend.table(name)

    def _query(self, as_of: date) -> str | None:
        """Return the query of a day in the engine's words, or None where it has to be compiled."""
        if self.tables.backend.name != "duckdb" or self.tables.closed:
            return None
        if not self._proven:
            template = self._compiled(STAND_IN)
            exact = self._compiled(as_of)
            self._template = template if self._filled(template, as_of) == exact else None
            self._proven = True
        return None if self._template is None else self._filled(self._template, as_of)

    def _compiled(self, as_of: date) -> str:
        return str(self.tables.backend.compile(build_features(self.tables, as_of)))

    def _filled(self, template: str, as_of: date) -> str:
        for stand_in, text in zip(self._texts(STAND_IN), self._texts(as_of), strict=True):
            template = template.replace(stand_in, text)
        return template

    def _texts(self, day: date) -> tuple[str, ...]:
        """Return what stands for a day in a query: the day, and the season's numbers."""
        literal = self.tables.backend.compile(ibis.literal(day)).removeprefix("SELECT ").rsplit(" AS ", 1)[0]
        return (literal, *(f"'{number!r}'" for number in season_of(day)))
