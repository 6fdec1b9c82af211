"""``winback init``: a commented ``winback.toml`` to begin with."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from winback_features.errors import ConfigError
from winback_serving.commands.common import output_options
from winback_serving.output import Output


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@output_options
def init(folder: Path, out: Output) -> None:
    """Write a commented winback.toml to begin with.

    It goes into DIR, the current folder when absent; a file that is there already is left alone.
    """
    path = folder / "winback.toml"
    text = files("winback_serving").joinpath("templates", "winback.toml").read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        what = "There is one already." if path.exists() else "That is a file, no folder."
        how = "Edit it, or name another folder." if path.exists() else "Name a folder."
        raise ConfigError(what, where=str(path if path.exists() else folder), how=how) from None
    except OSError as error:
        msg = f"It cannot be written: {error.strerror}."
        raise ConfigError(msg, where=str(path), how="Name another folder.") from None
    out.result(
        {"command": "init", "path": path},
        lambda console: console.print(
            f"Wrote {path}.\nSay in it where your orders are, then run: winback check -c {path}",
            soft_wrap=True,
        ),
    )
