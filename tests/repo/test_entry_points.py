"""Make is the one entry: CI, the workflow and the hooks call targets that exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TARGETS = {
    "setup",
    "demo",
    "test",
    "test-all",
    "lint",
    "type",
    "layers",
    "docs",
    "bench",
    "build",
    "lock",
    "clean",
}


@pytest.fixture(scope="module")
def makefile(root: Path) -> str:
    return (root / "Makefile").read_text(encoding="utf-8")


def targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


def test_every_promised_target_is_there_and_explained(makefile: str) -> None:
    assert targets(makefile) >= TARGETS
    assert set(re.findall(r"^([a-z-]+):.*## \w", makefile, flags=re.MULTILINE)) >= TARGETS


def test_ci_runs_make_targets_the_tests_first_and_last(root: Path, makefile: str) -> None:
    script = root / ".ci" / "run"
    steps = re.findall(r"^step ([a-z-]+)$", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert os.access(script, os.X_OK)
    assert set(steps) <= targets(makefile)
    assert steps[0] == "test"
    assert steps[-1] == "test-all"
    assert {"lint", "type", "layers", "build"} <= set(steps)


def test_the_workflow_calls_the_same_entry(root: Path, makefile: str) -> None:
    text = (root / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    commands = re.findall(r"run: (.+)", text)
    assert "bash .ci/run" in commands
    called = {match for command in commands for match in re.findall(r"\bmake ([a-z-]+)", command)}
    assert called <= targets(makefile)
    assert set(commands) == {"bash .ci/run", *(f"make {name}" for name in called)}


def test_hooks_are_local(root: Path) -> None:
    text = (root / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"- repo: (\S+)", text) == ["local"]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("make")
    assert tool, "make is not installed"
    return subprocess.run([tool, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_an_old_python_is_refused_in_a_sentence(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "Makefile", tmp_path)
    shutil.copytree(root / "requirements", tmp_path / "requirements")
    shutil.copy(root / "pyproject.toml", tmp_path)
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(tmp_path, "demo", f"PYTHON={old}")
    assert done.returncode != 0
    assert "winback needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_help_lists_the_targets(root: Path) -> None:
    done = make(root, "help")
    assert done.returncode == 0
    assert {line.split()[1] for line in done.stdout.splitlines()} >= TARGETS
