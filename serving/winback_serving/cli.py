"""The command line ``winback``: commands imported when used, errors as sentences, exit codes.

Exit codes: 0 done, 1 our fault, 2 input or configuration, 3 refused by a gate, 130 interrupted.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any, NoReturn

import click

from winback_features.errors import ConfigError, WinbackError
from winback_serving.joblog import JobLog

COMMANDS = {
    "demo": "Run the whole flow on real data and write a report.",
    "init": "Write a commented winback.toml to begin with.",
    "check": "Read the inputs and say what is wrong and how to mend it.",
    "train": "Fit, test forward in time, and register a candidate model.",
    "models": "List, show, promote, register or roll back models.",
    "score": "Do the day's work: scores, entries, exits, published as one run.",
    "backtest": "Replay model and policy over past dates, and judge the flags.",
    "serve": "Serve pages and an API over the published runs.",
    "outcomes": "Read what was sent and what came of it.",
    "uplift": "Learn from the holdout whom a message moves.",
    "export": "Write a list of a published run to a file.",
    "simulate": "Write a made-up shop: orders, events and contacts, with the truth beside them.",
    "publish": "Copy published runs into PostgreSQL, each in one transaction.",
    "runs": "List the published runs, check their files, let old ones go, take the newest back.",
    "segments": "Say how large the segments of a run are, what is at risk in them, and who moved.",
    "retention": "Say who comes back, how fast, and when they fall silent.",
    "hygiene": "Say which records are held without need.",
    "erase": "Erase persons from every published run, and keep them from being imported again.",
}
"""Command name and its line in ``winback --help``; ``commands/<name>.py`` holds a function of that name."""

INTERRUPTED = "Interrupted; nothing was published."
INTERRUPTION: dict[str, str | int] = {
    "code": "Interrupted",
    "message": INTERRUPTED,
    "where": "",
    "how": "Run it again.",
    "exit_code": 130,
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is called.

    Parameters
    ----------
    lazy : mapping
        Command name to its one-line help; each lives in ``winback_serving.commands.<name>``.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which one uses them."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None when there is none of that name."""
        if cmd_name not in self.lazy:
            return None
        module = importlib.import_module(f"winback_serving.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one there is."""
        if args and not args[0].startswith("-") and args[0] not in self.lazy:
            from winback_serving.toml_section import did_you_mean  # only on the way to an error

            ctx.fail(f"There is no command {args[0]!r}. {did_you_mean(args[0], self.lazy)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.lazy.items()))


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with `winback demo`. With your own data: init, check, train, models promote, score, export.",
)
@click.version_option(version("winback"), prog_name="winback", message="%(prog)s %(version)s")
def winback() -> None:
    """Predict who buys again and when, and flag whom to win back before they lapse."""


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with the exit code that fits what happened.

    Parameters
    ----------
    args : sequence of str, optional
        Arguments without the program's name; those of the process when absent.
    """
    # Threads that wait for one another should sleep: on a busy machine, spinning costs many times the work itself.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Queries are made of very many small objects that go by themselves: looking for cycles among them took a third of the time.
    gc.set_threshold(50_000, 10, 10)
    # Ending a service is an interruption like Ctrl-C: unfinished work is cleared away, exit code 130.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = list(sys.argv[1:] if args is None else args)
    sys.exit(run(given))


def run(args: list[str]) -> int:
    """Run one command and return its exit code; every error is printed, none is raised.

    Parameters
    ----------
    args : list of str

    Returns
    -------
    int
    """
    as_json, debug = "--json" in args, "--debug" in args
    log = JobLog() if "--log-format=json" in args or ("--log-format", "json") in pairwise(args) else None
    try:
        result = winback.main(args, prog_name="winback", standalone_mode=False)
    except click.ClickException as error:
        return _report_usage(error, as_json, log)
    except (KeyboardInterrupt, click.Abort):
        if as_json or log:
            return _report(INTERRUPTION, as_json, log)
        click.secho(INTERRUPTED, fg="red", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has left: nobody to tell
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _report(explain(error, debug=debug), as_json, log)
    return result if isinstance(result, int) else 0


def explain(error: Exception, *, debug: bool = False) -> dict[str, str | int]:
    """Return any error as what, where, how to mend it, and an exit code.

    Parameters
    ----------
    error : Exception
        Ours, the system's, the engine's, or a bug.
    debug : bool
        Whether the traceback is shown already.

    Examples
    --------
    >>> explain(OSError(28, "No space left on device", "runs"))["message"]
    'The system refused: No space left on device.'
    """
    if isinstance(error, WinbackError):
        return error.as_dict()
    if isinstance(error, OSError):
        what = f"The system refused: {error.strerror or error}."
        how = "Look at the free space and the rights there; nothing was published."
        return ConfigError(what, where=str(error.filename or ""), how=how).as_dict()
    if type(error).__name__ == "IOException" and "duckdb" in type(error).__module__:
        what = f"The engine could not read or write a file: {str(error).splitlines()[0].rstrip('.')}."
        how = "Look at the free space and the rights in the home folder; nothing was published."
        return ConfigError(what, where="", how=how).as_dict()
    if type(error).__name__ == "OutOfMemoryException":  # DuckDB's; importing it here would slow every command
        what = "The engine has used up the memory it may use; nothing was published."
        how = "Raise it, or lower [engine] threads."
        return ConfigError(what, where="[engine] memory_limit", how=how).as_dict()
    what = f"This is a bug in winback: {type(error).__name__}: {error}."
    how = "Please report it." if debug else "Run it again with --debug for the traceback, and report it."
    return {"code": "Bug", "message": what, "where": "", "how": how, "exit_code": 1}


def _report_usage(error: click.ClickException, as_json: bool, log: JobLog | None) -> int:
    """Report a wrong option or argument."""
    if not (as_json or log):
        error.show()
        return error.exit_code
    where = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        where = error.ctx.command_path
    fields = {"code": "UsageError", "message": error.format_message(), "where": where}
    how = f"See `{where or 'winback'} --help`."
    return _report({**fields, "how": how, "exit_code": error.exit_code}, as_json, log)


def _report(error: Mapping[str, str | int], as_json: bool, log: JobLog | None = None) -> int:
    """Print an error (as JSON on stdout, else as a sentence on stderr, or into the log) and return its exit code."""
    if as_json:
        click.echo(json.dumps({"ok": False, "error": dict(error)}, ensure_ascii=False))
    if log:
        log.write("error", **error)
    elif not as_json:
        where = f"{error['where']}: " if error["where"] else ""
        click.secho(f"Error: {where}{error['message']}", fg="red", err=True)
        if error["how"]:
            click.secho(f"       {error['how']}", err=True)
    return int(error["exit_code"])
