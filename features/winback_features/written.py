"""How a shop writes times, amounts, yes and no: from values that could not be read, the expression that reads them.

A guess is offered only where it fits every value seen; where two readings fit, both are named, because the wrong one
would read without complaint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_DAY_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(,? \d{1,2}:\d{2}(:\d{2})?)?")

_NUMBERS: tuple[tuple[str, str], ...] = (
    (r"(19|20)\d{6}", "try_strptime({x}, '%Y%m%d')"),
    (r"(19|20)\d{12}", "try_strptime({x}, '%Y%m%d%H%M%S')"),
    # Days since the last day but one of 1899, as spreadsheets count; from 1990 to 2064.
    (
        r"(3[3-9]|[45]\d)\d{3}(\.\d+)?",
        "TIMESTAMP '1899-12-30' + to_seconds(round(TRY_CAST({x} AS DOUBLE) * 86400))",
    ),
    (r"1\d{9}", "to_timestamp(TRY_CAST({x} AS BIGINT))"),
    (r"1\d{12}", "to_timestamp(TRY_CAST({x} AS BIGINT) / 1000)"),
)
"""Times written as a number: what it looks like, and what reads it."""

_COMMA_DECIMAL = re.compile(r"-?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?")
_POINT_DECIMAL = re.compile(r"-?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?")

_YES = frozenset({"ja", "waar", "tak", "prawda", "wahr", "oui", "vrai", "opt-in"})
_NO = frozenset({"nee", "onwaar", "nie", "fałsz", "nein", "falsch", "non", "faux", "opt-out"})
"""What other languages and their spreadsheets write for true and false; no word of one stands in the other."""


def column_in_sql(name: str) -> str:
    r"""Return a column as it stands in an expression between double quotes of a settings file.

    Examples
    --------
    >>> print(column_in_sql("total"), column_in_sql("Order Date"))
    total \"Order Date\"
    """
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    return '\\"' + name.replace('"', '\\"\\"') + '\\"'


def time_expressions(theirs: str, seen: Sequence[str]) -> tuple[str, ...]:
    """Return the expressions that read all these times: none, one, or two where day and month could be either.

    Parameters
    ----------
    theirs : str
        Column or expression, as it stands in the settings file.
    seen : sequence of str

    Examples
    --------
    >>> time_expressions("date", ["17/02/2025", "02/04/2025"])
    ("try_strptime(date, '%d/%m/%Y')",)
    >>> len(time_expressions("date", ["01/02/2025 10:30"])), time_expressions("date", ["last week"])
    (2, ())
    """
    for pattern, expression in _NUMBERS:
        if _all(re.compile(pattern).fullmatch, seen):
            return (expression.format(x=theirs),)
    found = [_DAY_FIRST.fullmatch(text) for text in seen]
    parts = [match for match in found if match]
    shapes = {(m[2], len(m[4]), (m[5] or "")[:1], bool(m[5]), bool(m[6])) for m in parts}
    if len(parts) < len(found) or len(shapes) != 1:
        return ()
    ((mark, digits, comma, timed, seconds),) = shapes
    year = "%Y" if digits == 4 else "%y"
    clock = ("," if comma == "," else "") + " %H:%M" + (":%S" if seconds else "") if timed else ""
    orders = [
        (a, b)
        for a, b, month in (("%d", "%m", 3), ("%m", "%d", 1))
        if all(int(m[month]) <= 12 for m in parts)
    ]
    return tuple(f"try_strptime({theirs}, '{a}{mark}{b}{mark}{year}{clock}')" for a, b in orders)


def amount_expressions(theirs: str, seen: Sequence[str]) -> tuple[str, ...]:
    """Return the expressions that read all these amounts: none, one, or two where a comma could be either sign.

    Parameters
    ----------
    theirs : str
        Column or expression, as it stands in the settings file.
    seen : sequence of str

    Examples
    --------
    >>> amount_expressions("total", ["42,46", "7,00"]), amount_expressions("total", ["4,246.00"])
    (("replace(total, ',', '.')",), ("replace(total, ',', '')",))
    >>> amount_expressions("total", ["€ 1.042,46"])
    ("replace(regexp_replace(total, '[^0-9,-]', '', 'g'), ',', '.')",)
    >>> len(amount_expressions("total", ["1,234"])), amount_expressions("total", ["(12.00)", "free"])
    (2, ())
    """
    bare = [re.sub(r"^[^0-9(-]*|[^0-9)-]*$", "", text) for text in seen]
    signs = any(b != text for b, text in zip(bare, seen, strict=True))
    points, commas = any("." in b for b in bare), any("," in b for b in bare)
    readings = []
    if commas and _all(_COMMA_DECIMAL.fullmatch, bare):
        plain = f"replace({theirs}, '.', '')" if points else theirs
        text = f"regexp_replace({theirs}, '[^0-9,-]', '', 'g')" if signs else plain
        readings.append(f"replace({text}, ',', '.')")
    if (signs or commas) and _all(_POINT_DECIMAL.fullmatch, bare):
        readings.append(
            f"regexp_replace({theirs}, '[^0-9.-]', '', 'g')" if signs else f"replace({theirs}, ',', '')"
        )
    return tuple(readings)


def flag_expressions(theirs: str, seen: Sequence[str]) -> tuple[str, ...]:
    """Return the expression that reads all these words as yes or no, and leaves what else there is as it is.

    Parameters
    ----------
    theirs : str
        Column or expression, as it stands in the settings file.
    seen : sequence of str

    Examples
    --------
    >>> flag_expressions("news", ["ja", "Nee"])
    ("CASE lower(trim(news)) WHEN 'ja' THEN 'true' WHEN 'nee' THEN 'false' ELSE news END",)
    >>> flag_expressions("news", ["ja", "perhaps"])
    ()
    """
    words = sorted({text.lower() for text in seen})
    if not _all((_YES | _NO).__contains__, words):
        return ()
    cases = " ".join(f"WHEN '{word}' THEN '{str(word in _YES).lower()}'" for word in words)
    return (f"CASE lower(trim({theirs})) {cases} ELSE {theirs} END",)


def _all(fits: Callable[[str], object], seen: Sequence[str]) -> bool:
    return bool(seen) and all(fits(text) for text in seen)
