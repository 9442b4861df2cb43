"""The head of a syslog line: time, host, process, pid — by Arrow's kernels, a batch of lines at a time.

Read are BSD syslog (`Dec 10 06:55:46 host sshd[1]: …`, RFC 3164; also with a weekday, a year, fractions of a second,
facility and level, in another language, or without the host), the same with other times (ISO 8601, journals'), and what
`canonical` writes anew in these forms. The patterns are RE2's, which takes time in proportion to a line whatever it
holds: a line may be a megabyte of anything. It is fast where it captures few characters, so that patterns end where the
head does, and the rest is cut off by its position.
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
from workloads.ssh_logs import canonical, months, usual
from workloads.ssh_logs.canonical import BLANK, TOKEN
from workloads.ssh_logs.months import ENGLISH
from workloads.ssh_logs.usual import LONGEST_NAME, SECOND, WEEKDAY, YEAR, Numbers

MAX_LINE_BYTES = 2**20
BLANKS = " \t\r"
LEAP_GAP = 8  # years from one leap year to the next, at most
MINUTE, HOUR = 60 * SECOND, 3_600 * SECOND  # microseconds
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

_START = rf"\A(?P<stamp>(?:<\d{{1,3}}>)?(?:{WEEKDAY} +)?"
_CLOCK = r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})"
BSD = (
    rf"{_START}(?P<month>{months.PATTERN}) {{1,2}}(?P<day>\d{{1,2}})(?: (?P<year>{YEAR}))? "
    rf"{_CLOCK}(?:\.(?P<fraction>\d{{1,6}}))?\d{{0,3}}(?: (?P<late_year>{YEAR}))?:?) "
)
ISO = (
    rf"{_START}\[?(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})[T ]"
    rf"{_CLOCK}(?:[.,](?P<fraction>\d{{1,9}}))?(?P<offset>Z| ?[+-]\d{{2}}(?::?\d{{2}})?)?\]?) "
)
UNIX = r"\A(?P<stamp>(?P<epoch>\d{9,10})(?:\.(?P<fraction>\d{1,9}))?) "  # `journalctl -o short-unix`
# As `journalctl -o short-full` has it: the zone is named, but only UTC's name tells more than that it is the log's own.
FULL = (
    rf"\A(?P<stamp>{WEEKDAY} (?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}}) "
    rf"{_CLOCK}(?:\.(?P<fraction>\d{{1,9}}))? (?:(?P<offset>UTC|GMT|[+-]\d{{2}}(?:\d{{2}})?)|[A-Z]{{2,6}})) "
    rf"[^{BLANK}:\[]+ [^{BLANK}:]+:"
)
# Not every syslog names the host; BusyBox, FreeBSD, AIX and ESXi name facility and level, Solaris the number of the
# message.
_FACILITY = r"(?:auth|authpriv|security|daemon|user|syslog|local\d)"
_DOTTED = rf"{_FACILITY}\.[a-z]{{3,7}}"
_LEVEL = "(?:emerg|alert|crit|err|error|warning|notice|info|debug)"
_PRIORITY = (
    rf"(?:{_DOTTED}|\[{_DOTTED}\]|(?:auth\|security|{_FACILITY}):[a-z]{{3,7}}|{_FACILITY} +{_LEVEL}"
    r"|[A-Z][a-z]\(\d{1,3}\))"
)
_BRACKETED = rf"<(?:{_DOTTED}|\d{{1,2}}\.\d)>"
_NAME = rf"[^{BLANK}\[\]():]"
ORIGIN = (
    rf"\A(?P<origin>(?: +{_BRACKETED})?(?: +{_PRIORITY}| +(?P<host>{TOKEN}*[^{BLANK}:])(?: +{_PRIORITY})?)?"
    rf" +(?:\[?(?P<process>{_NAME}+)\]?(?:\((?P<module>[^(){BLANK}]*)\))?(?:\[(?:(?P<pid>\d{{1,10}})|-)\])?: *)?"
    r"(?:\[ID \d{1,10} \w{1,16}\.\w{1,16}\] )?)"
)
# With bounds it takes RE2 four times as long.
BOUNDED = ORIGIN.replace(f"{_NAME}+", f"{_NAME}{{1,{LONGEST_NAME}}}")
# The process by its name alone: some are logged with their path. With its unit as `journalctl -o with-unit` has it.
DAEMON = r"(?:\A|/)(?:sshd|sshd-session|sshd-auth|sshd?\.service)\z"
# Where a process said what part of it speaks in what it said, as old modules of PAM do.
PART = r"\A\((?P<module>pam_\w{1,32})\) +"
# Lines of which it can be said at a glance that they break no rule. Days go up to the 28th only, for every month has
# these.
_SOUND_DAY, _SOUND_CLOCK = r"(?:0?[1-9]|1\d|2[0-8])", r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_SOUND_OFFSET = r"(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)?"
SOUND = (
    rf"^(?:{ENGLISH} {{1,2}}{_SOUND_DAY} {_SOUND_CLOCK}"
    rf"|20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])[T ]{_SOUND_CLOCK}(?:\.\d{{1,6}})?{_SOUND_OFFSET})"
    r" +[!-*,.-~][!-~]* +[!-~][^\x00]*$"  # a sign could begin an offset
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
    asked = canonical.written_anew(pc.if_else(broken.is_null(), bare, pa.scalar(None, pa.string())))
    ends, moments = _stamps(asked, lines["not_after"], time_zone, year)
    rest = _after(asked, ends)
    begins, origin = _origins(rest)
    process = _present(origin["process"])
    module, message = _parts(_present(origin["module"]), _after(rest, begins))
    fields = {
        "rule": pc.coalesce(
            broken, _named("no-header", rest.is_null()), _named("bad-time", pa.array(np.isnat(moments)))
        ),
        "event_time": pa.array(moments, pa.timestamp("us", "UTC")),
        "event_date": pa.array(moments.astype("datetime64[D]"), pa.date32()),
        "host": _present(origin["host"]),
        "process": process,
        "module": module,
        "pid": _present(origin["pid"]).cast(pa.int64()),
        "is_sshd": pc.match_substring_regex(process, DAEMON).fill_null(False),
        "message": message,
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


def _parts(modules: pa.Array, messages: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Modules and messages, where messages begin with the module (PART) as where the process names it."""
    begin = pc.starts_with(messages, "(pam_").fill_null(False)
    if not begin.true_count:
        return modules, messages
    named = pc.struct_field(pc.extract_regex(messages, PART), "module")
    rest = pc.replace_substring_regex(messages, PART, "")
    return pc.coalesce(modules, named), rest


