"""How often a Quartz cron expression fires in an average month.

Source: https://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html. A year has 365 days and
every weekday a seventh of each month, so that a daily schedule fires 365 / 12 = 30.42 times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
NAMES: Mapping[str, int] = {name: i + 1 for names in (MONTHS, WEEKDAYS) for i, name in enumerate(names)}

ONE_DAY_OF_MONTH = re.compile(r"L(-\d+)?|LW|(\d+)W")
ONE_WEEKDAY = re.compile(r"(?P<day>\d|[A-Z]{3})(?:(?P<last>L)|#(?P<nth>[1-5]))")


class CronError(ValueError):
    """An expression that Quartz would not take, or that names a year; the text quotes it."""


def runs_a_month(expression: str) -> float:
    """How often the expression fires in an average month. Raises CronError."""
    fields = expression.upper().split()
    if len(fields) == 7 and fields.pop() != "*":
        raise CronError(f"{expression!r} names a year: it does not fire every month")
    if len(fields) != 6:
        raise CronError(f"{expression!r} is no Quartz cron expression: it has six fields, or seven with a year")
    second, minute, hour, day, month, weekday = fields
    if (day == "?") == (weekday == "?"):
        raise CronError(f"{expression!r} is no Quartz cron expression: day of month or day of week is ?, not both")
    try:
        a_day = len(_values(second, 0, 59)) * len(_values(minute, 0, 59)) * len(_values(hour, 0, 23))
        months = _values(month, 1, 12)
        days = sum(_days(day, DAYS[m - 1]) if weekday == "?" else _weekdays(weekday, DAYS[m - 1]) for m in months)
    except ValueError:
        raise CronError(f"{expression!r} is no Quartz cron expression") from None
    return a_day * days / 12


def _values(text: str, least: int, most: int) -> set[int]:
    """The numbers that a field stands for. Ranges may go round the end (FRI-MON). Raises ValueError."""
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start = least if first == "*" else _number(first, least, most)
        end = _number(last, least, most) if last else (most if first == "*" or step else start)
        if end < start:
            end += most - least + 1
        if step and int(step) < 1:
            raise ValueError(step)
        found |= {(n - least) % (most - least + 1) + least for n in range(start, end + 1, int(step or 1))}
    return found


def _number(text: str, least: int, most: int) -> int:
    number = NAMES[text] if text in NAMES else int(text)
    if not least <= number <= most:
        raise ValueError(text)
    return number


def _days(text: str, length: int) -> float:
    """Days of a month of that length on which the field for its days fires."""
    if special := ONE_DAY_OF_MONTH.fullmatch(text):
        return float(int(special[2] or 1) <= length)
    return float(len([day for day in _values(text, 1, 31) if day <= length]))


def _weekdays(text: str, length: int) -> float:
    """Days of a month of that length, on average, on which the field for days of the week fires."""
    if special := ONE_WEEKDAY.fullmatch(text):
        _number(special["day"], 1, 7)
        return length / 7 - 4 if special["nth"] == "5" else 1.0
    if text == "L":
        text = "SAT"
    return len(_values(text, 1, 7)) * length / 7
