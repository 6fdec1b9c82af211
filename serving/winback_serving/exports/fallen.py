"""Who is on a list and no longer to be written to: bought, refused, left, bounced or was erased since the list's run.

A list that goes out in batches is hours or days old when the last one goes. What is known by then comes from two sides: the
inputs as they are now, and the newest published run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import ibis
import pyarrow as pa
from ibis.util import gen_name

from winback_features.config import EngineConfig
from winback_features.contact_status import build_contact_status
from winback_features.engine import open_engine
from winback_features.expressions import join_contacts
from winback_features.facts import purchase_orders
from winback_features.tables import Tables
from winback_policy.channels import CHANNELS, SOFT_BOUNCES, of_channel
from winback_policy.stated import left_for_good
from winback_serving.lists import LISTS, address, read_flags
from winback_serving.store import PublishedRun

FELL_OUT = (
    "erased",
    "objected_profiling",
    "staff",
    "purchased",
    "hard_bounced",
    "complained",
    "unsubscribed",
    "left_for_good",
    "soft_bounced",
    "refused_address",
)
"""What the inputs may say, in the order in which it is asked; after these the newest run is asked for its ``exit_reason``."""

GONE, LEFT = "gone", "left_list"
"""What the newest run says of a contact that it does not know, and of one that is off the list without an exit."""


@dataclass(frozen=True, slots=True)
class Fallen:
    """Who fell out, and how much is known.

    Attributes
    ----------
    contacts : pyarrow.Table
        ``contact_id``, ``fell_out`` (the reason).
    inputs_until : date or None
        The newest fact in the inputs.
    newest_run : date or None
        The day of a newer run; None where there is none.
    """

    contacts: pa.Table
    inputs_until: date | None
    newest_run: date | None


def fell_out(
    tables: Tables, run: PublishedRun, name: str, newest: PublishedRun | None, today: date
) -> Fallen:
    """Find who was on a list of a run and is no longer to be written to.

    Parameters
    ----------
    tables : Tables
        The inputs as they are now.
    run : PublishedRun
        The run that the list comes from.
    name : str
        One of ``winback_serving.lists.LISTS``.
    newest : PublishedRun, optional
        The newest run; it says nothing where it is ``run`` itself, or older.
    today : date
        Facts of this day count, too.

    Returns
    -------
    Fallen
    """
    newer = newest if newest and newest.run_id != run.run_id and newest.as_of >= run.as_of else None
    listed = _listed(run, name, newer)
    until = [table.day.max().to_pyarrow().as_py() for table in (tables.orders, tables.events)]
    found = _by_inputs(tables, listed, run.as_of, today + timedelta(days=1))
    return Fallen(found, max(filter(None, until), default=None), newer.as_of if newer else None)


def _listed(run: PublishedRun, name: str, newer: PublishedRun | None) -> pa.Table:
    """Return the contacts of a list with what the run knew of them, and in ``told`` what the runs say of them since."""
    with open_engine(EngineConfig()) as backend:
        flags = read_flags(backend, run)
        rows = flags.filter(LISTS[name].where(flags)).select(
            "contact_id",
            "channel",
            since=flags.entered_at.fill_null(ibis.literal(run.as_of)),
            address=address(flags.email),
            refused=~flags.consent_email.fill_null(True),
            bounced=flags.soft_bounces_in_a_row.fill_null(0) > SOFT_BOUNCES,
        )
        # `winback erase` makes a row nobody's, and drops the state.
        states = backend.read_parquet(run.file("states")).select(state_of="contact_id")
        rows = rows.left_join(states, rows.contact_id == states.state_of)
        told = ibis.cases((rows.state_of.isnull(), "erased"), else_=ibis.null("string"))
        if newer is not None:
            tonight = _tonight(backend, newer, name)
            rows = rows.left_join(tonight, rows.contact_id == tonight.tonight_of)
            exit_reason = ibis.ifelse(rows.exited_at >= rows.since, rows.exit_reason, None)
            off = ibis.ifelse(rows.still, None, exit_reason.fill_null(LEFT))
            told = told.coalesce(ibis.ifelse(rows.tonight_of.isnull(), GONE, off))
        kept = ("contact_id", "channel", "since", "address", "refused", "bounced")
        return rows.select(*kept, told=told).to_pyarrow()


def _tonight(backend: Any, newer: PublishedRun, name: str) -> Any:
    """Return whom a newer run knows, whether it would still be written to, and how its last journey ended."""
    flags = read_flags(backend, newer)
    # Who entered on an earlier day is in a journey still, and no entry any more.
    still = LISTS["current" if name == "entries" else name].where(flags)
    ended = backend.read_parquet(newer.file("states"))
    ended = ended.select("exit_reason", "exited_at", ended_of="contact_id")
    flags = flags.select(tonight_of="contact_id", still=still.fill_null(False))
    return flags.left_join(ended, flags.tonight_of == ended.ended_of).drop("ended_of")


def _by_inputs(tables: Tables, listed: pa.Table, day: date, cut: date) -> pa.Table:
    """Ask the inputs of before ``cut`` about the contacts of the list of ``day``, and those that share an address with them."""
    backend = tables.backend
    rows = backend.create_table(gen_name("listed"), listed, temp=True)
    same = tables.contacts.mutate(address=address(tables.contacts.email))
    same = same.semi_join(rows.filter(rows.address.notnull()), "address")
    ids = rows.select("contact_id").union(same.select("contact_id"), distinct=True)
    ids = backend.create_table(gen_name("asked"), ids.to_pyarrow(), temp=True)
    theirs = tables.each(lambda table: table.semi_join(ids, "contact_id"))
    status = build_contact_status(theirs, cut)
    orders = purchase_orders(theirs, cut)
    # E-mail is what a batch is sent by: who refuses it, or cannot get it, counts for the address.
    refuses = status.hard_bounced | status.objected_profiling | ~status.consent_email.fill_null(True)
    now = status.select(
        "hard_bounced",
        "complained",
        *(f"consent_{channel.name}" for channel in CHANNELS),
        contact_id="contact_id",
        erased="erased",
        objected="objected_profiling",
        staff="is_staff",
        refuses=refuses,
        left=left_for_good(status) & (status.stated_days <= (cut - day).days),
        full=status.soft_bounces_in_a_row > SOFT_BOUNCES,
        now_address=address(status.email),
    )
    now = backend.create_table(gen_name("now"), now.to_pyarrow(), temp=True)
    refusing = now.filter(now.refuses).group_by(refused_by="now_address").aggregate(refusals=ibis._.count())
    bought = orders.group_by("contact_id").aggregate(bought=orders.day.max())
    t = join_contacts(rows, now, bought)
    t = t.left_join(refusing, t.address == refusing.refused_by)
    number = t.channel.cases(*((c.name, i) for i, c in enumerate(CHANNELS)), else_=None)
    declined = of_channel(number, [~t[f"consent_{c.name}"] for c in CHANNELS])
    said = {
        "erased": (t.told == "erased") | t.erased,
        "objected_profiling": t.objected,
        "staff": t.staff,
        "purchased": t.bought >= t.since,
        "hard_bounced": t.hard_bounced,
        "complained": t.complained,
        "unsubscribed": (~t.consent_email & ~t.refused) | declined,
        "left_for_good": t.left,
        "soft_bounced": t.full & ~t.bounced,
        "refused_address": t.refusals > t.refuses.fill_null(False).cast("int64"),
    }
    reason = ibis.cases(*((said[name].fill_null(False), name) for name in FELL_OUT), else_=None)
    t = t.select("contact_id", fell_out=reason.coalesce(t.told))
    return t.filter(t.fell_out.notnull()).order_by("contact_id").to_pyarrow()
