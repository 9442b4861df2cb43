"""Runs of a Quartz cron expression in an average month."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.pricing import quartz


@pytest.mark.parametrize(
    ("expression", "runs"),
    [
        ("0 0 2 * * ?", 365 / 12),
        ("0 0 2 * * ? *", 365 / 12),
        ("0 30 */6 * * ?", 4 * 365 / 12),
        ("0 0/15 8-17 ? * MON-FRI", 4 * 10 * 5 * 365 / 7 / 12),
        ("0 0 0 ? * FRI-MON", 4 * 365 / 7 / 12),
        ("0 0 0 ? * 2,4", 2 * 365 / 7 / 12),
        ("0 0 0 1,15 * ?", 2),
        ("0 0 0 31 * ?", 7 / 12),
        ("0 0 0 29 2 ?", 0),
        ("0 0 0 L * ?", 1),
        ("0 0 0 L-3 * ?", 1),
        ("0 0 0 LW * ?", 1),
        ("0 0 0 15W JAN,JUL ?", 2 / 12),
        ("0 0 0 ? * 6L", 1),
        ("0 0 0 ? * FRI#3", 1),
        ("0 0 0 ? * MON#5", 365 / 7 / 12 - 4),
        ("0 0 0 ? * L", 365 / 7 / 12),
    ],
)
def test_expressions(expression, runs):
    assert quartz.runs_a_month(expression) == pytest.approx(runs)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("0 2 * * *", "six fields"),
        ("", "six fields"),
        ("0 0 2 * * *", "day of month or day of week is [?], not both"),
        ("0 0 2 ? * ?", "day of month or day of week is [?], not both"),
        ("0 0 2 * * ? 2027", "names a year"),
        ("0 0 24 * * ?", "is no Quartz cron expression$"),
        ("0 0 2 0 * ?", "is no Quartz cron expression$"),
        ("0 0 2 ? * MON#6", "is no Quartz cron expression$"),
        ("0 0 2 ? * FOO", "is no Quartz cron expression$"),
        ("0 0/0 2 * * ?", "is no Quartz cron expression$"),
    ],
)
def test_what_quartz_would_not_take(expression, problem):
    with pytest.raises(quartz.CronError, match=problem):
        quartz.runs_a_month(expression)


def subset(least, most):
    return st.sets(st.integers(least, most), min_size=1, max_size=6)


def listed(numbers):
    return ",".join(map(str, sorted(numbers)))


@settings(max_examples=60)
@given(minutes=subset(0, 59), hours=subset(0, 23), days=subset(1, 31), months=subset(1, 12))
def test_days_of_a_month_are_counted_one_by_one(minutes, hours, days, months):
    year = [(month, day) for month in range(1, 13) for day in range(1, quartz.DAYS[month - 1] + 1)]
    fires = len([1 for month, day in year if month in months and day in days]) * len(minutes) * len(hours)
    expression = f"0 {listed(minutes)} {listed(hours)} {listed(days)} {listed(months)} ?"
    assert quartz.runs_a_month(expression) == pytest.approx(fires / 12)


@settings(max_examples=60)
@given(start=st.integers(0, 59), step=st.integers(1, 60), weekdays=subset(1, 7))
def test_steps_and_weekdays(start, step, weekdays):
    fires = len(range(start, 60, step)) * len(weekdays) * 365 / 7
    assert quartz.runs_a_month(f"0 {start}/{step} 5 ? * {listed(weekdays)}") == pytest.approx(fires / 12)
