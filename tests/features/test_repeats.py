"""Repeated digests are found by sorting slices of them: the same ones as by counting."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ibis.util import gen_name

from winback_features import repeats
from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.mapping import DIGEST
from winback_features.repeats import repeated_digests


@pytest.fixture(scope="module")
def backend():
    with open_engine(EngineConfig(memory_limit="256MB", threads=1)) as engine:
        yield engine


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    digests=st.lists(st.sampled_from([0, 1, 2, 7, 2**63, 2**64 - 1]), max_size=12),
    at_once=st.sampled_from([1, 3, 99]),
)
def test_each_digest_that_stands_twice_is_found_once(backend, monkeypatch, digests, at_once):
    monkeypatch.setattr(repeats, "ROWS_AT_ONCE", at_once)
    rows = pa.table({DIGEST: pa.array(digests, pa.uint64())})
    table = backend.create_table(gen_name("digests"), rows, temp=True)
    found = repeated_digests(table).to_pyarrow()[DIGEST].to_pylist()
    values, counts = np.unique(np.array(digests, np.uint64), return_counts=True)
    assert sorted(found) == values[counts > 1].tolist()
