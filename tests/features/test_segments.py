"""What is counted, summed and found among each contact's rows, against loops over the rows."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from winback_features.segments import Segments, changes, known, pairs, ratio, running, sums

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(-9, 9), st.booleans()), max_size=30).map(sorted)
N = 6  # the last contact never has a row


def taken_apart(rows):
    contact, value, kept = zip(*rows, strict=True) if rows else ((), (), ())
    contact, value, kept = np.array(contact, int), np.array(value, int), np.array(kept, bool)
    here = [[(v, k) for c, v, k in rows if c == who] for who in range(N)]
    return Segments(contact, N), value, kept, here


@given(ROWS)
def test_counts_and_totals(rows):
    segments, value, kept, here = taken_apart(rows)
    assert segments.count().tolist() == [len(mine) for mine in here]
    assert segments.count(kept).tolist() == [sum(k for _, k in mine) for mine in here]
    assert segments.total(value).tolist() == [sum(v for v, _ in mine) for mine in here]


@given(ROWS)
def test_first_and_last_rows(rows):
    segments, value, kept, here = taken_apart(rows)
    chosen = [[v for v, k in mine if k] for mine in here]
    every = [[v for v, _ in mine] for mine in here]
    for found, rows_of, place in (
        (segments.first(value, kept), chosen, 0),
        (segments.last(value, kept), chosen, -1),
        (segments.first(value), every, 0),
        (segments.last(value), every, -1),
    ):
        wanted = [float(mine[place]) if mine else math.nan for mine in rows_of]
        assert np.array_equal(found, wanted, equal_nan=True)


@given(ROWS)
def test_places_among_ones_own(rows):
    segments, _, _, here = taken_apart(rows)
    assert segments.ordinal().tolist() == [place for mine in here for place in range(len(mine))]


@given(ROWS)
def test_runs_of_equals(rows):
    segments, value, _, _ = taken_apart(rows)
    starts = np.flatnonzero(changes(segments.contact, value))
    runs = [(c, v) for place, (c, v, _) in enumerate(rows) if not place or rows[place - 1][:2] != (c, v)]
    assert list(zip(segments.contact[starts].tolist(), value[starts].tolist(), strict=True)) == runs
    assert sums(np.ones(len(rows), int), starts).tolist() == [
        sum(row[:2] == run for row in rows) for run in runs
    ]


def test_sums_stay_exact_where_doubles_do_not():
    big = 2**60 + 1
    assert running(np.array([big, big])).tolist() == [0, big, 2 * big]
    assert Segments(np.array([0, 0]), 1).total(np.array([big, 2])).tolist() == [big + 2]


def test_pairs_keep_the_order_of_contact_and_number():
    number = pairs(np.array([0, 0, 1], np.int32), np.array([5, 2**31, 0]))
    assert number.tolist() == sorted(number.tolist())
    assert (number >> 32).tolist() == [0, 0, 1]


def test_what_is_not_known_stays_unknown():
    assert np.array_equal(ratio(np.array([1, 2]), np.array([0, 4])), [math.nan, 0.5], equal_nan=True)
    assert np.array_equal(known(np.array([1, 2]), np.array([True, False])), [1.0, math.nan], equal_nan=True)