def _origins(rest: pa.Array) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Where the message begins, after time and origin, -1 where there is none, and the host, process, module and pid
    that the origin names: empty or null where it does not."""
    seen = usual.has_origin(rest)
    read = (seen, usual.origins(rest.filter(pa.array(seen)))), (~seen, _any_origins(rest.filter(pa.array(~seen))))
    place = np.argsort(np.concatenate([np.flatnonzero(rows) for rows, _ in read]))
    ends = np.concatenate([lengths for _, (lengths, _) in read])[place]
    parts = [groups for _, (_, groups) in read]
    return ends, {name: pa.concat_arrays([part[name] for part in parts]).take(pa.array(place)) for name in parts[0]}


def _any_origins(rest: pa.Array) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """What `_origins` gives, of any form: the groups of ORIGIN, where no process has a longer name than one has."""
    origin = pc.extract_regex(rest, ORIGIN)
    long = pc.greater(pc.utf8_length(pc.struct_field(origin, "process")), LONGEST_NAME).fill_null(False)
    found = dict(zip(origin.type.names, origin.flatten(), strict=True))
    if long.true_count:
        again = pc.extract_regex(rest.filter(long), BOUNDED).flatten()
        pairs = zip(found.items(), again, strict=True)
        found = {name: pc.replace_with_mask(groups, long, others) for (name, groups), others in pairs}
    return pc.binary_length(found.pop("origin")).fill_null(-1).to_numpy(), found


def _stamps(asked: pa.Array, not_after: pa.Array, time_zone: str, year: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the time ends that each line begins with, -1 where there is none, and the moment, NaT where none is it."""
    ends, moments = np.full(len(asked), -1), np.full(len(asked), "NaT", "datetime64[us]")
    left = np.arange(len(asked))

    def bsd(numbers: Numbers, rows: np.ndarray) -> np.ndarray:
        return _bsd_times(numbers, not_after.take(rows), time_zone, year)

    def iso(numbers: Numbers, _: np.ndarray) -> np.ndarray:
        return _iso_times(numbers, time_zone)

    def unix(numbers: Numbers, _: np.ndarray) -> np.ndarray:
        return numbers["micros"].astype("datetime64[us]")

    forms = {BSD: bsd, FULL: iso, ISO: iso, UNIX: unix}
    readers = (
        *((partial(_by_place, stamp), iso if stamp.month is None else bsd) for stamp in usual.STAMPS),
        *((partial(_by_groups, pattern), reader) for pattern, reader in forms.items()),
    )
    for find, reader in readers:
        if not len(left):
            break
        read, lengths, numbers = find(asked if len(left) == len(asked) else asked.take(left))
        rows, left = left[read], left[~read]
        if len(rows):
            ends[rows], moments[rows] = lengths, reader(numbers, rows)
    return ends, moments


