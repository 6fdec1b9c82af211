"""Times by the contact's own clock, held against Python's, one by one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from winback_features.zones import in_own_zones

EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
moments = st.datetimes(datetime(1995, 1, 1), datetime(2035, 1, 1)).map(lambda moment: moment.replace(fold=0))
zones = st.sampled_from(
    ["Europe/Amsterdam", "Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "UTC"]
)


@settings(deadline=None)  # a zone is looked up once
@given(st.lists(st.tuples(moments, zones), min_size=1, max_size=20), zones)
def test_each_time_is_what_the_clock_on_the_contacts_wall_showed(facts, home):
    at = np.array([(moment - EPOCH) // MICROSECOND for moment, _ in facts])
    found = in_own_zones(at, np.arange(len(facts)), pa.array([zone for _, zone in facts]), home)
    for (moment, zone), shown in zip(facts, found.tolist(), strict=True):
        instant = moment.replace(tzinfo=ZoneInfo(home)).astimezone(UTC)
        if instant.astimezone(ZoneInfo(home)).replace(tzinfo=None) != moment:
            continue  # no clock ever showed it
        own = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert EPOCH + shown * MICROSECOND == own


def test_no_zone_and_no_times():
    nobody = np.zeros(0, np.int64)
    assert len(in_own_zones(nobody, nobody, pa.array([], pa.string()), "UTC")) == 0
    assert in_own_zones(np.array([5]), np.array([0]), pa.array([None], pa.string()), "UTC").tolist() == [5]
