"""``winback hygiene``: what is held without need, what it costs, and when it has to go."""

from __future__ import annotations

from datetime import date
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_serving.commands.common import as_of_option, config_option, output_options
from winback_serving.output import Output
from winback_serving.run_hygiene import run_hygiene
from winback_serving.settings import Settings
from winback_serving.store import PublishedRun, RunStore
from winback_serving.wording import count, percent, plain

NAMED = 20


@click.command()
@config_option
@as_of_option("The day of the run; the newest published one when absent.")
@output_options
def hygiene(settings: Settings, as_of: date | None, out: Output) -> None:
    """Say which records are held without need.

    Sleepers and what they cost, records past their retention or proposed for deletion with their days, bounces, records
    without a purpose; and what removing the sleepers does to the engaged rate. Nothing is deleted.
    """
    run = RunStore(settings.home).read_run(as_of)
    with open_engine(EngineConfig()) as backend:
        found = run_hygiene(backend, run, settings.policy, NAMED)
    out.result(
        {"command": "hygiene", "as_of": run.as_of, "run_id": run.run_id, **found},
        lambda console: _show(console, run, settings, found),
    )


def _show(console: Console, run: PublishedRun, settings: Settings, found: dict[str, Any]) -> None:
    def share(name: str) -> str:
        return percent(found[name]) if found[name] is not None else "unknown"

    console.print(f"{count(found['contacts'], 'record')} on {run.as_of}", style="bold")
    cost = f"{found['sleeper_cost_per_year']:,.2f} {settings.brand.currency} a year"
    rows = [
        ("inactive by both definitions", f"{found['inactive']:,}", share("inactive_share")),
        ("in sunset", f"{found['sunset']:,}", ""),
        ("in farewell", f"{found['farewell']:,}", "proposed for deletion"),
        ("past their retention", f"{found['past_retention']:,}", "to be deleted or made anonymous"),
        ("held without a purpose", f"{found['without_purpose']:,}", "no purchase, no activity, no consent"),
        ("hard-bounced", f"{found['hard_bounced']:,}", "never e-mailed"),
        ("bouncing softly", f"{found['soft_bounced']:,}", ""),
        ("e-mails to sleepers in 90 days", f"{found['sleeper_emails_90d']:,}", cost),
    ]
    table = Table("what", "records", "", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for row in rows:
        table.add_row(*row)
    console.print(table)
    without = share("engaged_rate_without_sleepers")
    console.print(
        f"\nEngaged (any activity in 90 days): {share('engaged_rate')}; {without} of the "
        f"{found['awake']:,} that are left without the sleepers.",
        soft_wrap=True,
    )
    if not found["due"]:
        console.print("Nobody's data have to go yet.")
        return
    more = found["due"] - len(found["due_first"])
    console.print(f"\n{count(found['due'], 'record')} to go, by day:")
    for row in found["due_first"]:
        why = "past its retention" if row["past_retention"] else row["state"]
        console.print(escape(f"  {row['due']}  {plain(row['contact_id'])}  {why}"), soft_wrap=True)
    if more:
        console.print(f"  … and {more:,} more")
