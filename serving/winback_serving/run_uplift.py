"""Published runs and an uplift model: what to learn it from, and what it says of today's contacts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ibis.util import gen_name

from winback_features.dictionary import numeric_features
from winback_features.errors import ConfigError
from winback_features.facts import purchase_days
from winback_features.tables import Tables
from winback_models.btyd import Array
from winback_models.uplift import Experiment
from winback_models.uplift_bundle import UpliftBundle
from winback_policy.outcomes.windows import first_entries
from winback_serving.erase import NOBODY
from winback_serving.outcomes import without_earlier
from winback_serving.parquet import write_batches
from winback_serving.scorer import BATCH_ROWS
from winback_serving.store import PublishedRun

FOLDER = "uplift"
"""Of the home: the accepted model, and how it was judged."""

HOLDOUT = "holdout"
FROM_SCORES = ("p_purchase", "value_at_risk", "expected_order_value", "days_overdue")
"""Columns of the scores that the effect may depend on."""

UPLIFT_SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("uplift", pa.float64()),
        ("incremental_value", pa.float64()),
        ("leave_asleep", pa.bool_()),
    ]
)


def uplift_names() -> tuple[str, ...]:
    """Return the columns that an uplift model looks at, in order."""
    return (*numeric_features(), *FROM_SCORES)


def matrix(table: pa.Table | pa.RecordBatch, names: Sequence[str]) -> Array:
    """Return columns as an array of shape (n, d), unknown values as NaN."""
    columns = [table.column(name).to_numpy(zero_copy_only=False).astype(np.float64) for name in names]
    return np.column_stack(columns) if columns else np.empty((table.num_rows, 0))


def uplift_entries(
    tables: Tables, runs: Sequence[PublishedRun], end: date, window_days: int
) -> tuple[Experiment | None, Array, Array]:
    """Collect the first entry of every contact whose window has closed, with what was known of it on that day.

    Parameters
    ----------
    tables : Tables
        The shop, for what was bought afterwards.
    runs : sequence of PublishedRun
        Oldest first; those of a day later than ``end - window_days`` are left out.
    end : date
        Purchases of that day or later are not looked at.
    window_days : int
        Days from the entry, the day of entry included.

    Returns
    -------
    Experiment or None
        In the order of contacts; the propensity is filled in as 0.5 and is for `with_design` to set. None without entries.
    ndarray of float, shape (n,)
        ``expected_order_value`` on the day of entry.
    ndarray of float, shape (n,)
        ``value_at_risk``, by which the list was ranked.
    """
    parts = [_entered(tables.backend, run) for run in runs if run.as_of + timedelta(days=window_days) <= end]
    parts = [part for part in parts if part.num_rows]
    if not parts:
        return None, np.empty(0), np.empty(0)
    name = gen_name("uplift_entries")
    entries = tables.backend.create_table(name, pa.concat_tables(parts), temp=True)
    try:
        first = first_entries(without_earlier(tables.backend, entries, runs))
        found = _with_outcome(first, tables, end, window_days)
        rows = found.order_by("contact_id").to_pyarrow()
    finally:
        tables.backend.drop_table(name)
    treated = matrix(rows, ["treated"])[:, 0] > 0
    bought = matrix(rows, ["bought"])[:, 0]
    data = Experiment(matrix(rows, uplift_names()), treated, bought, np.full(len(rows), 0.5))
    worth = np.nan_to_num(matrix(rows, ["expected_order_value", "value_at_risk"]))
    return data, worth[:, 0], worth[:, 1]


def with_design(data: Experiment, holdout_share: float) -> Experiment:
    """Return the experiment with the share that was to be treated.

    Raises
    ------
    ConfigError
        When nobody, or everybody, is held out.
    """
    if not 0.0 < holdout_share < 1.0:
        what = f"With a holdout of {holdout_share:g} there is nothing to compare the treated with."
        raise ConfigError(what, where="[policy] holdout_share", how="Set it between 0 and 1, such as 0.1.")
    return Experiment(data.features, data.treated, data.bought, np.full(len(data), 1.0 - holdout_share))


def _entered(backend: Any, run: PublishedRun) -> pa.Table:
    """Return the entries of a run with their features and scores of that day; no erased contact."""
    entries, features, scores = (
        backend.read_parquet(run.file(name)) for name in ("entries", "features", "scores")
    )
    kept = entries.filter(entries.arm.notnull() & ~entries.contact_id.startswith(NOBODY))
    t = kept.select("contact_id", "entered_at", treated=(kept.arm != HOLDOUT).cast("int8"))
    t = t.inner_join(features.select("contact_id", *numeric_features()), "contact_id")
    t = t.inner_join(scores.select("contact_id", *FROM_SCORES), "contact_id")
    numbers = {name: t[name].cast("float64") for name in uplift_names()}
    return t.select("contact_id", "entered_at", "treated", **numbers).to_pyarrow()


def _with_outcome(entries: Any, tables: Tables, end: date, window_days: int) -> Any:
    """Add ``bought``: 1 where there is a purchase day within the window."""
    days = purchase_days(tables, end).rename(buyer="contact_id")
    late = days.day.delta(entries.entered_at, unit="day")
    inside = [entries.contact_id == days.buyer, late >= 0, late < window_days]
    buyers = entries.inner_join(days, inside).select(bought_id="contact_id").distinct()
    t = entries.left_join(buyers, entries.contact_id == buyers.bought_id)
    return t.mutate(bought=t.bought_id.notnull().cast("int8")).drop("bought_id")


def write_uplift(features: Any, scores: Any, bundle: UpliftBundle, margin_share: float, path: Path) -> None:
    """Write what an accepted model says of every contact scored: ``UPLIFT_SCHEMA``, ordered by contact.

    Parameters
    ----------
    features, scores : ibis.Table
        Of the day.
    bundle : UpliftBundle
    margin_share : float
        Of the money of a purchase.
    path : Path
    """
    t = features.inner_join(scores.select("contact_id", *FROM_SCORES), "contact_id").order_by("contact_id")
    batches = (_said(batch, bundle, margin_share) for batch in t.to_pyarrow_batches(chunk_size=BATCH_ROWS))
    write_batches(batches, UPLIFT_SCHEMA, path)


def _said(batch: pa.RecordBatch, bundle: UpliftBundle, margin_share: float) -> pa.RecordBatch:
    value = np.nan_to_num(matrix(batch, ["expected_order_value"])[:, 0]) * margin_share
    effect, worth, asleep = bundle.decide(matrix(batch, bundle.model.names), value)
    ids: npt.NDArray[Any] | pa.Array = batch.column("contact_id")
    columns = [ids, pa.array(effect), pa.array(worth), pa.array(np.asarray(asleep, bool))]
    return pa.RecordBatch.from_arrays(columns, schema=UPLIFT_SCHEMA)
