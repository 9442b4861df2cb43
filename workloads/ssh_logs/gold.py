"""Gold: the events in order, as a table and as the CSV file that analysts expect, and what each address did."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as fn

from workloads.lakehouse import exports
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs.checks import CSV
from workloads.ssh_logs.schemas import EVENTS, FEATURES, GOLD_EVENTS, WINDOWS

WINDOW = "10 minutes"

# LogHub's columns first (its Component is the host), then ours.
CSV_COLUMNS = {
    "LineId": "line_id",
    "Date": "month_name",
    "Day": "day",
    "Time": "clock",
    "Component": "host",
    "Pid": "pid",
    "Content": "message",
    "EventId": "event_id",
    "EventTemplate": "event_template",
    "Timestamp": "event_time",
    "Process": "process",
    "Outcome": "outcome",
    "User": "user",
    "UserValid": "user_valid",
    "SourceAddress": "source_address",
    "SourcePort": "source_port",
    "Method": "method",
    "Reason": "reason",
    "RepeatCount": "repeat_count",
    "File": "file",
    "FileLine": "line",
}


def run(task: TaskContext) -> Counts:
    """Writes the numbered events and the features of address windows, and exports the events as CSV."""
    task.replace(GOLD_EVENTS, numbered(task.table(EVENTS)))
    written = task.table(GOLD_EVENTS)
    marks = {"ingested_at": fn.lit(task.ingest_time), "run_id": fn.lit(task.run_id)}
    task.replace(WINDOWS, windows(written).withColumns(marks))
    exports.csv(task.lake, CSV, csv_rows(written))
    return Counts(records_in=task.table(EVENTS).count(), records_out=written.count())


def numbered(events: DataFrame) -> DataFrame:
    """The events with `line_id`, from 1, in order of time; those of one second in order of file and line."""
    order = Window.orderBy("event_time", "file", "line")
    return events.withColumn("line_id", fn.row_number().over(order).cast("bigint"))


def csv_rows(numbered_events: DataFrame) -> DataFrame:
    """The rows of the CSV file, in its order and with its names."""
    renamed = [fn.col(ours).alias(name) for name, ours in CSV_COLUMNS.items()]
    return numbered_events.orderBy("line_id").select(*renamed)


def windows(events: DataFrame) -> DataFrame:
    """What each source address did in each ten minutes in which it is named: see `schemas.FEATURES`.

    A message that is repeated N times counts N.
    """
    times = fn.col("repeat_count")

    def total(condition: str) -> Column:
        return fn.sum(fn.when(fn.expr(condition), times).otherwise(0))

    measured = (
        events.where("source_address IS NOT NULL")
        .groupBy("source_address", fn.window("event_time", WINDOW).start.alias("window_start"))
        .agg(
            fn.sum(times).alias("events"),
            total("outcome IS NOT NULL").alias("attempts"),
            total("outcome = 'failure'").alias("failures"),
            total("outcome = 'success'").alias("successes"),
            fn.countDistinct("user").alias("distinct_users"),
            fn.countDistinct(fn.when(~fn.col("user_valid"), fn.col("user"))).alias("invalid_users"),
            fn.countDistinct("host").alias("distinct_hosts"),
            (fn.max(fn.unix_micros("event_time")) - fn.min(fn.unix_micros("event_time"))).alias("active_micros"),
        )
    )
    share = fn.when(fn.col("attempts") > 0, fn.col("failures") / fn.col("attempts")).otherwise(0.0)
    complete = measured.withColumns({"failure_share": share, "active_seconds": fn.col("active_micros") / 1e6})
    features = [fn.col(feature.name).cast("double").alias(feature.name) for feature in FEATURES]
    return complete.select("source_address", "window_start", *features)
