"""The head of a syslog line: time, host, process, pid — as Spark columns.

Three forms are read: BSD syslog (`Dec 10 06:55:46 host sshd[1]: …`, RFC 3164; also with a weekday, a year, fractions of
a second, facility and level, or without the host), the same with ISO 8601 times, and RFC 5424. Repetitions in the
patterns are of single characters or bounded, for Java's matcher recurses on groups, and a line may be a megabyte of
anything.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from workloads.lakehouse.columns import capture, group, settled

MAX_LINE_BYTES = 2**20
BLANKS = " \t\r"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAEMONS = ("sshd", "sshd-session", "sshd-auth")
LEAP_GAP = 8  # years from one leap year to the next, at most

RULES = {
    "too-long": "the line is longer than 1 MiB",
    "binary": "the line holds a NUL byte: it is no text",
    "blank": "the line is blank",
    "no-header": "the line has no syslog header",
    "bad-time": "the line's date or time does not exist",
    "damaged-gzip": "the gzip file is damaged",
}

# Structured data may hold brackets in quotes.
_DATA = r"\[[^\]\"]*(?:\"[^\"]*\"[^\]\"]*){0,32}\]"
RFC5424 = rf"(?s)\A<\d{{1,3}}>\d{{1,2}} (\S+) (\S+) (\S+) (\S+) \S+ (?:-|(?:{_DATA}){{1,16}}) ?\ufeff?(.*)\z"
_YEAR = r"(?: ((?:19|20)\d{2}))?"  # some write it after the day, others after the time
_PRIORITY = r"(?:auth|authpriv|daemon|user|syslog|local\d)\.[a-z]{3,7}"
HEAD = (
    r"(?s)\A(?:<\d{1,3}>)?(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +)?"
    rf"(?:({'|'.join(MONTHS)}) {{1,2}}(\d{{1,2}}){_YEAR} (\d{{2}}):(\d{{2}}):(\d{{2}}(?:\.\d{{1,6}})?)\d{{0,3}}{_YEAR}"
    r"|(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?)(Z|[+-]\d{2}:?\d{2})?)"
    # Not every syslog names the host; BusyBox names facility and level, Solaris the number of the message.
    rf"(?: +(?!{_PRIORITY} )(\S*[^\s:]))?(?: +{_PRIORITY})?"
    r" +(?:\[?([^\s\[\]():]{1,128})\]?(?:\(([^()\s]*)\))?(?:\[(\d{1,10}|-)\])?: ?)?"
    r"(?:\[ID \d{1,10} \w{1,16}\.\w{1,16}\] )?(.*)\z"
)
# Lines of which it can be said at a glance, without Spark, that they break no rule (RE2, as Arrow takes it). Days go up
# to the 28th only, for every month has these.
_DAY, _CLOCK = r"(?:0?[1-9]|1\d|2[0-8])", r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_OFFSET = r"(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)?"
SOUND = (
    rf"^(?:(?:{'|'.join(MONTHS)}) {{1,2}}{_DAY} {_CLOCK}"
    rf"|20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])[T ]{_CLOCK}(?:\.\d{{1,6}})?{_OFFSET})"
    r" +[!-~]+ +[!-~][^\x00]*$"
)
GROUPS = 14
MONTH, DAY, YEAR, HOUR, MINUTE, SECOND, LATE_YEAR, STAMP, OFFSET, HOST, PROCESS, MODULE, PID, MESSAGE = range(GROUPS)


def parse(lines: DataFrame, time_zone: str, year: int) -> DataFrame:
    """Adds to raw lines the fields of their heads, and `rule`: the rule that a line breaks, or null.

    `lines` has raw, text, damaged_text and not_after, the moment that a time without a year is not after. Messages lose
    trailing blanks. `year` 0 takes the latest year possible, and 29 February for the latest leap year possible.
    """
    ends_blank = reduce(or_, (fn.endswith("text", fn.lit(blank)) for blank in BLANKS))
    text = fn.when(ends_blank, fn.rtrim(fn.col("text"), fn.lit(BLANKS))).otherwise(fn.col("text"))
    ruled = lines.withColumn("bare", text).withColumn("broken", _rule_of_bytes())
    canonical = fn.when(fn.startswith("bare", fn.lit("<")), fn.regexp_replace("bare", RFC5424, "$1 $2 $3[$4]: $5"))
    asked = fn.when(fn.col("broken").isNull(), fn.coalesce(canonical, fn.col("bare")))
    numbers = ruled.withColumn("head", capture(asked, HEAD, GROUPS)).select(
        *lines.columns,
        "broken",
        "head",
        fn.year(fn.from_utc_timestamp("not_after", time_zone)).alias("latest_year"),
        _month_number(group("head", MONTH)).alias("month"),
        group("head", DAY).try_cast("int").alias("day"),
        group("head", HOUR).try_cast("int").alias("hour"),
        group("head", MINUTE).try_cast("int").alias("minute"),
        group("head", SECOND).try_cast("decimal(16,6)").alias("second"),
        fn.coalesce(group("head", YEAR), group("head", LATE_YEAR)).try_cast("int").alias("stated_year"),
    )
    # Columns of their own, for Spark would compute each anew where it is named a second time.
    dated = numbers.withColumn(
        "of_year", _moment(fn.coalesce("stated_year", fn.lit(year) if year else "latest_year"), time_zone)
    )
    timed = dated.withColumn("event_time", fn.coalesce(_stated_time(time_zone), _bsd_time(time_zone, year)))
    parsed = timed.select(
        *lines.columns,
        fn.coalesce(
            "broken",
            fn.when(fn.col("head").isNull(), "no-header"),
            fn.when(fn.col("event_time").isNull(), "bad-time"),
        ).alias("rule"),
        "event_time",
        fn.to_date("event_time").alias("event_date"),
        group("head", HOST).alias("host"),
        group("head", PROCESS).alias("process"),
        group("head", MODULE).alias("module"),
        group("head", PID).try_cast("bigint").alias("pid"),
        fn.coalesce(_daemon().isin(*DAEMONS), fn.lit(False)).alias("is_sshd"),
        fn.get("head", fn.lit(MESSAGE)).alias("message"),
    )
    return settled(parsed)


def _rule_of_bytes() -> Column:
    return (
        fn.when(fn.coalesce(fn.octet_length("raw"), fn.octet_length("text")) > MAX_LINE_BYTES, "too-long")
        .when(fn.contains("text", fn.lit("\0")), "binary")
        .when(fn.col("bare") == "", "blank")
    )


def _daemon() -> Column:
    """The process by its name alone: some are logged with their path."""
    return fn.substring_index(group("head", PROCESS), "/", -1)


def _month_number(name: Column) -> Column:
    return ((fn.instr(fn.lit("".join(MONTHS)), name) + 2) / 3).cast("int")


def _stated_time(time_zone: str) -> Column:
    """The time of a head that states its year."""
    offset = group("head", OFFSET)
    zone = (
        fn.when(offset.isNull(), fn.lit(f" {time_zone}"))
        .when(fn.length(offset) == 5, fn.concat(fn.substring(offset, 1, 3), fn.lit(":"), fn.substring(offset, 4, 2)))
        .otherwise(offset)
    )
    return fn.try_to_timestamp(fn.concat(fn.translate(group("head", STAMP), ",", "."), zone))


def _moment(year: Column, time_zone: str) -> Column:
    """The time of a head without a year in a given year; null where that year does not have it."""
    parts = map(fn.col, ("month", "day", "hour", "minute", "second"))
    return fn.when(fn.col("month").isNotNull(), fn.try_make_timestamp_ltz(year, *parts, fn.lit(time_zone)))


def _bsd_time(time_zone: str, year: int) -> Column:
    """The time of a head without a year, from `of_year`: the same in the year given, or the latest possible."""
    if year:
        return fn.col("of_year")
    earlier = fn.sequence(fn.lit(2), fn.lit(LEAP_GAP))
    latest = fn.coalesce(
        fn.when(fn.col("of_year") <= fn.col("not_after"), fn.col("of_year")),
        _moment(fn.col("latest_year") - 1, time_zone),
        # neither year has 29 February
        fn.array_max(fn.transform(earlier, lambda years: _moment(fn.col("latest_year") - years, time_zone))),
    )
    return fn.when(fn.col("stated_year").isNotNull(), fn.col("of_year")).otherwise(latest)
