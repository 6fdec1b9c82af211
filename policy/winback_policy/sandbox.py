"""Move thresholds and see at once: how large each segment is, what is at risk in it, whom two segments share.

The base is fetched once (`Sandbox.from_arrow`). A question is then answered from the atoms of the segments: a contact's
atom is the set of segments it is in, and everything asked adds up over at most ``2 ** MOST_SEGMENTS`` atoms. Exact, no sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winback_features.errors import ConfigError
from winback_policy.rfm import rfm, rfm_values

MOST_SEGMENTS = 12

OWN_CONTENT_SHARE = 0.05
OWN_CONTENT_CONTACTS = 300
OWN_CONTENT_SD = 0.2
SAME_PEOPLE = 0.5
"""A segment deserves its own content when it is this large, differs by so many standard deviations, and shares less than
this with a larger one (Jaccard)."""

BASE_COLUMNS = ("p_lapse", "days_since_purchase", "days_overdue", "value_at_risk", "base")
"""Of the scores: what segments are cut by."""

DESCRIBING = (
    *("order_value_mean", "category_breadth", "discount_share", "return_share"),
    *("visit_days_90d", "email_clicks_90d", "purchase_days", "tenure_days"),
)
"""Of the features: what content may be fitted to."""

HINTS = ("own_content", "too_small", "too_alike", "same_people")

Array = npt.NDArray[Any]


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
        One of `HINTS`.
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


def sandbox_base(scores: Any, features: Any) -> Any:
    """Join what the sandbox needs of a run.

    Parameters
    ----------
    scores, features : ibis.Table

    Returns
    -------
    ibis.Table
        ``contact_id``, `BASE_COLUMNS`, `DESCRIBING` and, of the buyers, ``rfm_segment``; ordered by contact. Fetch it
        and give it to `Sandbox.from_arrow`.
    """
    graded = rfm(rfm_values(features, scores)).select("rfm_of", "rfm_segment")
    described = features.select(*DESCRIBING, features_of="contact_id")
    t = scores.select("contact_id", *BASE_COLUMNS)
    t = t.left_join(described, t.contact_id == described.features_of)
    t = t.left_join(graded, t.contact_id == graded.rfm_of)
    return t.select("contact_id", *BASE_COLUMNS, *DESCRIBING, "rfm_segment").order_by("contact_id")


class Sandbox:
    """A base, prepared once for any number of questions.

    Parameters
    ----------
    columns : mapping of str to array of shape (contacts,)
        Numbers (NaN where unknown) or words (None where unknown).
    value : str
        The column that is summed as value at risk.
    describe : sequence of str
        The numeric columns in which segments may differ.

    Raises
    ------
    ConfigError
        If a named column is not there, or is no number.

    Examples
    --------
    >>> base = {"p_lapse": [0.2, 0.6, 0.9], "value_at_risk": [5.0, 10.0, 20.0], "visits": [4.0, 1.0, 1.0]}
    >>> sandbox = Sandbox(base, describe=["visits"])
    >>> view = sandbox.ask([Segment("late", (Bound("p_lapse", at_least=0.5),))])
    >>> view.segments[0].contacts, view.segments[0].value_at_risk
    (2, 30.0)
    """

    def __init__(
        self, columns: Mapping[str, Any], *, value: str = "value_at_risk", describe: Sequence[str] = ()
    ) -> None:
        self._numbers: dict[str, Array] = {}
        self._words: dict[str, tuple[Array, dict[str, int]]] = {}
        for name, values in columns.items():
            array = np.asarray(values)
            if array.dtype.kind in "OU":
                self._words[name] = _coded(array)
            else:
                self._numbers[name] = array.astype(np.float64)
        for name in (value, *describe):
            self._number(name)
        self.contacts = len(self._numbers[value])
        self._value = np.nan_to_num(self._numbers[value])
        self._describe = {name: _Described.of(self._numbers[name]) for name in describe}

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Sandbox:
        """Prepare the fetched `sandbox_base`."""
        columns = (*BASE_COLUMNS, *DESCRIBING, "rfm_segment")
        return cls({name: table[name].to_numpy() for name in columns}, describe=DESCRIBING)

    def ask(self, segments: Sequence[Segment]) -> SandboxView:
        """Measure the segments.

        Parameters
        ----------
        segments : sequence of Segment
            At most `MOST_SEGMENTS`, each name once.

        Returns
        -------
        SandboxView

        Raises
        ------
        ConfigError
            If there are too many, a name stands twice, or a bound does not fit its column.
        """
        names = [segment.name for segment in segments]
        if len(segments) > MOST_SEGMENTS or len(set(names)) < len(names):
            what = f"There are {len(names)} segments: {', '.join(names)}."
            how = f"Give at most {MOST_SEGMENTS}, each a name of its own."
            raise ConfigError(what, where="sandbox", how=how)
        atoms = self._atoms(segments)
        cells = 1 << len(segments)
        member = (np.arange(cells)[:, None] >> np.arange(len(segments))) & 1 == 1
        counts = np.bincount(atoms, minlength=cells)
        value = np.bincount(atoms, self._value, cells)
        both = np.einsum("a,ai,aj->ij", counts, member, member)
        differs = self._differences(segments, atoms, member)
        views = [
            SegmentView(
                name,
                int(both[i, i]),
                float(both[i, i] / max(self.contacts, 1)),
                float(value[member[:, i]].sum()),
                differs[i],
            )
            for i, name in enumerate(names)
        ]
        overlaps = [
            Overlap(names[i], names[j], int(both[i, j]), _jaccard(both, i, j))
            for i in range(len(names))
            for j in range(i + 1, len(names))
        ]
        hinted = _with_hints(views, both)
        return SandboxView(self.contacts, float(value.sum()), int(counts[0]), tuple(hinted), tuple(overlaps))

    def _atoms(self, segments: Sequence[Segment]) -> Array:
        """Return, for each contact, the set of segments it is in, as bits."""
        atoms = np.zeros(self.contacts, np.int64)
        for place, segment in enumerate(segments):
            inside = np.ones(self.contacts, bool)
            for bound in segment.bounds:
                inside &= self._meets(bound)
            atoms |= inside.astype(np.int64) << place
        return atoms

    def _meets(self, bound: Bound) -> Array:
        if bound.among:
            if bound.column not in self._words:
                raise self._unknown(bound.column, self._words, "a text")
            codes, known = self._words[bound.column]
            met: Array = np.isin(codes, [known[word] for word in bound.among if word in known])
            return met
        values = self._number(bound.column)
        lowest = -np.inf if bound.at_least is None else bound.at_least
        if bound.below is None:
            return values >= lowest
        return (values >= lowest) & (values < bound.below)

    def _number(self, name: str) -> Array:
        if name not in self._numbers:
            raise self._unknown(name, self._numbers, "a number")
        return self._numbers[name]

    @staticmethod
    def _unknown(name: str, known: Mapping[str, Any], kind: str) -> ConfigError:
        what = f"There is no column {name!r} that holds {kind}."
        return ConfigError(what, where="sandbox", how=f"There is: {', '.join(sorted(known)) or 'none'}.")

    def _differences(
        self, segments: Sequence[Segment], atoms: Array, member: Array
    ) -> list[dict[str, float]]:
        """Return each segment's distance from the rest of the base, per describing column."""
        defining = {bound.column for segment in segments for bound in segment.bounds}
        found: list[dict[str, float]] = [{} for _ in segments]
        for name, described in self._describe.items():
            if name in defining or described.sd == 0:
                continue
            totals = np.bincount(atoms, described.centred, len(member))
            known = np.bincount(atoms, described.known, len(member))
            for i, distances in enumerate(found):
                inside, outside = member[:, i], ~member[:, i]
                if known[inside].sum() and known[outside].sum():
                    gap = (
                        totals[inside].sum() / known[inside].sum()
                        - totals[outside].sum() / known[outside].sum()
                    )
                    distances[name] = float(gap / described.sd)
        return found


