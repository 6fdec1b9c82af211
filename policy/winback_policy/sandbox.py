"""Move thresholds and see at once: how large each segment is, what is at risk in it, whom two segments share.

The base is fetched once (`Sandbox.from_arrow`). A question is then answered from the atoms of the segments: a contact's
atom is the set of segments it is in, and everything asked adds up over at most ``2 ** MOST_SEGMENTS`` atoms. Exact, no sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winback_features.errors import ConfigError
from winback_policy.config import PolicyConfig
from winback_policy.eligibility import far_enough, open_silence
from winback_policy.own_content import jaccard, with_hints
from winback_policy.rfm import RfmThresholds, rfm, rfm_values
from winback_policy.sandbox_terms import Bound, Overlap, SandboxView, Segment, SegmentView

MOST_SEGMENTS = 12

BASE_COLUMNS = ("p_lapse", "days_since_purchase", "days_overdue", "value_at_risk", "base")
"""Of the scores: what segments are cut by."""

DESCRIBING = (
    *("order_value_mean", "category_breadth", "discount_share", "return_share"),
    *("visit_days_90d", "email_clicks_90d", "purchase_days", "tenure_days"),
)
"""Of the features: what content may be fitted to."""

READINESS = "readiness_days"
"""``days_overdue``, or `READY` where the policy asks nobody to be nearly late: see `winback_policy.eligibility.in_its_time`."""

READY = 1e6

Array = npt.NDArray[Any]


def sandbox_base(
    scores: Any, features: Any, thresholds: RfmThresholds | None = None, policy: PolicyConfig | None = None
) -> Any:
    """Join what the sandbox needs of a run.

    Parameters
    ----------
    scores, features : ibis.Table
    thresholds : RfmThresholds, optional
        Of the run; its quintiles when absent.
    policy : PolicyConfig, optional
        Says from when on a contact may enter though it is not nearly late.

    Returns
    -------
    ibis.Table
        ``contact_id``, `BASE_COLUMNS`, `DESCRIBING`, of the buyers ``rfm_segment``, and with a policy `READINESS`; ordered by
        contact. Fetch it and give it to `Sandbox.from_arrow`.
    """
    graded = rfm(rfm_values(features, scores), thresholds).select("rfm_of", "rfm_segment")
    described = features.select(*DESCRIBING, features_of="contact_id")
    t = scores.select("contact_id", *BASE_COLUMNS)
    t = t.left_join(described, t.contact_id == described.features_of)
    t = t.left_join(graded, t.contact_id == graded.rfm_of)
    columns = ["contact_id", *BASE_COLUMNS, *DESCRIBING, "rfm_segment"]
    if policy is not None:
        ready = _readiness(scores, features, policy)
        t = t.left_join(ready, t.contact_id == ready.ready_of)
        columns.append(READINESS)
    return t.select(*columns).order_by("contact_id")


def _readiness(scores: Any, features: Any, policy: PolicyConfig) -> Any:
    known = scores.select(
        "contact_id", "days_since_purchase", "days_overdue", "usual_gap_days", "horizon_days"
    )
    t = known.inner_join(features.select("contact_id", "closed_days_in_silence"), "contact_id")
    ready = ibis.ifelse(far_enough(t, open_silence(t), policy), READY, t.days_overdue)
    return t.select(ready_of="contact_id", **{READINESS: ready.cast("float64")})


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
        there = [READINESS] if READINESS in table.column_names else []
        columns = (*BASE_COLUMNS, *DESCRIBING, "rfm_segment", *there)
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
            Overlap(names[i], names[j], int(both[i, j]), jaccard(both, i, j))
            for i in range(len(names))
            for j in range(i + 1, len(names))
        ]
        hinted = with_hints(views, both)
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
                n, rest = known[inside].sum(), known[outside].sum()
                if n and rest:
                    gap = totals[inside].sum() / n - totals[outside].sum() / rest
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
