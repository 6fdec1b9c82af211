"""Every export format as data: its columns, how each is normalised, and the limits of the tool that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from winback_serving.exports.cells import (
    country_code,
    email_spaceless,
    email_trimmed,
    language_code,
    name_lower,
    phone_digits,
    phone_e164,
    sha256_hex,
)

Convert = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a format.

    Attributes
    ----------
    name : str
        As the tool wants it.
    sources : tuple of str
        The columns of the list that it is made from.
    convert : callable, optional
        Their values to the field's; not called where all of them are None.
    typed : bool
        A telephone number, a code or a hash: text that no spreadsheet takes for a formula.
    """

    name: str
    sources: tuple[str, ...]
    convert: Convert | None = None
    typed: bool = False

    def value(self, given: tuple[Any, ...]) -> Any:
        """Return the field's value, None where it has none."""
        if all(value is None for value in given):
            return None
        return self.convert(*given) if self.convert else given[0]


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """What a tool reads.

    Attributes
    ----------
    what : str
        One line for the documents.
    fields : tuple of Field
        Empty where every column of the list is written as it is.
    layout : {"csv", "jsonl", "parquet"}
    key : tuple of str
        Fields of which a row needs one; a row without is left out and reported.
    one_per_email : bool
        Whether the tool takes an e-mail address once.
    audience : bool
        Hashed, for advertising: people to add in one file, to remove in another.
    max_rows, max_bytes : int, optional
        Of one file; more is split into numbered files. Rows do not count the header.
    max_text_bytes : int, optional
        Longer texts are cut.
    per_line : int
        Objects in one JSON line.
    """

    what: str
    fields: tuple[Field, ...] = ()
    layout: Literal["csv", "jsonl", "parquet"] = "csv"
    key: tuple[str, ...] = ()
    one_per_email: bool = False
    audience: bool = False
    max_rows: int | None = None
    max_bytes: int | None = None
    max_text_bytes: int | None = None
    per_line: int = 1

    @property
    def raw(self) -> bool:
        """Whether every column of the list is written as it is."""
        return not self.fields

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that the format reads, each once."""
        return tuple(dict.fromkeys(source for field in self.fields for source in field.sources))


def column(name: str, source: str = "", convert: Convert | None = None, *, typed: bool = False) -> Field:
    """Return a field of one source, of the same name where no other is given."""
    return Field(name, (source or name,), convert, typed)


def hashed(name: str, source: str, convert: Convert) -> Field:
    """Return a field that holds the SHA-256 of what ``convert`` makes of its source."""

    def digest(value: Any) -> str | None:
        text = convert(value)
        return sha256_hex(text) if text else None

    return column(name, source, digest, typed=True)


def blank(name: str) -> Field:
    """Return a field that the tool's header has and we know nothing about."""
    return Field(name, ())


def money(value: float) -> float:
    """Return an amount in whole cents, so that no cell is written with an exponent."""
    return round(float(value), 2)


def midnight(day: date) -> str:
    """Return ``YYYY-MM-DD hh:mm:ss``."""
    return f"{day} 00:00:00"


def full_name(first: str | None, last: str | None) -> str:
    """Return the names that there are, with a blank between them."""
    return " ".join(name for name in (first, last) if name)


FLAGS = ("winback_flag", "exclude_from_regular", "preference_form", "retargeting", "email_allowed")
"""Always true or false: a blank would not overwrite what a tool has kept from yesterday."""

JOURNEY = (
    column("contact_id"),
    *(column(flag) for flag in FLAGS),
    column("winback_state", "state"),
    column("entered_at"),
    column("exit_reason"),
    column("recommended_action"),
    column("journey_step"),
    column("tone"),
    column("channel"),
    column("send_weekday"),
    column("send_hour"),
    column("send_timezone"),
    column("incentive_tier"),
    column("incentive_kind"),
    column("reason_1"),
    column("stated_reason"),
    column("last_category"),
    column("last_product"),
    column("top_interest"),
    column("rfm_segment"),
    column("next_purchase_date"),
    column("days_since_purchase"),
    column("value_at_risk", convert=money),
    column("currency"),
    column("language"),
    column("country"),
)
"""The custom columns of every tool."""


def _dates_as(fields: tuple[Field, ...], convert: Convert) -> tuple[Field, ...]:
    return tuple(
        replace(f, convert=convert) if f.name in ("entered_at", "next_purchase_date") else f for f in fields
    )


