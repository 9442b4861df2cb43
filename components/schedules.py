"""A schedule in the data factory's words: pure.

Workloads give Quartz cron, which Databricks takes as it is. The data factory's recurrence says less, so that only those
schedules can be told that name minutes and hours, every day or on days of the week.
"""

from __future__ import annotations

import re
from typing import Any

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
START = "2026-01-01T00:00:00Z"
"""Since when recurrences count: any moment in the past, the same for ever."""


class ScheduleError(ValueError):
    """A schedule that the data factory cannot have; the text says which part of it."""


Recurrence = dict[str, Any]


def recurrence(quartz: str) -> Recurrence:
    """The recurrence of a Quartz expression (`second minute hour day month weekday`, UTC). Raises ScheduleError."""
    parts = quartz.split()
    if len(parts) not in (6, 7) or parts[6:] not in ([], ["*"]):
        raise ScheduleError(f"schedule {quartz!r}: it takes six parts (second minute hour day month weekday)")
    second, minute, hour, day, month, weekday = parts[:6]
    for part, text in (("second", second), ("day", day), ("month", month)):
        if text not in {"second": ("0",), "day": ("*", "?"), "month": ("*",)}[part]:
            raise ScheduleError(f"schedule {quartz!r}: the data factory cannot have the {part} {text!r}")
    when: dict[str, Any] = {
        "minutes": _numbers(quartz, "minute", minute, 60),
        "hours": _numbers(quartz, "hour", hour, 24),
    }
    frequency = "Day"
    if weekday not in ("*", "?"):
        frequency, when["week_days"] = "Week", [_day(quartz, name) for name in weekday.split(",")]
    return {"frequency": frequency, "interval": 1, "start_time": START, "time_zone": "UTC", "schedule": when}


def _numbers(quartz: str, part: str, text: str, end: int) -> list[int]:
    """The numbers that `*`, `a,b`, `a/step` or `*/step` stand for, below `end`."""
    found = re.fullmatch(r"(\*|\d{1,2})/(\d{1,2})", text)
    if text == "*":
        return list(range(end))
    if found and int(found[2]):
        numbers = list(range(0 if found[1] == "*" else int(found[1]), end, int(found[2])))
    elif re.fullmatch(r"\d{1,2}(,\d{1,2})*", text):
        numbers = sorted({int(number) for number in text.split(",")})
    else:
        numbers = []
    if not numbers or numbers[-1] >= end:
        raise ScheduleError(f"schedule {quartz!r}: the data factory cannot have the {part} {text!r}")
    return numbers


def _day(quartz: str, name: str) -> str:
    """A day of the week, which Quartz writes as `MON`, or as a number from 1 for Sunday."""
    for number, day in enumerate(DAYS, 1):
        if name.upper() in (day[:3].upper(), str(number)):
            return day
    raise ScheduleError(f"schedule {quartz!r}: the data factory cannot have the weekday {name!r}")
