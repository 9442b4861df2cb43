"""The head of a syslog line: time, host, process, pid — as Spark columns.

Three forms are read: BSD syslog (`Dec 10 06:55:46 host sshd[1]: …`, RFC 3164), the same with ISO 8601 times, and
RFC 5424. Repetitions in the patterns are of single characters or bounded, for Java's matcher recurses on groups, and a
line may be a megabyte of anything.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from workloads.lakehouse.columns import capture, group, settled

MAX_LINE_BYTES = 2**20
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

RFC5424 = r"(?s)\A(?:<\d{1,3}>)\d{1,2} (\S+) (\S+) (\S+) (\S+) \S+ (?:-|(?:\[[^\]]*\]){1,16}) ?(.*)\z"
HEAD = (
    r"(?s)\A(?:<\d{1,3}>)?"
    rf"(?:({'|'.join(MONTHS)}) {{1,2}}(\d{{1,2}}) (\d{{2}}):(\d{{2}}):(\d{{2}})"
    r"|(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?)(Z|[+-]\d{2}:?\d{2})?)"
    r" +(\S+) +(.*)\z"
)
MONTH, DAY, HOUR, MINUTE, SECOND, STAMP, OFFSET, HOST, REST = range(9)
TAG = r"(?s)\A([^\s\[\]():]{1,128})(?:\(([^()\s]*)\))?(?:\[(\d{1,10}|-)\])?: ?(.*)\z"
PROCESS, MODULE, PID, MESSAGE = range(4)


def parse(lines: DataFrame, time_zone: str, year: int) -> DataFrame:
    """Adds to raw lines the fields of their heads, and `rule`: the rule that a line breaks, or null.

    `lines` has raw, text, damaged_text and not_after, the moment that a time without a year is not after. `text` loses
    trailing blanks. `year` 0 takes the latest year possible, and 29 February for the latest leap year possible.
    """
    stripped = lines.withColumn("text", fn.rtrim(fn.col("text"), fn.lit(" \t\r")))
    ruled = stripped.withColumn("rule", _rule_of_bytes())
    canonical = fn.when(fn.col("text").startswith("<"), fn.regexp_replace("text", RFC5424, "$1 $2 $3[$4]: $5"))
    text = fn.when(fn.col("rule").isNull(), fn.coalesce(canonical, fn.col("text")))
    head = ruled.withColumn("head", capture(text, HEAD, 9)).withColumn("rest", group("head", REST))
    tag = head.withColumn("tag", capture(fn.col("rest"), TAG, 4))
    numbers = tag.withColumns(
        {
            "month": _month_number(group("head", MONTH)),
            "day": group("head", DAY).try_cast("int"),
            "hour": group("head", HOUR).try_cast("int"),
            "minute": group("head", MINUTE).try_cast("int"),
            "second": group("head", SECOND).try_cast("decimal(16,6)"),
        }
    )
    timed = numbers.withColumn("event_time", fn.coalesce(_stated_time(time_zone), _bsd_time(time_zone, year)))
    local = fn.from_utc_timestamp("event_time", time_zone)
    parsed = timed.select(
        *lines.columns,
        fn.coalesce(
            "rule",
            fn.when(fn.col("head").isNull(), "no-header"),
            fn.when(fn.col("event_time").isNull(), "bad-time"),
        ).alias("rule"),
        "event_time",
        fn.date_format(local, "MMM").alias("month_name"),
        fn.dayofmonth(local).alias("day"),
        fn.date_format(local, "HH:mm:ss").alias("clock"),
        group("head", HOST).alias("host"),
        group("tag", PROCESS).alias("process"),
        group("tag", MODULE).alias("module"),
        group("tag", PID).try_cast("bigint").alias("pid"),
        fn.coalesce(group("tag", PROCESS).isin(*DAEMONS), fn.lit(False)).alias("is_sshd"),
        fn.coalesce(fn.get("tag", fn.lit(MESSAGE)), "rest").alias("message"),
    )
    return settled(parsed)


def _rule_of_bytes() -> Column:
    return (
        fn.when(fn.octet_length("raw") > MAX_LINE_BYTES, "too-long")
        .when(fn.contains(fn.col("raw"), fn.lit(b"\0")), "binary")
        .when(fn.col("text") == "", "blank")
    )


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


def _bsd_time(time_zone: str, year: int) -> Column:
    """The time of a head without a year."""

    def moment(of_year: Column) -> Column:
        return fn.try_make_timestamp_ltz(
            of_year, *map(fn.col, ("month", "day", "hour", "minute", "second")), fn.lit(time_zone)
        )

    if year:
        return moment(fn.lit(year))
    limit = fn.col("not_after")
    latest = fn.year(fn.from_utc_timestamp(limit, time_zone))
    earlier = fn.sequence(fn.lit(2), fn.lit(LEAP_GAP))
    return fn.coalesce(
        fn.when(moment(latest) <= limit, moment(latest)),
        moment(latest - 1),
        # neither year has 29 February
        fn.array_max(fn.transform(earlier, lambda years: moment(latest - years))),
    )
