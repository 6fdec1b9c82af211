"""What may not lie in any file of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MOST_BYTES = 1_048_576
HERE = Path(__file__).name
BINARY = {".png", ".jpg", ".gif", ".parquet", ".joblib", ".ico", ".woff2"}

FORBIDDEN = {
    "an absolute path of someone's machine": r"(?<![\w.~*$}])/(work|root|home|opt|Users|mnt)/[\w.-]+",
    "the address of a package registry or an index option": (
        r"pypi\.org|pythonhosted\.org|npmjs\.org|debian\.org|--(extra-)?index-url[ =]h|"
        r"registry = \"|\"resolved\": \"|(docker|ghcr|quay)\.io/"
    ),
    "the number of an issue": r"\b[Ii]ssue +#?\d+",
    "a loose end": r"\b(TODO|FIXME|XXX)\b|NotImplementedError",
    "a test that is switched off": r"pytest\.mark\.(skip\b|xfail)|pytest\.skip\(",
    "a silenced rule without its code": r"# type: ignore(?!\[)|# noqa(?!: *[A-Z]+\d)",
}


@pytest.fixture(scope="module")
def texts(root: Path, tracked: list[Path]) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in tracked
        if path.suffix not in BINARY and path.name != HERE
    }


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str, texts: dict[str, str]) -> None:
    pattern = re.compile(FORBIDDEN[what])
    hits = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts.items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
    assert hits == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("an absolute path of someone's machine", "home = '/home/ann/winback'"),
        ("the address of a package registry or an index option", "--index-url https://example.org/simple"),
        ("the number of an issue", "see issue #12"),
        ("a loose end", "# TODO mend"),
        ("a test that is switched off", "@pytest.mark.skip(reason='')"),
        ("a silenced rule without its code", "x = 1  # type: ignore"),
    ],
)
def test_each_pattern_finds_what_it_is_for(what: str, line: str) -> None:
    assert re.search(FORBIDDEN[what], line)


def test_no_file_is_large(root: Path, tracked: list[Path]) -> None:
    large = {
        p.relative_to(root).as_posix(): p.stat().st_size for p in tracked if p.stat().st_size > MOST_BYTES
    }
    assert large == {}


def test_text_files_end_with_one_newline(texts: dict[str, str]) -> None:
    wrong = [
        name for name, text in texts.items() if text and (not text.endswith("\n") or text.endswith("\n\n"))
    ]
    assert [name for name in wrong if not name.endswith(".svg")] == []
