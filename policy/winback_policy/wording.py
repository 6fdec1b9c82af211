"""Numbers and days in plain words, as engine expressions; and a template filled in with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import ibis

from winback_policy.texts import ENGLISH, Language, pieces


def whole(number: Any) -> Any:
    """Return the number rounded, as text."""
    return number.round().cast("int64").cast("string")


def counted(number: Any, one: str, many: str) -> Any:
    """Return ``1 day`` or ``12 days``."""
    rounded = number.round().cast("int64")
    return rounded.cast("string") + ibis.ifelse(rounded == 1, f" {one}", f" {many}")


def every(days: Any, language: Language = ENGLISH) -> Any:
    """Return ``every day`` or ``every 12 days``."""
    rounded = days.round().cast("int64")
    before, after = language.every_days.split("{}")
    several = ibis.literal(before) + rounded.cast("string") + after
    return ibis.ifelse(rounded <= 1, language.every_day, several)


def day_before(as_of: date, days: Any) -> Any:
    """Return the date ``days`` (signed, whole) before ``as_of``."""
    return ibis.literal(as_of) - days.round().cast("int64").as_interval("D")


def short_day(day: Any, as_of: date, language: Language = ENGLISH) -> Any:
    """Return ``12 Nov``, with the year where it is not that of ``as_of``."""
    month = day.month().cases(*enumerate(language.months, start=1), else_="")
    year = ibis.ifelse(day.year() == as_of.year, "", ibis.literal(" ") + day.year().cast("string"))
    return day.day().cast("string") + " " + month + year


def percent(share: Any, language: Language = ENGLISH) -> Any:
    """Return ``22 %``, or ``less than 1 %``."""
    rounded = (share * 100).round().cast("int64")
    return ibis.ifelse(rounded < 1, language.below_one_percent, rounded.cast("string") + " %")


def sentence(code: str, values: Mapping[str, Any], language: Language, as_of: date) -> Any:
    """Return a reason in words.

    Parameters
    ----------
    code : str
        A key of ``language.reasons``.
    values : mapping of str to ibis expression
        What the template names; a date is a date, the rest are numbers or texts.
    language : Language
    as_of : date
        The day from which a date is seen.

    Returns
    -------
    ibis string expression
        Null where a value is null.
    """
    forms: dict[str, Callable[[Any], Any]] = {
        "whole": whole,
        "percent": lambda value: percent(value, language),
        "date": lambda value: short_day(value, as_of, language),
        "every": lambda value: every(value, language),
        "text": lambda value: value,
        "stated": lambda value: value.cases(*language.stated.items(), else_=None),
        **{noun: _counter(*words) for noun, words in language.nouns.items()},
    }
    said: Any = ibis.literal("")
    for text, name, form in pieces(language.reasons[code]):
        said = said + text if text else said
        said = said + forms[form](values[name]) if name else said
    return said


def _counter(one: str, many: str) -> Callable[[Any], Any]:
    return lambda value: counted(value, one, many)
