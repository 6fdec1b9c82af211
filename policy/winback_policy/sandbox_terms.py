"""What is asked of the sandbox, and what it answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from winback_features.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Bound:
    """One condition on one column. A contact whose value is unknown never meets it.

    Attributes
    ----------
    column : str
    at_least, below : float, optional
        The value is at or above the first, and below the second.
    among : tuple of str
        For a text column instead: the value is one of these.

    Raises
    ------
    ConfigError
        If it bounds nothing, or both numbers and words are given.
    """

    column: str
    at_least: float | None = None
    below: float | None = None
    among: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        numeric = self.at_least is not None or self.below is not None
        if numeric == bool(self.among):
            what = "It has numbers and words." if numeric else "It bounds nothing."
            raise ConfigError(
                what, where=f"sandbox.{self.column}", how="Give at_least or below, or among for a text."
            )


@dataclass(frozen=True, slots=True)
class Segment:
    """Contacts that meet every bound; without a bound, everybody."""

    name: str
    bounds: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentView:
    """What the sandbox says of one segment.

    Attributes
    ----------
    name : str
    contacts : int
    share : float
        Of the base, in [0, 1].
    value_at_risk : float
        Summed; what is unknown counts as 0.
    differs : dict of str to float
        For each describing column that no segment is defined by: mean of the segment minus mean of the rest of the
        base, in standard deviations of the base. Empty where one of them has no value.
    hint : str
        One of `own_content.HINTS`.
    shares_with : str or None
        The larger segment of the same people, for ``same_people``.
    """

    name: str
    contacts: int
    share: float
    value_at_risk: float
    differs: dict[str, float]
    hint: str = ""
    shares_with: str | None = None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Whom two segments share: the contacts in both, and those over the contacts in either (Jaccard)."""

    first: str
    second: str
    contacts: int
    jaccard: float


@dataclass(frozen=True, slots=True)
class SandboxView:
    """The answer: the base, each segment in the order asked, and each pair of them.

    Attributes
    ----------
    contacts : int
        In the base.
    value_at_risk : float
        Of the base.
    outside : int
        Contacts in no segment.
    segments : tuple of SegmentView
    overlaps : tuple of Overlap
    """

    contacts: int
    value_at_risk: float
    outside: int
    segments: tuple[SegmentView, ...]
    overlaps: tuple[Overlap, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the view, ready for JSON."""
        return asdict(self)
