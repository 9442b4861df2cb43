"""The engine that takes usage events in, for the batch and the speed layer alike: they differ in its trigger only.

A micro-batch is handled in steps of which each can be repeated without harm: what arrived is appended under the
number of the micro-batch, all that follows is made of it by MERGE. Events are told apart by MERGE on their id, not by
a state that forgets, so that batch and stream may even take the same file at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import call
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as fn

from workloads.cloud_usage import brokers, events, repairs
from workloads.cloud_usage.rules import EVENT_RULES
from workloads.cloud_usage.schemas import (
    ARRIVALS,
    AUDIT,
    BATCHES,
    EVENT_COLUMNS,
    EVENTS,
    FILES,
    INGESTED,
    LATE,
    QUARANTINE,
)
from workloads.cloud_usage.sources import EVENTS as EVENTS_SOURCE
from workloads.cloud_usage.sources import EVENTS_FOLDER
from workloads.cloud_usage.spec import WORKLOAD
from workloads.lakehouse import quarantine, raw_files, raw_source, streams, tables
from workloads.lakehouse.raw_files import RawFile
from workloads.lakehouse.tables import Table
from workloads.lakehouse.task import TaskContext

CHECKPOINTS = "bronze/checkpoints/cloud-usage"
BATCH_BYTES = 2**30  # of files, in a micro-batch of the batch layer
MESSAGES_A_FILE = 1_000  # what a file is to a trigger of files, so many messages are to one of a stream
SOURCE_KEY = ("source_file", "source_line")
EVENT_NAMES = tuple(column.name for column in EVENT_COLUMNS)
CONTENT = (*EVENT_NAMES, *SOURCE_KEY)

After = Callable[["MicroBatch"], None]


@dataclass(frozen=True)
class MicroBatch:
    """What was taken in at once: `engine` and `number` tell it from all others. `rows` are its rows of arrivals, which
    came from `files`, where not from a stream; `arrived_at` (Unix time) is when the oldest of them came.
    """

    task: TaskContext
    engine: str
    number: int
    rows: DataFrame | None = None
    files: Sequence[RawFile] = ()
    arrived_at: float | None = None


def batch(task: TaskContext) -> None:
    """Takes in all that is new, and ends."""
    _run(task, "batch", _files(task, maxBytesPerTrigger=BATCH_BYTES))


def speed(task: TaskContext, after: After) -> None:
    """Takes in what is new every few seconds, as the parameters say; `after` follows each micro-batch."""
    most = task.parameters["files_per_trigger"]
    if task.parameters["source"] == "stream":
        source = _stream(task, most * MESSAGES_A_FILE)
    else:
        source = _files(task, maxFilesPerTrigger=most)
    _run(task, "speed", source, after, task.parameters["trigger_seconds"], task.parameters["stop_after_seconds"])


def landing(task: TaskContext) -> Path:
    """The folder of all raw files."""
    return task.lake.path(WORKLOAD.input_path)


def checkpoint(task: TaskContext, trigger: str) -> Path:
    """The folder in which a trigger's engine notes how far it is."""
    return task.lake.path(f"{CHECKPOINTS}/{trigger}")


def _files(task: TaskContext, **limits: int) -> DataFrame:
    return streams.new_files(task.spark, landing(task) / EVENTS_FOLDER, "*.jsonl{,.gz}", **limits)


def _stream(task: TaskContext, most: int) -> DataFrame:
    return streams.messages(task.spark, brokers.servers(), WORKLOAD.streams[0].name, most)


def _run(
    task: TaskContext,
    trigger: str,
    source: DataFrame,
    after: After | None = None,
    every: int | None = None,
    lasting: float = 0,
) -> None:
    place = checkpoint(task, trigger)
    from_files = "path" in source.columns

    def handle(frame: DataFrame, number: int) -> None:
        taken = MicroBatch(task, f"{trigger}:{streams.identity(place)}", number)
        if from_files:
            taken = _take_files(taken, [row["path"] for row in frame.select("path").collect()])
        else:
            taken = _take_messages(taken, frame)
        if taken.rows is None:
            return
        if after is not None:
            settle(task, taken.rows)
            after(taken)
        _note(taken)

    streams.run(source, place, handle, every, lasting)


