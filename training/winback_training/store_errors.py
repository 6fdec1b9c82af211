"""Why the experiment store cannot be used, in sentences: what MLflow and SQLAlchemy say is for who wrote them. Pure."""

from __future__ import annotations

import re

from winback_features.errors import ConfigError

_OF_SQL = ("[SQL:", "[parameters:", "(Background on this error", "(raised as a result of")
"""How lines begin that SQLAlchemy adds to the reason: statements and their values, of no use to who trains."""

_REFUSED = re.compile(r"error code (401|403)\b")
_UNREACHED = "failed with exception"
_REASONS = (
    re.compile(r"\[Errno -?\d+\] ([^\"')\]]+)"),
    re.compile(r"(Read timed out|timed out|too many \d+ error responses|closed connection without response)"),
)


def broken(uri: str, why: str) -> ConfigError:
    r"""Return the error to raise where a store fails.

    Parameters
    ----------
    uri : str
        Of the store; a user's name and password in it are not repeated.
    why : str
        What its library says.

    Examples
    --------
    >>> print(broken("sqlite:///shop/mlflow.db", "disk is full\n[SQL: INSERT]").what)
    The experiment store cannot be used: disk is full
    >>> print(broken("http://tracker", "API request failed with exception Error([Errno 111] Connection refused)").what)
    The tracking server does not answer as it should: Connection refused.
    """
    said = shown(" ".join(line for line in why.splitlines() if not line.startswith(_OF_SQL)))
    what = f"The experiment store cannot be used: {said}"
    how = "Check training.tracking_uri (or the home folder) in winback.toml, and that it can be written."
    if uri.startswith(("http://", "https://")):
        what, how = _of_server(said)
    return ConfigError(what, where=shown(uri), how=how)


def _of_server(said: str) -> tuple[str, str]:
    """Return what is wrong with a tracking server, and how to mend it."""
    if refused := _REFUSED.search(said):
        return (
            f"The tracking server refuses whoever asks here ({refused[1]}).",
            "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment.",
        )
    if _UNREACHED in said:
        found = next((reason[1] for pattern in _REASONS if (reason := pattern.search(said))), said)
        return (
            f"The tracking server does not answer as it should: {found}.",
            "See that it runs and that training.tracking_uri names it.",
        )
    how = "See that training.tracking_uri names a tracking server of MLflow, and what its log says."
    return f"The tracking server cannot be used: {said}", how


def shown(text: str) -> str:
    """Return the text without the user's name and password that an address in it may hold."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
