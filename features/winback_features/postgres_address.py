"""What may be told of an address of PostgreSQL: never the password in it, nor a piece of one."""

from __future__ import annotations

import re

UNREADABLE = "The address cannot be read; it is not shown, since it may hold a password"
HOW_TO_WRITE = (
    "Write it like postgresql://user:password@host:5432/database, with the special characters of a password by their "
    "codes: @ as %40, / as %2F, % as %25."
)


def host_in(address: str) -> str | None:
    """Return the host of an address as the driver reads it, or None where it cannot be read.

    A password that holds an @ or a / as it is would be taken for a host or a port, and would stand in the driver's own message.

    Parameters
    ----------
    address : str
        ``postgresql://…``; the driver must be installed.

    Examples
    --------
    >>> host_in("postgresql://me:secret@db.example.com/shop"), host_in("postgresql://me:sec@ret@db.example.com/shop")
    ('db.example.com', None)
    >>> host_in("postgresql:///shop"), host_in("postgresql://me:sec/ret@db.example.com/shop")
    ('the local socket', None)
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(address).items()}
    except ProgrammingError:
        return None
    host = parts.get("host", "the local socket")
    torn = "@" in host or "@" in parts.get("dbname", "") or not re.fullmatch(r"[\d,]*", parts.get("port", ""))
    return None if torn else host


def first_line(error: Exception) -> str:
    """Return what a driver says, without the lines that explain it."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip().rstrip(".")
