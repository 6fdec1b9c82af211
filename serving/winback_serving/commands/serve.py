"""``winback serve``: pages and API over the published runs, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
from dataclasses import replace

import click
import uvicorn
from rich.console import Console

from winback_features.errors import ConfigError
from winback_serving.commands.common import config_option, output_options
from winback_serving.output import Output
from winback_serving.settings import Settings
from winback_serving.web.app import create_app
from winback_serving.web.config import ROLES, WebConfig
from winback_serving.web.identity import Doorkeeper
from winback_serving.web.tokens import TokenFile

GRACE_SECONDS = 5
"""So long a request that is under way may take to end."""


@click.command()
@config_option
@click.option("--host", help="Address to listen at; [web] host when absent.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port; 0 takes a free one.")
@click.option("--add-token", metavar="NAME", help="Make a token for a person or tool, show it once, and end.")
@click.option(
    "--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="Of the new token."
)
@click.option("--remove-token", metavar="NAME", help="Shut the holder of a token out, and end.")
@output_options
def serve(
    settings: Settings,
    host: str | None,
    port: int | None,
    add_token: str | None,
    role: str,
    remove_token: str | None,
    out: Output,
) -> None:
    """Serve pages and an API over the published runs.

    Only this machine reaches it unless --host says otherwise, and then only who holds a token.
    """
    if add_token is not None and remove_token is not None:
        raise click.UsageError("--add-token does not go with --remove-token.")
    tokens = TokenFile(settings.home / settings.web.tokens_file)
    if add_token is not None:
        secret = tokens.add(add_token, role)
        fields = {"command": "serve", "name": add_token, "role": role, "token": secret}
        out.result(fields, lambda console: _show_token(console, add_token, role, secret))
        return
    if remove_token is not None:
        tokens.remove(remove_token)
        fields = {"command": "serve", "removed": remove_token}
        out.result(fields, lambda console: console.print(f"The token {remove_token} is no longer valid."))
        return
    web = replace(settings.web, host=host or settings.web.host)
    web = web if port is None else replace(web, port=port)
    door = Doorkeeper(settings.home, web)
    door.check_start()
    listener = _listen(web)
    address = _address(listener)
    told = {"command": "serve", "address": address, "login": door.asks}
    out.result(told, lambda console: _show_address(console, address, door.asks))
    _run(create_app(settings.home, web, settings), listener)


def _run(app: object, listener: socket.socket) -> None:
    """Answer until SIGINT or SIGTERM; both are how one stops a server, and no failure."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # uvicorn raises the signal again once it has ended in order; these handlers let that pass.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(web: WebConfig) -> socket.socket:
    """Take the port.

    Raises
    ------
    ConfigError
        When it is taken, or the address is not this machine's.
    """
    try:
        # With the protocol named, asyncio switches Nagle's algorithm off: else each answer waits 40 ms for the one before.
        family, kind, protocol, _, address = socket.getaddrinfo(
            web.host, web.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        what = f"{web.host}:{web.port} cannot be listened at: {error.strerror or error}."
        how = "Take another with --port, or stop what holds it."
        raise ConfigError(what, where="[web] port", how=how) from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _show_address(console: Console, address: str, asks: bool) -> None:
    who = "who holds a token" if asks else "this machine only, without a login"
    console.print(f"Serving at {address} for {who}. Ctrl+C stops it.", soft_wrap=True)


def _show_token(console: Console, name: str, role: str, secret: str) -> None:
    console.print(f"Token of {name} ({role}); it is shown this once:", soft_wrap=True)
    console.print(secret, markup=False, soft_wrap=True)
