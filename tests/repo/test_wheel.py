"""The wheel: exactly the five packages with all their files, installable into an empty environment."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOMS = ("features", "models", "policy", "training", "serving")
MODULES = """
import importlib, pkgutil
for room in ("features", "models", "policy", "training", "serving"):
    package = importlib.import_module("winback_" + room)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            # The modules that take an extra.
            extras = {
                "winback_features.spark": "pyspark",
                "winback_features.spark_catalog": "pyspark",
                "winback_features.spark_failures": "py4j",
                "winback_features.postgres_tables": "psycopg",
            }
            assert extras.get(module.name) == error.name, module.name
        print(module.name)
"""


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_five_packages_and_nothing_else(
    root: Path, tracked: list[Path], wheel: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(root / room).as_posix()
        for room in ROOMS
        for path in tracked
        if root / room / f"winback_{room}" in path.parents
    }
    assert names == expected
    assert {f"winback_{room}/py.typed" for room in ROOMS} <= names


def test_the_wheel_names_its_licence_its_command_and_its_python(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (info,) = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(f"{info}/METADATA").decode()
        commands = archive.read(f"{info}/entry_points.txt").decode()
        assert f"{info}/licenses/LICENSE" in archive.namelist()
    assert "winback = winback_serving.cli:main" in commands
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "Requires-Dist: duckdb<2" in metadata


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_wheel_works_in_an_empty_environment(root: Path, wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = {**os.environ, "HOME": str(home), "PYTHONPATH": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    env.pop("COVERAGE_PROCESS_START", None)
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = (binaries / "python", "-m", "pip", "install", "--quiet")
    run(*pip, "--only-binary", ":all:", "--require-hashes", "-r", root / "requirements" / "run.txt")
    run(*pip, "--no-deps", wheel)
    run(binaries / "python", "-m", "pip", "check")
    before = sorted(home.iterdir())  # pip asks for a Rust compiler, which may leave its folder
    version = wheel.name.split("-")[1]
    assert version in run(binaries / "winback", "--version")
    assert "score" in run(binaries / "winback", "--help")
    imported = run(binaries / "python", "-c", MODULES).split()
    assert "winback_serving.cli" in imported
    assert sorted(home.iterdir()) == before, "importing or asking for help left files behind"
