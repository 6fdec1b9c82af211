"""Files: what each tool asks for, in limits, whole or not there, and the same when read by others."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_policy.decide import PROFILE, WINBACK_SCHEMA
from winback_serving.erase import erase
from winback_serving.export import export_list, format_of
from winback_serving.exports.files import staged, write_parquet_parts, write_parts
from winback_serving.exports.formats import FORMATS, JOURNEY, ExportFormat, column

pytestmark = pytest.mark.slow  # each test writes exports

CUSTOM = [field.name for field in JOURNEY]
HEADERS = {
    "klaviyo": ["Email", "First Name", "Last Name", "Phone Number", *CUSTOM],
    "mailchimp": ["Email Address", "First Name", "Last Name", "Phone Number", *CUSTOM],
    "hubspot": ["Email", "First Name", "Last Name", "Phone Number", *CUSTOM],
    "mautic": ["email", "firstname", "lastname", "phone", *CUSTOM, "tags", "doNotEmail"],
    "listmonk": ["email", "name", "attributes"],
    "meta": ["email", "phone", "madid", "fn", "ln", "ct", "st", "zip", "country", "extern_id"],
    "google": ["Email", "Phone", "First Name", "Last Name", "Country", "Zip"],
}
NASTY = [
    'Bo "B", Jr.',
    "=HYPERLINK(1)",
    "@SUM(A1)",
    "two\r\nlines",
    "🐈‍⬛ José",
    "\u202egnirts",
    "+cmd",
    "-1",
    " x ",
]


@pytest.fixture
def nasty(shop: Any, kinds: Any) -> Any:
    """A run of contacts with names that break careless files."""
    contacts = {
        f"n{i}": {**kinds["treated"], "rank": i + 1, "first_name": name} for i, name in enumerate(NASTY)
    }
    return shop.run(contacts)


@pytest.mark.parametrize("to", HEADERS)
def test_the_header_is_the_tools_own(to: str, two_days: Any) -> None:
    shop, _, run = two_days
    (written,) = shop.export(run, "current", to).files
    assert next(csv.reader(io.StringIO(written.path.read_text("utf-8")))) == HEADERS[to]


@pytest.mark.parametrize("to", ["klaviyo", "mailchimp", "hubspot", "mautic"])
def test_nasty_names_come_back_and_run_nothing(to: str, shop: Any, nasty: Any, read: Any) -> None:
    (written,) = shop.export(nasty, "current", to).files
    name = "firstname" if to == "mautic" else "First Name"
    expected = [f"'{text}" if text[0] in "=+-@" else text for text in NASTY]
    assert [row[name] for row in read(written.path, to)] == expected
    table = pacsv.read_csv(
        written.path,
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(column_types={name: pa.string()}),
    )
    assert table[name].to_pylist() == expected
    phone = next(column for column in ("Phone Number", "phone") if column in table.column_names)
    assert read(written.path, to)[0][phone] == "+31612345678"


def test_values_are_written_as_the_tools_read_them(shop: Any, kinds: Any, read: Any) -> None:
    run = shop.run({"jane": kinds["treated"]})
    (klaviyo,) = read(shop.export(run, "current", "klaviyo").files[0].path, "klaviyo")
    assert klaviyo["next_purchase_date"] == "2025-04-09"
    assert (klaviyo["winback_flag"], klaviyo["preference_form"]) == ("true", "false")
    assert klaviyo["value_at_risk"] == "12.5"
    (mautic,) = read(shop.export(run, "current", "mautic").files[0].path, "mautic")
    assert mautic["next_purchase_date"] == "2025-04-09 00:00:00"
    assert (mautic["tags"], mautic["doNotEmail"]) == ("rfm_at_risk|winback", "false")
    (braze,) = read(shop.export(run, "current", "braze").files[0].path, "braze")
    assert braze["external_id"] == "jane"
    assert braze["_update_existing_only"] is True
    assert braze["days_until_next_purchase"] == 30
    assert (braze["country"], braze["language"]) == ("NL", "nl")
    (listmonk,) = read(shop.export(run, "current", "listmonk").files[0].path, "listmonk")
    attributes = json.loads(listmonk["attributes"])
    assert listmonk["name"] == "Jane Doe"
    assert (attributes["winback_flag"], attributes["next_purchase_date"]) == (True, "2025-04-09")


def test_what_cannot_be_used_is_left_empty_and_told(shop: Any, kinds: Any, read: Any) -> None:
    odd = {"phone": "06-12345678", "country": "Netherlands", "language": "Dutch"}
    run = shop.run({"jane": {**kinds["treated"], **odd}})
    exported = shop.export(run, "current", "braze")
    (row,) = read(exported.files[0].path, "braze")
    assert "language" not in row
    assert {name: out.contacts for name, out in exported.blanked.items()} == {
        "country": ["jane"],
        "language": ["jane"],
    }
    exported = shop.export(run, "current", "klaviyo")
    assert list(exported.blanked) == ["Phone Number"]
    (row,) = read(exported.files[0].path, "klaviyo")
    assert (row["Phone Number"], row["country"]) == ("", "Netherlands")


def test_no_address_no_row_and_it_is_told(shop: Any, kinds: Any) -> None:
    contacts = {"with": kinds["treated"], "without": {**kinds["treated"], "email": None, "phone": None}}
    run = shop.run(contacts)
    for to in ("klaviyo", "meta"):
        exported = shop.export(run, "current", to, force=True)
        assert exported.rows == 1
        assert exported.left_out["no_key"].contacts == ["without"]
    assert shop.export(run, "current", "braze", force=True).rows == 2


def test_an_address_is_taken_once_for_the_higher_rank(shop: Any, kinds: Any, read: Any) -> None:
    twice = {"email": "Twice@example.com"}
    run = shop.run(
        {
            "first": {**kinds["treated"], **twice, "rank": 1},
            "second": {**kinds["treated"], "email": " twice@Example.com", "rank": 2},
            "third": {**kinds["treated"], "rank": 3, "email": "objected@example.com"},
            "objected": kinds["objected"],
        }
    )
    exported = shop.export(run, "current", "klaviyo")
    assert [row["contact_id"] for row in read(exported.files[0].path, "klaviyo")] == ["first"]
    assert exported.left_out["duplicate_email"].contacts == ["second"]
    assert exported.left_out["refused_address"].contacts == ["third"]


def test_plain_files_have_every_column_best_first(shop: Any, nasty: Any, read: Any) -> None:
    (written,) = shop.export(nasty, "winback", "csv").files
    rows = read(written.path, "csv")
    assert list(rows[0]) == list(WINBACK_SCHEMA)
    assert [row["rank"] for row in rows] == [str(n + 1) for n in range(len(NASTY))]
    assert rows[0]["phone"] == "+31 612345678"
    assert rows[1]["first_name"] == "'=HYPERLINK(1)"
    (written,) = shop.export(nasty, "winback", "parquet").files
    table = pq.read_table(written.path)
    assert table["first_name"].to_pylist() == NASTY
    assert table.schema.field("entered_at").type == pa.date32()


@pytest.mark.parametrize("to", ["klaviyo", "parquet", "csv"])
def test_batches_are_numbered_equal_and_best_first(to: str, shop: Any, nasty: Any, read: Any) -> None:
    exported = shop.export(nasty, "current", to, batches=4)
    assert [f.rows for f in exported.files] == [2, 2, 2, 3]
    assert [f.path.name for f in exported.files] == [f"current-{n}.{to}" for n in (1, 2, 3, 4)]
    ids = [row["contact_id"] for f in exported.files for row in read(f.path, to)]
    assert ids == [f"n{n}" for n in range(len(NASTY))]
    assert len(shop.export(nasty, "current", to, batches=99).files) == len(NASTY)


def small(form: ExportFormat, **limits: Any) -> ExportFormat:
    return replace(form, fields=(column("a"), column("b")), **limits)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.integers(-(10**9), 10**9)
        ),
        max_size=20,
    ),
    st.integers(1, 6),
    st.integers(60, 90),
)
def test_parts_stay_within_their_limits_and_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]], max_rows: int, max_bytes: int
) -> None:
    form = small(FORMATS["csv"], max_rows=max_rows, max_bytes=max_bytes)
    parts = write_parts(rows, form, tmp_path_factory.mktemp("parts"))
    found = []
    for part in parts:
        data = part.path.read_bytes()
        assert len(data) <= max_bytes
        header, *lines = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True)
        assert header == ["a", "b"]
        assert len(lines) == part.rows <= max_rows
        found += lines
    assert [(a.removeprefix("'"), int(b)) for a, b in found] == [(a.removeprefix("'"), b) for a, b in rows]


def test_braze_lines_hold_at_most_75_objects(tmp_path: Path) -> None:
    (part,) = write_parts(((str(n), None) for n in range(151)), small(FORMATS["braze"]), tmp_path)
    lines = [json.loads(line)["attributes"] for line in part.path.read_text("utf-8").splitlines()]
    assert [len(line) for line in lines] == [75, 75, 1]
    assert part.rows == 151
    assert lines[2] == [{"a": "150"}]


def test_mailchimp_texts_end_at_a_character(tmp_path: Path) -> None:
    form = small(FORMATS["mailchimp"])
    (part,) = write_parts([("é" * 200, 1)], form, tmp_path)
    assert part.path.read_text("utf-8").splitlines()[1] == "é" * 127 + ",1"


@given(st.lists(st.integers(0, 5), max_size=6), st.sets(st.integers(0, 20), max_size=4))
@settings(deadline=None, max_examples=30)
def test_parquet_parts_lose_nothing(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], starts: set[int]
) -> None:
    schema = pa.schema({"n": pa.int64()})
    total = sum(sizes)
    batches = [
        pa.record_batch({"n": list(range(sum(sizes[:i]), sum(sizes[: i + 1])))}, schema)
        for i in range(len(sizes))
    ]
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    parts = write_parquet_parts(reader, tmp_path_factory.mktemp("parts"), sorted(starts))
    found = [pq.read_table(part.path)["n"].to_pylist() for part in parts]
    assert [n for part in found for n in part] == list(range(total))
    assert [part[0] for part in found if part] == [n for n in sorted({0, *starts}) if n < total]


def test_a_file_that_cannot_be_written_is_told_and_nothing_is_left(
    shop: Any, nasty: Any, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    before = sorted(p.name for p in tmp_path.iterdir())
    for out in (tmp_path / "no" / "such" / "list.csv", tmp_path / "taken"):
        with pytest.raises(ConfigError, match="cannot be written"):
            shop.export(nasty, "current", "csv", out=out)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_nothing_is_left_of_an_export_that_broke(tmp_path: Path) -> None:
    def breaks() -> None:
        with staged(tmp_path / "x.csv") as folder:
            (folder / "0").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert list(tmp_path.iterdir()) == []


def test_the_ending_names_the_plain_format(tmp_path: Path, nasty: Any) -> None:
    assert format_of(Path("a.CSV")) == "csv"
    for name in ("a.xlsx", "a.klaviyo", "a"):
        with pytest.raises(ConfigError, match=r"\.csv or \.parquet"):
            format_of(Path(name))
    assert export_list(nasty, "winback", "csv", tmp_path / "a.csv") == len(NASTY)


def test_a_row_that_was_made_nobodys_is_no_tools(shop: Any, kinds: Any, tmp_path: Path) -> None:
    days, home = {}, tmp_path / "home"
    for day in (date(2025, 3, 9), date(2025, 3, 10)):
        run = shop.run({"erased": kinds["treated"], "jane": kinds["treated"]}, day)
        (folder := home / "runs" / str(day) / "aa").parent.mkdir(parents=True)
        run.folder.rename(folder)
        (folder / "run.json").write_text('{"schema_version": 1}', encoding="utf-8")
        days[day] = replace(run, folder=folder)
    before, run = days.values()
    erase(home, ["erased"])
    assert shop.export(run, "current", "csv").rows == 2, "the shop's own record keeps its totals"
    assert shop.export(run, "current", "braze").rows == 1
    for to in ("csv", "braze"):
        assert shop.export(run, "current", to, before).rows == 0, "nobody is nobody's change"


def test_every_source_is_a_column_that_there_is() -> None:
    made = {"winback_flag", "exclude_from_regular", "preference_form", "retargeting", "email_allowed"}
    made |= {"days_until_next_purchase"}
    assert set(PROFILE) <= set(WINBACK_SCHEMA)
    for form in FORMATS.values():
        assert set(form.sources) <= set(WINBACK_SCHEMA) | made
        assert set(form.key) <= {field.name for field in form.fields}
