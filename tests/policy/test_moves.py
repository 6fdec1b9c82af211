"""Moves between two runs: told by hand, and what holds for any two bases."""

from __future__ import annotations

from typing import Any

import ibis
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_policy.moves import MOVES, moves, moves_matrix
from winback_policy.rfm import RfmThresholds, quintile_thresholds, rfm

some = settings(
    max_examples=2,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

Base = dict[str, tuple[float, float, float]]

FIXED = RfmThresholds((365, 180, 90, 30), (1, 2, 4, 8), (50, 100, 250, 500))

buyer = st.tuples(st.integers(1, 400), st.integers(1, 12), st.integers(1, 900))
bases = st.dictionaries(st.sampled_from([f"c{i:02}" for i in range(90)]), buyer, min_size=5)


def values(backend: Any, base: Base) -> Any:
    name = ibis.util.gen_name("values")
    days, purchases, spend = zip(*base.values(), strict=True)
    table = {"contact_id": list(base), "days_since_purchase": pa.array(days, pa.float64())}
    table |= {
        "purchase_days": pa.array(purchases, pa.float64()),
        "spend_total": pa.array(spend, pa.float64()),
    }
    backend.con.register(name, pa.table(table))
    return backend.table(name)


def quintiles(backend: Any, base: Base) -> RfmThresholds:
    (row,) = backend.to_pyarrow(quintile_thresholds(values(backend, base))).to_pylist()
    found = RfmThresholds.from_row(row)
    assert found is not None
    return found


def followed(
    backend: Any, before: Base, after: Base, old: RfmThresholds, new: RfmThresholds
) -> dict[str, tuple[str | None, str | None, str]]:
    moved = moves(values(backend, before), values(backend, after), old, new)
    rows = backend.to_pyarrow(moved).to_pylist()
    contacts = [row["contact_id"] for row in rows]
    assert contacts == sorted({*before, *after})
    return {r["contact_id"]: (r["segment_before"], r["segment_after"], r["move"]) for r in rows}


def test_by_hand(backend: Any) -> None:
    later = RfmThresholds((365, 180, 90, 30), (1, 2, 4, 10), (50, 100, 250, 500))
    before = {
        "bought less": (10, 20, 300),  # a champion that stays away
        "outdone": (200, 9, 300),  # nothing changed, but F 5 now asks for more
        "bought and outdone": (200, 5, 300),
        "same": (10, 1, 20),
        "erased": (10, 1, 20),
    }
    after = {
        "bought less": (200, 20, 300),
        "outdone": (210, 9, 300),
        "bought and outdone": (5, 6, 350),
        "same": (12, 1, 20),
        "first order": (3, 1, 40),
    }
    assert followed(backend, before, after, FIXED, later) == {
        "bought less": ("champion", "cant_lose", "real"),
        "outdone": ("cant_lose", "at_risk", "threshold"),
        "bought and outdone": ("at_risk", "champion", "real"),
        "same": ("new", "new", "stayed"),
        "erased": ("new", None, "gone"),
        "first order": (None, "new", "new"),
    }
    moved = moves(values(backend, before), values(backend, after), FIXED, later)
    assert [tuple(row.values()) for row in backend.to_pyarrow(moves_matrix(moved)).to_pylist()] == [
        ("at_risk", "champion", "real", 1),
        ("cant_lose", "at_risk", "threshold", 1),
        ("champion", "cant_lose", "real", 1),
        ("new", "new", "stayed", 1),
        ("new", None, "gone", 1),
        (None, "new", "new", 1),
    ]


@some
@given(base=bases)
def test_nothing_changed_nobody_moves(backend: Any, base: Base) -> None:
    cuts = quintiles(backend, base)
    assert {move for *_, move in followed(backend, base, base, cuts, cuts).values()} == {"stayed"}


@some
@given(before=bases, after=bases)
def test_what_any_move_means(backend: Any, before: Base, after: Base) -> None:
    old, new = quintiles(backend, before), quintiles(backend, after)
    for contact, (was, now, move) in followed(backend, before, after, old, new).items():
        assert move in MOVES
        assert (was is None, now is None) == (contact not in before, contact not in after)
        assert (move == "stayed") == (was == now)
        if before.get(contact) == after.get(contact):
            assert move in ("stayed", "threshold")


@some
@given(before=bases, after=bases)
def test_with_fixed_thresholds_every_move_is_real(backend: Any, before: Base, after: Base) -> None:
    found = followed(backend, before, after, FIXED, FIXED)
    assert "threshold" not in {move for *_, move in found.values()}


@some
@given(base=bases, newcomers=st.lists(buyer, min_size=20, max_size=20))
def test_newcomers_move_nobody_for_real(backend: Any, base: Base, newcomers: list[Any]) -> None:
    after = base | {f"n{i:02}": values for i, values in enumerate(newcomers)}
    found = followed(backend, base, after, quintiles(backend, base), quintiles(backend, after))
    assert {found[contact][2] for contact in base} <= {"stayed", "threshold"}
    assert {found[contact][2] for contact in set(after) - set(base)} == {"new"}


@some
@given(base=bases)
def test_everybody_doing_twice_as_much_moves_nobody(backend: Any, base: Base) -> None:
    """Quintiles go up with the base; by the old thresholds most would have moved."""
    after = {contact: (2 * d, 2 * p, 2 * s) for contact, (d, p, s) in base.items()}
    found = followed(backend, base, after, quintiles(backend, base), quintiles(backend, after))
    assert {move for *_, move in found.values()} == {"stayed"}


def test_the_segments_are_those_of_the_runs(backend: Any) -> None:
    before = {f"c{i:02}": (5.0 * i + 1, i % 7 + 1.0, 10.0 * i) for i in range(25)}
    after = {f"c{i:02}": (4.0 * (24 - i) + 1, i % 5 + 1.0, 12.0 * i) for i in range(25)}
    found = followed(backend, before, after, quintiles(backend, before), quintiles(backend, after))
    for place, base in enumerate((before, after)):
        rows = backend.to_pyarrow(rfm(values(backend, base))).to_pylist()
        assert {c: found[c][place] for c in base} == {row["rfm_of"]: row["rfm_segment"] for row in rows}
