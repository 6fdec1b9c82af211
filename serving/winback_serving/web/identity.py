"""Who asks: nobody in particular on this machine, the holder of a token, a session in a browser, or a user of a trusted proxy."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from winback_features.errors import ConfigError
from winback_serving.web.config import ROLES, Role, WebConfig
from winback_serving.web.tokens import Token, TokenFile

COOKIE = "winback_session"
MOST_SESSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller.

    Attributes
    ----------
    name : str
        As it stands in the audit log.
    role : {"viewer", "exporter", "operator"}
    by_cookie : bool
        Whether the browser sent its word along by itself.
    """

    name: str
    role: Role
    by_cookie: bool = False

    def may(self, role: Role) -> bool:
        """Say whether the caller may do what a role may.

        Examples
        --------
        >>> Identity("crm", "exporter").may("viewer"), Identity("crm", "exporter").may("operator")
        (True, False)
        """
        return ROLES.index(self.role) >= ROLES.index(role)


class Doorkeeper:
    """Decides who a request comes from.

    Parameters
    ----------
    home : Path
    config : WebConfig
    """

    def __init__(self, home: Path, config: WebConfig) -> None:
        self.config = config
        self.tokens = TokenFile(home / config.tokens_file)
        self._sessions: OrderedDict[str, tuple[Token, float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def asks(self) -> bool:
        """Whether one has to say who one is."""
        config = self.config
        return bool(config.proxy_user_header) or not config.is_loopback or self.tokens.path.exists()

    def check_start(self) -> None:
        """Refuse to be reachable from elsewhere without a login.

        Raises
        ------
        ConfigError
        """
        reachable = not self.config.is_loopback
        if reachable and not self.config.proxy_user_header and not self.tokens.tokens():
            what = f"At {self.config.host} everybody could read the contacts: there is no token."
            how = "Make one with `winback serve --add-token NAME --role viewer`, set proxy_user_header, or stay at 127.0.0.1."
            raise ConfigError(what, where="[web] host", how=how)

    def identify(self, peer: str, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Identity | None:
        """Return who a request comes from, or None where that is not known.

        Parameters
        ----------
        peer : str
            Address that the connection comes from.
        headers, cookies : mapping
        """
        if not self.asks:
            return Identity("local", "operator")
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme:
            token = self.tokens.find(secret.strip()) if scheme.lower() == "bearer" else None
            return Identity(token.name, token.role) if token else None
        if COOKIE in cookies:
            held = self.session(cookies[COOKIE])
            if held is not None:
                return Identity(held.name, held.role, by_cookie=True)
        name = self.config.proxy_user_header and headers.get(self.config.proxy_user_header.lower(), "")
        if name and peer in self.config.proxy_addresses:
            role: Role = next(role for role in ROLES if role == self.config.proxy_role)
            return Identity(name[:100], role, by_cookie=True)
        return None

    def log_in(self, secret: str) -> str | None:
        """Begin a session for the holder of a token, and return its name for the cookie; None for a wrong one."""
        token = self.tokens.find(secret)
        if token is None:
            return None
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[session] = (token, time.monotonic() + 3600 * self.config.session_hours)
            while len(self._sessions) > MOST_SESSIONS:
                self._sessions.popitem(last=False)
        return session

    def session(self, session: str) -> Token | None:
        """Return the token of a session that still lasts, if the token does."""
        with self._lock:
            found = self._sessions.get(session)
            if found is None:
                return None
            token, until = found
            if time.monotonic() > until or token not in self.tokens.tokens():
                del self._sessions[session]
                return None
            return token

    def log_out(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session, None)
