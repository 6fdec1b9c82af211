"""Whether the next batch may go out: what the batches before it brought, held against what mailbox providers bear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

from winback_features.errors import GateRefusal
from winback_policy.config import PolicyConfig

ENOUGH = 3
"""Fewer complaints, or bounces, than this are no proof of anything, however few e-mails they come from."""

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Reaction:
    """What came back from some batches.

    Attributes
    ----------
    mails : int
        Contacts that were e-mailed.
    complaints, bounces : int
        Of these, who reported the e-mail as spam, and whose address turned out to be dead.
    """

    mails: int
    complaints: int
    bounces: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One share against its limit.

    Attributes
    ----------
    what : {"complaints", "bounces"}
    after : str
        After which batches, in words.
    found, mails : int
    limit : float
        The largest share that is borne.
    setting : str
        Where the limit is set.

    Examples
    --------
    >>> Reading("complaints", "batch 1", 1, 40, 0.001, "policy.max_complaint_share").verdict
    'unproven'
    >>> Reading("complaints", "batch 1", 3, 40, 0.001, "policy.max_complaint_share").verdict
    'too_many'
    """

    what: str
    after: str
    found: int
    mails: int
    limit: float
    setting: str

    @property
    def share(self) -> float:
        """The share found; 0 where nobody was e-mailed."""
        return self.found / self.mails if self.mails else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the share (Clopper & Pearson 1934); everything where nobody was e-mailed."""
        if not self.mails:
            return 0.0, 1.0
        found = binomtest(self.found, self.mails).proportion_ci(CONFIDENCE, "exact")
        return float(found.low), float(found.high)

    @property
    def verdict(self) -> str:
        """``fine``; ``unproven``: above the limit, by fewer than `ENOUGH`; or ``too_many``."""
        if self.share <= self.limit:
            return "fine"
        return "too_many" if self.found >= ENOUGH else "unproven"

    def said(self) -> str:
        """Return the reading as a sentence."""
        low, high = self.interval
        text = f"{self.found:,} {self.what} among {self.mails:,} e-mails of {self.after}: {self.share:.2%}"
        text += f" (95 % interval {low:.2%} to {high:.2%}), limit {self.limit:.2%}."
        return f"{text} So few prove nothing." if self.verdict == "unproven" else text

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        low, high = self.interval
        return {
            "what": self.what,
            "after": self.after,
            "found": self.found,
            "mails": self.mails,
            "share": round(self.share, 6),
            "low": round(low, 6),
            "high": round(high, 6),
            "limit": self.limit,
            "verdict": self.verdict,
        }


def read(reactions: Mapping[str, Reaction], config: PolicyConfig) -> tuple[Reading, ...]:
    """Hold what came back against the limits.

    Parameters
    ----------
    reactions : mapping of str to Reaction
        After which batches, in words, to what came back: the last batch by itself, and all of them. The last one is the worst
        to be expected, since the best go first; all of them together are the surest.
    config : PolicyConfig

    Returns
    -------
    tuple of Reading
        Two for each of ``reactions``.
    """
    return tuple(
        Reading(what, after, getattr(reaction, what), reaction.mails, limit, setting)
        for after, reaction in reactions.items()
        for what, limit, setting in (
            ("complaints", config.max_complaint_share, "policy.max_complaint_share"),
            ("bounces", config.max_bounce_share, "policy.max_bounce_share"),
        )
    )


def check(readings: tuple[Reading, ...]) -> None:
    """Refuse the next batch where too many complained or bounced.

    Raises
    ------
    GateRefusal
        With the numbers, and how to go on all the same.
    """
    bad = [reading for reading in readings if reading.verdict == "too_many"]
    if bad:
        how = (
            "Stop here: see who complained and of what, and have the addresses validated. "
            "If you know the reason and it is mended, --force releases the batch."
        )
        raise GateRefusal(" ".join(r.said() for r in bad), where=bad[0].setting, how=how)
