"""May this day be scored now? A clock that is wrong must not publish a day that readers then take for the newest."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from winback_features.errors import ConfigError

LEAP_DAYS = 31
"""A daily job that finds its last run longer ago than this is asked to say the day: the clock may have leapt."""


CLOCK = "the clock of this machine"


def today_in(zone: str) -> date:
    """Return the calendar day that it is in a zone."""
    return datetime.now(ZoneInfo(zone)).date()


def refuse_future(as_of: date, today: date) -> None:
    """Refuse a day before which not everything has happened yet; tomorrow's morning is allowed.

    Raises
    ------
    ConfigError
        When the day lies ahead of the clock.
    """
    if as_of > today + timedelta(days=1):
        what = f"It says {today}; what happens until {as_of} is not known yet."
        raise ConfigError(what, where=CLOCK, how="Say an earlier --as-of, or set the clock if it is wrong.")


def check_day(as_of: date | None, today: date, newest: date | None) -> str | None:
    """Hold the day to score against the clock and the newest published run.

    Parameters
    ----------
    as_of : date or None
        The day as it was said; None when the clock is to say it.
    today : date
        By this machine's clock, where the brand is.
    newest : date or None
        Day of the newest published run.

    Returns
    -------
    str or None
        What should be known although the work goes on.

    Raises
    ------
    ConfigError
        When the day lies ahead of the clock, or the clock has leapt against the published runs.

    Examples
    --------
    >>> check_day(date(2026, 3, 1), today=date(2026, 3, 9), newest=date(2026, 3, 2))
    'Runs of later days are published, up to 2026-03-02. They stay as they are; score them again, in order.'
    """
    where = CLOCK
    if as_of is None:
        if newest and today < newest:
            what = f"It says {today}, and a run of {newest} is published already."
            how = (
                f"Set it if it is wrong. If that run is, `winback runs withdraw {newest}` takes it back. "
                f"An earlier day can be scored by --as-of {today}."
            )
            raise ConfigError(what, where=where, how=how)
        if newest and (today - newest).days > LEAP_DAYS:
            what = f"It says {today}, {(today - newest).days} days after the last run, of {newest}."
            how = f"If it is right, say so once: --as-of {today}. Every later day can be scored without."
            raise ConfigError(what, where=where, how=how)
        return None
    refuse_future(as_of, today)
    if newest and as_of < newest:
        return (
            f"Runs of later days are published, up to {newest}. They stay as they are; "
            "score them again, in order."
        )
    return None
