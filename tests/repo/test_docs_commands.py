"""docs/commands.md has a chapter for every command, with every option, and for no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

EVERYWHERE = {"--help", "--debug", "--json", "--log-format"}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that runs something, with its full name."""
    from winback_serving.cli import winback

    def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                assert found, f"{name} {child} is listed, and is not there"
                yield from walk(f"{name} {child}", found)
        else:
            yield name, command

    yield from walk("winback", winback)


@pytest.fixture(scope="module")
def chapters(root: Path) -> dict[str, str]:
    text = (root / "docs" / "commands.md").read_text(encoding="utf-8")
    parts = re.split(r"^## `(winback [a-z -]+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_a_chapter_and_every_chapter_a_command(chapters: dict[str, str]) -> None:
    assert set(chapters) == {name for name, _ in commands()}


def test_every_option_is_in_its_chapter_and_no_other(chapters: dict[str, str]) -> None:
    for name, command in commands():
        options = {
            max((o for o in p.opts if o.startswith("--")), key=len)
            for p in command.params
            if isinstance(p, click.Option)
        }
        written = set(re.findall(r"`(?:-\w, )?(--[a-z][a-z-]*)", chapters[name]))
        assert written - EVERYWHERE == options - EVERYWHERE, name
        assert EVERYWHERE - {"--help"} <= options, f"{name} lacks an option that every command has"


def test_every_argument_is_in_its_chapter(chapters: dict[str, str]) -> None:
    for name, command in commands():
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                assert f"`{parameter.make_metavar(click.Context(command))}`" in chapters[name], name


def test_every_command_says_what_it_does() -> None:
    for name, command in commands():
        assert command.help, name
        assert all(p.help for p in command.params if isinstance(p, click.Option)), name


def test_every_exit_code_is_documented(root: Path) -> None:
    from winback_features import errors

    kinds = [errors.WinbackError, errors.InputError, errors.ConfigError, errors.GateRefusal]
    text = (root / "docs" / "commands.md").read_text(encoding="utf-8")
    for code in {0, 130, *(kind.exit_code for kind in kinds)}:
        assert f"| {code} |" in text
