"""Every sentence of the pages in every language, one TOML file each: the one place to translate.

A text is named by its table and key, such as ``today.title``. ``{name}`` stands for a value, which the caller has already
written in the reader's locale. Texts under ``count`` are pairs: of one, and of any other number.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from winback_features.errors import ConfigError

LANGUAGES = ("en", "nl")
"""By their ISO 639-1 code; the first is taken where a page's language has no file."""


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """The texts of one language.

    Attributes
    ----------
    language : str
    table : mapping
        Of tables of texts.
    """

    language: str
    table: Mapping[str, Mapping[str, Any]]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values filled in.

        Raises
        ------
        KeyError
            When there is no such text, or a value is missing: a fault of the page.

        Examples
        --------
        >>> texts("nl")("nav.list")
        'Risicolijst'
        """
        section, _, name = key.partition(".")
        text: str = self.table[section][name]
        return text.format(**values) if values else text

    def count(self, key: str, number: int, written: str) -> str:
        """Return a counted thing.

        Examples
        --------
        >>> texts("en").count("contact", 1, "1"), texts("en").count("contact", 2400, "2,400")
        ('1 contact', '2,400 contacts')
        """
        one, many = self.table["count"][key]
        return str(one if number == 1 else many).format(n=written)

    def word(self, kind: str, code: str | None) -> str:
        """Return a code of the data in words; one without a text by its own name.

        Examples
        --------
        >>> texts("en").word("segment", "cant_lose"), texts("en").word("channel", "pigeon_post")
        ("can't lose", 'pigeon post')
        """
        if not code:
            return "–"
        found: str = self.table[kind].get(code, code.replace("_", " "))
        return found


@cache
def texts(tag: str) -> Texts:
    """Return the texts of a language tag, such as ``nl`` or ``en-GB``.

    Raises
    ------
    ConfigError
        When the pages are not translated into it.
    """
    language = tag.replace("_", "-").split("-")[0].lower()
    if language not in LANGUAGES:
        what = f"The pages are not written in {tag!r}."
        raise ConfigError(what, where="[web] language", how=f"Choose one of {', '.join(LANGUAGES)}.")
    table = tomllib.loads(files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8"))
    return Texts(language, table)
