"""Numbers, money and days as the brand's readers write them, by Babel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal, format_percent, get_currency_precision, get_currency_symbol

from winback_features.errors import ConfigError

DASH = "–"
WEEKDAY_ONE = date(2024, 1, 1)
"""A Monday: from it the names of the days are counted."""


@dataclass(frozen=True, slots=True)
class Formatter:
    """How one locale writes things. What is unknown is a dash.

    Attributes
    ----------
    locale : babel.Locale
    """

    locale: Locale

    @classmethod
    def of(cls, tag: str) -> Formatter:
        """Return the formatter of a language tag, such as ``en``, ``en-GB`` or ``nl``.

        Raises
        ------
        ConfigError
            When there is no such locale.
        """
        try:
            return cls(Locale.parse(tag.replace("-", "_")))
        except (ValueError, UnknownLocaleError):
            what = f"There is no locale {tag!r}."
            raise ConfigError(what, where="[web] language", how="Write it as en, en-GB or nl.") from None

    def number(self, value: float | None, digits: int = 0) -> str:
        """Return a number.

        >>> Formatter.of("nl").number(391326), Formatter.of("en").number(-0.0845, 3)
        ('391.326', '−0.085')
        """
        if unknown(value):
            return DASH
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        rounded = round(float(value or 0), digits) + 0.0
        return str(format_decimal(rounded, format=pattern, locale=self.locale)).replace("-", "−")

    def signed(self, value: float | None) -> str:
        """Return a whole number with its sign.

        >>> Formatter.of("en").signed(3), Formatter.of("en").signed(-3), Formatter.of("en").signed(0)
        ('+3', '−3', '±0')
        """
        if unknown(value):
            return DASH
        rounded = round(float(value or 0))
        return "±0" if rounded == 0 else ("+" if rounded > 0 else "") + self.number(rounded)

    def percent(self, share: float | None, digits: int = 0) -> str:
        """Return a share; the ends are reached only when they are true.

        >>> f = Formatter.of("en"); f.percent(0.223), f.percent(0.004), f.percent(0.999), f.percent(0.0)
        ('22%', '<1%', '>99%', '0%')
        """
        if share is None or math.isnan(share):
            return DASH
        pattern = "0" + ("." + "0" * digits if digits else "")
        pattern += Locale.parse(self.locale).percent_formats[None].pattern.lstrip("#,0.")
        smallest = 10 ** -(digits + 2)
        if 0 < share <= smallest / 2:
            return f"<{self._percent(smallest, pattern)}"
        if 1 - smallest / 2 <= share < 1:
            return f">{self._percent(1 - smallest, pattern)}"
        return self._percent(share, pattern)

    def _percent(self, share: float, pattern: str) -> str:
        return str(format_percent(share, format=pattern, locale=self.locale))

    def money(self, value: float | None, currency: str | None, *, exact: bool = False) -> str:
        """Return an amount, in whole units unless ``exact``.

        >>> Formatter.of("en").money(1234.5, "EUR"), Formatter.of("de").money(1234.5, "EUR").split()
        ('€1,234', ['1.234', '€'])
        """
        if unknown(value):
            return DASH
        digits = get_currency_precision(currency) if exact and currency else 0
        amount = self.number(value, digits)
        if not currency:
            return amount
        pattern = Locale.parse(self.locale).currency_formats["standard"].pattern.split(";")[0]
        symbol = get_currency_symbol(currency, locale=self.locale)
        gap = "\u00a0" if "\u00a0" in pattern or (len(symbol) > 1 and symbol.isalpha()) else ""
        return f"{symbol}{gap}{amount}" if pattern.startswith("¤") else f"{amount}{gap}{symbol}"

    def day(self, value: date | None, today: date | None = None) -> str:
        """Return a day; without its year where it is less than half a year from ``today``.

        >>> Formatter.of("en-GB").day(date(2018, 1, 9)), Formatter.of("nl").day(date(2018, 3, 9), date(2018, 1, 1))
        ('9 Jan 2018', '9 mrt')
        """
        if value is None:
            return DASH
        if today is not None and abs((value - today).days) < 180:
            return str(format_skeleton("MMMd", value, locale=self.locale))
        return str(format_date(value, format="medium", locale=self.locale))

    @property
    def axis_day(self) -> str:
        """How D3 is to write a day without its year: day and month in the order of `day`.

        >>> Formatter.of("en").axis_day, Formatter.of("en-GB").axis_day
        ('%b %-d', '%-d %b')
        """
        skeleton = Locale.parse(self.locale).datetime_skeletons["MMMd"].pattern
        return "%b %-d" if skeleton.startswith("M") else "%-d %b"

    def iso(self, value: str | None) -> str:
        """Return a day that stands in a record as ``2018-01-09``.

        >>> Formatter.of("en").iso("2018-01-09"), Formatter.of("en").iso(None)
        ('Jan 9, 2018', '–')
        """
        return self.day(date.fromisoformat(value)) if value else DASH

    def month(self, value: date) -> str:
        """Return a month with its year.

        >>> Formatter.of("en").month(date(2018, 1, 9))
        'Jan 2018'
        """
        return str(format_skeleton("yMMM", value, locale=self.locale))

    def weekday(self, number: int | None) -> str:
        """Return the short name of a day of the week, 0 being Monday.

        >>> Formatter.of("nl").weekday(0), Formatter.of("en").weekday(6)
        ('ma', 'Sun')
        """
        if number is None:
            return DASH
        return str(format_date(date.fromordinal(WEEKDAY_ONE.toordinal() + number), "EEE", locale=self.locale))


def unknown(value: float | None) -> bool:
    """Say whether there is no number.

    >>> unknown(None), unknown(float("nan")), unknown(0)
    (True, True, False)
    """
    return value is None or math.isnan(value)
