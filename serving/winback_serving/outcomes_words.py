"""The outcome of an experiment in words: the same sentences on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from winback_policy.outcomes.comparison import Comparison
from winback_policy.outcomes.cost import Cost
from winback_policy.outcomes.readout import Measured, Readout
from winback_serving import wording

METRICS: Mapping[str, str] = {
    "bought": "Bought again",
    "converted": "Converted",
    "revenue": "Revenue per contact",
    "margin": "Margin per contact",
    "amount": "Amount per contact",
    "unsubscribed": "Unsubscribed (guardrail)",
    "complained": "Complained (guardrail)",
    "redeemed": "Redeemed a coupon",
    "opened": "Opened a mail (unreliable)",
    "basket": "First basket of those who bought",
    "p_purchase": "chance to buy",
}
VERDICTS: Mapping[str, str] = {
    "better": "higher",
    "worse": "lower",
    "unclear": "not told apart yet",
    "too_few": "too few to tell",
}
COLUMNS: Mapping[str, str] = {
    "rfm_segment": "RFM segment",
    "channel": "Channel",
    "entry_reason": "Reason of entry",
    "rhythm": "Usually buys",
}


def metric(name: str) -> str:
    """Return what a metric is called.

    >>> metric("bought"), metric("active_after_91_days"), metric("before_history")
    ('Bought again', 'Still active after 91 days', 'history')
    """
    if name.startswith("active_after_"):
        return f"Still active after {name.split('_')[2]} days"
    return METRICS.get(name, name.removeprefix("before_").replace("_", " "))


def column(name: str) -> str:
    """Return what a column of levels is called.

    >>> column("rfm_segment"), column("by_zip_code")
    ('RFM segment', 'zip code')
    """
    return COLUMNS.get(name, name.removeprefix("by_").replace("_", " "))


def share(value: float | None) -> str:
    """Return a share in per cent, with the digits that small shares need.

    >>> share(0.0032), share(0.9012), share(None)
    ('0.32 %', '90.1 %', '–')
    """
    if value is None:
        return wording.DASH
    return f"{100 * value:.2f} %" if abs(value) < 0.1 else f"{100 * value:.1f} %"


def points(value: float | None) -> str:
    """Return a difference of shares in percentage points, signed.

    >>> points(0.0073), points(-0.012)
    ('+0.73', '−1.20')
    """
    return wording.DASH if value is None else f"{100 * value:+.2f}".replace("-", "−")


def signed(value: float | None) -> str:
    """Return an amount with its sign.

    >>> signed(0.686), signed(-1200.0)
    ('+0.69', '−1,200.00')
    """
    return wording.DASH if value is None else f"{value:+,.2f}".replace("-", "−")


def measured(found: Measured, currency: str) -> str:
    """Return one number of one arm.

    >>> measured(Measured("mail", "basket", "about", 12, 31.5, None, None), "EUR")
    '31.50 EUR'
    """
    if found.kind == "share" or found.metric in ("redeemed", "opened"):
        return share(found.value)
    return f"{found.value:,.2f} {currency}".strip()


def difference(c: Comparison, currency: str = "") -> str:
    """Return an effect, such as ``+0.73 points``."""
    return f"{points(c.value)} points" if c.kind == "share" else f"{signed(c.value)} {currency}".strip()


def bounds(c: Comparison, *, running: bool) -> str:
    """Return the bounds that decide: those of any number of readings while it runs."""
    low, high = (c.often_low, c.often_high) if running else (c.low, c.high)
    say = points if c.kind == "share" else signed
    return wording.DASH if low is None else f"{say(low)} to {say(high)}"


def arm(name: str) -> str:
    """Return what an arm is called.

    >>> arm("treatment"), arm("holdout"), arm("Mens E-Mail")
    ('treated', 'held out', 'Mens E-Mail')
    """
    return {"treatment": "treated", "holdout": "held out"}.get(name, name)


def headline(found: Readout, currency: str) -> list[str]:
    """Say what came out, in sentences."""
    plan, first = found.plan, found.plan.metrics[0].name
    base = next(m for m in found.arms if (m.arm, m.metric) == (plan.control, first))
    said = [f"{metric(first)}: {share(base.value)} of {base.contacts:,} {arm(plan.control)}."]
    for c in (c for c in found.effects if c.metric == first):
        ours = next(m for m in found.arms if (m.arm, m.metric) == (c.arm, first))
        between = bounds(c, running=plan.running)
        said.append(
            f"{share(ours.value)} of {c.contacts:,} {arm(c.arm)}: {difference(c)} ({between}), {VERDICTS[c.verdict]}."
        )
        if c.verdict in ("unclear", "too_few") and c.detectable is not None:
            said.append(
                f"So many contacts show a rise of {100 * c.detectable:.1f} points or more four times in five; a smaller one "
                "stays unseen."
            )
    said += [costs(cost, currency) for cost in found.costs]
    return said


def costs(cost: Cost, currency: str) -> str:
    """Say what one more contact that came back has cost.

    >>> costs(Cost("treatment", 100.0, 20.0, 5.0, 4.0, None), "EUR")
    'Each contact won among the treated cost 5.00 EUR (4.00 at the least; no upper bound).'
    >>> costs(Cost("treatment", 100.0, 20.0, 5.0, None, None), "EUR")
    'Each contact won among the treated cost 5.00 EUR (too few for bounds).'
    """
    if cost.each is None:
        return f"{cost.cost:,.2f} {currency} were spent on the {arm(cost.arm)}, and nobody was won by the estimate."
    if cost.low is None:
        return f"Each contact won among the {arm(cost.arm)} cost {cost.each:,.2f} {currency} (too few for bounds)."
    upper = f" to {cost.high:,.2f}" if cost.high else " at the least; no upper bound"
    return f"Each contact won among the {arm(cost.arm)} cost {cost.each:,.2f} {currency} ({cost.low:,.2f}{upper})."


def balance(found: Readout) -> list[str]:
    """Say whether the arms are as agreed and alike."""
    ratio = found.ratio
    counts = ", ".join(
        f"{arm(name)} {n:,} (agreed {ratio.expected.get(name, 0):,.0f})" for name, n in ratio.counts.items()
    )
    verdict = "as agreed" if ratio.passed else "NOT as agreed: find out why before you believe any effect"
    said = [f"Sizes of the arms {verdict} (p = {ratio.p:.3g}): {counts}."]
    apart = [c for c in found.covariates if not c.passed]
    if apart:
        names = ", ".join(
            f"{metric(c.name)} ({c.difference:+.2f} standard deviations, {arm(c.arm)})" for c in apart
        )
        said.append(f"The arms were NOT alike before: {names}.")
    elif found.covariates:
        said.append(
            f"Alike in what was known before: {', '.join(dict.fromkeys(metric(c.name) for c in found.covariates))}."
        )
    return said


def sent(found: Readout) -> list[str]:
    """Say what was sent to whom; nothing where no log tells."""
    if not any(counts.get("sends") for counts in found.counts.values()):
        return []
    n = {m.arm: m.contacts for m in found.arms if m.metric == found.plan.metrics[0].name}
    said = []
    for name, counts in found.counts.items():
        reached = counts.get("contacted", 0.0)
        of, sends = n.get(name, 0), counts.get("sends", 0.0)
        said.append(f"{reached:,.0f} of {of:,} {arm(name)} were written to, {sends:,.0f} messages.")
    leaked = found.counts.get(found.plan.control, {}).get("contacted", 0.0)
    if found.plan.control == "holdout" and leaked:
        said.append(
            f"{leaked:,.0f} of the held out were written to nevertheless. They count as held out, as they were drawn: the effect "
            "looks smaller than it is."
        )
    return said


def flat_metrics(found: Readout) -> dict[str, float]:
    """Return numbers for an experiment tracker, by flat names."""
    out: dict[str, Any] = {"contacts": found.contacts, "balanced": float(found.balanced)}
    out |= {f"{m.metric}.{m.arm}": m.value for m in found.arms}
    for c in found.effects:
        for name in ("value", "low", "high", "often_low", "often_high", "p"):
            out[f"{c.metric}.{c.arm}.effect_{name}"] = getattr(c, name)
    return {_tidy(name): float(value) for name, value in out.items() if value is not None}


def _tidy(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_./- " else "_" for c in name)
