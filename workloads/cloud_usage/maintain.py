"""Maintain: many small files of a table are put together, and files that no recent version needs are removed."""

from __future__ import annotations

from workloads.cloud_usage.schemas import TABLES
from workloads.lakehouse import tables
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import Counts, TaskContext

EXPORTS: tuple[str, ...] = ()


def hangs_on(task: TaskContext) -> dict[str, str]:
    """Once a day is enough, whatever changed."""
    return {"day": task.ingest_time.date().isoformat()}


def run(task: TaskContext) -> Counts:
    """Tends every table that there is. Its records are the tables."""
    hours = task.parameters["vacuum_hours"]
    if hours < tables.VACUUM_HOURS:
        raise TaskError(f"parameter 'vacuum_hours' takes {tables.VACUUM_HOURS} hours or more, not {hours}")
    # Those of the speed layer wait for the first stream.
    there = [table for table in TABLES if tables.exists(task.spark, task.lake, table)]
    task.side_by_side(lambda table: tables.tend(task.spark, task.lake, table, hours), there)
    return Counts(records_in=len(TABLES), records_out=len(TABLES))
