"""Which rows an export has: who is on the list, who has left it since an earlier run, and who is left out and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import ibis

from winback_policy.decide import PROFILE, WINBACK_SCHEMA
from winback_serving.exports.formats import FLAGS, ExportFormat
from winback_serving.lists import LISTS, RunList, address

DRIFTING = frozenset(
    (
        *("rank", "p_purchase", "p_lapse", "value_at_risk", "reason_1", "reason_2", "reason_3"),
        *("next_purchase_date", "next_purchase_low", "next_purchase_high", "days_until_next_purchase"),
        *("days_since_purchase", "days_overdue", "tenure_days", "send_time_n", "email_days_since_send"),
    )
)
"""What moves every night by itself: sent along, but by itself no change."""

RAW_MARKS = ("winback_flag", "on_list")
"""What the plain formats add to the columns of the list where only changes are asked for."""

_FALSE = ibis.literal(False)
_GONE = {
    "state": "inactive",
    "recommended_action": "none",
    "incentive_tier": "none",
    "incentive_kind": "none",
}
_WITHHELD = (
    *(
        "first_name",
        "last_name",
        "phone",
        "language",
        "country",
        "send_weekday",
        "send_hour",
        "send_timezone",
        "reason_1",
        "stated_reason",
    ),
    *(
        "last_category",
        "last_product",
        "top_interest",
        "rfm_segment",
        "next_purchase_date",
        "days_until_next_purchase",
        "days_since_purchase",
        "value_at_risk",
    ),
)


def shown(t: Any, as_of: date) -> Any:
    """Make of `with_flags` what a tool may know: nothing of the holdout's journey, no profile of the withdrawn.

    Parameters
    ----------
    t : ibis.Table
        From `winback_serving.lists.with_flags`.
    as_of : date

    Returns
    -------
    ibis.Table
        The same rows; a held-out contact looks like any active one. With ``days_until_next_purchase``.
    """
    t = t.mutate(
        days_until_next_purchase=t.next_purchase_date.delta(ibis.literal(as_of), unit="day"),
        state=ibis.ifelse(
            t.held_out & t.state.isin(("flagged", "in_winback", "reactivated")), "active", t.state
        ),
        recommended_action=ibis.ifelse(t.held_out, "none", t.recommended_action),
        **{name: ibis.ifelse(t.held_out, "none", t[name]) for name in ("incentive_tier", "incentive_kind")},
        **{
            name: ibis.ifelse(t.held_out, None, t[name])
            for name in ("rank", "entered_at", "exit_reason", "channel", "journey_step", "tone", "reason_1")
        },
    )
    return t.mutate(**{name: ibis.ifelse(t.withdrawn, None, t[name]) for name in _WITHHELD})


def marked(t: Any, name: str, form: ExportFormat, *, counted: bool = False) -> Any:
    """Add ``listed``: whether the contact is on the list as this format may have it.

    A row of somebody erased since the run is nobody's, and no tool's. Where batches are ``counted`` off it keeps its place among
    the others, and is left out afterwards.
    """
    spec = LISTS[name]
    listed = spec.where(t).fill_null(False)
    if not form.raw:
        listed = listed if counted else listed & ~t.nobodys
        listed = listed if spec.removes else listed & ~t.withdrawn
    if form.audience:
        listed = listed & ~t.held_out
    return t.mutate(listed=listed)


def list_rows(t: Any, before: Any | None, name: str, form: ExportFormat) -> Any:
    """Return every contact of a list.

    Parameters
    ----------
    t : ibis.Table
        Tonight's contacts, with ``listed``.
    before : ibis.Table, optional
        Those of an earlier run: what a tool was told is what must be taken back from it (`_told`).
    name : str
    form : ExportFormat

    Returns
    -------
    ibis.Table
        ``t``, ``on_list``, false where a tool is to take the contact out, and ``left_out`` (`with_left_out`).
    """
    spec = LISTS[name]
    rows = t.filter(t.listed).mutate(on_list=ibis.literal(not spec.removes))
    if name == "retargeting_add" and form.audience:
        leaving = t.filter(t.left_audience & ~t.held_out & ~t.listed & ~t.nobodys)
        rows = rows.union(leaving.mutate(on_list=ibis.literal(False)))
    if form.one_per_email and before is not None:
        told = before.select(told_of="contact_id", **{f"was_{n}": before[n] for n in PROFILE})
        rows = rows.left_join(told, rows.contact_id == told.told_of)
        sent = {n: ibis.ifelse(rows.on_list, rows[n], value) for n, value in _told(rows, form).items()}
        rows = rows.mutate(**sent).drop("told_of", *(f"was_{n}" for n in PROFILE))
    return with_left_out(rows, spec, form)


def _told(t: Any, form: ExportFormat) -> dict[str, Any]:
    """Return by what a tool knows a contact that is to be taken out of it.

    An audience knows the whole profile of the earlier run. A tool that knows contacts by their address is told that of the
    earlier run where the person was erased since: without it nobody could be taken out.
    """
    if form.audience:
        return {n: t[f"was_{n}"].coalesce(t[n]) for n in PROFILE}
    if not form.one_per_email:
        return {}
    return {"email": ibis.ifelse(t.withdrawn.fill_null(False), t.email.coalesce(t.was_email), t.email)}


def changed_rows(t: Any, before: Any, name: str, form: ExportFormat) -> Any:
    """Return who joined a list or changed since an earlier run, and who has left it.

    What is compared are the files of the whole list: a contact whose address another one has refused since has left, and one
    that now has the row of a shared address has joined. So the changes of all days, one after the other, give the last list.

    Parameters
    ----------
    t, before : ibis.Table
        Tonight's contacts and those of the earlier run, with ``listed``.
    name : str
    form : ExportFormat

    Returns
    -------
    ibis.Table
        The columns of ``t``, ``on_list`` and ``left_out`` (`with_left_out`). ``on_list`` is false in a row that says that the
        contact has left, or left its old address; of the latter, and of a contact that is no longer known, every flag is false.
    """
    spec, columns = LISTS[name], t.columns
    t, before = (_in_file(contacts.filter(~contacts.nobodys), spec, form) for contacts in (t, before))
    was = before.rename({f"was_{n}": n for n in before.columns})
    both = t.outer_join(was, t.contact_id == was.was_contact_id)
    both = both.mutate(
        **{n: both[n].fill_null(False) for n in ("listed", "in_file", "was_listed", "was_in_file")},
        gone=both.contact_id.isnull(),
        moved=~address(both.email).identical_to(address(both.was_email)) & ibis.literal(form.one_per_email),
    )
    if spec.removes:
        found = both.filter(both.listed & ~both.was_listed)
        kept = {n: found[n] for n in (*columns, "left_out")}
        rows = found.select(**kept | _told(found, form), on_list=_FALSE)
        return _once(rows, form)
    wanted = WINBACK_SCHEMA if form.raw else form.sources
    compared = [n for n in (*wanted, "winback_flag") if n not in DRIFTING]
    same = ibis.and_(*(both[n].identical_to(both[f"was_{n}"]) for n in compared))
    found = both.filter(both.listed & (~both.was_listed | ~same | (both.in_file & ~both.was_in_file)))
    joins = found.select(*columns, "left_out", on_list=ibis.literal(True), old=_FALSE)
    stale = ~both.in_file | both.moved if form.audience else ~both.in_file
    rows = joins.union(_leaving(both.filter(both.was_in_file & stale), columns, form))
    if form.one_per_email and not form.audience:
        known = ~both.gone & ~(both.withdrawn & both.email.isnull())
        rows = rows.union(_old_addresses(both.filter(both.was_in_file & both.moved & known), columns))
    rows = _kept_by_others(rows, t, form)
    rows = _once(rows, form, rows.old)
    return rows.filter(~(rows.old & rows.left_out.notnull())).drop("old")


def with_left_out(rows: Any, spec: RunList, form: ExportFormat) -> Any:
    """Add ``left_out``: why a row is not written although its contact is on the list.

    ``erased``: the row is nobody's any more.
    ``refused_address``: another contact with this e-mail address refused e-mail, objected or bounced.
    ``duplicate_email``: the address is in the file already, for a contact that ranks higher.

    Parameters
    ----------
    rows : ibis.Table
        All rows of a list, with ``on_list``.
    spec : RunList
    form : ExportFormat

    Returns
    -------
    ibis.Table
        ``rows`` and ``left_out``, null where the row is written.
    """
    refused = rows.on_list & rows.refused_address & ibis.literal(spec.writes and form.one_per_email)
    gone = rows.nobodys & ibis.literal(not form.raw)
    reason = ibis.cases((gone, "erased"), (refused, "refused_address"), else_=None)
    return _once(rows.mutate(left_out=reason), form)


def _once(rows: Any, form: ExportFormat, *last: Any) -> Any:
    """Leave out every row of an address but the best; those with one of ``last`` come after the others."""
    if not form.one_per_email:
        return rows
    same = address(rows.email)
    best_first = [
        *(rows.left_out.notnull(), ~rows.on_list, *last, ~rows.winback_flag),
        *(rows["rank"].isnull(), rows["rank"], rows.contact_id),
    ]
    place = ibis.row_number().over(group_by=same, order_by=best_first)
    twice = ibis.ifelse(same.notnull() & (place > 0), "duplicate_email", None)
    return rows.mutate(left_out=rows.left_out.coalesce(twice))


def _in_file(t: Any, spec: RunList, form: ExportFormat) -> Any:
    """Add ``in_file``, whether the contact has a row in the file of the whole list, and ``left_out``, why not."""
    rows = t.filter(t.listed).mutate(on_list=ibis.literal(not spec.removes))
    rows = with_left_out(rows, spec, form).select("left_out", row_of="contact_id")
    t = t.left_join(rows, t.contact_id == rows.row_of)
    return t.mutate(in_file=t.listed & t.left_out.isnull()).drop("row_of")


def _kept_by_others(rows: Any, t: Any, form: ExportFormat) -> Any:
    """Leave out every row that would take out an address that has a row in the whole list."""
    if not form.one_per_email:
        return rows
    listed = t.filter(t.in_file & t.email.notnull()).select(still=address(t.email))
    rows = rows.left_join(listed, address(rows.email) == listed.still)
    kept = ibis.ifelse(~rows.on_list & rows.still.notnull(), "duplicate_email", None)
    return rows.mutate(left_out=rows.left_out.coalesce(kept)).drop("still")


def _leaving(found: Any, columns: Sequence[str], form: ExportFormat) -> Any:
    """Give the rows that take contacts out, as they are now; of one that is known no more, what is left to say."""
    refused = (found.left_out == "refused_address").fill_null(False)
    values, told = {}, _told(found, form)
    for n in columns:
        old = found[f"was_{n}"]
        if n == "contact_id":
            values[n] = old.coalesce(found[n])
        elif n in PROFILE:
            values[n] = ibis.ifelse(found.gone, old, told.get(n, found[n]))
        elif n in FLAGS:
            barred = refused & ibis.literal(n != "exclude_from_regular")
            values[n] = found[n].fill_null(False) & ~barred
        elif n in _GONE:
            values[n] = ibis.ifelse(found.gone, _GONE[n], found[n])
        else:
            values[n] = found[n]
    return found.select(**values, left_out=ibis.null("string"), on_list=_FALSE, old=_FALSE)


def _old_addresses(found: Any, columns: Sequence[str]) -> Any:
    """Give the rows that clear the addresses that contacts had before."""
    said = {"contact_id": found.was_contact_id, "email": found.was_email, **dict.fromkeys(FLAGS, _FALSE)}
    said |= {n: ibis.literal(word) for n, word in _GONE.items()}
    values = {n: said.get(n, ibis.null(found[n].type())) for n in columns}
    return found.select(**values, left_out=ibis.null("string"), on_list=_FALSE, old=ibis.literal(True))


def with_fallen(rows: Any, fallen: Any) -> Any:
    """Leave out who fell out of the list since its run, and keep why.

    Parameters
    ----------
    rows : ibis.Table
        From `with_left_out`.
    fallen : ibis.Table
        ``contact_id`` and ``fell_out``, the reason.

    Returns
    -------
    ibis.Table
        ``rows``; a reason that ``left_out`` holds already stays.
    """
    fallen = fallen.rename(fallen_of="contact_id")
    rows = rows.left_join(fallen, rows.contact_id == fallen.fallen_of)
    return rows.mutate(left_out=rows.left_out.coalesce(rows.fell_out)).drop("fallen_of", "fell_out")
