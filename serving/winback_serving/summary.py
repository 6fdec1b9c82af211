"""The brief on a terminal: what came in, whether to believe the model, whom to win back, whom not and why."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from winback_models.charts import MODEL_LABELS
from winback_serving import wording
from winback_serving.accuracy import Accuracy, money_verdict
from winback_serving.brief import Brief, ListRow

RISK, CALM, QUIET = "dark_orange3", "deep_sky_blue3", "bright_black"
WIDE = 120
"""From this width on the list says how late each one is, and gives two reasons instead of one."""


def show_brief(console: Console, brief: Brief, *, people: str = "contacts", one: str = "contact") -> None:
    """Print everything of the brief, the list last, where the eye rests; fits 80 columns.

    Parameters
    ----------
    console : rich.console.Console
    brief : Brief
    people, one : str
        What contacts are called, in the plural and in the singular.
    """
    _show_inputs(console, brief)
    if brief.accuracy.models:
        _show_accuracy(console, brief.accuracy, brief.currency)
    _show_days(console, brief)
    _show_excluded(console, brief, people)
    show_list(console, brief, people, one)


def show_places(
    console: Console, places: Sequence[tuple[str, str]], commands: Sequence[tuple[str, str]]
) -> None:
    """Print where things are, and what to type next.

    Parameters
    ----------
    console : rich.console.Console
    places, commands : sequence of (str, str)
        What it is and where; what to type and what it does.
    """
    _heading(console, "Where it is")
    for name, where in places:
        console.print(Text.assemble("  ", (f"{name:<9}", QUIET), where), soft_wrap=True)
    _heading(console, "What next")
    for command, does in commands:
        console.print(Text.assemble("  ", (command, CALM)), soft_wrap=True)
        console.print(Text.assemble("    ", (does, QUIET)), soft_wrap=True)


def _show_inputs(console: Console, brief: Brief) -> None:
    _heading(console, "The data", "rows in = rows used + rows quarantined")
    table = _table("table", "rows in", "used", "quarantined", "from – to", right=(1, 2, 3))
    for row in brief.inputs:
        table.add_row(
            row.table,
            wording.number(row.rows_in),
            wording.number(row.rows_used),
            wording.number(row.rows_quarantined),
            f"{wording.day(row.first_day)} – {wording.day(row.last_day)}",
        )
    console.print(table)
    for row in brief.inputs:
        for reason, rows in row.reasons.items():
            console.print(
                Text(f"  {wording.count(rows, 'row')} of {row.table}: {wording.words(reason)}", QUIET)
            )
        for notice in row.notices:
            console.print(Text(f"  Note, {row.table}: {notice}", "yellow"))


def _show_accuracy(console: Console, found: Accuracy, currency: str) -> None:
    tests = wording.count(len(found.origins), "forward test")
    _heading(console, "The model against the others", f"active base, mean of {tests}; blue is best")
    table = _table("model", "AUC", "Brier", "IBS", "skill", "lift 10 %", "bias", right=range(1, 7))
    for m in found.models:
        table.add_row(
            wording.words(m.model, MODEL_LABELS),
            Text(wording.number(m.auc, 3), CALM if m.auc == found.best_auc else ""),
            Text(wording.number(m.brier, 4), CALM if m.brier == found.best_brier else ""),
            Text(wording.number(m.ibs, 4), CALM if m.ibs == found.best_ibs else ""),
            wording.number(m.brier_skill, 3),
            wording.number(m.lift_10, 2),
            wording.number(m.bias, 3),
            style="bold" if m.model == "winback" else "",
        )
    console.print(table)
    for verdict in found.verdicts:
        console.print(Text(f"  {verdict}"))
    if found.money:
        console.print(
            Text(f"  Money of every buyer at the newest test. {money_verdict(found.money, currency)}")
        )


def _show_days(console: Console, brief: Brief) -> None:
    _heading(console, "Day by day", "each run carries the states of the one before")
    table = _table("morning of", "new", "left", "on the list", "at risk", "why they left", right=range(1, 5))
    for day in brief.days:
        reasons = [f"{n} {wording.words(code, wording.EXITS)}" for code, n in day.exits.items()]
        table.add_row(
            wording.day(day.as_of),
            Text(f"+{day.entries}" if day.entries else "0", RISK if day.entries else QUIET),
            Text(f"−{day.left}" if day.left else "0", CALM if day.left else QUIET),
            wording.number(day.listed),
            wording.money(day.value_at_risk, brief.currency),
            Text(", ".join(reasons) or wording.DASH, QUIET),
        )
    console.print(table)


def show_list(console: Console, brief: Brief, people: str = "contacts", one: str = "contact") -> None:
    """Print the head of today's list."""
    if not brief.listed:
        _heading(console, "Nobody needs winning back today")
        return
    title = f"{wording.count(brief.listed, one, people)} to win back on {wording.day(brief.as_of)}"
    worth = wording.money(brief.value_at_risk, brief.currency)
    shown = f"the first {len(brief.top)} by value at risk; " if brief.listed > len(brief.top) else ""
    _heading(console, title, f"{shown}{worth} a year at risk in all")
    buys = f"buys in\n{brief.horizon_days} days"
    wide = console.width >= WIDE
    late = ("late",) if wide else ()
    table = _table("#", one, buys, "was due", *late, "next", brief.currency, "why", right=range(2, 6 + wide))
    table.columns[0].justify = "right"
    table.columns[1].overflow, table.columns[1].max_width = "fold", 16
    for row in brief.top:
        table.add_row(
            str(row.rank),
            Text(wording.plain(row.contact_id), "bold"),
            wording.percent(row.p_purchase),
            wording.day(row.due_date, brief.as_of),
            *([_late(row)] if wide else []),
            wording.day(row.next_purchase_date, brief.as_of) if row.next_purchase_date else wording.OPEN,
            wording.number(row.value_at_risk),
            _why(row, 2 if wide else 1),
        )
    console.print(table)
    if any(row.next_purchase_date is None for row in brief.top):
        console.print(
            Text("  open: more likely than not, no next purchase as far as the model looks.", QUIET)
        )
    if brief.held_out:
        alone = brief.held_out == 1
        held = f"{brief.held_out} of the {brief.listed} {'is' if alone else 'are'} held out at random"
        console.print(Text(f"  {held}, to measure what win-back brings:", QUIET))
        console.print(Text(f"  do not write to {'this one' if alone else 'them'}.", QUIET))
        console.print(Text(f"  {_detectable(brief)}", QUIET))


