"""The contacts table: addresses, consent, bounces, objections and erasures; and who can be mailed until when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winback_models.btyd import Array
from winback_models.simulate.arrow import among, instants, only, texts
from winback_models.simulate.people import Bools, People
from winback_models.simulate.world import World

COUNTRIES = ("NL", "DE", "BE", "FR", "GB")
LANGUAGES = ("nl", "de", "nl", "fr", "en")
ZONES = ("Europe/Amsterdam", "Europe/Berlin", "Europe/Brussels", "Europe/Paris", "Europe/London")
COUNTRY_SHARES = (0.5, 0.2, 0.12, 0.1, 0.08)
SOURCES = ("search", "social", "friend", "store", "newsletter")
FIRST_NAMES = (
    "Anna",
    "Bram",
    "Chloé",
    "Daan",
    "Eva",
    "Finn",
    "Greta",
    "Hugo",
    "Iris",
    "Jonas",
    "Lotte",
    "Mats",
)
LAST_NAMES = (
    "Bakker",
    "Dubois",
    "de Jong",
    "Fischer",
    "Jansen",
    "Martin",
    "Müller",
    "Smith",
    "Visser",
    "Weber",
)

NO_CONSENT, YES, UNKNOWN = range(3)

CONTACTS_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("contact_id", "email", "phone", "first_name", "last_name")),
        *((name, pa.string()) for name in ("language", "country", "timezone")),
        ("created_at", pa.timestamp("us")),
        ("acquisition_source", pa.string()),
        *((f"consent_{c}", pa.bool_()) for c in ("email", "sms", "push", "phone", "post")),
        ("email_status", pa.string()),
        ("objected_profiling_at", pa.timestamp("us")),
        ("erased_at", pa.timestamp("us")),
        ("is_staff", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Profiles:
    """What mail depends on, one entry per contact of a block; and the table.

    Attributes
    ----------
    mailed : ndarray of bool
        Has an address and has not refused.
    mail_ends : ndarray
        Day of the unsubscription; inf where there is none.
    dead_address : ndarray of bool
        Mail to it comes back.
    private_mail : ndarray of bool
        The mail program opens by itself.
    table : pyarrow.Table
    """

    mailed: Bools
    mail_ends: Array
    dead_address: Bools
    private_mail: Bools
    table: pa.Table


def draw_profiles(world: World, people: People, rng: np.random.Generator) -> Profiles:
    """Draw the contact rows of one block."""
    n = len(people.number)
    ids = texts("c", people.number, 9)
    has_email, has_phone = rng.random(n) < 0.95, rng.random(n) < 0.4
    country = rng.choice(len(COUNTRIES), n, p=COUNTRY_SHARES).astype(np.int8)
    consent = rng.choice(3, (5, n), p=(0.2, 0.7, 0.1))
    tired = rng.random(n) < 0.12
    ends = np.where(tired, people.arrived + rng.exponential(300.0, n), np.inf)
    dead, private = rng.random(n) < 0.03, rng.random(n) < 0.35
    rare = rng.random((3, n))
    moment = people.arrived + rng.random(n) * (world.days - people.arrived)
    objected, erased = (np.where(rare[i] < s, moment, np.nan) for i, s in enumerate((0.003, 0.002)))
    noon = np.full(n, 12 * 3600)
    address = pc.binary_join_element_wise(ids, pa.scalar("@example.com"), pa.scalar(""))
    phone = texts("+3160", people.number, 8)
    status = np.where(has_email, np.where(dead, 1, 0), 2).astype(np.int8)
    columns = [
        ids,
        only(has_email, address),
        only(has_phone, phone),
        among(FIRST_NAMES, rng.integers(0, len(FIRST_NAMES), n)),
        among(LAST_NAMES, rng.integers(0, len(LAST_NAMES), n)),
        among(LANGUAGES, country),
        among(COUNTRIES, country),
        among(ZONES, country),
        instants(world, people.arrived, noon),
        among(SOURCES, rng.integers(0, len(SOURCES), n)),
        *(pa.array(row == YES, mask=row == UNKNOWN) for row in consent),
        among(("ok", "hard_bounced", "unknown"), status),
        instants(world, objected, noon),
        instants(world, erased, noon),
        pa.array(rare[2] < 0.001),
    ]
    table = pa.table(columns, schema=CONTACTS_SCHEMA)
    return Profiles(has_email & (consent[0] != NO_CONSENT), ends, dead, private, table)
