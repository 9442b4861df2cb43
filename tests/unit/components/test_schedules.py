"""Schedules in the data factory's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.schedules import DAYS, ScheduleError, recurrence


@given(hours=st.sets(st.integers(0, 23), min_size=1), minutes=st.sets(st.integers(0, 59), min_size=1))
def test_every_day_at_these_hours_and_minutes(hours, minutes):
    text = f"0 {','.join(map(str, minutes))} {','.join(map(str, hours))} * * ?"
    assert recurrence(text) == {
        "frequency": "Day",
        "interval": 1,
        "start_time": "2026-01-01T00:00:00Z",
        "time_zone": "UTC",
        "schedule": {"minutes": sorted(minutes), "hours": sorted(hours)},
    }


@pytest.mark.parametrize(
    ("quartz", "minutes", "hours"),
    [
        ("0 0/20 * * * ?", [0, 20, 40], list(range(24))),
        ("0 */30 3 * * ? *", [0, 30], [3]),
        ("0 5 2/10 * * ?", [5], [2, 12, 22]),
    ],
)
def test_steps_are_told_number_by_number(quartz, minutes, hours):
    assert recurrence(quartz)["schedule"] == {"minutes": minutes, "hours": hours}


@pytest.mark.parametrize("weekdays", ["MON,fri", "2,6"])
def test_days_of_the_week(weekdays):
    found = recurrence(f"0 0 2 ? * {weekdays}")
    assert found["frequency"] == "Week"
    assert found["schedule"]["week_days"] == ["Monday", "Friday"]
    assert recurrence("0 0 2 ? * 1")["schedule"]["week_days"] == [DAYS[0]]


@pytest.mark.parametrize(
    ("quartz", "message"),
    [
        ("0 0 2 * *", "it takes six parts (second minute hour day month weekday)"),
        ("30 0 2 * * ?", "the data factory cannot have the second '30'"),
        ("0 60 2 * * ?", "the data factory cannot have the minute '60'"),
        ("0 0 24 * * ?", "the data factory cannot have the hour '24'"),
        ("0 0 2/0 * * ?", "the data factory cannot have the hour '2/0'"),
        ("0 0 2 L * ?", "the data factory cannot have the day 'L'"),
        ("0 0 2 * 6 ?", "the data factory cannot have the month '6'"),
        ("0 0 2 ? * 8", "the data factory cannot have the weekday '8'"),
    ],
)
def test_what_the_data_factory_cannot_have_is_named(quartz, message):
    with pytest.raises(ScheduleError) as error:
        recurrence(quartz)
    assert str(error.value) == f"schedule {quartz!r}: {message}"
