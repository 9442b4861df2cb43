"""Silver: what every record says. Nothing is dropped: a message that the catalogue lacks gets a masked template."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from workloads.lakehouse import exports
from workloads.lakehouse.columns import capture
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs import messages
from workloads.ssh_logs.checks import JSON
from workloads.ssh_logs.schemas import EVENT_COLUMNS, EVENTS, RECORDS

REPEATED = r"(?s)\Amessage repeated (\d{1,6}) times: \[ ?(.*?) ?\]\z"
PREAUTH = r" \[preauth\]\z"
START = 3  # characters, constant in every template
# What varies in messages that the catalogue lacks. Order matters: each sees what the one before has left.
MASKS = (
    r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
    r"\b[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{0,40}:[0-9A-Fa-f]{0,4}\b",
    r"\b0x[0-9A-Fa-f]{1,64}\b",
    r"'[^']{0,200}'",
    r'"[^"]{0,200}"',
    r"\b\d{1,64}\b",
)


def run(task: TaskContext) -> Counts:
    """Writes the events and exports them as JSON lines."""
    task.replace(EVENTS, events(task.table(RECORDS)))
    written = task.table(EVENTS)
    content = written.select(*(column.name for column in EVENT_COLUMNS))
    exports.json_lines(task.lake, JSON, content.orderBy("file", "line"))
    return Counts(records_in=task.table(RECORDS).count(), records_out=written.count())


def events(records: DataFrame) -> DataFrame:
    """The events that `records` (of bronze) tell of, one each."""
    unwrapped = records.withColumn("repeated", capture(fn.col("message"), REPEATED, 2))
    inner = unwrapped.withColumn("inner", fn.coalesce(fn.get("repeated", fn.lit(1)), fn.col("message")))
    bare = inner.withColumn("preauth", fn.col("inner").rlike(PREAUTH)).withColumn(
        "bare", fn.regexp_replace("inner", PREAUTH, "")
    )
    read = bare.withColumn("said", _said(fn.col("bare")))
    return read.select(
        *(name for name in records.columns),
        _decorated_id().alias("event_id"),
        _decorated_template().alias("event_template"),
        fn.col("said.known").alias("known"),
        fn.coalesce(fn.get("repeated", fn.lit(0)).try_cast("int"), fn.lit(1)).alias("repeat_count"),
        fn.col("said.outcome").alias("outcome"),
        fn.nullif(fn.col("said.user"), fn.lit("")).alias("user"),
        fn.col("said.user_valid").alias("user_valid"),
        fn.nullif(fn.col("said.address"), fn.lit("")).alias("source_address"),
        fn.col("said.port").try_cast("int").alias("source_port"),
        fn.col("said.method").alias("method"),
        fn.col("said.reason").alias("reason"),
    )


def _said(message: Column) -> Column:
    """What the first entry of the catalogue that matches makes of `message`, as a struct.

    Entries are asked only if they begin as the message does, and only the one that matches looks for its fields. All
    that happens in a lambda, which Spark interprets: compiled, so many branches exceed what Java takes as one method.
    """

    def read(text: Column) -> Column:
        start = fn.substring(text, 1, START)
        found = fn.when(~fn.col("is_sshd"), None)
        for beginning, entries in groupby(sorted(messages.catalogue(), key=_start), key=_start):
            found = found.when(start == beginning, _first_match(entries, text))
        return fn.coalesce(found, _unknown(text))

    return fn.get(fn.transform(fn.array(message), read), fn.lit(0))


def _start(entry: messages.Message) -> str:
    return entry.template[:START]


def _first_match(entries: Iterable[messages.Message], text: Column) -> Column:
    found = fn
    for entry in entries:
        found = found.when(text.rlike(entry.pattern), _fields(entry, text))
    return found


def _fields(entry: messages.Message, message: Column) -> Column:
    def field(name: str) -> Column:
        if name not in entry.fields:
            return fn.lit(entry.method if name == "method" else None).cast("string")
        return fn.regexp_extract(message, entry.pattern, entry.fields.index(name) + 1)

    return _struct(
        fn.lit(entry.id),
        fn.lit(entry.template),
        fn.lit(True),
        fn.lit(entry.outcome).cast("string"),
        fn.lit(entry.user_valid).cast("boolean"),
        *map(field, messages.FIELDS),
    )


def _unknown(message: Column) -> Column:
    masked = message
    for pattern in MASKS:
        masked = fn.regexp_replace(masked, pattern, "<*>")
    nothing = fn.lit(None).cast("string")
    event_id = fn.concat(fn.lit("unknown-"), fn.substring(fn.sha2(masked, 256), 1, 8))
    fields = [nothing for _ in messages.FIELDS]
    return _struct(event_id, masked, fn.lit(False), nothing, fn.lit(None).cast("boolean"), *fields)


def _struct(*values: Column) -> Column:
    names = ("id", "template", "known", "outcome", "user_valid", *messages.FIELDS)
    return fn.struct(*(value.alias(name) for name, value in zip(names, values, strict=True)))


def _decorated_id() -> Column:
    """The id tells the wrappers, too, so that id and template stand for one another."""
    return fn.concat(
        fn.col("said.id"),
        fn.when(fn.col("preauth"), "-preauth").otherwise(""),
        fn.when(fn.col("repeated").isNotNull(), "-repeated").otherwise(""),
    )


def _decorated_template() -> Column:
    plain = fn.concat(fn.col("said.template"), fn.when(fn.col("preauth"), " [preauth]").otherwise(""))
    wrapped = fn.concat(fn.lit("message repeated <*> times: [ "), plain, fn.lit("]"))
    return fn.when(fn.col("repeated").isNotNull(), wrapped).otherwise(plain)
