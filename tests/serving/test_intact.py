"""A published file that was changed is noticed where something rests on it; one that an erasure has replaced is not."""

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from winback_features.errors import InputError
from winback_serving import cli, intact
from winback_serving import erase as erasing
from winback_serving.batch import score_day
from winback_serving.erase import FOLDER, erase
from winback_serving.export import export_list
from winback_serving.intact import checked_file, faults_of
from winback_serving.settings import Settings, load_settings
from winback_serving.store import PublishedRun, RunStore
from winback_serving.web.reader import Runs

DAY, NEXT = date(1998, 6, 1), date(1998, 6, 2)
CHANGED = "is not the one that was published"


@pytest.fixture(scope="module")
def published(
    tmp_path_factory: pytest.TempPathFactory, write_shop: Callable[..., Path], rule_model: Any
) -> Path:
    settings = load_settings(write_shop(tmp_path_factory.mktemp("published")), {})
    score_day(settings, DAY, rule_model(), "digest")
    return settings.base_dir


@pytest.fixture
def shop(tmp_path: Path, published: Path) -> Settings:
    shutil.copytree(published, tmp_path / "shop")
    return load_settings(tmp_path / "shop" / "winback.toml", {})


@pytest.fixture
def run(shop: Settings) -> PublishedRun:
    return RunStore(shop.home).read_run(DAY)


def edit(run: PublishedRun, name: str) -> None:
    """Leave a row out: the file can be read as well as before."""
    rows = pq.read_table(run.file(name))
    pq.write_table(rows.slice(1), run.file(name))


def some(run: PublishedRun, n: int) -> list[str]:
    ids: list[str] = pq.read_table(run.file("states"), columns=["contact_id"])["contact_id"].to_pylist()
    return ids[:n]


def called(*words: str) -> tuple[int, dict[str, Any]]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = cli.run([*words, "--json"])
    return code, json.loads(printed.getvalue())


def test_the_next_day_does_not_rest_on_states_that_were_changed(
    shop: Settings, run: PublishedRun, rule_model: Any
) -> None:
    edit(run, "states")
    with pytest.raises(InputError, match=CHANGED) as refused:
        score_day(shop, NEXT, rule_model(), "digest")
    told = refused.value
    assert run.run_id in told.what
    assert told.where == str(run.file("states"))
    assert f"winback score --as-of {DAY}" in told.how
    assert RunStore(shop.home).days() == [DAY]


@pytest.mark.parametrize(
    ("name", "file"), [("current", "winback"), ("current", "states"), ("scores", "scores")]
)
def test_no_list_is_taken_from_a_file_that_was_changed(
    shop: Settings, run: PublishedRun, tmp_path: Path, name: str, file: str
) -> None:
    out = tmp_path / "list.csv"
    export_list(run, name, "csv", out)
    out.unlink()
    edit(run, file)
    with pytest.raises(InputError, match=CHANGED):
        export_list(run, name, "csv", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "file"), [("hygiene", "winback"), ("segments", "features"), ("outcomes", "entries")]
)
def test_no_figure_is_told_from_a_file_that_was_changed(
    shop: Settings, run: PublishedRun, command: str, file: str
) -> None:
    assert called(command, "-c", str(shop.path))[0] == 0
    edit(run, file)
    code, told = called(command, "-c", str(shop.path))
    assert (code, told["error"]["where"]) == (2, str(run.file(file)))
    assert CHANGED in told["error"]["message"]


def test_the_server_makes_no_run_ready_that_was_changed(shop: Settings, run: PublishedRun) -> None:
    runs = Runs(shop.home)
    assert runs.refresh() is not None
    edit(run, "scores")
    with pytest.raises(InputError, match=CHANGED):
        Runs(shop.home).refresh()


def test_what_erasures_leave_is_as_it_should_be(shop: Settings, run: PublishedRun) -> None:
    first, second = some(run, 2)
    for contact_id in (first, second):
        proof, _ = erase(shop.home, [contact_id])
        assert {"scores", "states", "winback"} <= {Path(file.path).stem for file in proof.files}
        assert faults_of(run) == {}
    edit(run, "scores")
    assert faults_of(run) == {"scores.parquet": CHANGED}


