"""The lists of a published run: who is on each, and in which order one wants to see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import ibis
import pyarrow as pa

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_policy.channels import IGNORED_SENDS, SOFT_BOUNCES
from winback_policy.decide import WINBACK_SCHEMA
from winback_policy.gather import STATE_SCHEMA
from winback_policy.stated import left_for_good
from winback_policy.states import ASLEEP, IN_JOURNEY
from winback_policy.steps import STEPS, THIRD_TOUCH, journey_step
from winback_serving.exports.bounce import doubts
from winback_serving.intact import checked_file
from winback_serving.store import PublishedRun

WITHDRAWN = ("erased", "objected_profiling")


@dataclass(frozen=True, slots=True)
class RunList:
    """One list that may be taken out of a run.

    Attributes
    ----------
    what : str
        Who is on it.
    where : callable
        The columns of `with_flags` to a bool column: who is on it.
    writes : bool
        Whether its contacts are written to or shown ads. The holdout is never on such a list, nor an address that
        another contact has refused.
    removes : bool
        Whether a tool is told to take its contacts out.
    daily : bool
        Whether it tells of one day: there is nothing to compare with the day before.
    file : str
        The run's table that its plain columns come from.
    """

    what: str
    where: Callable[[Any], Any]
    writes: bool = False
    removes: bool = False
    daily: bool = False
    file: str = "winback"


LISTS: dict[str, RunList] = {
    "winback": RunList("every known contact", lambda t: ibis.literal(True)),
    "entries": RunList(
        "who entered on this day",
        lambda t: t.winback_flag & (t.state == "flagged"),
        writes=True,
        daily=True,
    ),
    "exits": RunList(
        "who left on this day", lambda t: t.exit_reason.notnull(), removes=True, daily=True, file="exits"
    ),
    "current": RunList("who is in a journey tonight", lambda t: t.winback_flag, writes=True),
    "exclude_from_regular": RunList(
        "who is in a journey, asleep or gone for good, so that regular campaigns leave them alone",
        lambda t: t.exclude_from_regular,
    ),
    "sunset": RunList("who ended a journey without buying", lambda t: t.state == "sunset"),
    "farewell": RunList("whose record is proposed for deletion", lambda t: t.state == "farewell"),
    "preference_form": RunList(
        "who is asked how often, when and where they want mail", lambda t: t.preference_form, writes=True
    ),
    "retargeting_add": RunList("who is to be shown ads", lambda t: t.retargeting, writes=True),
    "retargeting_remove": RunList(
        "who is no longer to be shown ads", lambda t: t.left_audience, removes=True
    ),
    "validate": RunList("whose address is to be validated before it is mailed", lambda t: t.to_validate),
    "scores": RunList("every contact scored", lambda t: ibis.literal(True), file="scores"),
}
"""List name to its description."""

TOP_COLUMNS = (
    "rank",
    "contact_id",
    "state",
    "entered_at",
    "p_purchase",
    "p_lapse",
    "next_purchase_date",
    "next_purchase_low",
    "next_purchase_high",
    "days_since_purchase",
    "days_overdue",
    "value_at_risk",
    "currency",
    "rfm_segment",
    "reason_1",
    "reason_2",
    "reason_3",
    "recommended_action",
    "channel",
    "arm",
)


def with_flags(winback: Any, states: Any, as_of: date) -> Any:
    """Add to a run's list what decides on which lists a contact is.

    Parameters
    ----------
    winback, states : ibis.Table
        Of one run; a column that an older run lacks counts as empty.
    as_of : date
        The run's day.

    Returns
    -------
    ibis.Table
        The columns of ``winback`` and, never null: ``nobodys`` (was somebody's who has been erased since the run),
        ``winback_flag`` (in a journey, and not held out), ``held_out`` (in a journey tonight or up to today),
        ``exclude_from_regular``, ``withdrawn`` (erased or objecting), ``refuses_email``, ``refused_address`` (another
        contact with the same address does), ``email_allowed``, ``preference_form``, ``retargeting``, ``left_audience``
        (may have been shown ads, and is no longer to be), ``to_validate`` (may be e-mailed, and it is in doubt whether the
        address still takes mail).
    """
    lacking = {n: ibis.null(k) for n, k in WINBACK_SCHEMA.items() if n not in winback.columns}
    lacking |= {n: ibis.null(k) for n, k in STATE_SCHEMA.items() if n not in states.columns}
    t = winback.mutate(**{n: v for n, v in lacking.items() if n in WINBACK_SCHEMA})
    last = states.mutate(**{n: v for n, v in lacking.items() if n not in WINBACK_SCHEMA})
    t = t.left_join(
        last.select(last_of="contact_id", last_arm="arm", exited_at="exited_at"),
        t.contact_id == last.contact_id,
    )

    def known(condition: Any) -> Any:
        return condition.fill_null(False)

    in_journey = known(t.state.isin(IN_JOURNEY))
    withdrawn = known(t.not_flagged_reason.isin(WITHDRAWN)) | known(t.exit_reason.isin(WITHDRAWN))
    t = t.mutate(
        in_journey=in_journey,
        asleep=known(t.state.isin(ASLEEP)),
        nobodys=t.last_of.isnull(),  # `winback erase` drops the state
        withdrawn=withdrawn | known(t.state == "erased"),
        was_held_out=known(t.last_arm == "holdout"),
    )
    t = t.mutate(winback_flag=t.in_journey & known(t.arm == "treatment") & ~t.withdrawn)
    has_address = t.email.notnull() | ~_has_addresses(winback)
    # A run of an older version names the basis of the chosen channel only.
    permitted = t.consent_email.fill_null(t.consent_basis.fill_null("none") != "none")
    permitted = (t.email_basis != "none").fill_null(permitted)
    delivers = ~known(t.hard_bounced) & (t.soft_bounces_in_a_row.fill_null(0) <= SOFT_BOUNCES)
    t = t.mutate(
        held_out=(t.in_journey & ~t.winback_flag) | known(t.arm == "holdout"),
        refuses_email=t.withdrawn | known(t.hard_bounced) | known(~t.consent_email),
        exclude_from_regular=(t.in_journey | t.asleep | left_for_good(t)) & ~t.withdrawn,
        opted_in=(t.email_basis == "consent").fill_null(known(t.consent_email)),
        ran_out=known(t.consent_email) & known(t.email_basis == "none"),
        deliverable=has_address & permitted & delivers & ~t.withdrawn,
    )
    t = _with_refused_address(t)
    t = t.mutate(email_allowed=t.deliverable & ~t.refused_address)
    asked = known(t.recommended_action == "preference_form") & ~t.held_out
    sleeper = known(t.state == "sunset") & t.email_allowed & ~t.was_held_out & ~left_for_good(t)
    # A run of version 0.1.0 names no step.
    by_days = journey_step(ibis.literal(as_of).delta(t.entered_at, unit="day"), STEPS)
    third = known(t.journey_step.coalesce(by_days) >= THIRD_TOUCH)
    ignored = t.email_ignored_in_a_row.fill_null(0) >= IGNORED_SENDS
    over = t.exited_at.notnull() & ~t.in_journey & ~t.was_held_out
    return t.mutate(
        preference_form=(asked | sleeper) & ~t.withdrawn,
        retargeting=t.winback_flag & t.opted_in & (third | ignored) & ~t.refused_address,
        left_audience=over | (t.winback_flag & (t.refuses_email | t.refused_address | t.ran_out)),
        to_validate=t.email_allowed & t.email.notnull() & ibis.or_(*doubts(t, winback).values()),
    ).drop(
        *("last_of", "last_arm", "exited_at", "in_journey", "asleep", "was_held_out"),
        *("opted_in", "ran_out", "deliverable"),
    )


def _has_addresses(winback: Any) -> Any:
    """Say whether the shop gave e-mail addresses; without any, everybody is taken to have one."""
    if "email" not in winback.columns:
        return ibis.literal(False)
    return winback.email.count().as_scalar() > 0


def address(email: Any) -> Any:
    """Return what makes two e-mail addresses the same: small letters, no white space."""
    return email.re_replace(r"[\s\p{Z}]+", "").lower().nullif("")


def _with_refused_address(t: Any) -> Any:
    """Add ``refused_address``: whether another contact with the same address refuses e-mail."""
    refusing = t.filter(t.refuses_email & t.email.notnull())
    refusing = refusing.group_by(refused=address(refusing.email)).aggregate(refusals=refusing.count())
    t = t.left_join(refusing, address(t.email) == refusing.refused)
    others = t.refusals.fill_null(0) > t.refuses_email.cast("int64")
    return t.mutate(refused_address=others).drop("refused", "refusals")


def read_flags(backend: Any, run: PublishedRun) -> Any:
    """Read a run's list with the columns of `with_flags`; refuse files that are not those published."""
    winback, states = (backend.read_parquet(checked_file(run, name)) for name in ("winback", "states"))
    return with_flags(winback, states, run.as_of)


def list_order(t: Any) -> list[Any]:
    """Return the sort keys: best first where there is a rank, then by contact."""
    ranked = [t["rank"].isnull(), t["rank"]] if "rank" in t.columns else []
    return [*ranked, t.contact_id]


@contextmanager
def open_list(run: PublishedRun, name: str) -> Iterator[pa.RecordBatchReader]:
    """Stream one list of a run in its order, with the columns of the run's table.

    Parameters
    ----------
    run : PublishedRun
    name : str
        One of :data:`LISTS`.

    Yields
    ------
    pyarrow.RecordBatchReader
    """
    with open_engine(EngineConfig()) as backend:
        spec = LISTS[name]
        table = backend.read_parquet(checked_file(run, spec.file))
        if spec.file == "winback":
            flags = read_flags(backend, run)
            table = flags.filter(spec.where(flags)).select(*table.columns)
        yield table.order_by(list_order(table)).to_pyarrow_batches(chunk_size=50_000)


def top_of_list(run: PublishedRun, rows: int = 15) -> list[dict[str, Any]]:
    """Return the first flagged contacts of a run, highest rank first.

    Parameters
    ----------
    run : PublishedRun
    rows : int
        At most so many.

    Returns
    -------
    list of dict
        The columns :data:`TOP_COLUMNS` as Python values.
    """
    with duckdb.connect() as connection:
        table = connection.read_parquet(str(run.file("winback")))
        top = table.filter("rank IS NOT NULL").order("rank").limit(rows).project(", ".join(TOP_COLUMNS))
        found: list[dict[str, Any]] = top.to_arrow_table().to_pylist()
        return found
