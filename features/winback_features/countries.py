"""Countries as shops write them: codes of ISO 3166-1, two that are in use in its place, and English names."""

from __future__ import annotations

from functools import lru_cache

IN_USE = {"UK": "GB", "EL": "GR"}
"""Codes that ISO 3166-1 keeps free for the United Kingdom and that the European Union has for Greece, to its own."""

UNKNOWN = "ZZ"


@lru_cache(maxsize=1)
def country_codes() -> dict[str, str]:
    """Return every way to write a country that is understood, in capitals, with its ISO 3166-1 alpha-2 code.

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
    return codes | {names[code].upper(): code for code in known} | {code: code for code in known} | IN_USE


def country_code(text: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country; None of a text that is not understood.

    Examples
    --------
    >>> country_code("uk"), country_code("Germany"), country_code("Atlantis")
    ('GB', 'DE', None)
    """
    return country_codes().get(text.strip().upper())
