"""Move thresholds and see what becomes of the list: sizes, value, overlaps, and the settings that would do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_policy.config import PolicyConfig
from winback_policy.rfm import SEGMENTS
from winback_policy.sandbox import READINESS, Sandbox
from winback_policy.sandbox_terms import Bound, SandboxView, Segment
from winback_serving.run_segments import open_sandbox
from winback_serving.web.pages.per_run import per_run
from winback_serving.web.pages.view import CurrentView
from winback_serving.web.reader import Run

router = APIRouter(include_in_schema=False)
PLANS = ("enter", "leave", "segment")
"""The segments of the sandbox: who would enter, who would stay once entered, and one of the marketer's own."""


class Asked(BaseModel):
    """The thresholds, as they stand in the query string; what is left empty is as in the settings."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    enter_p_lapse: float | None = Field(default=None, ge=0, le=1)
    leave_p_lapse: float | None = Field(default=None, ge=0, le=1)
    lead_days: int | None = Field(default=None, ge=0, le=3650)
    min_value: float | None = Field(default=None, ge=0, le=1e12)
    own_segment: str = Field(default="at_risk", pattern=f"^({'|'.join(SEGMENTS)})$")
    min_silent: int | None = Field(default=None, ge=0, le=36500)
    max_silent: int | None = Field(default=None, ge=0, le=36500)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        """Take an empty field for one that was not set."""
        return {k: v for k, v in given.items() if v not in ("", [""])} if isinstance(given, dict) else given


@dataclass(frozen=True, slots=True)
class Plan:
    """The thresholds in full.

    Attributes
    ----------
    enter_p_lapse, leave_p_lapse : float
    lead_days : int
    min_value : float
    own_segment : str
    min_silent, max_silent : int or None
    """

    enter_p_lapse: float
    leave_p_lapse: float
    lead_days: int
    min_value: float
    own_segment: str
    min_silent: int | None
    max_silent: int | None

    @classmethod
    def of(cls, asked: Asked, policy: PolicyConfig) -> Plan:
        """Fill in from the settings what was not asked.

        >>> Plan.of(Asked(lead_days=7), PolicyConfig()).enter_p_lapse
        0.5
        """

        def chosen(name: str) -> Any:
            given = getattr(asked, name)
            return getattr(policy, name) if given is None else given

        return cls(
            chosen("enter_p_lapse"),
            chosen("leave_p_lapse"),
            chosen("lead_days"),
            asked.min_value or 0.0,
            asked.own_segment,
            asked.min_silent,
            asked.max_silent,
        )

    def segments(self) -> tuple[Segment, ...]:
        """Return the plan as segments of the sandbox, in the order of `PLANS`."""
        buyers = Bound("base", among=("active",))
        worth = (Bound("value_at_risk", at_least=self.min_value),) if self.min_value else ()
        in_time = Bound(READINESS, at_least=-self.lead_days)
        silence = (
            (Bound("days_since_purchase", at_least=self.min_silent, below=_after(self.max_silent)),)
            if self.min_silent is not None or self.max_silent is not None
            else ()
        )
        return (
            Segment("enter", (buyers, Bound("p_lapse", at_least=self.enter_p_lapse), in_time, *worth)),
            Segment("leave", (buyers, Bound("p_lapse", at_least=self.leave_p_lapse), in_time, *worth)),
            Segment("segment", (Bound("rfm_segment", among=(self.own_segment,)), *silence)),
        )

    def config(self) -> str:
        """Return the lines of ``winback.toml`` that do the same.

        >>> print(Plan.of(Asked(enter_p_lapse=0.625), PolicyConfig()).config())
        [policy]
        enter_p_lapse = 0.625
        leave_p_lapse = 0.35
        lead_days = 3
        """
        lines = (f"{name} = {getattr(self, name):g}" for name in ("enter_p_lapse", "leave_p_lapse"))
        return "\n".join(["[policy]", *lines, f"lead_days = {self.lead_days}"])


@router.get("/sandbox", response_class=HTMLResponse)
def show_sandbox(v: CurrentView, asked: Annotated[Asked, Query()]) -> HTMLResponse:
    """Show what the thresholds would do."""
    plan = Plan.of(asked, v.policy)
    return v.page(
        "sandbox",
        plan=plan,
        view=prepared(v.run, v.policy).ask(plan.segments()),
        refused=plan.leave_p_lapse > plan.enter_p_lapse,
        segment_names=SEGMENTS,
        listed=v.run.record["counts"]["flagged"],
    )


@router.get("/sandbox.json")
def sandbox_json(v: CurrentView, asked: Annotated[Asked, Query()]) -> dict[str, Any]:
    """Return the same for the page's script, numbers written in the reader's locale."""
    plan = Plan.of(asked, v.policy)
    view = prepared(v.run, v.policy).ask(plan.segments())
    return {"segments": written(v, view), "config": plan.config(), "as_of": v.run.as_of.isoformat()}


def written(v: Any, view: SandboxView) -> list[dict[str, Any]]:
    """Return each segment's numbers as the page shows them."""
    return [
        {
            "name": one.name,
            "contacts": v.f.number(one.contacts),
            "share": v.f.percent(one.share, 1),
            "value": v.money(one.value_at_risk),
            "width": round(100 * one.share, 2),
            "hint": v.t.word("hint", one.hint),
        }
        for one in view.segments
    ]


@per_run
def prepared(run: Run, policy: PolicyConfig) -> Sandbox:
    """Fetch the base of a run once for a policy."""
    with open_engine(EngineConfig()) as backend:
        return open_sandbox(backend, run.published, policy)


def _after(day: int | None) -> int | None:
    return None if day is None else day + 1
