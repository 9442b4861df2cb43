"""The head of a syslog line: time, host, process, pid — by Arrow's kernels, a batch of lines at a time.

Three forms are read: BSD syslog (`Dec 10 06:55:46 host sshd[1]: …`, RFC 3164; also with a weekday, a year, fractions of
a second, facility and level, or without the host), the same with ISO 8601 times, and RFC 5424. The patterns are RE2's,
which takes time in proportion to a line whatever it holds: a line may be a megabyte of anything. It is fast where it
captures few characters, so that patterns end where the head does, and the rest is cut off by its position.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from workloads.lakehouse.batches import mapped

MAX_LINE_BYTES = 2**20
BLANKS = " \t\r"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LONGEST_NAME = 128  # characters of a process
LEAP_GAP = 8  # years from one leap year to the next, at most
MINUTE, HOUR = 60_000_000, 3_600_000_000  # microseconds
PYTHON_TIMES = np.datetime64("0001-01-01"), np.datetime64("9999-12-31")  # those that it has
LARGEST_OFFSET = 18 * 60  # minutes that a zone is from UTC, at most (ISO 8601 sets no bound; this is Java's)

RULES = {
    "too-long": "the line is longer than 1 MiB",
    "binary": "the line holds a NUL byte: it is no text",
    "blank": "the line is blank",
    "no-header": "the line has no syslog header",
    "bad-time": "the line's date or time does not exist",
    "damaged-gzip": "the gzip file is damaged",
}

_BLANK = r" \t\n\x0b\f\r"  # all of ASCII: RE2's own \s lacks \x0b
_TOKEN = rf"[^{_BLANK}]"
# Structured data may hold brackets in quotes, and quotes after a backslash (RFC 5424, 6.3.3).
_DATA = r"\[[^\]\"]*(?:\"(?:[^\"\\]|\\.)*\"[^\]\"]*){0,32}\]"
RFC5424 = (
    rf"(?s)\A<\d{{1,3}}>\d{{1,2}} ({_TOKEN}+) ({_TOKEN}+) ({_TOKEN}+) ({_TOKEN}+) {_TOKEN}+ "
    rf"(?:-|(?:{_DATA}){{1,16}}) ?\x{{feff}}?(.*)\z"
)
_YEAR = r"(?:19|20)\d{2}"  # some write it after the day, others after the time
_START = r"\A(?P<stamp>(?:<\d{1,3}>)?(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +)?"
_CLOCK = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
BSD = (
    rf"{_START}(?P<month>{'|'.join(MONTHS)}) {{1,2}}(?P<day>\d{{1,2}})(?: (?P<year>{_YEAR}))? "
    rf"{_CLOCK}(?:\.(?P<fraction>\d{{1,6}}))?\d{{0,3}}(?: (?P<late_year>{_YEAR}))?) "
)
ISO = (
    rf"{_START}(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})[T ]"
    rf"{_CLOCK}(?:[.,](?P<fraction>\d{{1,9}}))?(?P<offset>Z|[+-]\d{{2}}(?::?\d{{2}})?)?) "
)
# Not every syslog names the host; BusyBox, FreeBSD and AIX name facility and level, Solaris the number of the message.
_FACILITY = r"(?:auth|authpriv|security|daemon|user|syslog|local\d)"
_DOTTED = rf"{_FACILITY}\.[a-z]{{3,7}}"
_PRIORITY = rf"(?:{_DOTTED}|(?:auth\|security|{_FACILITY}):[a-z]{{3,7}})"
_BRACKETED = rf"<(?:{_DOTTED}|\d{{1,2}}\.\d)>"
_NAME = rf"[^{_BLANK}\[\]():]"
ORIGIN = (
    rf"\A(?P<origin>(?: +{_BRACKETED})?(?: +{_PRIORITY}| +(?P<host>{_TOKEN}*[^{_BLANK}:])(?: +{_PRIORITY})?)?"
    rf" +(?:\[?(?P<process>{_NAME}+)\]?(?:\((?P<module>[^(){_BLANK}]*)\))?(?:\[(?:(?P<pid>\d{{1,10}})|-)\])?: ?)?"
    r"(?:\[ID \d{1,10} \w{1,16}\.\w{1,16}\] )?)"
)
# With bounds it takes RE2 four times as long.
BOUNDED = ORIGIN.replace(f"{_NAME}+", f"{_NAME}{{1,{LONGEST_NAME}}}")
# The process by its name alone: some are logged with their path.
DAEMON = r"(?:\A|/)(?:sshd|sshd-session|sshd-auth)\z"
# Lines of which it can be said at a glance that they break no rule. Days go up to the 28th only, for every month has
# these.
_SOUND_DAY, _SOUND_CLOCK = r"(?:0?[1-9]|1\d|2[0-8])", r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_SOUND_OFFSET = r"(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)?"
SOUND = (
    rf"^(?:(?:{'|'.join(MONTHS)}) {{1,2}}{_SOUND_DAY} {_SOUND_CLOCK}"
    rf"|20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])[T ]{_SOUND_CLOCK}(?:\.\d{{1,6}})?{_SOUND_OFFSET})"
    r" +[!-~]+ +[!-~][^\x00]*$"
)
SOUND_BYTES = 4_096  # the longest line of which it is said: it is surely not too long

FIELDS = (
    "rule STRING, event_time TIMESTAMP, event_date DATE, host STRING, process STRING, module STRING, pid BIGINT, "
    "is_sshd BOOLEAN, message STRING"
)


def parse(lines: DataFrame, time_zone: str, year: int) -> DataFrame:
    """Adds to raw lines the fields of their heads, and `rule`: the rule that a line breaks, or null.

    `lines` has raw, text, damaged_text and not_after, the moment that a time without a year is not after. Messages lose
    trailing blanks. `year` 0 takes the latest year possible, and 29 February for the latest leap year possible.
    """

    def heads(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return map(partial(read, time_zone=time_zone, year=year), batches)

    return mapped(lines, heads, StructType([*lines.schema, *StructType.fromDDL(FIELDS)]))


def read(lines: pa.RecordBatch, time_zone: str, year: int) -> pa.RecordBatch:
    """What `parse` does, for a batch."""
    bare = pc.ascii_rtrim(lines["text"], BLANKS)
    broken = _rule_of_bytes(lines["raw"], lines["text"], bare)
    asked = _canonical(pc.if_else(broken.is_null(), bare, pa.scalar(None, pa.string())))
    ends, moments = _stamps(asked, lines["not_after"], time_zone, year)
    rest = _after(asked, ends)
    origin = _origin(rest)
    process = _present(origin["process"])
    fields = {
        "rule": pc.coalesce(
            broken, _named("no-header", rest.is_null()), _named("bad-time", pa.array(np.isnat(moments)))
        ),
        "event_time": pa.array(moments, pa.timestamp("us", "UTC")),
        "event_date": pa.array(moments.astype("datetime64[D]"), pa.date32()),
        "host": _present(origin["host"]),
        "process": process,
        "module": _present(origin["module"]),
        "pid": _present(origin["pid"]).cast(pa.int64()),
        "is_sshd": pc.match_substring_regex(process, DAEMON).fill_null(False),
        "message": _after(rest, pc.binary_length(origin["origin"]).fill_null(-1).to_numpy()),
    }
    return pa.RecordBatch.from_arrays([*lines.columns, *fields.values()], [*lines.schema.names, *fields])


def doubtful(lines: pa.RecordBatch) -> pa.RecordBatch:
    """The lines of which it cannot be said at a glance that they break no rule."""
    text = lines["text"]
    short = pc.less_equal(pc.binary_length(text), SOUND_BYTES)
    return lines.filter(pc.invert(pc.and_(short, pc.match_substring_regex(text, SOUND))))


def _rule_of_bytes(raw: pa.Array, text: pa.Array, bare: pa.Array) -> pa.Array:
    size = pc.coalesce(pc.binary_length(raw), pc.binary_length(text))
    broken = {
        "too-long": pc.greater(size, MAX_LINE_BYTES),
        "binary": pc.match_substring(text, "\0"),
        "blank": pc.equal(bare, ""),
    }
    return pc.coalesce(*(_named(rule, breaks) for rule, breaks in broken.items()))


def _named(rule: str, breaks: pa.Array) -> pa.Array:
    """The rule where it is broken, else null."""
    return pc.if_else(breaks, rule, pa.scalar(None, pa.string()))


def _present(texts: pa.Array) -> pa.Array:
    """Groups of a pattern, null where they took no part."""
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _after(texts: pa.Array, starts: np.ndarray) -> pa.Array:
    """What follows byte `starts` of each text, null where that is negative."""
    count = len(texts)
    offsets = np.frombuffer(texts.buffers()[1], np.int32, count + 1, 4 * texts.offset)
    # Each text as two, of which nothing is copied: what is before, and what follows.
    bounds = np.repeat(offsets, 2)[:-1]
    bounds[1::2] += np.maximum(starts, 0).astype(np.int32)
    halves = pa.StringArray.from_buffers(2 * count, pa.py_buffer(bounds), texts.buffers()[2] or pa.py_buffer(b""))
    return halves.take(pa.array(np.arange(1, 2 * count, 2), mask=starts < 0))


def _canonical(texts: pa.Array) -> pa.Array:
    """Lines of RFC 5424 in the form of the others."""
    with_priority = pc.starts_with(texts, "<").fill_null(False)
    if not with_priority.true_count:
        return texts
    written = pc.replace_substring_regex(texts.filter(with_priority), RFC5424, r"\1 \2 \3[\4]: \5")
    return pc.replace_with_mask(texts, with_priority, written)


def _origin(rest: pa.Array) -> dict[str, pa.Array]:
    """What is between time and message: the groups of ORIGIN, where no process has a longer name than one has."""
    origin = pc.extract_regex(rest, ORIGIN)
    long = pc.greater(pc.utf8_length(pc.struct_field(origin, "process")), LONGEST_NAME).fill_null(False)
    found = dict(zip(origin.type.names, origin.flatten(), strict=True))
    if long.true_count:
        again = pc.extract_regex(rest.filter(long), BOUNDED).flatten()
        pairs = zip(found.items(), again, strict=True)
        found = {name: pc.replace_with_mask(groups, long, others) for (name, groups), others in pairs}
    return found


def _stamps(asked: pa.Array, not_after: pa.Array, time_zone: str, year: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the time ends that each line begins with, -1 where there is none, and the moment, NaT where none is it."""
    ends, moments = np.full(len(asked), -1), np.full(len(asked), "NaT", "datetime64[us]")
    left = np.arange(len(asked))
    readers = {
        BSD: lambda parts, rows: _bsd_times(parts, not_after.take(rows), time_zone, year),
        ISO: lambda parts, _: _iso_times(parts, time_zone),
    }
    for pattern, reader in readers.items():
        found = pc.extract_regex(asked.take(left), pattern)
        read = np.asarray(found.is_valid())
        rows, found = left[read], found.filter(read)
        parts = dict(zip(found.type.names, found.flatten(), strict=True))
        ends[rows], moments[rows] = pc.binary_length(parts["stamp"]), reader(parts, rows)
        left = left[~read]
    return ends, moments