def _take_files(batch: MicroBatch, paths: list[str]) -> MicroBatch:
    """Takes the files in that no engine took before."""
    task, folder = batch.task, landing(batch.task)
    names = {_within(folder, path) for path in paths}
    asked = ((FILES, "file"), (ARRIVALS, "source_file"))
    ended, there = task.side_by_side(lambda where: _named(task, *where, names), asked)
    names -= ended
    if not names:
        return batch
    # A file of which all arrived, but that was not taken in to its end, is not appended again.
    fresh = names - there
    files = raw_files.survey_of([folder / name for name in sorted(names)], folder)
    read = events.reader(task.ingest_time, repairs.read(task))
    fresh = [file for file in files if file.name in fresh]
    lines = raw_source.read(task.spark, fresh, lambda lines, _: map(read, lines), events.LINES_READ)
    _append(batch, events.finished(lines))
    came = min((folder / name).stat().st_mtime for name in names)
    rows = task.table(ARRIVALS).where(tables.among("source_file", names))
    taken = replace(batch, rows=rows, files=files, arrived_at=came)
    _take(taken)
    return taken


def _take_messages(batch: MicroBatch, frame: DataFrame) -> MicroBatch:
    """Takes the messages in that no engine took before."""
    task, text = batch.task, fn.expr("try_validate_utf8(CAST(value AS STRING))")
    source = fn.concat_ws("/", fn.lit("topic"), "topic", fn.col("partition").cast("STRING"))
    lines = frame.select(
        source.alias("file"),
        fn.col("offset").alias("line"),
        fn.when(text.isNull(), fn.col("value")).alias("raw"),
        fn.coalesce(text, fn.base64("value"), fn.lit("")).alias("text"),
        text.isNull().alias("damaged_text"),
    )
    came = fn.unix_micros(fn.min("timestamp"))
    ranges = frame.groupBy(source.alias("file")).agg(fn.min("offset"), fn.max("offset"), came).collect()
    if not ranges:
        return batch
    among = " OR ".join(
        f"({tables.among('source_file', [name])} AND source_line BETWEEN {first} AND {last})"
        for name, first, last, _ in ranges
    )
    if tables.exists(task.spark, task.lake, ARRIVALS):
        there = task.table(ARRIVALS).where(among).selectExpr("source_file AS file", "source_line AS line")
        lines = lines.join(there, ["file", "line"], "left_anti")
    _append(batch, events.parse(lines, task.ingest_time, repairs.read(task)))
    oldest = min(micros for *_, micros in ranges) / 10**6
    taken = replace(batch, rows=task.table(ARRIVALS).where(among), arrived_at=oldest)
    _take(taken)
    return taken


def _append(batch: MicroBatch, parsed: DataFrame) -> None:
    """Adds what arrived, as it was parsed, under the number of the micro-batch."""
    task, newest = batch.task, _newest(batch.task)
    late_before = None if newest is None else newest - timedelta(minutes=task.parameters["watermark_minutes"])
    is_late = fn.lit(False) if late_before is None else fn.col("event_time") < fn.lit(late_before)
    rows = parsed.withColumns(
        {
            "is_late": fn.col("rule").isNull() & is_late,
            "engine": fn.lit(batch.engine),
            "batch": fn.lit(batch.number).cast("BIGINT"),
        }
    )
    tables.append(audited(rows, task), task.lake, ARRIVALS, batch.engine, batch.number)


def _take(batch: MicroBatch) -> None:
    """Makes of what arrived the events, each once, and what is set aside."""
    task, rows = batch.task, batch.rows

    def keep_events() -> None:
        good = rows.where("rule IS NULL")
        tables.merge(audited(_once(good), task), task.lake, EVENTS, ["event_id"], update=False)

    def keep_wrong() -> None:
        wrong = rows.where("rule IS NOT NULL")
        if not wrong.isEmpty():
            set_aside(task, quarantine.explain(wrong, EVENT_RULES))

    task.side_by_side(call, (keep_events, keep_wrong))


