"""docs/segments.md names what the code names: cells, strategies, moves, tiers, bands, actions and hints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from winback_policy import segments
from winback_policy.moves import MOVES
from winback_policy.own_content import HINTS, OWN_CONTENT_CONTACTS, OWN_CONTENT_SHARE
from winback_policy.rfm import SEGMENT_GRID, RfmThresholds
from winback_policy.sandbox import MOST_SEGMENTS
from winback_policy.strategies import STRATEGIES

PAGE = (Path(__file__).parents[2] / "docs" / "segments.md").read_text(encoding="utf-8")
BANDS = tuple(name for bands in (segments.TENURE_BANDS, segments.RECENCY_BANDS) for _, name in bands)


@pytest.mark.parametrize(
    "names",
    [
        MOVES,
        segments.TIERS,
        BANDS,
        segments.BEHAVIOURS,
        segments.CELLS,
        segments.CELL_ACTIONS,
        HINTS,
        tuple(RfmThresholds.__dataclass_fields__),
    ],
)
def test_every_word_is_explained(names: tuple[str, ...]) -> None:
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_the_grid_stands_as_it_is() -> None:
    rows = re.findall(r"^\| \*\*(\d)\*\* \| (.+) \|$", PAGE, re.MULTILINE)
    assert {int(r): tuple(cells.replace("`", "").split(" | ")) for r, cells in rows} == dict(
        enumerate(SEGMENT_GRID, start=1)
    )


def test_the_strategies_stand_as_they_are() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert set(STRATEGIES["en"].items()) <= rows


def test_the_limits_are_those_of_the_code() -> None:
    assert f"Name up to {MOST_SEGMENTS} segments" in PAGE
    assert (
        f"fewer than {OWN_CONTENT_CONTACTS} contacts, or less than {OWN_CONTENT_SHARE:.0%}".replace("%", " %")
        in PAGE
    )