def _bsd_times(parts: dict[str, pa.Array], not_after: pa.Array, time_zone: str, year: int) -> np.ndarray:
    """Times that may lack the year: it is then the one given, or the latest possible."""
    month, day = pc.index_in(parts["month"], pa.array(MONTHS)).to_numpy() + 1, _numbers(parts["day"])
    clock = _clocks(parts, MINUTE)  # the 60th second is the next minute's first
    years = np.full(len(day), f"{year:04}", "datetime64[Y]") if year else _years_at(not_after, time_zone)
    stated = pc.coalesce(_present(parts["year"]), _present(parts["late_year"]))
    is_stated = np.asarray(stated.is_valid())
    years[is_stated] = _years(stated.drop_null())
    moments = _moments(_days(years, month, day) + clock, time_zone)
    if year:
        return moments
    latest = not_after.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
    moments[~is_stated & ~(moments <= latest)] = "NaT"
    for back in range(1, LEAP_GAP + 1):
        if len(rows := np.flatnonzero(~is_stated & np.isnat(moments))):
            moments[rows] = _moments(_days(years[rows] - back, month[rows], day[rows]) + clock[rows], time_zone)
    return moments


def _years_at(moments: pa.Array, time_zone: str) -> np.ndarray:
    """The years that these moments are in."""
    found = moments.dictionary_encode()
    years = [at and f"{at.astimezone(ZoneInfo(time_zone)).year:04}" for at in found.dictionary.to_pylist()]
    return np.array([*years, None], "datetime64[Y]")[found.indices.fill_null(-1).to_numpy()]


