"""`winback --help` answers within a second, because nothing heavy is imported for it."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "pandas",
    "numpy",
    "sklearn",
    "scipy",
    "mlflow",
    "ibis",
    "duckdb",
    "pyarrow",
    "altair",
    "lifetimes",
    "matplotlib",
)
CODE = f"""
import sys
from winback_serving.cli import main
sys.argv = ["winback", *sys.argv[1:]]
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
MOST_SECONDS = 1.0


def help_of(*arguments: str) -> tuple[str, str, float]:
    """Return what help prints, the heavy modules it imported, and the processor time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments, "--help"], capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, done.stderr.strip().splitlines()[-1], seconds


def test_help_imports_nothing_heavy() -> None:
    text, heavy, _ = help_of()
    assert "Usage: winback" in text
    assert heavy == "[]"


def test_help_takes_less_than_a_second() -> None:
    assert min(help_of()[2] for _ in range(3)) < MOST_SECONDS


def test_the_console_script_is_installed() -> None:
    script = Path(sys.executable).with_name("winback")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0.1.0" in done.stdout