@dataclass(frozen=True, slots=True)
class _Described:
    """A column about its mean, 0 where unknown; which values are known (None: all); its standard deviation, 0 if constant."""

    centred: Array
    known: Array | None
    sd: float

    @classmethod
    def of(cls, values: Array) -> _Described:
        known = ~np.isnan(values)
        there = values[known]
        if not there.size or there.min() == there.max():
            return cls(values, None, 0.0)
        centred = np.where(known, values - there.mean(), 0.0)
        return cls(centred, None if known.all() else known.astype(np.float64), float(there.std()))


def _coded(words: Array) -> tuple[Array, dict[str, int]]:
    """Return a text column as codes, -1 where unknown, and the code of each word."""
    encoded = pa.array(words, pa.string(), from_pandas=True).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy()
    return codes, {word: code for code, word in enumerate(encoded.dictionary.to_pylist())}


def _jaccard(both: Array, i: int, j: int) -> float:
    either = both[i, i] + both[j, j] - both[i, j]
    return float(both[i, j] / either) if either else 0.0


def _with_hints(views: Sequence[SegmentView], both: Array) -> list[SegmentView]:
    """Say which segments are large and different enough for content of their own, the larger ones first."""
    hinted: dict[int, SegmentView] = {}
    for i in sorted(range(len(views)), key=lambda i: (-views[i].contacts, i)):
        view, shares_with = views[i], None
        larger = [j for j, other in hinted.items() if other.hint == "own_content"]
        same = [j for j in larger if _jaccard(both, i, j) >= SAME_PEOPLE]
        if view.contacts < OWN_CONTENT_CONTACTS or view.share < OWN_CONTENT_SHARE:
            hint = "too_small"
        elif all(abs(distance) < OWN_CONTENT_SD for distance in view.differs.values()):
            hint = "too_alike"
        elif same:
            hint, shares_with = "same_people", views[same[0]].name
        else:
            hint = "own_content"
        hinted[i] = replace(view, hint=hint, shares_with=shares_with)
    return [hinted[i] for i in range(len(views))]
