"""Silver: what every record says. Nothing is dropped: a message that the catalogue lacks gets a masked template."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.lakehouse import exports, ordering, tables
from workloads.lakehouse.batches import mapped
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs import leftovers, messages, pseudonyms, quality, reader, sessions
from workloads.ssh_logs.checks import JSON
from workloads.ssh_logs.days import Days
from workloads.ssh_logs.schemas import EVENT_COLUMNS, EVENTS, FILES, LEFTOVERS, PROGRESS, RECORDS

EVENT_NAMES = frozenset(column.name for column in EVENTS.columns)
MOST_LINES = 2**40  # of a file
# Raise it when the same records shall give other events.
READER = 7
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
    task.side_by_side(lambda publish: publish(task), (_export, quality.publish, leftovers.publish))
    if changed:
        task.replace(PROGRESS, task.spark.createDataFrame(sorted(now), tables.schema(PROGRESS)))
    return Counts(records_in=task.table(RECORDS).count(), records_out=task.table(EVENTS).count())


def _export(task: TaskContext) -> None:
    exports.json_lines(task.lake, JSON, exported(task, in_order(listed(task), task.table(FILES))))


def listed(task: TaskContext) -> DataFrame:
    """The events with the columns that exports have. Put in order first: what exports show takes a join."""
    return task.table(EVENTS).select(*(column.name for column in EVENT_COLUMNS))


def exported(task: TaskContext, events: DataFrame) -> DataFrame:
    """Events, in their order, as exports show them: leftovers by their shared templates, and names as pseudonyms where
    they shall be.
    """
    shown = leftovers.described(events, task.table(LEFTOVERS))
    return pseudonyms.Pseudonyms.of(task.parameters["pseudonyms"]).hide(shown)


def in_order(events: DataFrame, files: DataFrame) -> DataFrame:
    """The events in order of file and line."""
    names = enumerate(sorted(row["file"] for row in files.select("file").collect()))
    numbered = events.sparkSession.createDataFrame(list(names), "number BIGINT, file STRING")
    found = events.join(fn.broadcast(numbered), "file")
    return ordering.in_order(found, f"number * {MOST_LINES} + line").select(events.columns)


def _files(task: TaskContext) -> set[tuple]:
    """The files whose records bronze holds, and how silver reads them, as rows of the progress table."""
    files = task.table(FILES).select("sha256", "read_as", "first_date", "last_date", "records").collect()
    names = pseudonyms.Pseudonyms.of(task.parameters["pseudonyms"])
    how = f"reader {READER}, catalogue {messages.fingerprint()}, pseudonyms {names.fingerprint()}"
    return {(sha256, f"{read_as}; {how}", *dates) for sha256, read_as, *dates, records in files if records}


def _noted(task: TaskContext) -> set[tuple]:
    """The files of which the events were made, by the last run that came to its end."""
    if not tables.exists(task.spark, task.lake, PROGRESS):
        return set()
    return set(map(tuple, task.table(PROGRESS).collect()))


def events(records: DataFrame) -> DataFrame:
    """The events that `records` (of bronze) tell of, one each."""
    kept = [name for name in records.columns if name in EVENT_NAMES]
    in_session = fn.col("is_sshd") & fn.col("pid").isNotNull()
    # What is of no session may be anywhere, and shall not all be in one place.
    session = fn.when(in_session, fn.xxhash64("host", "pid")).otherwise(fn.xxhash64("record_id"))
    together = records.select(*kept, session.alias("session")).repartition("session")
    # The number stands first, for Spark sorts by the first eight bytes before it looks at the rest.
    in_order = together.sortWithinPartitions("session", *sessions.SECOND)
    return mapped(in_order.drop("session"), reader.events, tables.schema(EVENTS))
