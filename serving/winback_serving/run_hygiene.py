"""The hygiene of a published run: the policy's judgement of every record, from the files of the run alone."""

from __future__ import annotations

from typing import Any

import ibis

from winback_policy import hygiene
from winback_policy.channels import CHANNELS
from winback_policy.config import PolicyConfig
from winback_serving.intact import checked_file
from winback_serving.store import PublishedRun, made_earlier

DUE = ("contact_id", "state", "due", "past_retention")
"""What is told of a record that is to go; ``due`` is the day."""


def run_status(winback: Any) -> Any:
    """Return what a run's list knows of consent: e-mail's own, and whichever channel was chosen by consent.

    A consent that has run out is none.
    """
    by_consent = (winback.consent_basis == "consent").fill_null(False)
    over = (winback.not_flagged_reason == "consent_expired").fill_null(False)
    known = {f"consent_{channel.name}": ibis.literal(False) for channel in CHANNELS}
    known["consent_email"] = (winback.consent_email.fill_null(False) & ~over) | by_consent
    return winback.select("contact_id", **known)


def run_records(backend: Any, run: PublishedRun, config: PolicyConfig) -> Any:
    """Judge every record of a run.

    Parameters
    ----------
    backend : ibis backend
    run : PublishedRun
    config : PolicyConfig

    Returns
    -------
    ibis.Table
        See `winback_policy.hygiene.records`.

    Raises
    ------
    InputError
        When an earlier version made the run, without the consents.
    """
    winback, features = (backend.read_parquet(checked_file(run, name)) for name in ("winback", "features"))
    if "consent_email" not in winback.columns:
        raise made_earlier(run, "consents")
    return hygiene.records(winback, features, run_status(winback), run.as_of, config)


def due_records(held: Any) -> Any:
    """Return the records that are to go: in farewell, or past their retention.

    Parameters
    ----------
    held : ibis.Table
        From `run_records`.

    Returns
    -------
    ibis.Table
        `DUE`, by day.
    """
    going = held.filter(held.past_retention | held.farewell_due.notnull())
    dated = going.mutate(due=ibis.coalesce(going.farewell_due, going.retention_due))
    return dated.select(*DUE).order_by("due", "contact_id")


def run_hygiene(backend: Any, run: PublishedRun, config: PolicyConfig, most: int) -> dict[str, Any]:
    """Measure what could be cleared away.

    Returns
    -------
    dict
        `winback_policy.hygiene.summary`, and ``hard_bounced``, ``soft_bounced`` (contacts with any in a row),
        ``awake`` (contacts that are left without the sleepers), ``due`` (contacts to go) and ``due_first``.
    """
    held = run_records(backend, run, config)
    (found,) = hygiene.summary(held, config).to_pyarrow().to_pylist()
    winback = backend.read_parquet(checked_file(run, "winback"))
    bounced = winback.aggregate(
        hard_bounced=winback.count(where=winback.hard_bounced),
        soft_bounced=winback.count(where=winback.soft_bounces_in_a_row > 0),
    )
    going = held.aggregate(
        awake=held.count(where=~held.sleeping),
        due=held.count(where=held.past_retention | held.farewell_due.notnull()),
    )
    for counted in (bounced, going):
        found |= counted.to_pyarrow().to_pylist()[0]
    return {**found, "due_first": due_records(held).limit(most).to_pyarrow().to_pylist()}
