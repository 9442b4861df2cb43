"""Heads as nearly all lines have them, read by the places of their characters, or by a pattern of few groups.

`header` reads heads of any form. Patterns of more than four groups are beyond RE2's fast engine
(`kMaxOnePassCapture` in its `prog.h`): heads of generated logs took 9.0 µs by them alone, and take 3.0. What is read
here is read there alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workloads.ssh_logs import months
from workloads.ssh_logs.months import ENGLISH, MONTHS

YEAR = r"(?:19|20)\d{2}"
WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
# What a line of syslog begins with, at a glance: a priority, or a time of nearly any form.
BEGINS = (
    rf"(?:<\d{{1,3}}>|(?:{WEEKDAY} +)?(?:{months.PATTERN}) {{1,2}}\d{{1,2}} (?:{YEAR} )?\d\d:"
    rf"|\[?{YEAR}-\d\d-\d\d[T ]\d\d:)"
)
SECOND = 1_000_000  # microseconds
LONGEST_NAME = 128  # characters of a process

Numbers = dict[str, np.ndarray]

_DIGITS = {"year": 4, "month": 2, "day": 2, "hour": 2, "minute": 2, "second": 2, "fraction": 6, "zone_hour": 2}
_MONTH_CODES = np.array([int.from_bytes(month.encode(), "big") for month in MONTHS])
_BY_CODE = np.argsort(_MONTH_CODES)


@dataclass(frozen=True)
class Stamp:
    """A form of time at the beginning of a line, of always as many bytes; where the first digit of each number is."""

    pattern: str
    length: int
    places: dict[str, int]
    zone: int | None = None  # where the sign of its offset from UTC is
    month: int | None = None  # where the name of its month is

    def numbers(self, texts: pa.Array) -> Numbers:
        """The numbers that the times of texts, all of this form, are made of: `year` and `month` and so on, `micros`
        from the minute's beginning, and `offset` from UTC, where the form has one."""
        starts = np.frombuffer(texts.buffers()[1], np.int32, len(texts), 4 * texts.offset)
        data = np.frombuffer(texts.buffers()[2], np.uint8)
        letters = data[starts[:, None] + np.arange(self.length, dtype=np.int32)].astype(np.int64)
        # A blank stands for the first digit of a day before the tenth.
        digits = np.maximum(letters - ord("0"), 0)
        found = {
            name: digits[:, at : at + _DIGITS[name]] @ 10 ** np.arange(_DIGITS[name])[::-1]
            for name, at in self.places.items()
        }
        found["micros"] = found.pop("second") * SECOND + found.pop("fraction", 0)
        if self.month is not None:
            codes = letters[:, self.month : self.month + 3] @ 256 ** np.arange(3)[::-1]
            found["month"] = _BY_CODE[np.searchsorted(_MONTH_CODES, codes, sorter=_BY_CODE)] + 1
        if self.zone is not None:
            minutes = found.pop("zone_hour") * 60 + digits[:, self.zone + 4 : self.zone + 6] @ (10, 1)
            found["offset"] = np.where(letters[:, self.zone] == ord("-"), -minutes, minutes).astype("timedelta64[m]")
        return found


CLOCK = r"\d\d:\d\d:\d\d"
_ISO, _ZONE = rf"\A\d{{4}}-\d\d-\d\d[T ]{CLOCK}", r"[+-](?:0\d|1[0-7]):[0-5]\d "
_ISO_PLACES = {"year": 0, "month": 5, "day": 8, "hour": 11, "minute": 14, "second": 17}
STAMPS = (
    Stamp(rf"\A{ENGLISH} [ \d]\d {CLOCK} ", 15, {"day": 4, "hour": 7, "minute": 10, "second": 13}, month=0),
    Stamp(rf"{_ISO}\.\d{{6}}{_ZONE}", 32, {**_ISO_PLACES, "fraction": 20, "zone_hour": 27}, zone=26),
    Stamp(rf"{_ISO}{_ZONE}", 25, {**_ISO_PLACES, "zone_hour": 20}, zone=19),
)

# ` host process[pid]: ` before anything but a blank or a bracket, in which Solaris has the number of a message; and a
# host that may be facility and level, which stand in the same place.
_ORIGIN = r"\A (?P<host>[0-9A-Za-z._-]+) (?P<process>[0-9A-Za-z._/-]+)\[(?P<pid>\d{1,10})\]: [^\[ ]"
_LEVEL = r"\A [a-z]+\d?\.[a-z]{3,7} "
_AROUND = len("  []: ")


def has_origin(rest: pa.Array) -> np.ndarray:
    """Which texts, what follows a time, begin with an origin as nearly all have it; none that is null."""
    seen = pc.and_not(pc.match_substring_regex(rest, _ORIGIN), pc.match_substring_regex(rest, _LEVEL))
    # The first of these ends the origin, so that no process has too long a name.
    short = pc.less_equal(pc.find_substring(rest, "]: "), LONGEST_NAME)
    return np.asarray(pc.and_(seen, short).fill_null(False))


def origins(rest: pa.Array) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Where the messages begin that follow such origins, and what these name."""
    groups = pc.extract_regex(rest, _ORIGIN)
    found = dict(zip(groups.type.names, groups.flatten(), strict=True))
    lengths = sum(pc.binary_length(texts).to_numpy() for texts in found.values())
    return lengths + _AROUND, found | {"module": pa.nulls(len(rest), pa.string())}
