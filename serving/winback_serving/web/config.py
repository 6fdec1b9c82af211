"""Settings of the web server, ``[web]`` in ``winback.toml``."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal

from winback_features.errors import ConfigError

Role = Literal["viewer", "exporter", "operator"]
ROLES: tuple[Role, ...] = ("viewer", "exporter", "operator")
"""Each may do what the one before it may."""

_WHERE = "[web]"


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where the server listens and whom it serves.

    Attributes
    ----------
    host : str
        Address to listen at. Another one than a loopback address needs tokens or a trusted proxy.
    port : int
    host_names : tuple of str
        Names, beside ``host`` and the loopback names, by which browsers reach it.
    language : str
        Language of the pages.
    tokens_file : str
        Where the hashes of the tokens are, below the home folder unless absolute.
    proxy_user_header : str
        Header in which a proxy names the user it has let in; believed from ``proxy_addresses`` only.
    proxy_addresses : tuple of str
    proxy_role : {"viewer", "exporter", "operator"}
        What such a user may do.
    session_hours : float
        So long a login lasts.
    requests_per_minute : int
        Of one caller, where there is a login.
    audit_file : str
        Where exports are written down, below the home folder unless absolute.
    refresh_seconds : float
        How often it looks for a new run.

    Raises
    ------
    ConfigError
        When a value makes no sense.

    Examples
    --------
    >>> WebConfig().port
    8600
    """

    host: str = "127.0.0.1"
    port: int = 8600
    host_names: tuple[str, ...] = ()
    language: str = "en"
    tokens_file: str = "tokens.json"
    proxy_user_header: str = ""
    proxy_addresses: tuple[str, ...] = ("127.0.0.1",)
    proxy_role: str = "viewer"
    session_hours: float = 12.0
    requests_per_minute: int = 1200
    audit_file: str = "audit.log"
    refresh_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port is {self.port}.", where=_WHERE, how="Give a number up to 65535.")
        if self.proxy_role not in ROLES:
            how = f"Set it to one of {', '.join(ROLES)}."
            raise ConfigError(f"proxy_role is {self.proxy_role!r}.", where=_WHERE, how=how)
        for name in ("session_hours", "requests_per_minute", "refresh_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}.", where=_WHERE, how="It must be above 0."
                )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it.

        Examples
        --------
        >>> WebConfig(host="::1").is_loopback, WebConfig(host="0.0.0.0").is_loopback
        (True, False)
        """
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def known_names(self) -> frozenset[str]:
        """Host names a request may be addressed to; another one is a name somebody else points here.

        Examples
        --------
        >>> sorted(WebConfig(host="10.0.0.5", host_names=("shop.example",)).known_names)
        ['10.0.0.5', '127.0.0.1', '::1', 'localhost', 'shop.example']
        """
        names = {"localhost", "127.0.0.1", "::1", self.host, *self.host_names} - {"0.0.0.0", "::"}  # noqa: S104
        return frozenset(name.lower() for name in names)
