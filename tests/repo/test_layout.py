"""The walls of the house: which folder holds what, how large a module may be, and who may import whom."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import winback_features
import winback_models
import winback_policy
import winback_serving
import winback_training

ROOMS = ("features", "models", "policy", "training", "serving")
PACKAGES = (winback_features, winback_models, winback_policy, winback_training, winback_serving)
MOST_LINES = 400
MLFLOW_MODULES = {"winback_training/tracking.py", "winback_serving/loader.py"}
TRAINING_MODULES = {"settings.py"}
"""Beside the command line: the reader of settings, which takes dataclasses only."""


def modules(room: Path) -> list[Path]:
    return sorted(room.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the absolute name of everything a module imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def test_each_room_holds_one_package_and_a_door_plate(root: Path) -> None:
    for room in ROOMS:
        packages = [p.name for p in (root / room).iterdir() if p.is_dir() and p.name != "__pycache__"]
        assert packages == [f"winback_{room}"]
        assert (root / room / "README.md").is_file(), f"{room}/ has no README.md"
        assert (root / room / packages[0] / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_a_package_says_what_it_is_for_and_does_nothing_at_import(package: object) -> None:
    path = Path(str(package.__file__))
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert package.__doc__
    allowed = ast.Expr | ast.ImportFrom | ast.Assign
    assert all(isinstance(node, allowed) for node in body), (
        f"{path.name} of {path.parent.name} does something"
    )


def test_no_python_in_mlflow_or_directly_under_a_room(root: Path) -> None:
    strays = list((root / "mlflow").rglob("*.py*"))
    strays += [p for room in ROOMS for p in (root / room).glob("*.py*")]
    assert strays == []


def test_import_mlflow_is_the_real_one_even_in_the_root_folder(root: Path) -> None:
    code = "import importlib.util as u; print(u.find_spec('mlflow').origin)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    origin = Path(done.stdout.strip())
    real = importlib.metadata.distribution("mlflow").locate_file("mlflow/__init__.py")
    assert origin.samefile(str(real))
    assert (root / "mlflow") not in origin.parents


def test_modules_are_small(root: Path) -> None:
    lengths = {
        path.relative_to(root).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for room in ROOMS
        for path in modules(root / room)
    }
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_mlflow_is_imported_by_the_tracker_and_the_loader_only(root: Path) -> None:
    importers = {
        path.relative_to(root / room).as_posix()
        for room in ROOMS
        for path in modules(root / room)
        if any(name.split(".")[0] == "mlflow" for name in imported(path))
    }
    assert importers <= MLFLOW_MODULES


def test_of_serving_only_the_command_line_imports_training(root: Path) -> None:
    package = root / "serving" / "winback_serving"
    importers = {
        path.relative_to(package).as_posix()
        for path in modules(package)
        if any(name.split(".")[0] == "winback_training" for name in imported(path))
    }
    assert {
        name for name in importers if name != "cli.py" and not name.startswith("commands/")
    } <= TRAINING_MODULES


def test_settings_take_nothing_but_dataclasses_from_training(root: Path) -> None:
    tree = ast.parse((root / "serving/winback_serving/settings.py").read_text(encoding="utf-8"))
    taken = [
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("winback_training")
        for name in node.names
    ]
    assert taken
    assert all(name.endswith("Config") for name in taken)


def test_only_the_settings_read_toml_and_the_environment(root: Path) -> None:
    readers = {
        path.relative_to(root).as_posix()
        for room in ROOMS
        for path in modules(root / room)
        if re.search(
            r"os\.environ\.get|os\.getenv|os\.environ\[[^]]+\](?! *=[^=])|import tomllib", path.read_text()
        )
    }
    texts = "serving/winback_serving/web/texts/__init__.py"  # reads the sentences that it ships
    assert readers <= {"serving/winback_serving/settings.py", texts}


def test_imports_point_one_way(root: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
