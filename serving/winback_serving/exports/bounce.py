"""How many of a list's e-mails are likely to bounce, before anybody sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from winback_features.errors import GateRefusal

MAX_EXPOSURE = 0.02
"""Above this share of bounces mailbox providers begin to doubt a sender."""

LONG_UNMAILED_DAYS = 180


# The share of e-mails that bounce, by what is known of the address; the largest that applies counts.
# Rules of thumb, not measurements: lists age by about a fifth a year.
FRESH = 0.003
"""Mailed within `LONG_UNMAILED_DAYS`, and delivered."""

NEVER_MAILED = 0.05
"""No e-mail is recorded, though the shop records sends."""

LONG_UNMAILED = 0.1
"""Not mailed for `LONG_UNMAILED_DAYS`."""

SOFT_BOUNCED = 0.1
"""For each soft bounce in a row."""


@dataclass(frozen=True, slots=True)
class BounceExposure:
    """What is expected of a list.

    Attributes
    ----------
    addresses : int
        Contacts that may be e-mailed.
    expected : float
        E-mails that are likely to bounce.
    long_unmailed, never_mailed, soft_bounced : int
        Contacts that weigh most; a contact may be in two.
    """

    addresses: int
    expected: float
    long_unmailed: int = 0
    never_mailed: int = 0
    soft_bounced: int = 0

    @property
    def share(self) -> float:
        """Bounces per e-mail; 0 where nobody is e-mailed."""
        return self.expected / self.addresses if self.addresses else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"share": round(self.share, 6)} | {n: getattr(self, n) for n in self.__slots__}

    def check(self, most: float) -> None:
        """Refuse a list that would bounce too often.

        Raises
        ------
        GateRefusal
            When the share is above ``most``.
        """
        if self.share > most:
            what = (
                f"{self.share:.1%} of {self.addresses:,} e-mails are likely to bounce, more than {most:.1%}: "
                f"{self.long_unmailed:,} not mailed for {LONG_UNMAILED_DAYS} days, {self.never_mailed:,} never mailed, "
                f"{self.soft_bounced:,} soft-bounced."
            )
            how = (
                "Have the addresses validated (--list validate has them), send to fewer with --batches and stop when "
                "they bounce, or take the risk with --force."
            )
            raise GateRefusal(what, where="bounce exposure", how=how)


def doubts(t: Any, winback: Any) -> dict[str, Any]:
    """Return why it is not sure that an address still takes mail.

    Parameters
    ----------
    t : ibis.Table
        ``soft_bounces_in_a_row``, ``email_days_since_send``.
    winback : ibis.Table
        The run's list, as published. Where nobody on it was ever mailed the shop records no sends, and never mailed
        says nothing.

    Returns
    -------
    dict of str to ibis bool column
        ``long`` unmailed, ``never`` mailed, ``soft``: bounced softly the last time.
    """
    sends_known: Any = ibis.literal(False)
    if "email_days_since_send" in winback.columns:
        sends_known = winback.email_days_since_send.count().as_scalar() > 0
    return {
        "long": (t.email_days_since_send >= LONG_UNMAILED_DAYS).fill_null(False),
        "never": t.email_days_since_send.isnull() & sends_known,
        "soft": (t.soft_bounces_in_a_row > 0).fill_null(False),
    }


def project(rows: Any, winback: Any) -> Any:
    """Project the bounces of a list.

    Parameters
    ----------
    rows : ibis.Table
        The list: ``email_allowed``, ``email``, ``soft_bounces_in_a_row``, ``email_days_since_send``.
    winback : ibis.Table
        The run's list, as published (`doubts`).

    Returns
    -------
    ibis.Table
        One row with the attributes of `BounceExposure`.
    """
    t = rows.filter(rows.email_allowed & rows.email.notnull())
    t = t.select(in_a_row=t.soft_bounces_in_a_row.fill_null(0), **doubts(t, winback))

    def rate(condition: Any, value: Any) -> Any:
        return ibis.ifelse(condition, value, FRESH).cast("float64")

    risk = ibis.greatest(
        rate(t.never, NEVER_MAILED),
        rate(t.long, LONG_UNMAILED),
        ibis.least(rate(t.soft, t.in_a_row * ibis.literal(SOFT_BOUNCED, "float64")), 1.0),
    )
    t = t.mutate(risk=risk)
    return t.aggregate(
        addresses=t.count(),
        expected=t.risk.sum().fill_null(0.0),
        long_unmailed=t.long.sum().fill_null(0),
        never_mailed=t.never.sum().fill_null(0),
        soft_bounced=t.soft.sum().fill_null(0),
    )
