"""When messages of win-back reached the contacts of a label time: what came after is no label."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis.util import gen_name

from winback_features.tables import Tables
from winback_models.btyd import Array


class Treated:
    """The first message to each contact, for every label time.

    Parameters
    ----------
    tables : Tables
        With the campaign log, or without: then nobody was written to.
    days : sequence of date
        The label times.
    horizon_days : int
        Length of a label's window; a message of so many days before the label time still works in it.
    keep : bool
        Take no notice of messages.
    """

    def __init__(
        self, tables: Tables, days: Sequence[date], horizon_days: int, *, keep: bool = False
    ) -> None:
        self.first: dict[date, pd.Series] = {}
        if tables.campaign_log is None or keep or not days:
            return
        messages = _first_messages(tables.backend, tables.campaign_log, days, horizon_days)
        for day in messages["label_time"].unique():
            found = messages[messages["label_time"] == day]
            self.first[day] = found.set_index("contact_id")["days"].astype(np.float64)

    def get(self, day: date, contact_ids: pd.Series) -> Array | None:
        """Return the days from a label time to the first message, inf where there was none; None where nobody had one."""
        if day not in self.first:
            return None
        return np.asarray(self.first[day].reindex(contact_ids).fillna(np.inf), dtype=np.float64)


def _first_messages(backend: Any, log: Any, days: Sequence[date], horizon_days: int) -> pd.DataFrame:
    """Return ``label_time, contact_id, days``: 0 where a message came in the horizon before."""
    around = timedelta(days=horizon_days)
    rows = {"label_time": [*days], "since": [d - around for d in days], "until": [d + around for d in days]}
    times = backend.create_table(gen_name("label_times"), pa.table(rows), temp=True)
    sent = log.select("contact_id", day=log.sent_at.date()).distinct()
    near = sent.inner_join(times, [sent.day >= times.since, sent.day < times.until])
    found = near.group_by("label_time", "contact_id").aggregate(first=near.day.min())
    days_to = ibis.greatest(found["first"].delta(found.label_time, unit="day"), 0)
    table = found.select("label_time", "contact_id", days=days_to).order_by("label_time", "contact_id")
    messages: pd.DataFrame = table.to_pyarrow().to_pandas()
    return messages
