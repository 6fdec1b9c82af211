"""The image, the examples for schedulers and the operations guide: what they call exists, and they keep the house rules."""

from __future__ import annotations

import ast
import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

PLACES = (
    "Dockerfile",
    "docs/operations.md",
    "examples/cron/winback.crontab",
    "examples/systemd/winback-score.service",
    "examples/airflow/winback_daily.py",
)


def called(text: str) -> Iterator[list[str]]:
    """Yield the words after ``winback`` wherever a line calls it."""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for match in re.finditer(
            r"(?:^|[\s`\"/])winback ((?:score|runs|check|train|export|erase|models)\b[^`|\"&>]*)", line
        ):
            yield shlex.split(match[1].split(" 2>")[0].replace("{DAY}", "DAY"), comments=True)


def command_of(words: list[str]) -> click.Command:
    from winback_serving.cli import winback

    command: click.Command | None = winback
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word.rstrip(".,;:"))
        assert command is not None, f"there is no command {' '.join(words)!r}"
    assert command is not None
    return command


@pytest.mark.parametrize("place", PLACES)
def test_every_call_names_a_command_and_options_that_exist(root: Path, place: str) -> None:
    calls = list(called((root / place).read_text(encoding="utf-8")))
    assert calls or place == "Dockerfile"
    for words in calls:
        known = {option for parameter in command_of(words).params for option in parameter.opts}
        given = {word.split("=")[0].rstrip(".,;:") for word in words if word.startswith("-")}
        assert given <= known, words


def test_the_image_is_slim_pinned_by_hash_and_runs_without_rights(root: Path) -> None:
    text = (root / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    stages = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert stages
    assert all(stage.endswith("-slim") for stage in stages)
    installs = re.findall(r"pip install ([^&\n]+)", "\n".join(lines))
    assert installs
    assert all("--require-hashes" in options or "--no-deps" in options for options in installs)
    assert not re.search(r"index-url|--trusted-host|https?://", text)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1].split(":")[0].isdigit()
    assert int(users[-1].split(":")[0]) > 0
    assert any(line.startswith('ENTRYPOINT ["winback"]') for line in lines)


def test_all_that_the_image_copies_is_there_and_reaches_the_builder(root: Path) -> None:
    text = (root / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, flags=re.MULTILINE)
        for word in line.split()
    ]
    let_in = {
        line[1:]
        for line in (root / ".dockerignore").read_text(encoding="utf-8").split()
        if line.startswith("!")
    }
    assert set(copied) == let_in
    assert all((root / name).exists() for name in copied)


def test_the_image_s_python_is_one_that_the_project_supports(root: Path) -> None:
    (version,) = re.findall(
        r"^ARG PYTHON=(\S+)$", (root / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert f"Programming Language :: Python :: {version}" in (root / "pyproject.toml").read_text(
        encoding="utf-8"
    )


def test_the_service_runs_once_hardened_and_the_timer_starts_it(root: Path) -> None:
    def read(name: str) -> configparser.ConfigParser:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read(root / "examples" / "systemd" / name, encoding="utf-8")
        return parser

    service, timer = read("winback-score.service")["Service"], read("winback-score.timer")
    assert service["Type"] == "oneshot"
    assert service["User"] not in ("", "root")
    for wall in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "PrivateDevices"):
        assert service[wall] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] == service["WorkingDirectory"]
    assert timer["Timer"]["Unit"] == "winback-score.service"
    assert timer["Timer"]["Persistent"] == "true"


def test_no_example_keeps_a_result_that_names_contacts(root: Path) -> None:
    service = (root / "examples/systemd/winback-score.service").read_text(encoding="utf-8")
    assert "\nStandardOutput=null\n" in service
    assert "\nStandardError=journal\n" in service, "stderr goes where stdout goes, unless it is said"
    for place in ("examples/cron/winback.crontab", "examples/airflow/winback_daily.py"):
        lines = (root / place).read_text(encoding="utf-8").splitlines()
        scoring = [line for line in lines if "winback score" in line]
        assert scoring
        assert all(">/dev/null" in line and "--json" not in line for line in scoring)


def test_what_the_examples_call_needs_no_setting_that_winback_toml_lacks(root: Path) -> None:
    for place in ("examples/cron/winback.crontab", "examples/airflow/winback_daily.py"):
        pruning = [
            call
            for call in called((root / place).read_text(encoding="utf-8"))
            if call[:2] == ["runs", "prune"]
        ]
        assert pruning
        assert all("--keep-days" in call for call in pruning)


def test_cron_and_airflow_find_the_command_where_the_service_has_it(root: Path) -> None:
    service = (root / "examples/systemd/winback-score.service").read_text(encoding="utf-8")
    (folder,) = re.findall(r"^ExecStart=(\S+)/winback ", service, flags=re.MULTILINE)
    crontab = (root / "examples/cron/winback.crontab").read_text(encoding="utf-8")
    assert f"\nPATH={folder}:" in crontab, "cron's own PATH knows /usr/bin and /bin alone"
    dag = (root / "examples/airflow/winback_daily.py").read_text(encoding="utf-8")
    assert f'\nBIN = "{folder}"\n' in dag, "Airflow's own environment is not winback's"
    assert re.findall(r"bash_command=f?\"(\S+)", dag) == ["{BIN}/winback"] * 3


def test_the_dag_keeps_the_days_in_order(root: Path) -> None:
    tree = ast.parse((root / "examples/airflow/winback_daily.py").read_text(encoding="utf-8"))
    (dag,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DAG"
    )
    given = {word.arg: ast.unparse(word.value) for word in dag.keywords}
    assert given["max_active_runs"] == "1"
    # Only scores rest on the day before: an export that a gate refused must not stop the scores of all later days.
    assert "depends_on_past" not in given["default_args"]
    after_their_past = {
        task.targets[0].id
        for task in ast.walk(tree)
        if isinstance(task, ast.Assign)
        and isinstance(task.targets[0], ast.Name)
        and isinstance(task.value, ast.Call)
        and "depends_on_past=True" in ast.unparse(task.value)
    }
    assert after_their_past == {"score"}


def test_the_alarm_for_a_missed_day_also_rings_where_there_are_no_numbers(root: Path) -> None:
    """A file that the exporter may not read, or that was never written, has no age to compare."""
    guide = (root / "docs/operations.md").read_text(encoding="utf-8")
    (rule,) = re.findall(r"alert: WinbackMissedADay\n\s+expr: (.+)", guide)
    assert rule.endswith("or absent(winback_last_success_timestamp_seconds)")


def test_the_guide_knows_every_metric_and_every_step(root: Path) -> None:
    guide = (root / "docs/operations.md").read_text(encoding="utf-8")
    code = (root / "serving/winback_serving/metrics.py").read_text(encoding="utf-8")
    names = set(re.findall(r"(?:gauge|by_label)\(\s*\"(\w+)\"", code))
    assert len(names) > 10
    assert {name for name in names if f"winback_{name}" not in guide} == set()
    used = set(re.findall(r"winback_(\w+)", guide))
    assert {name for name in used if name not in names} == set()
    steps = set(
        re.findall(
            r"clock\.step\(\"(\w+)\"\)",
            (root / "serving/winback_serving/batch.py").read_text(encoding="utf-8"),
        )
    )
    assert {step for step in steps if f"`{step}`" not in guide} == set()
