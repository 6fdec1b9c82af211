"""The numbers of a readout by flat names, for an experiment tracker."""

from __future__ import annotations

from typing import Any

from winback_policy.outcomes.readout import Readout


def flat_metrics(found: Readout) -> dict[str, float]:
    """Return what was measured of each arm and what each effect is."""
    out: dict[str, Any] = {"contacts": found.contacts, "balanced": float(found.balanced)}
    out |= {f"{m.metric}.{m.arm}": m.value for m in found.arms}
    for c in found.effects:
        for name in ("value", "low", "high", "often_low", "often_high", "p"):
            out[f"{c.metric}.{c.arm}.effect_{name}"] = getattr(c, name)
    return {_tidy(name): float(value) for name, value in out.items() if value is not None}


def _tidy(name: str) -> str:
    return "".join(c if c.isalnum() or c in "_./- " else "_" for c in name)