def _iso_times(parts: dict[str, pa.Array], time_zone: str) -> np.ndarray:
    """Times of ISO 8601; those without an offset are of the time zone."""
    days = _days(_years(parts["year"]), _numbers(parts["month"]), _numbers(parts["day"]))
    times = days + _clocks(parts, MINUTE - 1)
    offsets = parts["offset"].dictionary_encode()
    shifts = np.array([_shift(text) for text in offsets.dictionary.to_pylist()], "timedelta64[m]")
    moments = times - shifts[offsets.indices.to_numpy()]
    without = np.asarray(pc.equal(parts["offset"], ""))
    moments[without] = _moments(times[without], time_zone)
    return moments


def _shift(offset: str) -> int | None:
    """Minutes that a zone is ahead of UTC; None where there is no such offset."""
    if offset in ("", "Z"):
        return 0
    past_hour = int(offset[3:].lstrip(":") or "0")
    minutes = 60 * int(offset[1:3]) + past_hour
    if past_hour >= 60 or minutes > LARGEST_OFFSET:
        return None
    return -minutes if offset[0] == "-" else minutes


def _numbers(texts: pa.Array) -> np.ndarray:
    return texts.cast(pa.int64()).to_numpy()


def _years(texts: pa.Array) -> np.ndarray:
    return (_numbers(texts) - 1970).astype("datetime64[Y]")


