"""Maintain: many small files of a table are put together, and files that no recent version needs are removed."""

from __future__ import annotations

from workloads.lakehouse import tables
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs.schemas import TABLES

EXPORTS = ()


def hangs_on(task: TaskContext) -> dict[str, str]:
    """Once a day is enough, whatever changed."""
    return {"day": task.ingest_time.date().isoformat()}


def run(task: TaskContext) -> Counts:
    """Tends every table. Its records are the tables."""
    hours = task.parameters["vacuum_hours"]
    if hours < tables.VACUUM_HOURS:
        raise TaskError(f"parameter 'vacuum_hours' takes {tables.VACUUM_HOURS} hours or more, not {hours}")
    task.side_by_side(lambda table: tables.tend(task.spark, task.lake, table, hours), TABLES)
    return Counts(records_in=len(TABLES), records_out=len(TABLES))
