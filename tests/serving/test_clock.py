"""A clock that jumps is told in words, before it publishes a day that readers take for the newest."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winback_features.errors import ConfigError
from winback_serving.clock import LEAP_DAYS, check_day

TODAY = date(2026, 3, 9)
DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@pytest.mark.parametrize("newest", [None, TODAY, ago(1), ago(LEAP_DAYS)])
def test_an_ordinary_morning_passes(newest: date | None) -> None:
    assert check_day(None, TODAY, newest) is None
    assert check_day(TODAY, TODAY, newest) is None
    assert check_day(TODAY + timedelta(days=1), TODAY, newest) is None, "the evening before"


def test_a_clock_that_went_back_is_refused_and_says_how_to_go_on() -> None:
    with pytest.raises(
        ConfigError, match="It says 2026-03-09, and a run of 2026-03-10 is published"
    ) as caught:
        check_day(None, TODAY, ago(-1))
    assert "`winback runs withdraw 2026-03-10`" in caught.value.how
    assert "--as-of 2026-03-09" in caught.value.how
    assert caught.value.exit_code == 2


def test_a_clock_that_leapt_ahead_is_refused_until_the_day_is_said() -> None:
    with pytest.raises(ConfigError, match="32 days after the last run") as caught:
        check_day(None, TODAY, ago(LEAP_DAYS + 1))
    assert "--as-of 2026-03-09" in caught.value.how
    assert check_day(TODAY, TODAY, ago(LEAP_DAYS + 1)) is None


def test_a_day_ahead_of_the_clock_is_refused() -> None:
    with pytest.raises(ConfigError, match="what happens until 2026-03-11 is not known yet"):
        check_day(ago(-2), TODAY, None)


def test_scoring_an_old_day_again_is_allowed_with_a_word() -> None:
    assert "up to 2026-03-04" in str(check_day(ago(9), TODAY, ago(5)))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(today=DAYS, newest=DAYS)
def test_without_a_day_nothing_older_than_the_newest_run_is_ever_scored(today: date, newest: date) -> None:
    try:
        check_day(None, today, newest)
    except ConfigError:
        assert today < newest or (today - newest).days > LEAP_DAYS
    else:
        assert 0 <= (today - newest).days <= LEAP_DAYS
