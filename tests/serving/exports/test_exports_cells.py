"""Cells: hashes as the ad tools publish them, safe texts, nothing guessed."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winback_serving.exports.cells import (
    country_code,
    csv_line,
    cut_bytes,
    email_spaceless,
    email_trimmed,
    language_code,
    name_lower,
    phone_digits,
    phone_e164,
    safe_cell,
    sha256_hex,
)

HASHES = [
    (
        email_trimmed,
        " Jane.Doe@Example.com\t",
        "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d",
    ),
    (
        email_spaceless,
        "Jane. Doe@ Example.com",
        "86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d",
    ),
    (phone_e164, "+31 6 1234 5678", "fab7be8a931d1088a82f6acf9e468aaf6a3accc07d5112ee5d6fca93281e1583"),
    (phone_digits, "0031 6-12345678", "e03d152bbe638d9fe7a04f9b88a67674bf15b73c0981755c16eb78d177721e03"),
    (name_lower, " ŁUKASZ ", "974282d5169583fd089607c615244d5495c50f3be4e9e5274ad64a27dc8ee84e"),
]


@pytest.mark.parametrize(("normalise", "given_text", "digest"), HASHES)
def test_published_hashes(normalise: object, given_text: str, digest: str) -> None:
    assert callable(normalise)
    assert sha256_hex(normalise(given_text)) == digest


@pytest.mark.parametrize(
    "text",
    ["", "jane", "@x.nl", "a@b", "a b@x.nl", "a@x.nl,b@x.nl", "=1+1@x.nl", "+a@x.nl", '"a"@x.nl', "a@@x.nl"],
)
def test_what_is_no_usable_address(text: str) -> None:
    assert email_trimmed(text) is None


@pytest.mark.parametrize(
    "text", ["", "0612345678", "+", "+31", "+0612345678", "+31 6 CALL ME", "+=cmd|' /C calc'!A0"]
)
def test_what_is_no_international_number(text: str) -> None:
    assert phone_e164(text) is None
    assert phone_digits(text) is None


def test_accents_are_composed_and_kept() -> None:
    assert name_lower("Jose\u0301") == "josé"
    assert name_lower(" ") is None


def test_country_and_language_only_as_codes() -> None:
    assert [country_code(t) for t in ("nl ", "PL", "Netherlands", "NLD", "")] == [
        "NL",
        "PL",
        None,
        None,
        None,
    ]
    assert [language_code(t) for t in ("NL", "pl_PL", "Dutch", "")] == ["nl", "pl", None, None]


STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@given(st.text() | st.builds("".join, st.tuples(st.sampled_from(STARTS), st.text())))
def test_no_text_starts_a_formula(text: str) -> None:
    cell = safe_cell(text, "first_name")
    assert not cell.startswith(STARTS) or (cell[0] == "+" and cell[1:].isascii() and cell[1:].isdigit())
    assert cell.removeprefix("'") == text.removeprefix("'")


def test_an_id_that_is_a_telephone_number_is_found_again() -> None:
    assert safe_cell("+31612345678", "contact_id") == "+31612345678"


@given(st.text(), st.integers(0, 20))
def test_a_cut_text_is_the_longest_beginning_that_fits(text: str, most: int) -> None:
    cut = cut_bytes(text, most)
    assert text.startswith(cut)
    assert len(cut.encode()) <= most
    assert cut == text or len(text[: len(cut) + 1].encode()) > most


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=5))
def test_a_line_comes_back_through_an_independent_reader(cells: list[str]) -> None:
    line = csv_line(cells).decode("utf-8")
    assert line.endswith("\r\n")
    assert next(csv.reader(io.StringIO(line, newline=""), strict=True)) == cells