def _by_place(stamp: usual.Stamp, texts: pa.Array) -> tuple[np.ndarray, int, Numbers]:
    """Which texts begin with a time of that form, its length, and the numbers that it is made of."""
    read = np.asarray(pc.match_substring_regex(texts, stamp.pattern).fill_null(False))
    return read, stamp.length, stamp.numbers(texts.filter(pa.array(read)))


def _by_groups(pattern: str, texts: pa.Array) -> tuple[np.ndarray, np.ndarray, Numbers]:
    """The same by the groups of a pattern."""
    found = pc.extract_regex(texts, pattern)
    read = np.asarray(found.is_valid())
    groups = found.filter(pa.array(read))
    parts = dict(zip(groups.type.names, groups.flatten(), strict=True))
    return read, pc.binary_length(parts["stamp"]).to_numpy(), _numbers(parts)


def _numbers(parts: dict[str, pa.Array]) -> Numbers:
    """The groups of BSD, FULL, ISO or UNIX as numbers, named as `usual.Stamp.numbers` has them."""
    digits = pc.utf8_rpad(pc.utf8_slice_codeunits(parts["fraction"], 0, 6), 6, "0")
    if "epoch" in parts:
        return {"micros": _number(parts["epoch"]) * SECOND + _number(digits)}
    numbers = {name: _number(parts[name]) for name in ("day", "hour", "minute")}
    numbers["micros"] = _number(parts["second"]) * SECOND + _number(digits)
    if "offset" in parts:
        offsets = parts["offset"].dictionary_encode()
        shifts = np.array([_shift(text) for text in offsets.dictionary.to_pylist()], "timedelta64[m]")
        return numbers | {
            "year": _number(parts["year"]),
            "month": _number(parts["month"]),
            "offset": shifts[offsets.indices.to_numpy()],
            "is_local": np.asarray(pc.equal(parts["offset"], "")),
        }
    stated = pc.coalesce(_present(parts["year"]), _present(parts["late_year"])).fill_null("0")
    return numbers | {"year": _number(stated), "month": months.numbers(parts["month"])}


def _bsd_times(numbers: Numbers, not_after: pa.Array, time_zone: str, year: int) -> np.ndarray:
    """Times that may lack the year: it is then the one given, or the latest possible."""
    month, day = numbers["month"], numbers["day"]
    clock = _clocks(numbers, MINUTE)  # the 60th second is the next minute's first
    years = np.full(len(day), f"{year:04}", "datetime64[Y]") if year else _years_at(not_after, time_zone)
    stated = numbers.get("year", np.zeros_like(day))
    is_stated = stated > 0
    years[is_stated] = _years(stated[is_stated])
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


def _iso_times(numbers: Numbers, time_zone: str) -> np.ndarray:
    """Times of ISO 8601; those without an offset are of the time zone."""
    days = _days(_years(numbers["year"]), numbers["month"], numbers["day"])
    times = days + _clocks(numbers, MINUTE - 1)
    moments = times - numbers["offset"]
    if "is_local" in numbers:
        local = numbers["is_local"]
        moments[local] = _moments(times[local], time_zone)
    return moments


def _shift(offset: str) -> int | None:
    """Minutes that a zone is ahead of UTC; None where there is no such offset."""
    offset = offset.lstrip()
    if offset in ("", "Z", "UTC", "GMT"):
        return 0
    past_hour = int(offset[3:].lstrip(":") or "0")
    minutes = 60 * int(offset[1:3]) + past_hour
    if past_hour >= 60 or minutes > LARGEST_OFFSET:
        return None
    return -minutes if offset[0] == "-" else minutes


def _number(texts: pa.Array) -> np.ndarray:
    return texts.cast(pa.int64()).to_numpy()


def _years(numbers: np.ndarray) -> np.ndarray:
    return (numbers - 1970).astype("datetime64[Y]")


def _days(years: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days, NaT where the year does not have them."""
    months = years.astype("datetime64[M]") + (month - 1)
    days = months.astype("datetime64[D]") + (day - 1)
    exist = (month >= 1) & (month <= 12) & (days.astype("datetime64[M]") == months)
    return np.where(exist, days, np.datetime64("NaT"))


def _clocks(numbers: Numbers, latest: int) -> np.ndarray:
    """Microseconds since midnight, NaT where hour or minute do not exist or seconds are after `latest`."""
    hour, minute, micros = numbers["hour"], numbers["minute"], numbers["micros"]
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
