"""When somebody must look: Prometheus' rules as data, over the metrics of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dashboards import queries
from workloads.spec import Workload

RUNBOOK = "docs/runbooks/alerts.md"
"""What to do about each alert, from the root of the repository."""

LATE_AFTER = 26 * 3600
"""Seconds after which a workload with a schedule is late: schedules are daily, and a run may take two hours."""

DRIFT = 0.25
"""Population stability index from which a feature counts as drifted, as in the workloads' `drift.py`."""


def rules(workloads: Iterable[Workload]) -> dict[str, Any]:
    """The content of a rules file: rules over all tasks, and one for each workload that has a schedule."""
    scheduled = [workload for workload in workloads if any(job.schedule for job in workload.jobs)]
    alerts = [
        _alert(
            "TaskChecksFailed",
            queries.checks_failed(),
            "critical",
            "{{ $labels.workload }}/{{ $labels.task }}: {{ $value }} checks do not hold",
        ),
        _alert(
            "TaskWithoutRecords",
            queries.no_records(),
            "warning",
            "{{ $labels.workload }}/{{ $labels.task }} was given no records",
        ),
        _alert(
            "ModelDrifted",
            queries.drifted(DRIFT),
            "warning",
            "{{ $labels.workload }}: what the model scores is unlike what it was trained on (index {{ $value }})",
        ),
        _alert(
            "AlertBudgetExceeded",
            queries.over_budget(),
            "warning",
            "{{ $labels.workload }}: on {{ $value }} days the model flags more than people can look at",
        ),
        *(
            _alert(
                "TaskLate",
                queries.late(workload.name, LATE_AFTER),
                "critical",
                "{{ $labels.workload }}/{{ $labels.task }} failed or did not run: it succeeded"
                " {{ $value | humanizeDuration }} ago",
            )
            for workload in sorted(scheduled, key=lambda workload: workload.name)
        ),
    ]
    return {"groups": [{"name": "medallion", "rules": alerts}]}


def _alert(name: str, expression: str, severity: str, summary: str) -> dict[str, Any]:
    """A rule that fires once its expression has held for a minute."""
    return {
        "alert": name,
        "expr": expression,
        "for": "1m",
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "runbook": f"{RUNBOOK}#{name.lower()}"},
    }
