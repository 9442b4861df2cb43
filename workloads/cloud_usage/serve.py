"""Serve: the current version of the marts goes to the serving store, with what the speed layer has beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pyspark.sql import DataFrame

from workloads.cloud_usage import seam, speed
from workloads.cloud_usage.schemas import MARTS, VERSIONS
from workloads.lakehouse import serving
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
    version = seam.newest(task)
    if version == seam.NONE:
        raise TaskError(f"{VERSIONS.name} holds no version: run the task gold first")
    marts = {name: task.table(table) for name, table in MARTS.items()}
    written = serving.publish(task, version, marts, beside(task, version), read_at)
    task.tell(REPORT, {"served": True, "version": version, "rows": written})
    rows = sum(task.side_by_side(DataFrame.count, marts.values()))
    return Counts(records_in=rows, records_out=sum(written[name] for name in marts))


def beside(task: TaskContext, version: int) -> Mapping[str, DataFrame]:
    """What completes a version from its first moment on: speed marts of what came while it was made, if anything did.

    The tables of the speed layer are the stream's to write.
    """
    return {} if seam.outside(task, version).isEmpty() else speed.complete(task, version)
