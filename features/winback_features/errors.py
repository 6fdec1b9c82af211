"""The one small tree of errors: each says what is wrong, where, and how to mend it."""

from __future__ import annotations


class WinbackError(Exception):
    """An error a user can act on.

    Parameters
    ----------
    what : str
        What is wrong, as a sentence.
    where : str, optional
        The file, table, column, setting or command concerned.
    how : str, optional
        How to mend it, as a sentence.

    Examples
    --------
    >>> print(WinbackError("The column amount is missing.", where="orders.csv", how="Add it."))
    orders.csv: The column amount is missing. Add it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", how: str = "") -> None:
        self.what, self.where, self.how = what, where, how
        super().__init__(what)

    def __str__(self) -> str:
        sentence = f"{self.what} {self.how}".strip()
        return f"{self.where}: {sentence}" if self.where else sentence

    def as_dict(self) -> dict[str, str | int]:
        """Return the error as one flat JSON-ready object."""
        return {
            "code": type(self).__name__,
            "message": self.what,
            "where": self.where,
            "how": self.how,
            "exit_code": self.exit_code,
        }


class InputError(WinbackError):
    """A table of the shop breaks the data contract; nothing was published."""

    exit_code = 2


class ConfigError(WinbackError):
    """A setting or an option is wrong."""

    exit_code = 2


class GateRefusal(WinbackError):
    """A gate (leakage, quality, bounce exposure) refuses to go on."""

    exit_code = 3