def _days(years: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days, NaT where the year does not have them."""
    months = years.astype("datetime64[M]") + (month - 1)
    days = months.astype("datetime64[D]") + (day - 1)
    exist = (month >= 1) & (month <= 12) & (days.astype("datetime64[M]") == months)
    return np.where(exist, days, np.datetime64("NaT"))


def _clocks(parts: dict[str, pa.Array], latest: int) -> np.ndarray:
    """Microseconds since midnight, NaT where hour or minute do not exist or seconds are after `latest`."""
    hour, minute, second = (_numbers(parts[name]) for name in ("hour", "minute", "second"))
    digits = pc.utf8_rpad(pc.utf8_slice_codeunits(parts["fraction"], 0, 6), 6, "0")
    micros = second * 1_000_000 + _numbers(digits)
    clocks = ((hour * 60 + minute) * MINUTE + micros).astype("timedelta64[us]")
    return np.where((hour < 24) & (minute < 60) & (micros <= latest), clocks, np.timedelta64("NaT"))


def _moments(local: np.ndarray, time_zone: str) -> np.ndarray:
    """Local times in UTC: the earlier where there are two; where clocks skip one, as if they had not yet."""
    zone = ZoneInfo(time_zone)
    # Hours are few, and most have one offset from first to last.
    hours, of = np.unique(local.astype("datetime64[h]"), return_inverse=True)
    first = _offsets(hours, zone)
    changes = first != _offsets(hours + np.timedelta64(HOUR - 1, "us"), zone)
    offsets, single = first[of], changes[of] & ~np.isnat(local)
    offsets[single] = _offsets(local[single], zone)
    return local - offsets


def _offsets(local: np.ndarray, zone: ZoneInfo) -> np.ndarray:
    """How far clocks are ahead of UTC at each of these times, the earlier of two that are alike; NaT stays."""
    within = np.clip(local.astype("datetime64[us]"), *PYTHON_TIMES)
    return np.array([at and zone.utcoffset(at) for at in within.tolist()], "timedelta64[us]")