def _note(batch: MicroBatch) -> None:
    """Notes a micro-batch, and its late events apart; then its files, which are taken in to their end by that: where it
    does not come to that, all is done again.
    """
    task, rows, told = batch.task, batch.rows, _told(batch.rows)

    def note_batch() -> None:
        noted = {"engine": batch.engine, "batch": batch.number, **told}
        tables.append(_rows(task, BATCHES, [noted]), task.lake, BATCHES, batch.engine, batch.number)

    def keep_late() -> None:
        if told["late"]:
            late = rows.where("rule IS NULL AND is_late").select(*CONTENT)
            tables.merge(audited(late, task), task.lake, LATE, SOURCE_KEY, update=False)

    task.side_by_side(call, (note_batch, keep_late))
    if batch.files:
        own = {"source": EVENTS_SOURCE}
        noted = [{**own, "file": f.name, "sha256": f.sha256, "bytes": f.bytes, "records": f.lines} for f in batch.files]
        note_files(task, noted)


def _told(rows: DataFrame) -> dict[str, Any]:
    """What is to be noted of a micro-batch."""
    good = fn.col("rule").isNull()
    keys = fn.flatten(fn.collect_set("new_keys"))
    found = rows.agg(
        fn.count("*").alias("records"),
        fn.count("rule").alias("quarantined"),
        fn.count_if("is_late").alias("late"),
        fn.unix_micros(fn.max(fn.when(good, fn.col("event_time")))).alias("newest"),
        fn.array_sort(fn.array_distinct(keys)).alias("new_keys"),
    )
    told = found.head().asDict()
    return {**told, "newest": _moment(told["newest"])}


def _once(good: DataFrame) -> DataFrame:
    """Each event once: of equal ones, and of those that disagree, the one with the least hash."""
    first = Window.partitionBy("event_id").orderBy("content_hash", *SOURCE_KEY)
    return good.withColumn("nth", fn.row_number().over(first)).where("nth = 1").select(*CONTENT)


def settle(task: TaskContext, among: DataFrame | None = None) -> int:
    """Where events of one id say different things, the one with the least hash counts and the others are set aside.

    Which one counts hangs on what they say, not on which came first. Looks at all events, or at those whose ids are
    `among` a few, and gives the number of exact duplicates.
    """
    arrived = task.table(ARRIVALS).where("rule IS NULL")
    same = (
        arrived
        if among is None
        else arrived.join(fn.broadcast(among.select("event_id").distinct()), "event_id", "left_semi")
    )
    by_id = same.groupBy("event_id").agg(
        fn.count("*").alias("copies"), fn.min("content_hash").alias("least"), fn.max("content_hash").alias("most")
    )
    disagree = fn.col("least") != fn.col("most")
    copies, doubtful = by_id.agg(fn.sum(fn.when(~disagree, fn.col("copies") - 1)), fn.count_if(disagree)).head()
    if not doubtful:
        return copies or 0
    told = same.join(fn.broadcast(by_id.where(disagree).select("event_id", "least")), "event_id")
    # Of equal ones the first stands for all; the others are its duplicates.
    first = Window.partitionBy("event_id", "content_hash").orderBy(*SOURCE_KEY)
    one_each = told.withColumn("nth", fn.row_number().over(first)).where("nth = 1")
    one_each = one_each.select(*CONTENT, "least", "text", "raw").localCheckpoint()
    # Where the event came from stays: a version of the batch layer holds it under the file that its manifest names.
    places = task.table(EVENTS).select("event_id", *(column.name for column in AUDIT))
    winners = one_each.where("content_hash = least").select(*EVENT_NAMES).join(places, "event_id")
    tables.merge(winners, task.lake, EVENTS, ["event_id"])
    losers = one_each.where("content_hash <> least").withColumn("rule", fn.lit("conflicting_event"))
    set_aside(task, quarantine.explain(losers, EVENT_RULES))
    return (copies or 0) + told.count() - one_each.count()


