"""Speed: what came since the served version of the batch layer, in marts that complete it, every few seconds.

It takes new events in by the batch layer's own engine, and makes the batch layer's own marts of those events that the
served version does not hold: of all of them each time, so that there is no state to lose. Where the batch layer
publishes a version, what that holds is gone from here with the next micro-batch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage import anomalies, conform, ingest, marts, seam
from workloads.cloud_usage.schemas import (
    ARRIVALS,
    BATCHES,
    CUSTOMERS,
    DAILY_COSTS,
    MARTS,
    MONEY,
    QUARANTINE,
    RESOURCES,
    SPEED,
)
from workloads.cloud_usage.serving_tables import SERVING
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
    for mart in SPEED.values():
        tables.ensure(task.spark, task.lake, mart)
    # Rows of the store live for a time only, and a stream may have stood still for long: all are served anew.
    refresh(task, anew=True)
    watch(task, None)
    ingest.speed(task, lambda batch: after(task, batch))
    came = task.table(ARRIVALS).count() - before
    return Counts(records_in=came, records_out=came)


def after(task: TaskContext, batch: ingest.MicroBatch) -> None:
    """What follows each micro-batch: it is served, and how old it was by then is told."""
    refresh(task)
    watch(task, batch.arrived_at)
    task.publish()


def refresh(task: TaskContext, anew: bool = False) -> None:
    """Makes the speed marts complete the served version: rows that changed, or all of them `anew`, go to the serving
    store, where there is one, and then all of them to the lake. So what the lake holds is what was served.
    """
    version, reason = seam.newest(task), serving.unavailable()
    if reason:
        print(f"nothing is served: {reason}")
    keys = {served.name: served.key for served in SERVING}

    def renew(mart: tuple[str, DataFrame]) -> None:
        name, now = mart[0], mart[1].localCheckpoint()
        if reason is None:
            was = task.table(SPEED[name]).where(fn.col("version") == version)
            serving.publish_speed(task, version, {name: difference(now, was, keys[name], anew)})
        task.replace(SPEED[name], now)

    task.side_by_side(renew, complete(task, version).items())


def difference(now: DataFrame, was: DataFrame, key: Sequence[str], anew: bool = False) -> DataFrame:
    """The rows of `now` that `was` lacks or has otherwise, or all of them `anew`; and the rows of `was` whose key `now`
    lacks, with nothing but their key: all else is null (`serving_view`).
    """
    values = [name for name in now.columns if name not in key]

    def side(frame: DataFrame, name: str) -> DataFrame:
        return frame.select(*key, fn.struct(*values).alias(name))

    both = side(now, "now").join(side(was, "was"), list(key), "full")
    if not anew:
        both = both.where(~fn.col("now").eqNullSafe(fn.col("was")))
    return both.select(*key, *(fn.col(f"now.{name}").alias(name) for name in values if name != "version"))


def watch(task: TaskContext, arrived_at: float | None) -> None:
    """Reports how long the oldest record of a micro-batch waited (Unix time of its arrival), and what is set aside."""
    task.report("medallion_stream_lag_seconds", 0 if arrived_at is None else time.time() - arrived_at)
    good = fn.sum(fn.expr("records - quarantined"))
    asked = (
        task.table(BATCHES).agg(fn.sum("late"), good),
        task.table(QUARANTINE).agg(fn.unix_micros(fn.min("ingested_at"))),
    )
    (late, records), (oldest,) = task.side_by_side(DataFrame.head, asked)
    task.report("medallion_stream_late_share", late / records if records else 0)
    age = 0 if oldest is None else max(0, time.time() - oldest / MICROS)
    task.report("medallion_stream_quarantine_age_seconds", age)


def complete(task: TaskContext, version: int) -> Mapping[str, DataFrame]:
    """The speed marts that complete a version, by name."""
    # The marts of events use nothing that silver adds to an event. Kept, for four marts are made of them.
    since = conform.known(seam.outside(task, version), task.table(CUSTOMERS)).localCheckpoint()
    made = {name: mart(since) for name, mart in marts.OF_EVENTS.items()}
    made["cost_anomaly_mart"] = _anomalies(task, since, version)
    number = fn.lit(version).cast("BIGINT").alias("version")
    return {name: frame.select(*frame.columns, number) for name, frame in made.items()}


def _anomalies(task: TaskContext, since: DataFrame, version: int) -> DataFrame:
    """The days that are flagged, or not any more, now that more is known than the served version holds."""
    held = task.table(DAILY_COSTS).select(*UNIT, "cost_usd", "is_anomaly")
    days = held.drop("is_anomaly").unionAll(anomalies.daily(since).select(*UNIT, "cost_usd"))
    # Days are compared with those of their service only.
    days = days.join(fn.broadcast(since.select("service").distinct()), "service", "left_semi")
    summed = days.groupBy(*UNIT).agg(fn.sum("cost_usd").cast(MONEY).alias("cost_usd"))
    now = anomalies.flagged(summed, anomalies.Thresholds.of(task.parameters))
    # Rows that are served are not taken back: they say that the day is none any more.
    shown = held.where("is_anomaly").select(*UNIT)
    mart = SPEED["cost_anomaly_mart"]
    if tables.exists(task.spark, task.lake, mart):
        shown = shown.unionAll(task.table(mart).where(fn.col("version") == version).select(*UNIT))
    was = shown.distinct().withColumn("was", fn.lit(True))
    either = now.join(fn.broadcast(was), list(UNIT), "left").where("is_anomaly OR was")
    return either.select(*(column.name for column in MARTS["cost_anomaly_mart"].columns))
