"""``/export``: a list of a run as the file that a tool reads, addresses included; each one is written down."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from winback_features.errors import ConfigError
from winback_serving.export import Exported, ExportRequest, write_export
from winback_serving.exports.formats import FORMATS
from winback_serving.lists import LISTS
from winback_serving.web.audit import write_audit
from winback_serving.web.deps import Config, CurrentRun, Exporter, PublishedRuns
from winback_serving.web.errors import ConflictError

router = APIRouter(tags=["export"])

ListName = StrEnum("ListName", {name: name for name in LISTS})  # type: ignore[misc]
Format = StrEnum("Format", {name: name for name in FORMATS})  # type: ignore[misc]
ENDINGS = {"csv": "csv", "jsonl": "jsonl", "parquet": "parquet"}
_FILE = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


@router.get("/api/v1/export", responses={200: _FILE})
@router.get("/export", include_in_schema=False)
def export(
    request: Request,
    runs: PublishedRuns,
    run: CurrentRun,
    who: Exporter,
    config: Config,
    name: Annotated[ListName, Query(alias="list", description="Which list.")],
    to: Annotated[Format, Query(description="Which format.")],
    delta: Annotated[bool, Query(description="Only what changed since the run before.")] = False,
    force: Annotated[bool, Query(description="Although too many e-mails are likely to bounce.")] = False,
) -> Response:
    """Write a list of a run in the format of a tool; more than one file come as a zip."""
    before = runs.store.previous_run(run.as_of)
    folder = Path(tempfile.mkdtemp(prefix="winback-export-"))
    stem = f"winback-{name.value}-{run.as_of}-{to.value}"
    try:
        out = folder / f"{stem}.{ENDINGS[FORMATS[to.value].layout]}"
        try:
            asked = ExportRequest(name.value, to.value, out, before, delta, force=force)
        except ConfigError as error:
            raise ConflictError(error.what, where="list", how=error.how) from error
        exported = write_export(run.published, asked)
        file = _one_file(exported, folder / f"{stem}.zip")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    fields = {"as_of": run.as_of.isoformat(), "run_id": run.run_id, "list": name.value, "to": to.value}
    more = {"delta": delta, "force": force, "rows": exported.rows}
    write_audit(request.app.state.home / config.audit_file, who.name, "export", {**fields, **more})
    cleaned = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(file, filename=file.name, media_type="application/octet-stream", background=cleaned)


def _one_file(exported: Exported, bundle: Path) -> Path:
    """Return the file that was written, or all of them in a zip."""
    written = [file.path for file in (*exported.files, *exported.removals)]
    if len(written) == 1:
        return written[0]
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in written:
            archive.write(path, path.name)
    return bundle
