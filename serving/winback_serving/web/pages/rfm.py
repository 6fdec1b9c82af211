"""The base on a grid of recency and frequency, by relationship, and by buyers and clickers; who moved between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from winback_features.config import EngineConfig
from winback_features.engine import open_engine
from winback_features.errors import InputError
from winback_policy.moves import moves_matrix, totals
from winback_policy.rfm import SEGMENT_GRID, SEGMENTS
from winback_policy.segments import CELLS, TIERS
from winback_policy.strategies import STRATEGIES
from winback_serving.run_segments import THRESHOLDS_KEY, described_counts, moves_between
from winback_serving.web.days import Day
from winback_serving.web.errors import NotFoundError
from winback_serving.web.pages.per_run import per_run
from winback_serving.web.pages.shade import shade
from winback_serving.web.pages.view import CurrentView
from winback_serving.web.reader import Run

router = APIRouter(include_in_schema=False)
Since = Annotated[Day | None, Query(description="The earlier day; the run before when absent.")]
_GRID_SQL = """
    SELECT CAST(rfm_code[1] AS INTEGER) AS r, CAST(rfm_code[2] AS INTEGER) AS f, count(*) AS n,
           coalesce(sum(CAST(value_at_risk AS DECIMAL(28, 4))), 0)::DOUBLE AS value,
           avg(CAST(rfm_code[3] AS INTEGER)) AS mean_m, count(*) FILTER (rank IS NOT NULL) AS listed
    FROM winback WHERE rfm_code IS NOT NULL GROUP BY r, f
"""


@router.get("/rfm", response_class=HTMLResponse)
def show_rfm(v: CurrentView, since: Since = None) -> HTMLResponse:
    """Show the grid, the segments, tiers and cells, and the moves since an earlier run.

    Raises
    ------
    NotFoundError
        When there is no run of the earlier day.
    """
    before = v.runs.before(v.run) if since is None else v.runs.on(since)
    if since is not None and before is None:
        raise NotFoundError(f"No run is published for {since}.", where="since", how="Choose another day.")
    cells = grid(v.run)
    cuts = v.run.record.get(THRESHOLDS_KEY) or {}
    moved = moves_of(v.run, before) if before is not None and before.as_of < v.run.as_of else None
    return v.page(
        "rfm",
        cells=cells,
        segments=by_segment(cells),
        names=SEGMENT_GRID,
        strategies=STRATEGIES[v.t.language],
        **described(v.run),
        before=before,
        earlier_days=[day for day in v.runs.days() if day < v.run.as_of],
        moved=moved,
        totals=totals(moved) if moved is not None else {},
        cuts=lambda name: " · ".join(v.f.number(cut) for cut in cuts.get(name, [])) or "–",
    )


@per_run
def grid(run: Run) -> dict[tuple[int, int], dict[str, Any]]:
    """Return each cell that holds a contact: ``n, value, mean_m, listed`` and ``shade`` (0 to 7, by size)."""
    rows = run.query(_GRID_SQL)
    most = max((row["n"] for row in rows), default=1)
    return {(row["r"], row["f"]): {**row, "shade": shade(row["n"] / most)} for row in rows}


def by_segment(cells: dict[tuple[int, int], dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the cells of each segment up: ``name, n, value, listed``, the most valuable first."""
    found = {name: {"name": name, "n": 0, "value": 0.0, "listed": 0} for name in SEGMENTS}
    for (r, f), cell in cells.items():
        segment = found[SEGMENT_GRID[r - 1][f - 1]]
        for key in ("n", "value", "listed"):
            segment[key] += cell[key]
    return sorted((s for s in found.values() if s["n"]), key=lambda s: (-s["value"], s["name"]))


@per_run
def described(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Count the base by relationship and by what buyers and clickers ask for.

    Returns
    -------
    dict
        ``tiers``, the strongest first, and ``clickers``, cell by cell: ``name, action, n, share``, a share of all that are
        counted. Empty where an older run does not hold them.
    """
    with open_engine(EngineConfig()) as backend:
        found = described_counts(backend, run.published)
    tiers = [(row["relationship_tier"], None, row["contacts"]) for row in found.get("relationship_tier", [])]
    cells = [
        (row["buyer_clicker_cell"], row["cell_action"], row["contacts"]) for row in found.get("cells", [])
    ]
    tiers.sort(key=lambda row: -TIERS.index(row[0]))
    cells.sort(key=lambda row: (CELLS.index(row[0]), -row[2]))
    return {"tiers": _shares(tiers), "clickers": _shares(cells)}


def _shares(rows: Sequence[tuple[str, str | None, int]]) -> list[dict[str, Any]]:
    total = sum(n for _, _, n in rows)
    return [{"name": name, "action": action, "n": n, "share": n / total} for name, action, n in rows]


@per_run
def moves_of(run: Run, before: Run) -> list[dict[str, Any]] | None:
    """Count who went from where to where: ``segment_before, segment_after, move, contacts``.

    None where nobody had bought by one of the days.
    """
    with open_engine(EngineConfig()) as backend:
        try:
            table = moves_matrix(moves_between(backend, before.published, run.published)).to_pyarrow()
        except InputError:
            return None
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