def _show_excluded(console: Console, brief: Brief, people: str) -> None:
    _heading(console, "Why the others are not on the list", "one reason each, the first that holds")
    most = max(brief.excluded.values(), default=1)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", min_width=9)
    table.add_column(width=16)
    table.add_column()
    for code, n in brief.excluded.items():
        length = max(1, round(16 * n / most))
        table.add_row(wording.number(n), Text("━" * length, CALM), wording.words(code, wording.NOT_FLAGGED))
    console.print(table)
    total = brief.listed + sum(brief.excluded.values())
    console.print(
        Text(f"  {brief.contacts:,} {people} = {brief.listed:,} listed + {total - brief.listed:,} not", QUIET)
    )


def _late(row: ListRow) -> Text:
    """Return days late, or the days until the contact is due."""
    if row.days_overdue is None:
        return Text(wording.DASH)
    days = round(row.days_overdue)
    return Text(f"{days} d", RISK) if days > 0 else Text(f"in {-days} d", QUIET)


def _detectable(brief: Brief) -> str:
    """Return what the holdout of today's list could show."""
    if brief.detectable_effect is None:
        return "So few on the list cannot show what win-back brings: gather more days."
    points = wording.number(100 * brief.detectable_effect, 1)
    return f"The smallest effect that so many can show: {points} percentage points more that buy."


def _why(row: ListRow, reasons: int) -> Text:
    text = Text(wording.plain("; ".join(row.reasons[:reasons])))
    if row.arm == "holdout":
        text.append(" (held out)", QUIET)
    return text


def _heading(console: Console, title: str, aside: str = "") -> None:
    """Print a title, and what to know of it beside it or, where that does not fit, below."""
    room = len(title) + len(aside) + 2 <= console.width
    console.print()
    console.print(Text.assemble((title, "bold"), "  " if room else "\n", (aside, QUIET)))


def _table(*columns: str, right: Sequence[int] = ()) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, header_style=QUIET, show_edge=False, padding=(0, 1, 0, 0)
    )
    for position, name in enumerate(columns):
        table.add_column(name, justify="right" if position in right else "left")
    return table
