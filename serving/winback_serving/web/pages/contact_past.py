"""What the earlier runs said of a contact, and what this one rests on: a picture and a page that load by themselves.

Both read a file of every published run, so the page of the contact does not wait for them. Their addresses name the run: what
is shown beside each other is of one run, also when another is published meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from winback_features.dictionary import FEATURES
from winback_serving.web.days import Day
from winback_serving.web.deps import Config, PublishedRuns
from winback_serving.web.errors import NotFoundError
from winback_serving.web.lookup import rows_of
from winback_serving.web.pages.contact_chart import Story, draw_contact, numbers_of
from winback_serving.web.pages.history import read_folders, read_scores, read_states, read_timeline
from winback_serving.web.pages.picture import PICTURE_POLICY
from winback_serving.web.pages.view import View, get_view
from winback_serving.web.reader import Run

router = APIRouter(include_in_schema=False)


def picture_address(run: Run, contact_id: str) -> str:
    """Return where the picture of a contact in a run is."""
    return f"/pictures/contacts/{quote(contact_id, safe='')}?{_named(run)}"


def past_address(run: Run, contact_id: str) -> str:
    """Return where the past of a contact before a run is."""
    return f"/past/contacts/{quote(contact_id, safe='')}?{_named(run)}"


def get_named_view(request: Request, runs: PublishedRuns, config: Config, as_of: Day, run: str = "") -> View:
    """Give the view of the run that the address names; of the day's, where it names none.

    Raises
    ------
    NotFoundError
        When that run is gone.
    """
    found = runs.find(as_of, run) if run else runs.on(as_of)
    if found is None:
        what = f"The run {run!r} of {as_of} is not there any more."
        raise NotFoundError(what, where="run", how="Open the contact's page again.")
    return get_view(request, runs, found, config)


NamedView = Annotated[View, Depends(get_named_view)]


@router.get("/pictures/contacts/{contact_id:path}")
def show_picture(v: NamedView, contact_id: str) -> Response:
    """Draw the contact's chances run by run above what it did; an unchanged picture is not drawn, nor sent, again."""
    folders = read_folders(v.runs, v.run)
    mark = _mark(v, folders, contact_id)
    headers = {"etag": mark, "cache-control": "private, no-cache", "content-security-policy": PICTURE_POLICY}
    if mark in v.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    row = known_contact(v, contact_id)
    done = read_timeline(v.run, contact_id) or {"purchase": [], "click": []}
    entered = {state["entered_at"] for state in read_states(folders, v.run, contact_id)}
    story = Story(
        v.run.as_of,
        read_scores(folders, v.run, contact_id),
        done["purchase"],
        done["click"],
        sorted(day for day in entered if day),
        (row["next_purchase_low"], row["next_purchase_high"]),
    )
    return Response(draw_contact(story, v.t, v.f), media_type="image/svg+xml", headers=headers)


@router.get("/past/contacts/{contact_id:path}", response_class=HTMLResponse)
def show_past(v: NamedView, contact_id: str) -> HTMLResponse:
    """Show what was decided before, the numbers behind the picture, and the facts that the scores rest on."""
    row = known_contact(v, contact_id)
    folders = read_folders(v.runs, v.run)
    return v.page(
        "past",
        row=row,
        states=read_states(folders, v.run, contact_id)[::-1],
        numbers=numbers_of(read_scores(folders, v.run, contact_id), v.t, v.f),
        facts=facts(v, contact_id),
    )


def facts(v: View, contact_id: str) -> dict[str, list[tuple[str, str, str]]]:
    """Return what is known of the contact: per group of features, what it is, its value and its unit."""
    found = rows_of(v.run.folder / "features.parquet", contact_id)
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for feature in FEATURES if found else ():
        value = found[0].get(feature.name)
        if value is None:
            continue
        whole = isinstance(value, float) and value == round(value)
        written = v.f.number(value, 0 if whole else 2) if isinstance(value, float) else str(value)
        groups.setdefault(feature.group, []).append((feature.name, written, feature.description))
    return groups


def _named(run: Run) -> str:
    return urlencode({"as_of": run.as_of.isoformat(), "run": run.run_id})


def _mark(v: View, folders: Mapping[date, Path], contact_id: str) -> str:
    """Return the entity tag of a picture: other runs, another language, a new release and an erasure change it."""
    file = v.run.published.file("winback").stat()
    told = (*map(str, folders.values()), v.run.run_id, contact_id, v.f.locale, version("winback"))
    rests_on = "\n".join(map(str, (*told, file.st_ino, file.st_mtime_ns)))
    return f'"{hashlib.sha256(rests_on.encode()).hexdigest()[:32]}"'


def known_contact(v: View, contact_id: str) -> dict[str, Any]:
    """Return the contact's row.

    Raises
    ------
    NotFoundError
        When the run knows no such contact.
    """
    row = v.run.contact(contact_id)
    if row is None:
        what = f"The run of {v.run.as_of} knows no contact {contact_id!r}."
        raise NotFoundError(what, where="contact_id", how="Search for a part of its id.")
    return row
