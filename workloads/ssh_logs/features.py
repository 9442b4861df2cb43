"""What a source address did, in every ten minutes in which it is named: the rows that the model looks at.

Each measure is taken over the ten minutes themselves and over the hour and the day that end with them, so a window
hangs on nothing older than a day. What trails is not gathered anew for each window: what happens in one is added at its
start and taken away where it leaves the span, and running totals of these steps are the measures. All are whole
numbers, so that the totals are exact however long the log. Events are brought together by address once; everything
after that stays where it is.
"""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as fn

from workloads.ssh_logs.schemas import FEATURES, SPANS, WINDOW_SECONDS

DAY_SECONDS = 86_400
TICKS = 100  # a second; waits are counted in them, and their squares of a century of days fit a BIGINT
TRAILING = {suffix: seconds for suffix, seconds in SPANS.items() if seconds > WINDOW_SECONDS}
USER, HOST, MESSAGE = 0, 1, 2
# A wait of so many seconds is a pause. Who pauses equally long, at least so often, and tries little in between, is a
# clock: a job that fails, rather than somebody who guesses.
PAUSE_SECONDS = 60
CLOCK_PAUSES, CLOCK_TRIES, CLOCK_VARIATION = 3, 4, 0.1

COUNTS = ("events", "failures", "successes")
# Of those that an address names: hosts, kinds of messages that name no user, users, and of these those who do not
# exist, and those who logged in, with the failures that this explains.
PRESENT = ("hosts", "kinds", "users", "invalid", "proven", "explained")
WAITS = ("waits", "waited", "waited_squared", "pauses", "paused", "paused_squared")


def windows(events: DataFrame) -> DataFrame:
    """One row for each address and window, with the columns of `schemas.FEATURES`; a message repeated N times counts N.

    `events` needs source_address, event_time, outcome, user, user_valid, host, event_id and repeat_count.
    """
    rows = _trailing(_with_waits(_by_time(_changes(_by_name(_by_user_and_host(events))))))
    features = {name: measure.cast("double") for suffix in SPANS for name, measure in _measures(suffix).items()}
    turn = (fn.col("time") % DAY_SECONDS) * (2 * math.pi / DAY_SECONDS)
    features |= {"day_sine": fn.sin(turn), "day_cosine": fn.cos(turn)}
    named = [features[feature.name].alias(feature.name) for feature in FEATURES]
    return rows.select("source_address", fn.timestamp_seconds("time").alias("window_start"), *named)


