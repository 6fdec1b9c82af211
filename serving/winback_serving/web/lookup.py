"""The rows of one contact in a table of a run, read from the row groups that can hold them and from nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KEY = "contact_id"
AT_ONCE = 4096
"""So many rows are decoded at a time; what stands behind the contact's rows is not."""


def rows_of(path: Path, contact_id: str, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return a contact's rows of a Parquet file.

    Parameters
    ----------
    path : Path
        Its row groups say from which ``contact_id`` to which they go; of a file in the order of the contacts one is read.
    contact_id : str
    columns : sequence of str, optional
        All when absent; one that the file lacks is null.

    Returns
    -------
    list of dict
        In the order of the file.
    """
    stat = path.stat()
    described, schema, ranges = _described(path, stat.st_ino, stat.st_mtime_ns)
    names = schema.names if columns is None else [name for name in columns if name in schema.names]
    groups = [
        k
        for k, (low, high) in enumerate(ranges)
        if (low or "") <= contact_id and (not high or contact_id <= high)
    ]
    if not groups:
        return []
    # The words of a column are few: they are looked up for the rows that are found, not written out for all.
    words = [name for name in names if name != KEY and pa.types.is_string(schema.field(name).type)]
    found: list[dict[str, Any]] = []
    with pq.ParquetFile(path, metadata=described, memory_map=True, read_dictionary=words) as file:
        ids = file.read_row_groups(groups, columns=[KEY], use_threads=False)[KEY]
        places = pc.indices_nonzero(pc.equal(ids, contact_id).combine_chunks()).to_pylist()
        if not places:
            return []
        begin = 0
        for batch in file.iter_batches(AT_ONCE, row_groups=groups, columns=names, use_threads=False):
            end = begin + batch.num_rows
            here = [place - begin for place in places if begin <= place < end]
            found += batch.take(pa.array(here, pa.int64())).to_pylist() if here else []
            begin = end
            if begin > places[-1]:
                break
    missing = dict.fromkeys(name for name in columns or () if name not in schema.names)
    return [{**missing, **row} for row in found]


@lru_cache(maxsize=256)
def _described(
    path: Path, inode: int, changed: int
) -> tuple[pq.FileMetaData, pa.Schema, list[tuple[str | None, str | None]]]:
    """Return a file's metadata, its schema and each row group's first and last key; an erasure writes a new file."""
    described = pq.read_metadata(path)
    schema: pa.Schema = described.schema.to_arrow_schema()
    place = schema.get_field_index(KEY)
    ranges: list[tuple[str | None, str | None]] = []
    for k in range(described.num_row_groups):
        known = described.row_group(k).column(place).statistics
        ranges.append((known.min, known.max) if known is not None and known.has_min_max else (None, None))
    return described, schema, ranges
