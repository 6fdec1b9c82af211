"""Countries as shops write them: codes of ISO 3166-1, names in English and in the country's own languages, and a few by habit."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

IN_USE = {"UK": "GB", "EL": "GR"}
"""Codes that ISO 3166-1 keeps free for the United Kingdom and that the European Union has for Greece, to its own."""

BY_HABIT = {
    **dict.fromkeys(("GREAT BRITAIN", "ENGLAND", "SCOTLAND", "WALES", "NORTHERN IRELAND"), "GB"),
    "EIRE": "IE",
    "REPUBLIC OF IRELAND": "IE",
    "HOLLAND": "NL",
    "CZECH REPUBLIC": "CZ",
    "TURKEY": "TR",
    "UNITED STATES OF AMERICA": "US",
}
"""Names that shops write and no table of names has."""

UNKNOWN = "ZZ"


@lru_cache(maxsize=1)
def country_codes() -> dict[str, str]:
    """Return the codes of two and three letters and the English names, bare, each with its ISO 3166-1 alpha-2 code.

    Examples
    --------
    >>> codes = country_codes()
    >>> codes["NL"], codes["NLD"], codes["NETHERLANDS"], codes["UK"], "EU" in codes
    ('NL', 'NL', 'NL', 'GB', False)
    """
    from babel import Locale
    from babel.core import get_global
    from babel.languages import get_territory_language_info

    names = {str(code): str(name) for code, name in Locale("en").territories.items()}
    # Where no language is spoken is no country: a union of some, a code to test programs with.
    known = [
        code for code in names if code.isalpha() and code != UNKNOWN and get_territory_language_info(code)
    ]
    # Of the other codes those of three letters: two letters of the past may be a state of today, such as CT.
    others = {
        code: now
        for code, now in get_global("territory_aliases").items()
        if len(code) == 3 and code.isalpha()
    }
    codes = {code: now[0] for code, now in others.items() if len(now) == 1 and now[0] in known}
    return (
        codes
        | {_bare(names[code]): code for code in known}
        | {code: code for code in known}
        | IN_USE
        | BY_HABIT
    )


@lru_cache(maxsize=1)
def own_names() -> dict[str, str]:
    """Return the names of the countries in their official languages, bare, each with its code; it takes seconds."""
    from babel import Locale, UnknownLocaleError
    from babel.languages import get_official_languages

    found: dict[str, set[str]] = {}
    for code in sorted(set(country_codes().values())):
        for language in get_official_languages(code, de_facto=True):
            try:
                name = Locale.parse(language).territories.get(code)
            except (UnknownLocaleError, ValueError):
                continue
            if name:
                found.setdefault(_bare(name), set()).add(code)
    return {name: min(codes) for name, codes in found.items() if len(codes) == 1}


def country_code(text: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country; None of a text that is not understood.

    Examples
    --------
    >>> country_code("uk"), country_code("Germany"), country_code("Österreich"), country_code("Atlantis")
    ('GB', 'DE', 'AT', None)
    """
    bare = _bare(text)
    return country_codes().get(bare) or own_names().get(bare)


def _bare(text: str) -> str:
    """Return a name in capitals, without accents, points and an article before it."""
    letters = unicodedata.normalize("NFKD", text.strip().casefold()).replace("’", "'").replace(".", "")
    return "".join(c for c in letters if not unicodedata.combining(c)).upper().removeprefix("THE ")