def _by_user_and_host(events: DataFrame) -> DataFrame:
    ticks = fn.floor(fn.unix_micros("event_time") / (1_000_000 // TICKS))
    failed, succeeded = fn.col("outcome") == "failure", fn.col("outcome") == "success"
    narrow = events.where("source_address IS NOT NULL").select(
        "source_address",
        (fn.floor(ticks / (TICKS * WINDOW_SECONDS)) * WINDOW_SECONDS).alias("begin"),
        fn.when(fn.col("user").isNotNull(), USER).otherwise(MESSAGE).alias("kind"),
        fn.xxhash64(fn.coalesce("user", "event_id")).alias("id"),
        fn.xxhash64("host").alias("host"),
        fn.col("repeat_count").cast("bigint").alias("events"),
        fn.when(failed, fn.col("repeat_count")).otherwise(0).cast("bigint").alias("failures"),
        fn.when(succeeded, fn.col("repeat_count")).otherwise(0).cast("bigint").alias("successes"),
        fn.coalesce(~fn.col("user_valid"), fn.lit(False)).alias("invalid"),
        # A try is a number: when it was, doubled, and one more where it succeeded.
        fn.when(failed | succeeded, ticks * 2 + fn.when(succeeded, 1).otherwise(0)).alias("try"),
    )
    together = narrow.repartition("source_address").groupBy("source_address", "begin", "kind", "id", "host")
    return together.agg(*_sums(COUNTS), fn.max("invalid").alias("invalid"), fn.collect_list("try").alias("tries"))


def _by_name(rows: DataFrame) -> DataFrame:
    """A row for each user, kind of message without one, and host in a window; all but the host's has the counts."""
    nothing = [fn.lit(0).cast("bigint").alias(name) for name in COUNTS]
    said = fn.struct("kind", "id", *COUNTS, "invalid", "tries")
    host = fn.struct(
        fn.lit(HOST).alias("kind"),
        fn.col("host").alias("id"),
        *nothing,
        fn.lit(False).alias("invalid"),
        fn.slice("tries", 1, 0).alias("tries"),
    )
    both = rows.select("source_address", "begin", fn.inline(fn.array(said, host)))
    return both.groupBy("source_address", "kind", "id", "begin").agg(
        *_sums(COUNTS), fn.max("invalid").alias("invalid"), fn.flatten(fn.collect_list("tries")).alias("tries")
    )


def _changes(names: DataFrame) -> DataFrame:
    """How the measures of an address change by one of its users or hosts, at the times at which they do."""
    steps = names.select("*", fn.inline(_steps(fn.col("begin"))))
    each = Window.partitionBy("source_address", "kind", "id").orderBy("time")
    totals = each.rangeBetween(Window.unboundedPreceding, Window.currentRow)

    def total(of: Column, suffix: str) -> Column:
        return fn.sum(of * fn.col(f"in{suffix}")).over(totals)

    running = steps.select(
        "*",
        *(total(fn.col(name), suffix).alias(f"total_{name}{suffix}") for suffix in TRAILING for name in COUNTS),
        *(total(_int(fn.col("invalid")), suffix).alias(f"total_invalid{suffix}") for suffix in TRAILING),
        *(fn.sum(f"in{suffix}").over(totals).alias(f"seen{suffix}") for suffix in TRAILING),
    )
    now = running.select(
        "source_address", "kind", "id", "time", "in", "tries",
        *(value.alias(f"now_{name}{suffix}") for suffix in TRAILING for name, value in _values(suffix).items()),
        *(value.alias(name) for name, value in _own().items()),
    )  # fmt: skip
    before = [
        (fn.col(f"now_{name}{suffix}") - fn.lag(f"now_{name}{suffix}", 1, 0).over(each)).alias(f"{name}{suffix}")
        for suffix in TRAILING
        for name in (*COUNTS, *PRESENT)
    ]
    return now.select("source_address", "time", "in", "tries", *COUNTS, *PRESENT, *before)


def _values(suffix: str) -> dict[str, Column]:
    """The measures of one user or host over a trailing span."""
    counts = {name: fn.col(f"total_{name}{suffix}") for name in COUNTS}
    return counts | _presence(fn.col(f"seen{suffix}"), fn.col(f"total_invalid{suffix}"), **counts)


def _own() -> dict[str, Column]:
    """The measures of one user or host in the window itself; 0 where the row is about its leaving a span."""
    counts = {name: fn.col(name) * fn.col("in") for name in COUNTS}
    return counts | _presence(fn.col("in"), _int(fn.col("invalid")) * fn.col("in"), **counts)


def _presence(seen: Column, invalid: Column, events: Column, failures: Column, successes: Column) -> dict[str, Column]:
    is_user = fn.col("kind") == USER
    proven = is_user & (successes > 0)
    return {
        "hosts": _int((fn.col("kind") == HOST) & (seen > 0)),
        "kinds": _int((fn.col("kind") == MESSAGE) & (seen > 0)),
        "users": _int(is_user & (seen > 0)),
        "invalid": _int(is_user & (invalid > 0)),
        "proven": _int(proven),
        "explained": fn.when(proven, failures).otherwise(0).cast("bigint"),
    }


def _steps(begin: Column) -> Column:
    """When a window enters the spans, and when it leaves each: `time`, and 1, −1 or 0 for each span."""

    def step(time: Column, **change: int) -> Column:
        return fn.struct(
            time.cast("bigint").alias("time"),
            *(fn.lit(change.get(f"in{suffix}", 0)).cast("bigint").alias(f"in{suffix}") for suffix in SPANS),
        )

    entered = step(begin, **{f"in{suffix}": 1 for suffix in SPANS})
    return fn.array(entered, *(step(begin + seconds, **{f"in{suffix}": -1}) for suffix, seconds in TRAILING.items()))


def _by_time(changes: DataFrame) -> DataFrame:
    summed = [name for name in changes.columns if name not in ("source_address", "time", "in", "tries")]
    tries = fn.array_sort(fn.flatten(fn.collect_list(fn.when(fn.col("in") == 1, fn.col("tries")))))
    return changes.groupBy("source_address", "time").agg(fn.max("in").alias("in"), *_sums(summed), tries.alias("tries"))


def _with_waits(rows: DataFrame) -> DataFrame:
    """Adds what the tries of a window tell, and how many ticks before its first the last one was (0: over a day)."""
    first, last = fn.get("tries", fn.lit(0)), fn.get("tries", fn.size("tries") - 1)
    first_failure = fn.get(fn.filter("tries", lambda one: one % 2 == 0), fn.lit(0))
    zero = fn.lit(0).cast("bigint")
    nothing = fn.struct(_at(first).alias("at"), *(zero.alias(name) for name in WAITS))

    def waiting(so_far: Column, one: Column) -> Column:
        added = _wait(_at(one) - so_far.at)
        return fn.struct(_at(one).alias("at"), *((so_far[name] + added[name]).alias(name) for name in WAITS))

    later = fn.slice("tries", 2, fn.greatest(fn.size("tries") - 1, fn.lit(0)))
    waits = fn.aggregate(later, nothing, waiting)
    measured = rows.select(
        *(name for name in rows.columns if name != "tries"),
        waits.alias("all_waits"),
        _at(first).alias("first_try"),
        _at(last).alias("last_try"),
        fn.size(fn.filter("tries", lambda one: (one % 2 == 1) & (one > first_failure))).alias("after_failure"),
    )
    earlier = Window.partitionBy("source_address").orderBy("time").rowsBetween(Window.unboundedPreceding, -1)
    tried = fn.col("first_try").isNotNull()

    def last_known(value: Column) -> Column:
        return fn.when(tried, fn.last(value, ignorenulls=True).over(earlier))

    return measured.select(
        *(name for name in measured.columns if name != "all_waits"),
        *(fn.col(f"all_waits.{name}").alias(name) for name in WAITS),
        last_known(fn.when(tried, fn.col("time"))).alias("tried_before"),
        (fn.col("first_try") - last_known(fn.col("last_try"))).alias("lead"),
    )


def _trailing(rows: DataFrame) -> DataFrame:
    """The windows, with their trailing measures as running totals."""
    changes = [f"{name}{suffix}" for suffix in TRAILING for name in (*COUNTS, *PRESENT)]
    own = [name for name in rows.columns if name not in (*changes, "source_address", "time", "in")]
    steps = rows.select("source_address", "in", *own, *changes, fn.inline(_wait_steps(fn.col("time"))))
    each = Window.partitionBy("source_address").orderBy("time")
    totals = each.rangeBetween(Window.unboundedPreceding, Window.currentRow)
    running = steps.select(
        "source_address",
        "time",
        "in",
        "is_row",
        *own,
        *(fn.sum(fn.col(name) * fn.col("is_row")).over(totals).alias(name) for name in changes),
        *(fn.sum(name).over(totals).alias(name) for name in _wait_names()),
    )
    return running.where((fn.col("in") == 1) & (fn.col("is_row") == 1))


def _wait_names() -> list[str]:
    return [f"{name}{suffix}" for suffix in TRAILING for name in WAITS]


def _wait_steps(time: Column) -> Column:
    """`is_row`, and how the waits of the trailing spans change at `time`: those of a window leave a span with it, and
    the one from the last window with a try to this one leaves it with the former, if it ever came in."""
    within = {name: fn.col(name) for name in WAITS}
    between = _wait(fn.col("lead"))

    def step(at: Column, is_row: int, **changed: Column) -> Column:
        changes = dict.fromkeys(_wait_names(), fn.lit(0)) | changed
        return fn.struct(
            at.cast("bigint").alias("time"),
            fn.lit(is_row).cast("bigint").alias("is_row"),
            *(
                fn.coalesce(changes.get(name, fn.lit(0)), fn.lit(0)).cast("bigint").alias(name)
                for name in _wait_names()
            ),
        )

    def joins(seconds: int) -> Column:
        return fn.col("tried_before") + seconds > time

    def brought(name: str, seconds: int) -> Column:
        return within[name] + fn.when(joins(seconds), between[name]).otherwise(0)

    steps = [step(time, 1, **{f"{n}{suffix}": brought(n, s) for suffix, s in TRAILING.items() for n in WAITS})]
    for suffix, seconds in TRAILING.items():
        leaving = {f"{name}{suffix}": -within[name] for name in WAITS}
        parting = {f"{name}{suffix}": fn.when(joins(seconds), -between[name]) for name in WAITS}
        steps += [
            step(time + seconds, 0, **leaving),
            step(fn.coalesce(fn.col("tried_before") + seconds, time), 0, **parting),
        ]
    return fn.when(fn.col("first_try").isNotNull(), fn.array(*steps)).otherwise(fn.array(step(time, 1)))


def _wait(ticks: Column) -> dict[str, Column]:
    """What one wait adds."""
    waits = {"waits": fn.lit(1), "waited": ticks, "waited_squared": ticks * ticks}
    is_pause = ticks >= PAUSE_SECONDS * TICKS
    pauses = zip(("pauses", "paused", "paused_squared"), waits.values(), strict=True)
    return waits | {name: fn.when(is_pause, value).otherwise(0) for name, value in pauses}


def _measures(suffix: str) -> dict[str, Column]:
    def of(name: str) -> Column:
        return fn.col(f"{name}{suffix}")

    attempts, waits = of("failures") + of("successes"), of("waits")
    mean = fn.when(waits > 0, of("waited") / waits).otherwise(0.0)
    unproven, is_silent = of("failures") - of("explained"), (attempts == 0) & (of("users") == 0)
    earlier_failures = of("failures") > fn.col("failures")
    measures = {name: of(name) for name in COUNTS} | {
        "attempts": attempts,
        "failure_share": fn.when(attempts > 0, of("failures") / attempts).otherwise(0.0),
        "distinct_users": of("users"),
        "invalid_users": of("invalid"),
        "unproven_users": of("users") - of("proven"),
        "unproven_failures": unproven,
        "unscheduled_failures": fn.when(_is_clock(), 0).otherwise(unproven),
        "successes_after_failures": fn.when(earlier_failures, fn.col("successes")).otherwise(fn.col("after_failure")),
        "distinct_hosts": of("hosts"),
        "wait_mean": mean / TICKS,
        "wait_variation": _variation(waits, of("waited"), of("waited_squared")),
        "silent_events": fn.when(is_silent, of("events")).otherwise(0),
        "silent_kinds": fn.when(is_silent, of("kinds")).otherwise(0),
        "silent_hosts": fn.when(is_silent, of("hosts")).otherwise(0),
    }
    return {f"{name}{suffix}": measure for name, measure in measures.items()}


def _is_clock() -> Column:
    """Whether the tries of the day come by a clock."""
    pauses = fn.col("pauses_day")
    few = fn.col("waits_day") <= CLOCK_TRIES * (pauses + 1)
    variation = _variation(pauses, fn.col("paused_day"), fn.col("paused_squared_day"))
    return (pauses >= CLOCK_PAUSES) & few & (variation < CLOCK_VARIATION)


def _variation(number: Column, total: Column, squared: Column) -> Column:
    """The coefficient of variation, from a number of values, their total, and the total of their squares."""
    mean = total / number
    deviation = fn.sqrt(fn.greatest(squared / number - mean * mean, fn.lit(0.0)))
    return fn.when((number > 1) & (total > 0), deviation / mean).otherwise(0.0)


def _at(a_try: Column) -> Column:
    return fn.shiftright(a_try, 1)


def _int(condition: Column) -> Column:
    return condition.cast("int").cast("bigint")


def _sums(names) -> list[Column]:
    return [fn.sum(name).alias(name) for name in names]
