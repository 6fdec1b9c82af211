"""A simulated campaign over the demo's real purchases: it shows how outcomes are read, and proves nothing.

Contacts enter on the first day on which their silence reaches twice their usual gap. By lot some are left alone. Of the treated
who did not buy in the window, a known share gets a made-up purchase, so that the readout has something true to find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis
from ibis.util import gen_name

from winback_features.answers import records
from winback_features.facts import purchase_days
from winback_features.tables import ORDERS_SCHEMA, Tables
from winback_policy.config import PolicyConfig
from winback_policy.holdout import draw_arm
from winback_policy.outcomes.config import OutcomesConfig
from winback_policy.outcomes.windows import first_entries, outcome_cells
from winback_serving.outcomes import Outcomes, SentLog, summarise

WEEKS = 26
USUAL_GAPS = 2
LEAST_PURCHASES = 4
HOLDOUT_SHARE = 0.3
WON = 0.25
"""Of the treated that would have stayed away, so many get a made-up purchase."""
REACHED = 0.97
COST = "0.60"
SALT = "simulated campaign"
LOG = "data/simulated_campaign_log.csv"

Keep = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A simulated campaign as read.

    Attributes
    ----------
    outcomes : Outcomes
    log : str
        What was made up to have been sent, as CSV.
    """

    outcomes: Outcomes
    log: str


def simulate_campaign(tables: Tables, end: date, window_days: int, currency: str) -> Campaign:
    """Make a campaign up over real purchases, and read it as one reads a real one.

    Parameters
    ----------
    tables : Tables
    end : date
        The day after the last full day of data.
    window_days : int
        Days from entry within which a purchase counts.
    currency : str
    """
    backend = tables.backend

    def keep(rows: Any) -> Any:
        return backend.create_table(gen_name("campaign"), rows, temp=True)

    policy = PolicyConfig(holdout_share=HOLDOUT_SHARE, holdout_salt=SALT)
    entries = keep(_entries(tables, end, window_days, policy))
    sent = keep(_sent(entries))
    made_up = _won(entries, tables, end, window_days)
    orders = keep(tables.orders.union(made_up))
    shop = replace(tables, orders=orders, campaign_log=sent)
    cells = outcome_cells(entries, shop, end, window_days, by=("rhythm",))
    (n,) = records(entries.aggregate(entered=entries.count()))
    rows = records(sent.order_by("sent_at", "contact_id"))
    found = Outcomes(
        as_of=end,
        window_days=window_days,
        currency=currency,
        entered=n["entered"],
        open=0,
        readout=summarise(cells, policy, OutcomesConfig()),
        log=SentLog(len(rows), 0, 0),
        simulated=_label(window_days),
    )
    header = "contact_id,sent_at,run_id,step,channel,arm,incentive,cost"
    lines = (
        f"{r['contact_id']},{r['sent_at']:%Y-%m-%d},simulated,1,post,{r['arm']},low,{r['cost']}" for r in rows
    )
    return Campaign(found, "\n".join([header, *lines]) + "\n")


def write_log(home: Path, campaign: Campaign) -> Path:
    """Write what was made up to have been sent."""
    path = home / LOG
    path.write_text(campaign.log, encoding="utf-8")
    return path


def _label(window_days: int) -> str:
    return (
        "Simulated: nobody was ever written to. The purchases are real, but for those made up: of the treated that bought "
        f"nothing within {window_days} days, {100 * WON:.0f} % were given one. It shows how to read, and proves nothing."
    )


def _entries(tables: Tables, end: date, window_days: int, policy: PolicyConfig) -> Any:
    """Return each contact's first day, of the last half year, with a silence of twice its mean gap; and its arm."""
    bought = purchase_days(tables, end)
    own = ibis.window(group_by="contact_id", order_by="day")
    so_far = ibis.cumulative_window(group_by="contact_id", order_by="day")
    t = bought.mutate(
        number=ibis.row_number().over(own) + 1,
        first=bought.day.min().over(so_far),
        next=bought.day.lead().over(own),
        typical=bought.amount.mean().over(so_far),
    )
    t = t.filter(t.number >= LEAST_PURCHASES)
    t = t.mutate(gap=t.day.delta(t["first"], unit="day") / (t.number - 1))
    wait = (USUAL_GAPS * t.gap).ceil().cast("int64")
    t = t.mutate(entered_at=(t.day.cast("timestamp") + wait.as_interval("D")).cast("date"))
    newest = end - timedelta(days=window_days)
    oldest = newest - timedelta(weeks=WEEKS)
    silent = t.next.isnull() | (t.next >= t.entered_at)
    t = t.filter(silent, t.entered_at >= ibis.literal(oldest), t.entered_at <= ibis.literal(newest))
    rhythm = ibis.cases((t.gap < 7, "within a week"), (t.gap < 14, "within two weeks"), else_="slower")
    t = t.mutate(
        arm=draw_arm(t.contact_id, policy),
        p_purchase=ibis.null("float64"),
        value_at_risk=t.typical.cast("float64"),
        rhythm=rhythm,
    )
    return first_entries(t).select("contact_id", "entered_at", "arm", "p_purchase", "value_at_risk", "rhythm")


def _chance(contact_id: Any, of: str) -> Any:
    """Return a number between 0 and 1 that a contact has by lot, the same in every run."""
    digest = (ibis.literal(f"{SALT}, {of}:") + contact_id).hexdigest("sha256").substr(0, 7)
    return (ibis.literal("0x") + digest).cast("int64") / 16**7


def _won(entries: Any, tables: Tables, end: date, window_days: int) -> Any:
    """Return the made-up purchases, as orders."""
    bought = purchase_days(tables, end).rename(buyer="contact_id")
    until = (entries.entered_at.cast("timestamp") + ibis.interval(days=window_days)).cast("date")
    inside = [entries.contact_id == bought.buyer, bought.day >= entries.entered_at, bought.day < until]
    own = entries.inner_join(bought, inside).select("contact_id")
    t = entries.filter(entries.arm == "treatment").anti_join(own, "contact_id")
    t = t.filter(_chance(t.contact_id, "won") < WON)
    later = (_chance(t.contact_id, "day") * window_days).floor().cast("int64")
    day = (t.entered_at.cast("timestamp") + later.as_interval("D")).cast("date")
    known = {"contact_id": t.contact_id, "day": day, "ordered_at": day, "amount": t.value_at_risk}
    known["order_id"] = ibis.literal("simulated ") + t.contact_id
    return t.select(**{n: known.get(n, ibis.null(kind)).cast(kind) for n, kind in ORDERS_SCHEMA.items()})


def _sent(entries: Any) -> Any:
    """Return the made-up log: one message on the day of entry to nearly all of the treated."""
    t = entries.filter((entries.arm == "treatment") & (_chance(entries.contact_id, "reached") < REACHED))
    return t.select(
        "contact_id",
        "arm",
        sent_at=t.entered_at.cast("timestamp"),
        cost=ibis.literal(COST).cast("decimal(18, 4)"),
    )
