"""Gold: the business marts, and the version of the batch layer that they are."""

from __future__ import annotations

from typing import Any

from workloads.cloud_usage import marts, seam
from workloads.cloud_usage.schemas import CONFORMED_QUARANTINE, DAILY_COSTS, INVOICES, MARTS, SILVER_EVENTS, TICKETS
from workloads.lakehouse.task import Counts, TaskContext

EXPORTS: tuple[str, ...] = ()
OF = ("source_file", "source_line")


def hangs_on(task: TaskContext) -> dict[str, Any]:
    """Nothing beside the tables of silver."""
    return {}


def run(task: TaskContext) -> Counts:
    """Writes all marts, then publishes their version. Its records are the events."""
    events = task.table(SILVER_EVENTS)
    made = {name: mart(events) for name, mart in marts.OF_EVENTS.items()} | {
        "revenue_by_org_month": marts.revenue_by_org_month(task.table(INVOICES)),
        "cost_anomaly_mart": marts.cost_anomaly_mart(task.table(DAILY_COSTS)),
        "tickets_by_org_date": marts.tickets_by_org_date(task.table(TICKETS)),
    }
    task.side_by_side(lambda pair: task.replace(MARTS[pair[0]], pair[1]), made.items())
    version = seam.publish(task, events.select(*OF).unionAll(task.table(CONFORMED_QUARANTINE).select(*OF)))
    task.tell("version", {"version": version, "events": events.count()})
    return Counts(records_in=events.count(), records_out=_counted(task))


def _counted(task: TaskContext) -> int:
    """The events that the daily mart holds."""
    from pyspark.sql import functions as fn

    return task.table(MARTS["org_daily_usage_by_service"]).agg(fn.sum("events")).head()[0] or 0