def test_an_erasure_does_not_make_a_changed_file_a_sound_one(shop: Settings, run: PublishedRun) -> None:
    *_, one = some(run, 3)
    edit(run, "scores")
    proof, _ = erase(shop.home, [one])
    assert "scores" in {Path(file.path).stem for file in proof.files}
    assert faults_of(run) == {"scores.parquet": CHANGED}


@pytest.mark.parametrize("when", ["before a file is replaced", "before the proof is written"])
def test_an_erasure_that_was_interrupted_leaves_no_file_in_doubt(
    shop: Settings, run: PublishedRun, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    write_down, left = erasing._write_down, [2]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def third_is_interrupted(*given: Any) -> None:
        write_down(*given)
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    ids = some(run, 1)
    with monkeypatch.context() as patch:
        if when == "before a file is replaced":
            patch.setattr(erasing, "_write_down", third_is_interrupted)
        else:
            patch.setattr(erasing, "write_atomically", interrupted)
        with pytest.raises(KeyboardInterrupt):
            erase(shop.home, ids)
    (lines,) = (shop.home / FOLDER).iterdir()
    assert len(lines.read_text(encoding="utf-8").splitlines()) > 2
    assert ids[0] not in lines.read_text(encoding="utf-8")
    assert faults_of(run) == {}
    with lines.open("a", encoding="utf-8") as handle:
        handle.write('{"path": "runs/1998-0')  # the power went
    erase(shop.home, ids)
    assert faults_of(run) == {}
    assert sorted(path.suffix for path in (shop.home / FOLDER).iterdir()) == [".json", ".jsonl"]


def test_a_run_of_a_version_without_digests_is_taken_as_it_is(run: PublishedRun) -> None:
    record = run.info()
    del record["files"]
    (run.folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    edit(run, "states")
    assert checked_file(run, "states") == run.file("states")
    assert faults_of(run) == {}


def test_a_file_is_read_once_as_long_as_it_is_the_same(
    run: PublishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return digest(path)

    digest = intact.file_digest
    monkeypatch.setattr(intact, "file_digest", counted)
    for _ in range(3):
        checked_file(run, "states")
    assert read == [run.file("states")]
    edit(run, "states")
    with pytest.raises(InputError):
        checked_file(run, "states")
    assert read == [run.file("states")] * 2


def test_the_command_looks_at_every_file_of_every_run(shop: Settings, run: PublishedRun) -> None:
    config = str(shop.path)
    code, told = called("runs", "check", "-c", config)
    assert (code, told["ok"], told["runs"], told["faults"]) == (0, True, 1, [])
    assert told["files"] == len(run.info()["files"])
    edit(run, "timeline")
    (run.folder / "retention.json").unlink()
    code, told = called("runs", "check", "-c", config, "--as-of", str(DAY))
    assert (code, told["ok"]) == (2, False)
    assert [(fault["file"], fault["fault"]) for fault in told["faults"]] == [
        ("retention.json", "is gone"),
        ("timeline.parquet", CHANGED),
    ]
    assert called("runs", "check", "-c", config, "--as-of", str(NEXT))[1]["runs"] == 0
    (run.folder / "run.json").write_text("{", encoding="utf-8")
    code, told = called("runs", "check", "-c", config)
    assert (code, [fault["file"] for fault in told["faults"]]) == (2, ["run.json"])


def test_the_command_tells_people(
    shop: Settings, run: PublishedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["runs", "check", "-c", str(shop.path)]) == 0
    assert "as it was published" in capsys.readouterr().out
    assert cli.run(["runs", "check", "-c", str(shop.path), "--as-of", str(NEXT)]) == 0
    assert "no run to look at" in capsys.readouterr().out
    edit(run, "scores")
    assert cli.run(["runs", "check", "-c", str(shop.path)]) == 2
    told = capsys.readouterr().out
    assert f"{DAY}/{run.run_id}/scores.parquet: {CHANGED}" in told
    assert "score their days again" in told