def _tags(in_journey: bool, segment: str | None) -> str:
    """Return Mautic's tags; one with a minus in front is taken off, and stands last, where no spreadsheet minds it."""
    return "|".join((*([f"rfm_{segment}"] if segment else ()), "winback" if in_journey else "-winback"))


def _as_json(*given: Any) -> str:
    """Return the custom columns that have a value as one JSON object."""
    values = {f.name: f.value((value,)) for f, value in zip(JOURNEY, given, strict=True)}
    kept = {name: value for name, value in values.items() if value is not None}
    return json.dumps(kept, ensure_ascii=False, default=str)


_PERSON = (
    column("First Name", "first_name"),
    column("Last Name", "last_name"),
    column("Phone Number", "phone", phone_e164, typed=True),
)

FORMATS: dict[str, ExportFormat] = {
    "csv": ExportFormat("every column of the list, RFC 4180 in UTF-8"),
    "parquet": ExportFormat("every column of the list, with its types", layout="parquet"),
    "klaviyo": ExportFormat(
        "CSV of profiles for Klaviyo",
        (column("Email", "email", email_trimmed, typed=True), *_PERSON, *JOURNEY),
        key=("Email",),
        one_per_email=True,
        max_bytes=50_000_000,
    ),
    "braze": ExportFormat(
        "JSON lines of user attributes for Braze, existing users only",
        (
            column("external_id", "contact_id"),
            column("_update_existing_only", "contact_id", lambda _: True),
            column("country", "country", country_code),
            column("language", "language", language_code),
            *(f for f in JOURNEY if f.name not in ("contact_id", "country", "language")),
            column("days_until_next_purchase"),
        ),
        layout="jsonl",
        key=("external_id",),
        per_line=75,
    ),
    "mailchimp": ExportFormat(
        "CSV of contacts and merge fields for Mailchimp",
        (column("Email Address", "email", email_trimmed, typed=True), *_PERSON, *JOURNEY),
        key=("Email Address",),
        one_per_email=True,
        max_text_bytes=255,
    ),
    "hubspot": ExportFormat(
        "CSV of contacts for HubSpot",
        (column("Email", "email", email_trimmed, typed=True), *_PERSON, *JOURNEY),
        key=("Email",),
        one_per_email=True,
        max_rows=249_999,
    ),
    "mautic": ExportFormat(
        "CSV of contacts for Mautic",
        (
            column("email", "email", email_trimmed, typed=True),
            column("firstname", "first_name"),
            column("lastname", "last_name"),
            column("phone", "phone", phone_e164, typed=True),
            *_dates_as(JOURNEY, midnight),
            Field("tags", ("winback_flag", "rfm_segment"), _tags, typed=True),
            column("doNotEmail", "email_allowed", lambda allowed: not allowed),
        ),
        key=("email",),
        one_per_email=True,
    ),
    "listmonk": ExportFormat(
        "CSV of subscribers for listmonk, everything else in one JSON column",
        (
            column("email", "email", email_trimmed, typed=True),
            Field("name", ("first_name", "last_name"), full_name),
            Field("attributes", tuple(field.sources[0] for field in JOURNEY), _as_json, typed=True),
        ),
        key=("email",),
        one_per_email=True,
    ),
    "meta": ExportFormat(
        "hashed customer list for Meta",
        (
            hashed("email", "email", email_trimmed),
            hashed("phone", "phone", phone_digits),
            blank("madid"),
            hashed("fn", "first_name", name_lower),
            hashed("ln", "last_name", name_lower),
            blank("ct"),
            blank("st"),
            blank("zip"),
            hashed("country", "country", lambda text: (country_code(text) or "").lower()),
            column("extern_id", "contact_id"),
        ),
        key=("email", "phone"),
        one_per_email=True,
        audience=True,
    ),
    "google": ExportFormat(
        "hashed Customer Match list for Google",
        (
            hashed("Email", "email", email_spaceless),
            hashed("Phone", "phone", phone_e164),
            hashed("First Name", "first_name", name_lower),
            hashed("Last Name", "last_name", name_lower),
            column("Country", "country", country_code, typed=True),
            blank("Zip"),
        ),
        key=("Email", "Phone"),
        one_per_email=True,
        audience=True,
    ),
}
"""Format name to its description."""
