"""Registered experiments: one at a time, arms by their shares, stable by contact."""

from datetime import date

import ibis
import pyarrow as pa
import pytest

from winback_features.errors import ConfigError
from winback_policy.config import PolicyConfig
from winback_policy.outcomes.experiments import Experiment, draw_variant, running

FIRST, LAST = date(2026, 1, 1), date(2026, 4, 1)


def made(name: str = "gift", starts: date = FIRST, ends: date = LAST, **more) -> Experiment:
    return Experiment(
        name, "A gift brings more back.", more.pop("arms", ("a", "b", "c")), starts, ends, **more
    )


def test_arms_come_by_their_shares_and_stay() -> None:
    backend = ibis.duckdb.connect()
    contacts = backend.create_table("contacts", pa.table({"contact_id": [f"c{n}" for n in range(20_000)]}))
    gift = made(shares=(0.2, 0.3, 0.5))
    drawn = contacts.select("contact_id", arm=draw_variant(contacts.contact_id, gift)).to_pyarrow()
    counts = {row["values"]: row["counts"] for row in drawn["arm"].value_counts().to_pylist()}
    assert {arm: n / 20_000 for arm, n in counts.items()} == pytest.approx(gift.share_of, abs=0.015)
    again = contacts.select("contact_id", arm=draw_variant(contacts.contact_id, gift)).to_pyarrow()
    other = contacts.select("contact_id", arm=draw_variant(contacts.contact_id, made("other"))).to_pyarrow()
    assert again.equals(drawn)
    assert not other["arm"].equals(drawn["arm"])


def test_the_first_day_is_in_and_the_last_is_not() -> None:
    gift = made()
    assert running([gift], FIRST) is gift
    assert running([gift], LAST) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"arms": ("a",)},
        {"arms": ("a", "a")},
        {"shares": (0.5, 0.5)},
        {"shares": (0.5, 0.4, 0.3)},
        {"ends": FIRST},
        {"name": " "},
    ],
)
def test_what_is_no_experiment_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        made(**wrong)


def test_two_on_one_day_or_of_one_name_are_refused() -> None:
    later = made("later", date(2026, 3, 1), date(2026, 6, 1))
    with pytest.raises(ConfigError, match="before gift ends"):
        PolicyConfig(experiments=(later, made()))
    with pytest.raises(ConfigError, match="one name"):
        PolicyConfig(experiments=(made(), made(starts=LAST, ends=date(2026, 6, 1))))
