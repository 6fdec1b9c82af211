"""The door-plate names everything that comes out; what reasons, states and actions mean stands in docs/guide.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from winback_policy.channels import CHANNELS
from winback_policy.decide import EXITS_SCHEMA, WINBACK_SCHEMA
from winback_policy.gather import STATE_SCHEMA
from winback_policy.incentives import INCENTIVE_KINDS, INCENTIVE_TIERS
from winback_policy.steps import REACTIONS, TONES

README = (Path(__file__).parents[2] / "policy" / "README.md").read_text(encoding="utf-8")


PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)


@pytest.mark.parametrize(
    "names",
    [
        INCENTIVE_TIERS,
        INCENTIVE_KINDS,
        TONES,
        REACTIONS,
        tuple(c.name for c in CHANNELS),
        tuple(WINBACK_SCHEMA),
        tuple(STATE_SCHEMA),
        tuple(EXITS_SCHEMA),
    ],
)
def test_every_word_is_explained(names: tuple[str, ...]) -> None:
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", PROSE))))
    assert set(names) <= words
