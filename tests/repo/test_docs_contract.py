"""docs/data-contract.md and docs/guide.md name what the code names: columns, kinds, states and reasons."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import ibis
import pytest


@pytest.fixture(scope="module")
def contract(root: Path) -> str:
    return (root / "docs" / "data-contract.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def guide(root: Path) -> str:
    return (root / "docs" / "guide.md").read_text(encoding="utf-8")


def chapter(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one."""
    parts = re.split(r"^#{2,3} (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def first_column(text: str, separator: str) -> list[list[str]]:
    """Return the code-marked names in the first cell of each row of the table with that second heading."""
    table = text[text.index(separator) :].split("\n\n")[0]
    return [re.findall(r"`([^`]+)`", line.split("|")[1]) for line in table.splitlines()[2:]]


def test_every_reason_of_the_quarantine_is_explained(contract: str) -> None:
    from winback_features import rules
    from winback_features.contracts import TABLES

    reasons = {rules.DUPLICATE_LINE, rules.DUPLICATE_CONTACT, rules.UNREADABLE_LINE}
    for spec in TABLES.values():
        flags = {
            rules.unreadable_flag(c.name): "boolean"
            for c in spec.columns
            if c.kind in ("timestamp", "amount")
        }
        types = {c.name: "timestamp" if c.kind == "timestamp" else "string" for c in spec.columns}
        values = ibis.table({**types, **flags}, name=spec.name)
        reasons |= {rule.reason for rule in rules.row_rules(spec, values, spec.names, date(2026, 1, 1))}
    rows = {row[0] for row in first_column(chapter(contract, "Bad rows"), "| reason | when |")}
    assert rows - reasons == {"unreadable_<column>"}
    assert {reason for reason in reasons - rows if not reason.startswith("unreadable_")} == set()


def test_every_notice_is_explained(root: Path, contract: str) -> None:
    pattern = r"""Notice\(\s*"(\w+)"|"code": "(\w+)"|"(unknown_\w+)"|"(\w+)": "\{n\}"""
    files = [*root.glob("features/winback_features/*.py"), root / "serving/winback_serving/run_record.py"]
    codes = {
        next(filter(None, match))
        for path in files
        for match in re.findall(pattern, path.read_text(encoding="utf-8"))
    }
    rows = {row[0] for row in first_column(chapter(contract, "Notices"), "| code | meaning |")}
    assert rows == codes


@pytest.mark.parametrize("name", ["orders", "events", "contacts", "campaign_log"])
def test_the_input_columns_are_those_of_the_code(name: str, contract: str) -> None:
    from winback_features.contracts import TABLES

    text = chapter(contract, name)
    documented = [row[0] for row in first_column(text, "| column | type | rule |")]
    assert documented == list(TABLES[name].names)
    required = [c.name for c in TABLES[name].columns if c.required and not c.nullable]
    lines = {m[1]: m[2] for m in re.finditer(r"^\| `(\w+)` \| \w+ \| (.+) \|$", text, flags=re.MULTILINE)}
    assert [name for name, rule in lines.items() if rule.startswith("required")] == required


def test_the_reasons_of_survey_answers_are_those_of_the_code(contract: str) -> None:
    from winback_features.contracts import STATED_REASONS

    rows = first_column(chapter(contract, "events"), "| reason | what was said |")
    assert tuple(row[0] for row in rows) == STATED_REASONS


def test_the_event_kinds_are_those_of_the_code(contract: str) -> None:
    from winback_features.contracts import EVENT_KINDS

    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+)", chapter(contract, "events"), flags=re.MULTILINE)
    kinds = [(name, channel, role) for name, channel, role in rows if name in EVENT_KINDS or "_" in channel]
    assert kinds == [(name, kind.channel, kind.role) for name, kind in EVENT_KINDS.items()]


def test_the_output_columns_are_those_of_the_code(contract: str) -> None:
    from winback_models.config import ScoreConfig
    from winback_serving.scorer import score_columns

    rows = first_column(chapter(contract, "scores.parquet"), "| column | meaning |")
    documented = {name for row in rows for name in row}
    code = {
        re.sub(r"p_within_\d+d", "p_within_{d}d", name) for name in score_columns(ScoreConfig().curve_days)
    }
    assert documented == code


def test_the_columns_of_the_lists_are_those_of_the_code(contract: str) -> None:
    from winback_features.tables import QUARANTINE_SCHEMA
    from winback_models.drivers import DRIVERS
    from winback_policy.decide import EXITS_SCHEMA, WINBACK_SCHEMA
    from winback_policy.gather import STATE_SCHEMA

    tables = {
        "winback": WINBACK_SCHEMA,
        "exits": EXITS_SCHEMA,
        "states": STATE_SCHEMA,
        "quarantine": QUARANTINE_SCHEMA,
        "drivers": ["contact_id", *(driver.column for driver in DRIVERS)],
    }
    for name, schema in tables.items():
        rows = first_column(chapter(contract, f"{name}.parquet"), "| column | meaning |")
        documented = [column for row in rows for column in row]
        assert sorted(documented) == sorted(schema), name


def test_every_state_reason_and_action_is_explained(guide: str) -> None:
    from winback_policy.eligibility import NOT_FLAGGED_REASONS
    from winback_policy.incentives import INCENTIVE_KINDS, INCENTIVE_TIERS
    from winback_policy.states import EXIT_REASONS, STATES
    from winback_policy.steps import REACTIONS, TONES
    from winback_policy.treatment import ACTIONS

    told = (NOT_FLAGGED_REASONS, STATES, EXIT_REASONS, ACTIONS, INCENTIVE_TIERS, INCENTIVE_KINDS)
    for names in (*told, TONES, REACTIONS):
        assert [name for name in names if f"`{name}`" not in guide] == []


@pytest.mark.parametrize(
    ("heading", "column"),
    [("Why someone is not on the list", "reason"), ("The journey", "exit reason"), ("The journey", "state")],
)
def test_reasons_and_states_stand_in_the_order_of_the_code(guide: str, heading: str, column: str) -> None:
    from winback_policy.eligibility import NOT_FLAGGED_REASONS
    from winback_policy.states import EXIT_REASONS, STATES

    code = {"reason": NOT_FLAGGED_REASONS, "exit reason": EXIT_REASONS, "state": STATES}[column]
    rows = first_column(chapter(guide, heading), f"| {column} | meaning |")
    assert [name for row in rows for name in row] == list(code)


def test_every_rfm_segment_is_explained(guide: str) -> None:
    from winback_policy import rfm

    assert [name for name in sorted(set(rfm.SEGMENTS)) if f"`{name}`" not in guide] == []
