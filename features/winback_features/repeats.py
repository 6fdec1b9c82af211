"""Which digests stand more than once in a table: asked of every row, so it has to be cheap."""

from __future__ import annotations

import ibis
import numpy as np
import pyarrow as pa
from ibis.util import gen_name

from winback_features.answers import count
from winback_features.mapping import DIGEST

ROWS_AT_ONCE = 16_000_000
"""Digests sorted at a time, about: 128 MB of them."""


def repeated_digests(rows: ibis.Table) -> ibis.Table:
    """Return the digests that more than one row has, each once.

    To sort the bare numbers costs a fifth of what a group for each of them costs, and hardly any memory.

    Parameters
    ----------
    rows : ibis.Table
        With ``DIGEST``.

    Returns
    -------
    ibis.Table
        ``DIGEST``.
    """
    backend = rows.get_backend()
    if backend.name != "duckdb":
        often = rows.group_by(DIGEST).aggregate(n=ibis._.count())
        return often.filter(often.n > 1).select(DIGEST)
    slices = -(-count(rows) // ROWS_AT_ONCE)
    found = [_repeated(rows.filter(rows[DIGEST] % slices == part)) for part in range(slices)]
    digests = np.concatenate([*found, np.zeros(0, np.uint64)])
    return backend.create_table(gen_name("winback_often"), pa.table({DIGEST: digests}), temp=True)


def _repeated(rows: ibis.Table) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    digests = np.sort(rows.select(DIGEST).to_pyarrow()[DIGEST].to_numpy())
    return np.unique(digests[1:][digests[1:] == digests[:-1]])
