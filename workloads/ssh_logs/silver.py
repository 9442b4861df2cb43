"""Silver: what every record says. Nothing is dropped: a message that the catalogue lacks gets a masked template."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as fn

from workloads.lakehouse import exports, tables
from workloads.lakehouse.columns import SEPARATOR, capture, group, literal, parts
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs import leftovers, messages, pseudonyms, quality
from workloads.ssh_logs.checks import JSON
from workloads.ssh_logs.days import Days
from workloads.ssh_logs.messages import FIELDS, REPEATED, Fork, Message
from workloads.ssh_logs.schemas import EVENT_COLUMNS, EVENTS, FILES, LEFTOVERS, PROGRESS, RECORDS

SUFFIX = " [preauth]"
EVENT_NAMES = frozenset((*(column.name for column in EVENT_COLUMNS), "event_date"))
# For how long after it was named an address stands for its session: a process id is used again some day.
SESSION = timedelta(days=1)
MOST_LINES = 2**40  # of a file
# Raise it when the same records shall give other events.
READER = 3
EXPORTS, hangs_on = (JSON, quality.LATEST), pseudonyms.hangs_on


def run(task: TaskContext) -> Counts:
    """Writes the events of all days whose records changed or that shall be rebuilt, and exports all events as JSON."""
    now, noted = _files(task), _noted(task)
    changed, rebuild = now ^ noted, Days.parse(task.parameters["rebuild"])
    partial = now & noted and tables.current(task.spark, task.lake, EVENTS)
    if not partial:
        task.replace(EVENTS, events(task.table(RECORDS)))
    elif spans := [Days(first, last) for _, _, first, last in changed] + [rebuild] * (rebuild is not None):
        # A session that goes on after midnight carries its address into the next day.
        days = Days.over(spans).around(0, 1)
        found = events(task.table(RECORDS).where(days.around(1, 0).condition)).where(days.condition)
        tables.replace_where(found, task.lake, EVENTS, days.condition)
    leftovers.write(task)
    exports.json_lines(task.lake, JSON, in_order(exported(task), task.table(FILES)))
    if changed:
        task.replace(PROGRESS, task.spark.createDataFrame(sorted(now), tables.schema(PROGRESS)))
    quality.publish(task)
    leftovers.publish(task)
    return Counts(records_in=task.table(RECORDS).count(), records_out=task.table(EVENTS).count())


def exported(task: TaskContext) -> DataFrame:
    """The events as exports show them: leftovers by their shared templates, names as pseudonyms where they shall be."""
    shown = leftovers.described(task.table(EVENTS), task.table(LEFTOVERS))
    hidden = pseudonyms.Pseudonyms.of(task.parameters["pseudonyms"]).hide(shown)
    return hidden.select(*(column.name for column in EVENT_COLUMNS))


def in_order(events: DataFrame, files: DataFrame) -> DataFrame:
    """The events in order of file and line: by one number, for that is what Spark sorts fast."""
    names = enumerate(sorted(row["file"] for row in files.select("file").collect()))
    numbered = events.sparkSession.createDataFrame(list(names), "number BIGINT, file STRING")
    place = fn.col("number") * MOST_LINES + fn.col("line")
    return events.join(fn.broadcast(numbered), "file").orderBy(place).select(events.columns)


def _files(task: TaskContext) -> set[tuple]:
    """The files whose records bronze holds, and how silver reads them, as rows of the progress table."""
    files = task.table(FILES).where("records > 0").select("sha256", "read_as", "first_date", "last_date").collect()
    names = pseudonyms.Pseudonyms.of(task.parameters["pseudonyms"])
    how = f"reader {READER}, catalogue {messages.fingerprint()}, pseudonyms {names.fingerprint()}"
    return {(row["sha256"], f"{row['read_as']}; {how}", row["first_date"], row["last_date"]) for row in files}


def _noted(task: TaskContext) -> set[tuple]:
    """The files of which the events were made, by the last run that came to its end."""
    if not tables.exists(task.spark, task.lake, PROGRESS):
        return set()
    return set(map(tuple, task.table(PROGRESS).collect()))


def events(records: DataFrame) -> DataFrame:
    """The events that `records` (of bronze) tell of, one each."""
    unwrapped = records.withColumn(
        "repeated",
        fn.when(fn.startswith("message", fn.lit("message repeated")), capture(fn.col("message"), REPEATED, 2)),
    )
    inner = unwrapped.withColumn("inner", fn.coalesce(fn.get("repeated", fn.lit(1)), fn.col("message")))
    preauth = fn.endswith("inner", fn.lit(SUFFIX))
    bare = inner.withColumn("preauth", preauth).withColumn(
        "bare", fn.when(preauth, fn.expr(f"left(inner, length(inner) - {len(SUFFIX)})")).otherwise(fn.col("inner"))
    )
    said = bare.withColumn("said", _said("bare"))
    # Narrow, since all of it is brought together by session: what the entry tells is looked up afterwards.
    narrow = said.select(
        *(name for name in records.columns if name in EVENT_NAMES),
        "preauth",
        fn.get("said", fn.lit(0)).cast("int").alias("entry"),
        fn.when(fn.col("said").isNull(), leftovers.masked(fn.col("bare"))).alias("masked"),
        fn.get("repeated", fn.lit(0)).try_cast("int").alias("repeated"),
        *(group("said", 1 + number).alias(f"said_{name}") for number, name in enumerate(FIELDS)),
        "ingested_at",
        "run_id",
    )
    described = carried(narrow).withColumn("event_template", _template())
    return described.select(
        *(name for name in records.columns if name in EVENT_NAMES),
        _event_id().alias("event_id"),
        "event_template",
        fn.col("entry").isNotNull().alias("known"),
        fn.coalesce("repeated", fn.lit(1)).alias("repeat_count"),
        _of_entry("outcome").alias("outcome"),
        fn.col("said_user").alias("user"),
        _of_entry("user_valid").alias("user_valid"),
        "source_address",
        "address_carried",
        fn.col("said_port").try_cast("int").alias("source_port"),
        fn.coalesce("said_method", _of_entry("method")).alias("method"),
        fn.col("said_key").alias("key_fingerprint"),
        fn.coalesce("said_reason", _of_entry("reason")).alias("reason"),
        "ingested_at",
        "run_id",
    )


def carried(read: DataFrame) -> DataFrame:
    """Adds `source_address`: the one that a message of sshd names, else the last that its session named.

    A session is what one process of one host says. Lines of one second count as one, for syslog's times are seconds and
    the order of lines within one may be lost where logs come in several files.
    """
    named = fn.when(fn.col("is_sshd"), fn.col("said_address"))
    # All that the listener says has one process id, about one address after another.
    in_session = fn.col("is_sshd") & fn.col("pid").isNotNull() & ~fn.coalesce(_of_entry("listener"), fn.lit(False))
    # The number stands first, for Spark sorts by the first eight bytes before it looks at the rest.
    session = Window.partitionBy("session", "host", "pid").orderBy("event_time")
    told = fn.col("in_session") & fn.col("named").isNotNull()
    last = fn.max(fn.when(told, fn.struct("event_time", "named"))).over(
        session.rangeBetween(Window.unboundedPreceding, 0)
    )
    numbered = read.withColumns({"named": named, "in_session": in_session, "session": fn.xxhash64("host", "pid")})
    seen = numbered.withColumn("last", fn.when(fn.col("in_session"), last))
    recent = fn.col("event_time") - fn.col("last.event_time") <= fn.expr(f"INTERVAL {SESSION.days} DAY")
    address = fn.coalesce("named", fn.when(recent, fn.col("last.named")))
    return seen.withColumn("source_address", address).withColumn(
        "address_carried", fn.col("named").isNull() & address.isNotNull()
    )


def _said(message: str) -> Column:
    """What the entry of the catalogue that reads the column `message` makes of it: an array of its index and fields.

    Written as SQL, for so many calls of the Python API would take longer than the query; and in a lambda, which Spark
    interprets, for so many branches exceed what Java compiles as one method.
    """
    index = {entry.id: number for number, entry in enumerate(messages.catalogue())}

    def told(entry: Message) -> str:
        groups = (f"${entry.fields.index(name) + 1}" if name in entry.fields else "" for name in FIELDS)
        return SEPARATOR.join((str(index[entry.id]), *groups))

    def read(node: Fork | tuple[Message, ...]) -> str:
        if isinstance(node, Fork):
            cases = [(f"startswith(said, {literal(start)})", read(below)) for start, below in node.branches]
            otherwise = read(node.otherwise)
        else:
            # One after the other: what an entry made of the message begins with a number, as no entry does.
            replaced = "said"
            for entry in node:
                replaced = f"regexp_replace({replaced}, {literal(entry.pattern)}, {literal(told(entry))})"
            return replaced
        return f"CASE {' '.join(f'WHEN {when} THEN {then}' for when, then in cases)} ELSE {otherwise} END"

    tree = read(messages.tree(messages.catalogue()))
    made = fn.expr(f"CASE WHEN is_sshd THEN get(transform(array({message}), said -> {tree}), 0) END")
    return parts(made, 1 + len(FIELDS))


def _of_entry(name: str) -> Column:
    """A property that the catalogue gives the entry."""
    values: Sequence = [getattr(entry, name) for entry in messages.catalogue()]
    return fn.get(fn.array(*map(fn.lit, values)), fn.col("entry"))


def _template() -> Column:
    """The template, with the wrappers that were taken off before the message was read."""
    template = fn.coalesce(_of_entry("template"), "masked")
    plain = fn.concat(template, fn.when(fn.col("preauth"), SUFFIX).otherwise(""))
    wrapped = fn.concat(fn.lit("message repeated <*> times: [ "), plain, fn.lit("]"))
    return fn.when(fn.col("repeated").isNotNull(), wrapped).otherwise(plain)


def _event_id() -> Column:
    """The id tells the wrappers, too, so that id and template stand for one another."""
    known = fn.concat(
        _of_entry("id"),
        fn.when(fn.col("preauth"), "-preauth").otherwise(""),
        fn.when(fn.col("repeated").isNotNull(), "-repeated").otherwise(""),
    )
    return fn.coalesce(known, leftovers.event_id_of(fn.col("event_template")))
