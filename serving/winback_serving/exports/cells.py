"""One value as a tool wants to read it: trimmed, hashed, cut, and never a spreadsheet formula.

A normaliser returns None where the value is not what it claims to be: it is left out, never guessed.
"""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""With what a spreadsheet takes a text for a formula: also the full-width forms, which some read as the plain ones."""
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]*")
_NUMBER = re.compile(r"\+[0-9]+")
"""Text that a spreadsheet takes for a number at worst: contacts whose id is their telephone number."""
_EMAIL = re.compile(r"""[^\s@=+\-,;:<>()"][^\s@,;:<>()"]*@[^\s@,;:<>()"]+\.[^\s@,;:<>()"]+""")
_E164 = re.compile(r"\+[1-9][0-9]{7,14}")


def email_trimmed(text: str) -> str | None:
    """Return an e-mail address without white space around it, in small letters.

    Examples
    --------
    >>> email_trimmed(" Jane.Doe@Example.com ")
    'jane.doe@example.com'
    >>> email_trimmed("jane doe@example.com") is None
    True
    """
    address = text.strip().lower()
    return address if _EMAIL.fullmatch(address) else None


def email_spaceless(text: str) -> str | None:
    """Return an e-mail address without any white space, in small letters.

    Examples
    --------
    >>> email_spaceless("Jane Doe@Example.com ")
    'janedoe@example.com'
    """
    return email_trimmed("".join(text.split()))


def phone_e164(text: str) -> str | None:
    """Return a telephone number in E.164, with +, if it is written internationally.

    Examples
    --------
    >>> phone_e164("0031 (0)6-1234 5678")
    '+31612345678'
    >>> phone_e164("06-12345678") is None
    True
    """
    bare = re.sub(r"[\s().\-/\u2010-\u2015]", "", text.replace("(0)", ""))
    number = "+" + bare[2:] if bare.startswith("00") else bare
    return number if _E164.fullmatch(number) else None


def phone_digits(text: str) -> str | None:
    """Return an international telephone number as digits, without +.

    Examples
    --------
    >>> phone_digits("+31 612345678")
    '31612345678'
    """
    number = phone_e164(text)
    return number and number[1:]


def name_lower(text: str) -> str | None:
    """Return a name trimmed and in small letters, accents kept and composed.

    Examples
    --------
    >>> name_lower(" Łukasz ")
    'łukasz'
    """
    return unicodedata.normalize("NFC", text.strip().lower()) or None


def country_code(text: str) -> str | None:
    """Return an ISO 3166-1 alpha-2 code in capitals, if the text has the form of one.

    Examples
    --------
    >>> country_code("nl"), country_code("Nederland")
    ('NL', None)
    """
    code = text.strip().upper()
    return code if re.fullmatch(r"[A-Z]{2}", code) else None


def language_code(text: str) -> str | None:
    """Return the ISO 639-1 code that a language tag begins with.

    Examples
    --------
    >>> language_code("nl-BE"), language_code("Dutch")
    ('nl', None)
    """
    found = re.fullmatch(r"([a-z]{2})([-_].*)?", text.strip().lower())
    return found[1] if found else None


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8, as 64 hexadecimal digits.

    Examples
    --------
    >>> sha256_hex("jane.doe@example.com")[:8]
    '86e0b9e5'
    """
    return hashlib.sha256(text.encode()).hexdigest()


def cut_bytes(text: str, most: int) -> str:
    """Cut a text to so many bytes of UTF-8, never within a character.

    Examples
    --------
    >>> cut_bytes("aé", 2), cut_bytes("aé", 3)
    ('a', 'aé')
    """
    return text.encode()[:most].decode(errors="ignore")


def safe_cell(value: Any, column: str) -> str:
    """Return a value as the text of one CSV cell.

    A text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers, and
    what is nothing but a plus and digits, or a telephone number in the column ``phone``, stays as it is.

    Parameters
    ----------
    value : object
        A Python value; None becomes an empty cell.
    column : str

    Examples
    --------
    >>> safe_cell("=1+1", "first_name")
    "'=1+1"
    >>> safe_cell("+31612345678", "contact_id"), safe_cell("+1-1", "contact_id")
    ('+31612345678', "'+1-1")
    >>> safe_cell("+31 612345678", "phone"), safe_cell(-3.5, "days_overdue"), safe_cell(True, "consent")
    ('+31 612345678', '-3.5', 'true')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal, date)):
        return str(value)
    text = str(value)
    harmless = _NUMBER.fullmatch(text) or (column == "phone" and _PHONE.fullmatch(text))
    if harmless or not text.startswith(_DANGEROUS):
        return text
    return f"'{text}"


_writer = csv.writer(SimpleNamespace(write=str.encode))


def csv_line(cells: list[str]) -> bytes:
    r"""Return one line of RFC 4180 in UTF-8: CRLF at the end, quotes where needed.

    Examples
    --------
    >>> csv_line(["a", 'b "c", d'])
    b'a,"b ""c"", d"\r\n'
    """
    line: bytes = _writer.writerow(cells)
    return line
