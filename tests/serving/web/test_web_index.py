"""The rows and keys of a run hold for each contact what its two files say, in whatever order and groups these are written."""

import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_serving.web import index
from winback_serving.web.index import RunIndex

STATES = ("active", "flagged", "unknown", None)


@pytest.fixture(autouse=True, scope="module")
def small_groups():
    """A few rows in each part, so that small tables have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "ROWS_PER_GROUP", 3)
        patch.setattr(index, "FILES_AT_ONCE", 2)
        yield


def written(folder, name, columns, group):
    pq.write_table(pa.table(columns), folder / f"{name}.parquet", row_group_size=group)


@settings(max_examples=max(10, settings.default.max_examples // 3), deadline=None)
@given(
    st.lists(st.integers(0, 999), unique=True, max_size=30),
    st.sets(st.integers(0, 999)),
    st.booleans(),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_each_contact_has_the_columns_of_both_files(numbers, unscored, shuffled, group, random):
    ids = [f"c{n:03d}" for n in sorted(numbers)]
    scored = [c for c in ids if int(c[1:]) not in unscored]
    if shuffled:
        random.shuffle(ids)
        random.shuffle(scored)
    state = {c: STATES[int(c[1:]) % 4] for c in ids}
    alive = {c: int(c[1:]) / 999 for c in scored}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, number = pa.string(), pa.float64()
        written(
            folder,
            "winback",
            {"contact_id": pa.array(ids, text), "state": pa.array(map(state.get, ids), text)},
            group,
        )
        written(
            folder,
            "scores",
            {"contact_id": pa.array(scored, text), "p_alive": pa.array(map(alive.get, scored), number)},
            group,
        )
        with duckdb.connect() as connection:
            found = RunIndex(folder, connection)
            assert len(found) == len(ids)
            assert [found.contact(c) for c in ids] == [
                {"contact_id": c, "state": state[c], "p_alive": alive.get(c)} for c in ids
            ]
            assert found.contact("c1000") is None
            keys = connection.execute("SELECT row_number, contact_id, state, p_alive, rank FROM keys")
            wanted = [(n, c, state[c], alive.get(c), None) for n, c in enumerate(ids)]
            assert sorted(keys.fetchall()) == wanted


def test_a_column_in_which_nobody_has_a_word_can_be_sorted_by(tmp_path):
    """A shop without categories: DuckDB fails to sort by an enumeration of nothing where it takes a few rows only."""
    ids = pa.array([f"c{n:03d}" for n in range(100)])
    nothing = pa.nulls(len(ids), pa.string())
    written(tmp_path, "winback", {"contact_id": ids, "last_category": nothing}, 100)
    written(tmp_path, "scores", {"contact_id": ids, "base": nothing}, 100)
    with duckdb.connect() as connection:
        found = RunIndex(tmp_path, connection)
        for column in ("last_category", "base"):
            order = f"SELECT row_number FROM keys ORDER BY {column} NULLS LAST, contact_id LIMIT 3"
            assert connection.execute(order).fetchall() == [(0,), (1,), (2,)]
            said = f"SELECT count(*) FROM keys WHERE {column} IN ('a word')"
            assert connection.execute(said).fetchone() == (0,)
        assert len(found) == len(ids)
