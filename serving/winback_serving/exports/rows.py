"""Which rows an export has: who is on the list, who has left it since an earlier run, and who is left out and why."""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from winback_policy.decide import WINBACK_SCHEMA
from winback_serving.exports.formats import FLAGS, ExportFormat
from winback_serving.lists import LISTS, RunList

PROFILE = ("email", "first_name", "last_name", "phone", "language", "country")

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


def marked(t: Any, name: str, form: ExportFormat) -> Any:
    """Add ``listed``: whether the contact is on the list as this format may have it.

    A row without a state belonged to somebody erased since the run: it is nobody's, and no tool's.
    """
    spec = LISTS[name]
    listed = spec.where(t)
    if not form.raw:
        listed = listed & t.state.notnull()
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
        Those of an earlier run: what an audience was told is what must be taken back from it.
    name : str
    form : ExportFormat

    Returns
    -------
    ibis.Table
        ``t`` and ``on_list``, false where a tool is to take the contact out.
    """
    spec = LISTS[name]
    rows = t.filter(t.listed).mutate(on_list=ibis.literal(not spec.removes))
    if not form.audience:
        return rows
    if name == "retargeting_add":
        leaving = t.filter(t.left_audience & ~t.held_out & ~t.listed)
        rows = rows.union(leaving.mutate(on_list=ibis.literal(False)))
    if before is None:
        return rows
    told = before.select(told_of="contact_id", **{f"told_{n}": before[n] for n in PROFILE})
    rows = rows.left_join(told, rows.contact_id == told.told_of)
    sent = {n: ibis.ifelse(rows.on_list, rows[n], rows[f"told_{n}"].coalesce(rows[n])) for n in PROFILE}
    return rows.mutate(**sent).drop("told_of", *(f"told_{n}" for n in PROFILE))


def changed_rows(t: Any, before: Any, name: str, form: ExportFormat) -> Any:
    """Return who joined a list or changed since an earlier run, and who has left it.

    Parameters
    ----------
    t, before : ibis.Table
        Tonight's contacts and those of the earlier run, with ``listed``.
    name : str
    form : ExportFormat

    Returns
    -------
    ibis.Table
        The columns of ``t`` and ``on_list``: false in a row that says that the contact has left. A contact that
        is no longer known leaves with its old address and every flag false.
    """
    columns = t.columns
    was = before.rename({f"was_{n}": n for n in before.columns})
    both = t.outer_join(was, t.contact_id == was.was_contact_id)
    listed = both.listed.fill_null(False)
    was_listed = both.was_listed.fill_null(False)
    wanted = WINBACK_SCHEMA if form.raw else form.sources
    compared = [n for n in (*wanted, "winback_flag") if n not in DRIFTING]
    same = ibis.and_(*(both[n].identical_to(both[f"was_{n}"]) for n in compared))
    moved = ~both.email.identical_to(both.was_email)
    joins = both.filter(listed & (~was_listed | ~same))
    stale = ~listed | moved if form.audience else ~listed
    leaves = both.filter(was_listed & stale)
    if LISTS[name].removes:
        joins, leaves = joins.filter(~joins.was_listed.fill_null(False)), leaves.filter(ibis.literal(False))

    def row(found: Any, *, on_list: bool) -> Any:
        """Give a row of ``t``, or what is left to say of a contact that is in it no more."""
        gone = found.contact_id.isnull()
        values = {}
        for n in columns:
            if n == "contact_id" or (n in PROFILE and not on_list):
                old = found[f"was_{n}"]
                told = form.audience and n in PROFILE
                values[n] = old.coalesce(found[n]) if told else ibis.ifelse(gone, old, found[n])
            elif t[n].type().is_boolean():
                values[n] = found[n].fill_null(False) if n in (*FLAGS, "listed") else found[n]
            elif n in _GONE:
                values[n] = ibis.ifelse(gone, _GONE[n], found[n])
            else:
                values[n] = found[n]
        return found.select(**values, on_list=ibis.literal(on_list and not LISTS[name].removes))

    return row(leaves, on_list=False).union(row(joins, on_list=True))


def with_left_out(rows: Any, t: Any, spec: RunList, form: ExportFormat) -> Any:
    """Add ``left_out``: why a row is not written although its contact is on the list.

    ``refused_address``: another contact with this e-mail address refused e-mail, objected or bounced.
    ``duplicate_email``: the address is in the file already, for a contact that ranks higher.

    Parameters
    ----------
    rows : ibis.Table
        From `list_rows` or `changed_rows`.
    t : ibis.Table
        All of tonight's contacts.
    spec : RunList
    form : ExportFormat

    Returns
    -------
    ibis.Table
        ``rows`` and ``left_out``, null where the row is written.
    """
    if not form.one_per_email:
        return rows.mutate(left_out=ibis.null("string"))
    rows = rows.mutate(address=address(rows.email), refused_address=ibis.literal(False))
    if spec.writes:
        refusing = t.filter(t.refuses_email & t.email.notnull())
        refusing = refusing.group_by(refused=address(refusing.email)).aggregate(refusals=refusing.count())
        rows = rows.left_join(refusing, rows.address == refusing.refused)
        others = rows.refusals.fill_null(0) > rows.refuses_email.fill_null(False).cast("int64")
        rows = rows.mutate(refused_address=rows.on_list & others).drop("refused", "refusals")
    best_first = [
        rows.refused_address,
        ~rows.on_list,
        ~rows.winback_flag,
        rows["rank"].isnull(),
        rows["rank"],
        rows.contact_id,
    ]
    place = ibis.row_number().over(group_by=rows.address, order_by=best_first)
    return rows.mutate(
        left_out=ibis.cases(
            (rows.refused_address, "refused_address"),
            (rows.address.notnull() & (place > 0), "duplicate_email"),
            else_=None,
        )
    )


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


def address(email: Any) -> Any:
    """Return what makes two e-mail addresses the same: small letters, no white space."""
    return email.re_replace(r"[\s\p{Z}]+", "").lower().nullif("")
