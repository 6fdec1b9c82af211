"""The pinned requirement files: complete, hashed, in agreement with each other and with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILES = ("run", "test", "dev", "spark", "postgres")
PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(\[[\w,-]+\])?==(?P<version>\S+)( ; (?P<marker>[^\\]+?))?( \\)?$"
)
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(root: Path, name: str) -> dict[str, str]:
    """Return ``package -> version``, after checking that each line is a pin or a hash of one."""
    versions: dict[str, str] = {}
    hashes = 1
    for line in (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if HASH.match(line):
            hashes += 1
            continue
        match = PIN.match(line)
        assert match, f"requirements/{name}.txt: neither a pin nor a hash: {line}"
        assert hashes, f"requirements/{name}.txt: no hash above {line}"
        hashes = 0
        package = canonicalize_name(match["name"])
        assert package not in versions, f"requirements/{name}.txt pins {package} twice"
        versions[package] = match["version"]
    assert hashes
    return versions


def group(project: dict[str, Any], name: str) -> Iterator[Requirement]:
    for entry in project["dependency-groups"][name]:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from group(project, entry["include-group"])


def wanted(project: dict[str, Any], name: str) -> Iterator[Requirement]:
    """Yield what pyproject.toml asks for in one file."""
    yield from map(Requirement, project["project"]["dependencies"])
    if name in project["project"]["optional-dependencies"]:
        yield from map(Requirement, project["project"]["optional-dependencies"][name])
    yield from group(project, name if name in ("test", "dev") else "build")


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def test_there_is_one_file_for_each_purpose(root: Path, project: dict[str, Any]) -> None:
    assert {p.stem for p in (root / "requirements").glob("*.txt")} == set(FILES)
    assert set(project["project"]["optional-dependencies"]) <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_of_the_project_is_pinned_within_its_bounds(
    name: str, root: Path, project: dict[str, Any]
) -> None:
    pinned = pins(root, name)
    for requirement in wanted(project, name):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version, f"requirements/{name}.txt lacks {requirement.name}: run make lock"
        assert requirement.specifier.contains(version), (
            f"{requirement} does not allow {version}: run make lock"
        )


def test_the_files_agree(root: Path) -> None:
    seen: dict[str, str] = {}
    for name in FILES:
        for package, version in pins(root, name).items():
            assert seen.setdefault(package, version) == version, (
                f"{package} differs in requirements/{name}.txt"
            )


def test_each_file_holds_all_that_running_takes(root: Path) -> None:
    run = pins(root, "run").items()
    for name in FILES:
        assert run <= pins(root, name).items()


@pytest.mark.parametrize("name", FILES)
def test_no_address_no_option_no_local_version(name: str, root: Path) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^-|@ ", text, flags=re.MULTILINE)
    assert not [version for version in pins(root, name).values() if "+" in version]
