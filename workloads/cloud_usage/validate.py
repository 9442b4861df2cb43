"""Validate: looks whether all checks of `checks.py` hold, or did when the outputs were last as they are now."""

from __future__ import annotations

from typing import Any

from workloads.cloud_usage.checks import CHECKED, CHECKS
from workloads.cloud_usage.figures import figures
from workloads.cloud_usage.schemas import SILVER_EVENTS
from workloads.lakehouse import checks, unchanged
from workloads.lakehouse.task import Counts, TaskContext

EXPORTS: tuple[str, ...] = ()


def hangs_on(task: TaskContext) -> dict[str, Any]:
    """The exports that are checked."""
    return unchanged.stamps(map(task.lake.path, CHECKED))


def run(task: TaskContext) -> Counts:
    """Raises TaskError, naming the checks that do not hold. Its records are the events."""
    events = figures(checks.require(CHECKS, task), SILVER_EVENTS)["rows"]
    return Counts(records_in=events, records_out=events)
