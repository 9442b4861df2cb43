"""The seam between batch and speed layer: which events the served version of the batch layer holds.

A version publishes the manifest of the files, and of the offsets of partitions, that it holds. What is in no manifest
is what the speed layer has to add, whenever it happened and whenever it came.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage.schemas import EVENTS, MANIFEST, VERSIONS
from workloads.lakehouse import tables
from workloads.lakehouse.task import TaskContext

NONE = 0  # the version before the first, which holds nothing


def newest(task: TaskContext) -> int:
    """The version that is served."""
    if not tables.exists(task.spark, task.lake, VERSIONS):
        return NONE
    return task.table(VERSIONS).agg(fn.max("version")).head()[0] or NONE


def publish(task: TaskContext, events: DataFrame) -> int:
    """Makes what these events (of silver, and those that it set aside) come from the newest version; gives its number.

    A run that is repeated publishes its version again.
    """
    tables.ensure(task.spark, task.lake, VERSIONS)
    own = task.table(VERSIONS).where(fn.col("run_id") == task.run_id).agg(fn.max("version")).head()[0]
    version = own or newest(task) + 1
    tables.replace_where(manifest(events, version), task.lake, MANIFEST, f"version = {version}")
    number = fn.lit(version).cast("BIGINT").alias("version")
    row = events.agg(fn.count("*").alias("events")).select(
        number, "events", fn.lit(task.ingest_time).alias("published_at"), fn.lit(task.run_id).alias("run_id")
    )
    tables.merge(row, task.lake, VERSIONS, ["version"])
    return version


def manifest(events: DataFrame, version: int) -> DataFrame:
    """What these events of bronze come from."""
    held = events.groupBy("source_file").agg(fn.max("source_line").alias("last_line"))
    return held.select(fn.lit(version).cast("BIGINT").alias("version"), "source_file", "last_line")


def outside(task: TaskContext, version: int) -> DataFrame:
    """The events of bronze that a version does not hold."""
    events = task.table(EVENTS)
    if version == NONE:
        return events
    held = task.table(MANIFEST).where(fn.col("version") == version)
    same = (events["source_file"] == held["source_file"]) & (events["source_line"] <= held["last_line"])
    return events.join(fn.broadcast(held), same, "left_anti")
