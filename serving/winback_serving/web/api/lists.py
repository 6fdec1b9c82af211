"""``/api/v1/list``, ``/api/v1/excluded`` and ``/api/v1/contacts``: contacts by filter and order, and one contact."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from winback_serving.web.api.schema import Contact, ListPage, Row
from winback_serving.web.deps import AsOf, CurrentRun, PublishedRuns, Viewer, run_of
from winback_serving.web.errors import NotFoundError
from winback_serving.web.lists import Kind, StrictListQuery, list_page, read_cursor
from winback_serving.web.reader import Run, Runs

router = APIRouter(prefix="/api/v1")
Asked = Annotated[StrictListQuery, Query()]


def run_of_page(runs: Runs, cursor: str, as_of: Any) -> Run:
    """Return the run that a page of a list is of: the cursor's own, whatever has been published since."""
    if not cursor:
        return run_of(runs, as_of)
    place = read_cursor(cursor)
    found = runs.find(place["day"], place["run"])
    if found is None:
        raise NotFoundError(
            "The run of this cursor is gone.", where="cursor", how="Begin the list anew without it."
        )
    return found


def answer(runs: Runs, query: StrictListQuery, as_of: Any, kind: Kind) -> ListPage:
    """Return one page of a list with the run it is of."""
    run = run_of_page(runs, query.cursor, as_of)
    page = list_page(run, query.of(kind))
    return ListPage(
        as_of=run.as_of,
        run_id=run.run_id,
        rows=[Row.model_construct(**row) for row in page.rows],
        total=page.total,
        next_cursor=page.next_cursor,
    )


@router.get("/list", tags=["lists"])
def show_list(runs: PublishedRuns, query: Asked, who: Viewer, as_of: AsOf = None) -> ListPage:
    """List the contacts in win-back, best rank first unless sorted otherwise."""
    return answer(runs, query, as_of, "list")


@router.get("/excluded", tags=["lists"])
def show_excluded(runs: PublishedRuns, query: Asked, who: Viewer, as_of: AsOf = None) -> ListPage:
    """List the contacts that are not in win-back, with the reason."""
    return answer(runs, query, as_of, "excluded")


@router.get("/contacts", tags=["contacts"])
def show_contacts(runs: PublishedRuns, query: Asked, who: Viewer, as_of: AsOf = None) -> ListPage:
    """List every contact."""
    return answer(runs, query, as_of, "all")


@router.get("/contacts/{contact_id:path}", tags=["contacts"])
async def show_contact(
    run: CurrentRun,
    who: Viewer,
    contact_id: Annotated[str, Path(max_length=500, examples=["2226"])],
) -> Contact:
    """Show one contact."""
    # On the event loop: a binary search in mapped memory is over before a thread would have started.
    found = run.contact(contact_id)
    if found is None:
        what = "There is no such contact in this run."
        raise NotFoundError(what, where="contact_id", how="GET /api/v1/contacts?q=… searches.")
    return Contact.model_construct(as_of=run.as_of, run_id=run.run_id, contact=found)
