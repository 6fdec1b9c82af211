"""The daily job with a campaign log: reactions and incentives know of it, and no score."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from winback_features import parts
from winback_features.files import file_digest
from winback_policy.incentives import INCENTIVE_TIERS
from winback_serving.batch import score_day
from winback_serving.settings import load_settings
from winback_serving.store import PublishedRun

ENTRY, THEN = date(1998, 6, 1), date(1998, 6, 3)
HEADER = "contact_id,sent_at,channel,incentive\n"


@pytest.mark.parametrize("rows_per_part", [parts.ROWS_PER_PART, pytest.param(200, marks=pytest.mark.slow)])
def test_what_the_log_says_was_sent_changes_the_treatment_and_no_score(
    tmp_path: Path,
    write_shop: Callable[..., Path],
    rule_model: Any,
    monkeypatch: pytest.MonkeyPatch,
    rows_per_part: int,
) -> None:
    monkeypatch.setattr(parts, "ROWS_PER_PART", rows_per_part)
    path = write_shop(tmp_path)
    path.write_text(path.read_text().replace("[source]\n", '[source]\ncampaign_log = "log.csv"\n'))
    settings, log = load_settings(path, {}), path.parent / "log.csv"
    log.write_text(HEADER)
    first = score_day(settings, ENTRY, rule_model(), "digest")
    entered = pq.read_table(first.file("entries")).to_pylist()
    treated = sorted(row["contact_id"] for row in entered if row["arm"] == "treatment")
    assert len(treated) > 3
    silent = score_day(settings, THEN, rule_model(), "digest")
    written_to, others = treated[::2], treated[1::2]
    log.write_text(HEADER + "".join(f"{who},1998-06-01 10:00:00,email,voucher\n" for who in written_to))
    known = score_day(settings, THEN, rule_model(), "digest")
    assert known.run_id != silent.run_id
    assert file_digest(known.file("scores")) == file_digest(silent.file("scores"))
    before, after = (
        {row["contact_id"]: row for row in pq.read_table(run.file("winback")).to_pylist()}
        for run in (silent, known)
    )
    stay = [who for who in written_to if after[who]["state"] == "in_winback"]
    assert stay
    assert {(after[who]["last_reaction"], after[who]["tone"]) for who in stay} == {("ignored", "new_subject")}
    assert {before[who]["last_reaction"] for who in stay} == {None}
    assert all(after[who] == before[who] for who in others)
    at_first, unknown, told = (offered(run) for run in (first, silent, known))
    stands = {who: max(at_first[who], unknown[who] - 1) for who in stay}
    assert {who: told[who] for who in stay} == stands, "what was offered on the first day is not taken back"
    assert any(stands.values())

    log.write_text(HEADER + "".join(f"{who},1998-05-01 10:00:00,email,voucher\n" for who in written_to))
    earlier = offered(score_day(settings, ENTRY, rule_model(), "digest"))
    assert {who: earlier[who] for who in written_to} == {who: max(0, at_first[who] - 1) for who in written_to}


def offered(run: PublishedRun) -> dict[str, int]:
    """Return the place of everybody's tier."""
    rows = pq.read_table(run.file("winback"), columns=["contact_id", "incentive_tier"]).to_pylist()
    return {row["contact_id"]: INCENTIVE_TIERS.index(row["incentive_tier"]) for row in rows}
