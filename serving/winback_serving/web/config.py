"""Settings of the web server, ``[web]`` in ``winback.toml``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where the server listens and whom it serves.

    Attributes
    ----------
    host : str
        Address to listen at. Another one than a loopback address needs tokens or a trusted proxy.
    port : int
    language : str
        Language of the pages, such as ``en`` or ``de``.

    Examples
    --------
    >>> WebConfig().port
    8600
    """

    host: str = "127.0.0.1"
    port: int = 8600
    language: str = "en"