def replay(task: TaskContext, rule: str) -> None:
    """Looks again, by the rules of now and with the repairs, at what a rule (or `all`) set aside; takes what is good.

    Each step can be repeated: quarantine, which tells what there is to do, is changed last.
    """
    aside = task.table(QUARANTINE).where(fn.col("source") == EVENTS_SOURCE)
    chosen = aside if rule == "all" else aside.where(fn.col("rule") == rule)
    lines = chosen.select(
        "file",
        "line",
        fn.when(fn.col("damaged_text"), fn.col("raw")).alias("raw"),
        "text",
        "damaged_text",
        fn.col("rule").alias("broke"),
    )
    again = events.parse(lines, task.ingest_time, repairs.read(task)).localCheckpoint()
    # A conflict is no fault of the line: it is settled only by a repair that names another event.
    there = task.table(EVENTS).select("event_id")
    cured = (
        again.where("rule IS NULL")
        .join(there, "event_id", "left_anti")
        .unionByName(again.where("rule IS NULL AND broke <> 'conflicting_event'").join(there, "event_id", "left_semi"))
    )
    cured = cured.localCheckpoint()
    if cured.isEmpty():
        return
    places = task.table(ARRIVALS).select(*SOURCE_KEY, "is_late", "engine", "batch", *(c.name for c in INGESTED))
    tables.merge(cured.drop("broke", "damaged_text").join(places, list(SOURCE_KEY)), task.lake, ARRIVALS, SOURCE_KEY)
    tables.merge(audited(_once(cured), task), task.lake, EVENTS, ["event_id"], update=False)
    done = cured.select(record_id().alias("record_id"))
    kept = task.table(QUARANTINE).join(done, "record_id", "left_anti")
    of_events = fn.col("source") == EVENTS_SOURCE
    tables.replace_where(kept.where(of_events).localCheckpoint(), task.lake, QUARANTINE, f"source = '{EVENTS_SOURCE}'")


def note_files(task: TaskContext, rows: list[dict]) -> None:
    """Notes files that were taken in to their end."""
    tables.merge(_rows(task, FILES, rows), task.lake, FILES, ["file"])


def _rows(task: TaskContext, table: Table, rows: list[dict]) -> DataFrame:
    """Rows of a table, from what they say but for when and by whom."""
    own = [field for field in tables.schema(table).fields if field.name not in ("ingest_ts", "run_id")]
    return audited(task.spark.createDataFrame(rows, type(tables.schema(table))(own)).coalesce(1), task)


def set_aside(task: TaskContext, found: DataFrame) -> None:
    """Puts events (`source_file`, `source_line`, `text`, `raw`, `rule`, `reason`) into quarantine, each once."""
    rows = as_quarantined(task, fn.lit(EVENTS_SOURCE), found)
    tables.merge(rows, task.lake, QUARANTINE, ["record_id"], update=False)


def record_id() -> Column:
    """What tells a record from every other: where it came from."""
    return fn.sha2(fn.concat_ws(":", *SOURCE_KEY), 256)


def as_quarantined(task: TaskContext, source: Column, found: DataFrame) -> DataFrame:
    """Records that break a rule, as the table of quarantine holds them."""
    rows = found.select(
        record_id().alias("record_id"),
        "rule",
        "reason",
        source.alias("source"),
        fn.coalesce("raw", fn.encode("text", "UTF-8")).alias("raw"),
        "text",
        fn.col("raw").isNotNull().alias("damaged_text"),
        fn.col("source_file").alias("file"),
        fn.col("source_line").alias("line"),
        fn.lit(None).cast("BIGINT").alias("position"),
    )
    return task.marked(rows)


def audited(frame: DataFrame, task: TaskContext) -> DataFrame:
    """The rows with when, and by which run, they were ingested."""
    return frame.withColumns({"ingest_ts": fn.lit(task.ingest_time), "run_id": fn.lit(task.run_id)})


def _newest(task: TaskContext) -> datetime | None:
    """The newest time of an event in the micro-batches that are committed."""
    if not tables.exists(task.spark, task.lake, BATCHES):
        return None
    return _moment(task.table(BATCHES).agg(fn.unix_micros(fn.max("newest"))).head()[0])


def _moment(micros: int | None) -> datetime | None:
    """A timestamp that comes to Python as it is, not in the machine's zone."""
    return None if micros is None else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)


def _named(task: TaskContext, table: Table, column: str, names: set[str]) -> set[str]:
    """Those of the names that a table has in that column."""
    if not names or not tables.exists(task.spark, task.lake, table):
        return set()
    found = task.table(table).where(tables.among(column, names)).select(column).distinct()
    return {row[column] for row in found.collect()}


def _within(folder: Path, path: str) -> str:
    """The name, within the landing folder, of a file that Spark names by a path or an address."""
    _, found, rest = path.partition(f"/{EVENTS_FOLDER}/")
    name = f"{EVENTS_FOLDER}/{rest}" if found else path
    return name if (folder / name).exists() else unquote(name)
