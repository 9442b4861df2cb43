"""Speed: what came since the served version of the batch layer, in marts that complete it, every few seconds.

It takes new events in by the batch layer's own engine, and makes the batch layer's own marts of those events that the
served version does not hold: of all of them each time, so that there is no state to lose. Where the batch layer
publishes a version, what that holds is gone from here with the next micro-batch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage import anomalies, conform, ingest, marts, seam
from workloads.cloud_usage.schemas import (
    ARRIVALS,
    BATCHES,
    CUSTOMERS,
    DAILY_COSTS,
    MARTS,
    QUARANTINE,
    RESOURCES,
    SPEED,
)
from workloads.lakehouse import serving, tables
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import Counts, TaskContext

MICROS = 10**6
UNIT = ("org_id", "date", "service", "region")


def run(task: TaskContext) -> Counts:
    """Runs until it is cancelled, or for as long as the parameters say. Its records are those that it took in."""
    every = task.parameters["trigger_seconds"]
    if every < 1:
        raise TaskError(f"parameter 'trigger_seconds' takes 1 or more, not {every}")
    for table in (CUSTOMERS, RESOURCES, DAILY_COSTS):
        if not tables.exists(task.spark, task.lake, table):
            raise TaskError("there are no customers yet: run the batch job once before the stream")
    before = task.table(ARRIVALS).count()
    # A run that was killed may have left rows unserved: all are.
    serve(task, {name: task.table(SPEED[name]) for name in refresh(task)})
    watch(task, None)
    ingest.speed(task, lambda batch: after(task, batch))
    came = task.table(ARRIVALS).count() - before
    return Counts(records_in=came, records_out=came)


def after(task: TaskContext, batch: ingest.MicroBatch) -> None:
    """What follows each micro-batch: it is served, and how old it was by then is told."""
    changed = {name: tables.changed(task.spark, task.lake, SPEED[name]) for name in refresh(task)}
    serve(task, changed)
    watch(task, batch.arrived_at)
    task.publish()


def refresh(task: TaskContext) -> list[str]:
    """Makes the tables of the speed marts complete the served version; gives their names."""
    found = complete(task, seam.newest(task))
    tables.side_by_side(lambda pair: task.replace(SPEED[pair[0]], pair[1]), found.items())
    return list(found)


def serve(task: TaskContext, rows: Mapping[str, DataFrame]) -> None:
    """Puts rows of the speed marts into the serving store, beside the version that they complete."""
    if reason := serving.unavailable():
        print(f"nothing is served: {reason}")
    else:
        serving.publish_speed(task, seam.newest(task), rows)


def watch(task: TaskContext, arrived_at: float | None) -> None:
    """Reports how long the oldest record of a micro-batch waited (Unix time of its arrival), and what is set aside."""
    task.report("medallion_stream_lag_seconds", 0 if arrived_at is None else time.time() - arrived_at)
    late, records = task.table(BATCHES).agg(fn.sum("late"), fn.sum(fn.expr("records - quarantined"))).head()
    task.report("medallion_stream_late_share", late / records if records else 0)
    oldest = task.table(QUARANTINE).agg(fn.unix_micros(fn.min("ingested_at"))).head()[0]
    age = 0 if oldest is None else max(0, time.time() - oldest / MICROS)
    task.report("medallion_stream_quarantine_age_seconds", age)


def complete(task: TaskContext, version: int) -> Mapping[str, DataFrame]:
    """The speed marts that complete a version, by name."""
    customers, resources = task.table(CUSTOMERS), task.table(RESOURCES)
    # Kept, for four marts are made of it.
    since = conform.conform(
        conform.known(seam.outside(task, version), customers), customers, resources
    ).localCheckpoint()
    made = {name: mart(since) for name, mart in marts.OF_EVENTS.items()}
    made["cost_anomaly_mart"] = _anomalies(task, since, version)
    number = fn.lit(version).cast("BIGINT").alias("version")
    return {name: frame.select(*frame.columns, number) for name, frame in made.items()}


def _anomalies(task: TaskContext, since: DataFrame, version: int) -> DataFrame:
    """The days that are flagged, or not any more, now that more is known than the served version holds."""
    held = task.table(DAILY_COSTS).select(*UNIT, "cost_usd", "is_anomaly")
    days = held.drop("is_anomaly").unionAll(anomalies.daily(since).select(*UNIT, "cost_usd"))
    summed = days.groupBy(*UNIT).agg(fn.sum("cost_usd").cast("DECIMAL(28,8)").alias("cost_usd"))
    now = anomalies.flagged(summed, anomalies.Thresholds.of(task.parameters))
    # Rows that are served are not taken back: they say that the day is none any more.
    shown = held.where("is_anomaly").select(*UNIT)
    mart = SPEED["cost_anomaly_mart"]
    if tables.exists(task.spark, task.lake, mart):
        shown = shown.unionAll(task.table(mart).where(fn.col("version") == version).select(*UNIT))
    # Kept, for the table that it is of is about to be replaced.
    was = shown.distinct().withColumn("was", fn.lit(True)).localCheckpoint()
    either = now.join(was, list(UNIT), "left").where("is_anomaly OR was")
    return either.select(*(column.name for column in MARTS["cost_anomaly_mart"].columns))
