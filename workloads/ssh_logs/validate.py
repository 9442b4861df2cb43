"""Validate: looks whether all checks of `checks.py` hold, or did when the outputs were last as they are now."""

from __future__ import annotations

from typing import Any

from workloads.lakehouse import checks, unchanged
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs.checks import CHECKED, CHECKS
from workloads.ssh_logs.figures import figures
from workloads.ssh_logs.schemas import EVENTS

EXPORTS: tuple[str, ...] = ()


def hangs_on(task: TaskContext) -> dict[str, Any]:
    """The exports that are checked."""
    return unchanged.stamps(map(task.lake.path, CHECKED))


def run(task: TaskContext) -> Counts:
    """Raises TaskError, naming the checks that do not hold. Its records are the events."""
    events = figures(checks.require(CHECKS, task), EVENTS)["rows"]
    return Counts(records_in=events, records_out=events)
