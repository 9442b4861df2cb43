"""Serve: the current version of the marts goes to the serving store, with what the speed layer has beside it."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.cloud_usage.schemas import MARTS, SPEED, VERSIONS
from workloads.lakehouse import serving, tables
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import Counts, TaskContext

REPORT = "serving"


def run(task: TaskContext) -> Counts:
    """Publishes the newest version. Its records are the rows of the marts; none where there is no serving store."""
    if reason := serving.unavailable():
        print(f"nothing was served: {reason}")
        task.tell(REPORT, {"served": False, "reason": reason})
        return Counts(records_in=0, records_out=0)
    read_at = datetime.now(UTC)
    version = newest(task)
    marts = {name: task.table(table) for name, table in MARTS.items()}
    written = serving.publish(task, version, marts, speed(task, version), read_at)
    task.tell(REPORT, {"served": True, "version": version, "rows": written})
    rows = sum(tables.side_by_side(DataFrame.count, marts.values()))
    return Counts(records_in=rows, records_out=sum(written[name] for name in marts))


def newest(task: TaskContext) -> int:
    """The version of the batch layer that was published last. Raises TaskError where there is none."""
    version = task.table(VERSIONS).agg(fn.max("version")).head()[0]
    if version is None:
        raise TaskError(f"{VERSIONS.name} holds no version: run the task gold first")
    return version


def speed(task: TaskContext, version: int) -> dict[str, DataFrame]:
    """The speed layer's rows beside a version, by the name of the mart; those that it has written so far."""
    written = {name: table for name, table in SPEED.items() if tables.exists(task.spark, task.lake, table)}
    return {name: task.table(table).where(fn.col("version") == version) for name, table in written.items()}
