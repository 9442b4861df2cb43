"""Bronze: the raw files of landing as typed tables, each record once; what breaks a rule is set aside.

Masters are small, and a pure function of the files there are. Usage events come through the engine that the speed layer
uses, too. A file that was taken and is gone or changed means that the tables start from nothing: they hold what landing
holds.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage import ingest, masters, repairs
from workloads.cloud_usage.checks import QUARANTINED
from workloads.cloud_usage.rules import REPLAYED, UNKNOWN_FILE
from workloads.cloud_usage.schemas import ARRIVALS, BATCHES, EVENTS, FILES, LATE, QUARANTINE
from workloads.cloud_usage.sources import BY_NAME, SOURCES, UNKNOWN, source_of
from workloads.cloud_usage.sources import EVENTS as EVENTS_SOURCE
from workloads.cloud_usage.spec import WORKLOAD
from workloads.lakehouse import exports, raw_csv, raw_files, tables, unchanged
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.raw_files import RawFile
from workloads.lakehouse.task import Counts, TaskContext

EXPORTS = (QUARANTINED,)
OF_EVENTS = (ARRIVALS, BATCHES, EVENTS, LATE)


def hangs_on(task: TaskContext) -> dict[str, Any] | None:
    """The raw files and the repairs; a stream of messages may have new ones at any time."""
    if task.parameters["source"] != "files" or task.parameters["replay"]:
        return None
    return unchanged.stamps(map(task.lake.path, (WORKLOAD.input_path, WORKLOAD.repairs_path)))


@dataclass(frozen=True)
class Known:
    """What the tables hold of a file."""

    sha256: str
    as_of: date | None


def run(task: TaskContext) -> Counts:
    """Takes in what is new. Raises TaskError where a record would be lost or doubled."""
    _check(task.parameters)
    folder = ingest.landing(task)
    paths = raw_files.files(folder)
    if not paths and task.parameters["source"] == "files":
        raise TaskError(f"there are no files in {folder}: upload some first")
    small = [path for path in paths if source_of(path.relative_to(folder).as_posix()) != EVENTS_SOURCE]
    files = raw_files.survey_of(small, folder)
    task.side_by_side(lambda table: tables.ensure(task.spark, task.lake, table), (FILES, QUARANTINE, *OF_EVENTS))
    known = _known(task)
    if _is_stale(task, known):
        _start_over(task)
    _take_masters(task, files, known)
    _note_unknown(task, [file for file in files if source_of(file.name) == UNKNOWN])
    ingest.batch(task)
    if rule := task.parameters["replay"]:
        ingest.replay(task, rule)
    copies = ingest.settle(task)
    _publish(task)
    return _counts(task, copies)


def _check(parameters: dict[str, Any]) -> None:
    if parameters["source"] not in ("files", "stream"):
        raise TaskError(f"parameter 'source' takes files or stream, not {parameters['source']!r}")
    if parameters["replay"] not in ("", "all", *REPLAYED):
        raise TaskError(f"parameter 'replay' takes all, or one of {', '.join(REPLAYED)}, not {parameters['replay']!r}")


def as_of(task: TaskContext) -> date:
    """The day from which what is new in the masters is valid. Raises TaskError where the parameter is no day."""
    text = task.parameters["as_of"]
    try:
        return date.fromisoformat(text) if text else task.ingest_time.date()
    except ValueError:
        raise TaskError(f"parameter 'as_of' takes a day as YYYY-MM-DD, not {text!r}") from None


def _known(task: TaskContext) -> dict[str, Known]:
    rows = task.table(FILES).select("file", "sha256", "as_of").collect()
    return {row["file"]: Known(row["sha256"], row["as_of"]) for row in rows}


def _is_stale(task: TaskContext, known: dict[str, Known]) -> bool:
    """Whether a file of events that was taken is gone, or is another one now."""
    if not all(tables.current(task.spark, task.lake, table) for table in OF_EVENTS):
        return True
    folder = ingest.landing(task)
    taken = {name: of.sha256 for name, of in known.items() if source_of(name) == EVENTS_SOURCE}
    return any(raw_files.sha256(folder / name) != sha256 for name, sha256 in taken.items())


def _start_over(task: TaskContext) -> None:
    """Empties what is made of events. The files are forgotten first, so that a killed run starts over again."""
    spark = task.spark
    others = task.table(FILES).where(fn.col("source") != EVENTS_SOURCE).localCheckpoint()
    for table in (*OF_EVENTS, QUARANTINE):
        task.replace(table, spark.createDataFrame([], tables.schema(table)))
    shutil.rmtree(ingest.checkpoint(task, "batch"), ignore_errors=True)
    task.replace(FILES, others)


def _take_masters(task: TaskContext, files: list[RawFile], known: dict[str, Known]) -> None:
    repaired, today = repairs.read(task), as_of(task)
    # What was delivered once is valid from the day on which it was.
    days = {of.sha256: of.as_of for of in known.values() if of.as_of}
    deliveries = []
    for file in files:
        if (name := source_of(file.name)) != UNKNOWN:
            noted = known[file.name].as_of if file.name in known and known[file.name].sha256 == file.sha256 else None
            day = noted or days.get(file.sha256, today)
            deliveries.append(masters.Delivery(BY_NAME[name], file, day, repaired.get(file.name, {})))
    # Kept, for they are asked once for each table.
    found = masters.read(task.spark, deliveries).localCheckpoint()
    task.side_by_side(
        lambda master: task.replace(master.table, ingest.audited(masters.table(found, master), task)), SOURCES
    )
    _set_aside(task, found)
    gone = {name for name in known if source_of(name) != EVENTS_SOURCE} - {file.name for file in files}
    if gone:
        none = task.spark.createDataFrame([], tables.schema(FILES))
        tables.replace_where(none, task.lake, FILES, tables.among("file", gone))
    if deliveries:
        ingest.note_files(task, _noted(deliveries, found))


def _set_aside(task: TaskContext, found: DataFrame) -> None:
    """Puts what breaks a rule in place of what did so before."""
    now = ingest.as_quarantined(task, fn.col("source"), found.where("rule IS NOT NULL")).coalesce(1)
    of_masters = tables.among("source", [source.name for source in SOURCES])
    if not (now.isEmpty() and task.table(QUARANTINE).where(of_masters).isEmpty()):
        tables.replace_where(now, task.lake, QUARANTINE, of_masters)


def _noted(deliveries: list[masters.Delivery], found: DataFrame) -> list[dict]:
    """What to note of the files of masters."""
    by_file = found.groupBy("source_file").agg(
        fn.count("*").alias("records"), fn.count_if("repeated").alias("repeated")
    )
    held = {row["source_file"]: (row["records"], row["repeated"]) for row in by_file.collect()}
    rows = []
    for delivery in deliveries:
        file, named = delivery.file, raw_csv.header(Path(delivery.file.path))
        columns, (records, repeated) = list(delivery.master.columns), held.get(file.name, (0, 0))
        rows.append(
            {
                "file": file.name,
                "source": delivery.master.name,
                "sha256": file.sha256,
                "bytes": file.bytes,
                "records": records,
                "duplicates": repeated,
                "as_of": delivery.as_of,
                "new_columns": sorted(set(named) - set(columns)),
                "missing_columns": sorted(set(columns) - set(named)),
            }
        )
    return rows


def _note_unknown(task: TaskContext, files: list[RawFile]) -> None:
    """A file that nobody knows what to do with is set aside as a whole."""
    of_unknown = tables.among("source", [UNKNOWN])
    if not files and task.table(QUARANTINE).where(of_unknown).isEmpty():
        return
    rows = [(f"file:{file.name}", "unknown_file", UNKNOWN_FILE, UNKNOWN, file.name) for file in files]
    frame = task.spark.createDataFrame(rows, "record_id STRING, rule STRING, reason STRING, source STRING, file STRING")
    missing = [column for column in tables.schema(QUARANTINE).fields if column.name not in frame.columns]
    whole = task.marked(frame.select("*", *(fn.lit(None).cast(c.dataType).alias(c.name) for c in missing)))
    tables.replace_where(whole, task.lake, QUARANTINE, of_unknown)
    if files:
        noted = [{"file": f.name, "source": UNKNOWN, "sha256": f.sha256, "bytes": f.bytes, "records": 1} for f in files]
        ingest.note_files(task, noted)


def _publish(task: TaskContext) -> None:
    """The quarantine for people, and what is new in files and events."""
    kept = ("record_id", "source", "rule", "reason", "file", "line", "text")
    exports.json_lines(task.lake, QUARANTINED, task.table(QUARANTINE).select(*kept).orderBy("source", "file", "line"))
    files = task.table(FILES).where("size(new_columns) > 0 OR size(missing_columns) > 0")
    keys = {key for row in task.table(BATCHES).select("new_keys").collect() for key in row[0] or ()}
    task.tell(
        "columns",
        {
            "files": {
                row["file"]: {"new": row["new_columns"], "missing": row["missing_columns"]} for row in files.collect()
            },
            "events": {"new": sorted(keys)},
        },
    )


def _counts(task: TaskContext, copies: int) -> Counts:
    """What came, by the notes of the files, and where it went, by the tables."""
    of_events = (fn.col("source") == EVENTS_SOURCE).alias("of_events")
    noted = task.table(FILES).groupBy(of_events).agg(fn.sum("records"), fn.sum("duplicates")).collect()
    records = {row[0]: row[1] for row in noted}
    asked = (ARRIVALS, QUARANTINE, EVENTS, *(master.table for master in SOURCES))
    arrived, aside, *kept = task.side_by_side(lambda table: task.table(table).count(), asked)
    if arrived != records.get(True, 0):
        # Batch and stream may have taken a file at the same time; each of its lines then stands there twice.
        arrived, before = task.table(ARRIVALS).select(*ingest.SOURCE_KEY).distinct().count(), arrived
        copies -= before - arrived
    if task.parameters["source"] == "files" and arrived != records.get(True, 0):
        raise TaskError(f"the files hold {records.get(True, 0):,} usage events, of which {arrived:,} arrived")
    return Counts(
        records_in=records.get(False, 0) + arrived,
        records_out=sum(kept),
        quarantined=aside,
        duplicates=sum(row[2] or 0 for row in noted) + copies,
    )
