"""Whom nobody writes to: the contacts on which a forward test sees what a message has not changed."""

from __future__ import annotations

from datetime import timedelta

import ibis
import numpy as np
import pyarrow as pa
from ibis.util import gen_name

from winback_features.tables import Tables
from winback_models.label_time import LabelTime
from winback_policy.config import PolicyConfig
from winback_policy.holdout import draw_arm
from winback_training.forward_test import Mask

LEAK = 0.01
"""Share of the held out that may have been written to before it is said."""


class HeldOut:
    """Names the held-out buyers of each forward test on which messages of win-back could tell.

    The arm is that of the policy: a salted hash of the contact id, the same on every day. It holds for contacts that were
    never flagged as well, so the held out are a random part of any base.

    Parameters
    ----------
    tables : Tables
        With the campaign log, or without: then there is nothing to keep apart.
    horizon_days : int
        Length of a test's window; a message of so many days before it still works in it.
    policy : PolicyConfig
        Its share and salt draw the arm.
    """

    def __init__(self, tables: Tables, horizon_days: int, policy: PolicyConfig) -> None:
        self.tables, self.around, self.policy = tables, timedelta(days=horizon_days), policy
        self.contacts = self.reached = 0

    def at(self, today: LabelTime) -> Mask | None:
        """Return which buyers of a label time are held out; None without a log, a holdout, or a message to any of them."""
        log, ids = self.tables.campaign_log, today.features.get("contact_id")
        if log is None or ids is None or not self.policy.holdout_share:
            return None
        day = log.sent_at.date()
        near = log.filter(
            day >= ibis.literal(today.as_of - self.around), day < ibis.literal(today.as_of + self.around)
        )
        sent = near.select(written_to="contact_id").distinct()
        name = gen_name("buyers")
        buyers = self.tables.backend.create_table(name, pa.table({"contact_id": [*ids]}), temp=True)
        rows = buyers.left_join(sent, buyers.contact_id == sent.written_to)
        found = rows.select(
            "contact_id",
            held=draw_arm(rows.contact_id, self.policy) == "holdout",
            reached=rows.written_to.notnull(),
        ).to_pyarrow()
        self.tables.backend.drop_table(name)
        held, reached = (np.asarray(found[column], bool) for column in ("held", "reached"))
        if not reached.any():
            return None
        self.contacts, self.reached = (
            self.contacts + int(held.sum()),
            self.reached + int((held & reached).sum()),
        )
        names = np.asarray(found["contact_id"], object)[held]
        return np.asarray(ids.isin(names), bool)

    def notices(self) -> list[str]:
        """Say if more of the held out were written to than a slip explains."""
        if self.reached <= LEAK * self.contacts:
            return []
        return [
            f"{self.reached:,} of {self.contacts:,} held-out contacts in the forward tests were written to nevertheless: was "
            "policy.holdout_share or policy.holdout_salt changed? What is said of the held out is not to be trusted."
        ]
