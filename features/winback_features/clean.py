"""Turn the sound rows of each staged table into the tables of the contract (pure expressions)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import ibis
import pyarrow as pa

from winback_features.config import BrandConfig
from winback_features.contracts import (
    EMAIL_STATUSES,
    EVENT_KINDS,
    LIST_NAMES,
    OTHER_KIND,
    STATED_REASONS,
    SURVEY,
)
from winback_features.countries import country_code
from winback_features.fact_arrays import CHANNELS as LEAVABLE
from winback_features.fact_arrays import MONEY_UNITS
from winback_features.tables import CONTACTS_SCHEMA, EVENTS_SCHEMA, LINES_SCHEMA, MONEY

CHANNELS = tuple(sorted({k.channel for k in EVENT_KINDS.values()} | {"phone"}))
"""Channels an event may name; another word gives way to the usual channel of its kind."""

VOCABULARY = pa.table(
    {
        "known_kind": list(EVENT_KINDS),
        "usual_channel": [meaning.channel for meaning in EVENT_KINDS.values()],
        "known_role": [meaning.role for meaning in EVENT_KINDS.values()],
    }
)
"""What each kind of event means."""


def order_lines(rows: ibis.Table, brand: BrandConfig) -> ibis.Table:
    """Return order lines with their day, amounts in the brand's currency rounded to four decimals."""
    rate = _rate(rows, brand.rates, brand.currency)
    lines = rows.mutate(day=rows.ordered_at.date())
    if rate is None:
        return lines
    # Engines round a double to digits differently, and to a whole number alike.
    units = {c: (lines[c].cast("float64") * rate * MONEY_UNITS).round() for c in ("amount", "discount")}
    exchanged = {c: (value / MONEY_UNITS).cast(MONEY) for c, value in units.items()}
    foreign = lines.currency.notnull() & (lines.currency != brand.currency)
    return lines.mutate(**{c: ibis.ifelse(foreign, value, lines[c]) for c, value in exchanged.items()})


def _rate(rows: ibis.Table, rates: Mapping[str, float], home: str) -> ibis.Value | None:
    foreign = {c: r for c, r in sorted(rates.items()) if c != home}
    if not foreign:
        return None
    return ibis.cases(*((rows.currency == c, float(r)) for c, r in foreign.items()), else_=1.0)


def used_lines(lines: ibis.Table) -> ibis.Table:
    """Return the lines as ``Tables.lines``."""
    return lines.select(*LINES_SCHEMA.names)


def clean_events(rows: ibis.Table, vocabulary: ibis.Table) -> ibis.Table:
    """Return events as ``Tables.events``: kind, role, channel and reason resolved, ``machine`` never null.

    Parameters
    ----------
    rows : ibis.Table
    vocabulary : ibis.Table
        `VOCABULARY`, held by the engine: to look a word up is several times quicker than to compare it with each.
    """
    written, stated = rows.channel.lower(), stated_reason(rows)
    channel = written.cases(*LIST_NAMES.items(), else_=written)
    named = rows.mutate(
        day=rows.occurred_at.date(),
        named_channel=ibis.ifelse(channel.isin(CHANNELS), channel, ibis.null("string")),
        machine=rows.machine.fill_null(False),
        reason=ibis.ifelse(stated.isin(STATED_REASONS) | stated.isnull(), stated, STATED_REASONS[-1]),
    )
    named = named.rename(word="kind").drop("channel")
    t = named.left_join(vocabulary, named.word == vocabulary.known_kind)
    # Who takes itself off on the site takes itself off nothing that is sent by "site".
    named_channel = ibis.ifelse(
        (t.known_role == "optout") & t.named_channel.notin(LEAVABLE), None, t.named_channel
    )
    return t.mutate(
        kind=t.known_kind.fill_null(OTHER_KIND),
        channel=ibis.coalesce(named_channel, t.usual_channel, ibis.literal(OTHER_KIND)),
        role=t.known_role.fill_null(OTHER_KIND),
    ).select(*EVENTS_SCHEMA.names)


def stated_reason(rows: ibis.Table) -> ibis.Value:
    """Return why a survey answer says that the contact stopped, as written but in small letters; null for other events."""
    # Hardly any event has a reason: what is asked first spares the others the rest.
    answered = rows.reason.notnull() & (rows.kind == SURVEY)
    return ibis.ifelse(answered, rows.reason.strip().lower().nullif(""), None)


def clean_contacts(rows: ibis.Table, countries: Iterable[str] = ()) -> ibis.Table:
    """Return contacts as ``Tables.contacts``: a country as its code, an e-mail status that is not known as ``unknown``.

    Parameters
    ----------
    rows : ibis.Table
    countries : iterable of str
        Each country that is written in them. One that is not understood stays as it is.
    """
    status = rows.email_status.lower()
    known = ibis.ifelse(status.isin(EMAIL_STATUSES), status, ibis.ifelse(status.isnull(), status, "unknown"))
    codes = {
        written: code
        for written in sorted(countries)
        if (code := country_code(written)) not in (None, written)
    }
    if codes:
        rows = rows.mutate(country=rows.country.cases(*codes.items(), else_=rows.country))
    return rows.mutate(email_status=known).select(*CONTACTS_SCHEMA.names)
