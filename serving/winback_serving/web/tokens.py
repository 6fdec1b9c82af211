"""Tokens: made of chance, shown once, kept as hashes with a name and a role."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from winback_features.errors import ConfigError
from winback_serving.store import write_atomically
from winback_serving.web.config import ROLES, Role

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token.

    Attributes
    ----------
    name : str
        Of the person or tool that holds it; it stands in the audit log.
    role : {"viewer", "exporter", "operator"}
    sha256 : str
        Of the token; 256 bits of chance need no slower hash.
    """

    name: str
    role: Role
    sha256: str


class TokenFile:
    """The tokens of a server; a change of the file counts from the next request on.

    Parameters
    ----------
    path : Path
        Need not exist.

    Examples
    --------
    >>> TokenFile(Path("no-such-file")).tokens()
    ()
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int], tuple[Token, ...]] | None = None

    def tokens(self) -> tuple[Token, ...]:
        """Return the tokens that are valid now.

        Raises
        ------
        ConfigError
            When the file is damaged: nobody is let in then.
        """
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return ()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        with self._lock:
            if self._read is None or self._read[0] != stamp:
                self._read = (stamp, _parse(self.path))
            return self._read[1]

    def find(self, secret: str) -> Token | None:
        """Return the token that a secret belongs to, or None; takes as long whatever the secret is."""
        given = _hash(secret)
        found = None
        for token in self.tokens():
            if secrets.compare_digest(token.sha256, given):
                found = token
        return found

    def add(self, name: str, role: str) -> str:
        """Make a token and return its secret, which is kept nowhere.

        Raises
        ------
        ConfigError
            When the name is taken or is none, or there is no such role.
        """
        there = self.tokens()
        if not _NAME.fullmatch(name):
            how = "Take letters, digits, dot, dash and underscore."
            raise ConfigError(f"{name!r} is no name for a token.", where="--add-token", how=how)
        if role not in ROLES:
            raise ConfigError(f"There is no role {role!r}.", where="--role", how=f"Take {', '.join(ROLES)}.")
        if any(token.name == name for token in there):
            how = "Remove it first with --remove-token, or take another name."
            raise ConfigError(f"There is a token {name!r} already.", where=str(self.path), how=how)
        secret = secrets.token_urlsafe(32)
        self._write((*there, Token(name, role, _hash(secret))))
        return secret

    def remove(self, name: str) -> None:
        """Take a token out; who holds it is shut out at once.

        Raises
        ------
        ConfigError
            When there is none of that name.
        """
        there = self.tokens()
        left = tuple(token for token in there if token.name != name)
        if len(left) == len(there):
            names = ", ".join(token.name for token in there) or "none"
            raise ConfigError(f"There is no token {name!r}.", where=str(self.path), how=f"There is: {names}.")
        self._write(left)

    def _write(self, tokens: tuple[Token, ...]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps([asdict(token) for token in tokens], indent=2) + "\n")
        self.path.chmod(0o600)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _parse(path: Path) -> tuple[Token, ...]:
    try:
        found = tuple(Token(**entry) for entry in json.loads(path.read_text(encoding="utf-8")))
        sound = all(t.role in ROLES and re.fullmatch(r"[0-9a-f]{64}", t.sha256) for t in found)
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path) from error
    if not sound:
        raise _damaged(path)
    return found


def _damaged(path: Path) -> ConfigError:
    how = "Delete it and make the tokens anew with `winback serve --add-token NAME`."
    return ConfigError("The file of tokens is damaged; nobody is let in.", where=str(path), how=how)
