"""Report: the business reports, after the model has scored, as tables and as CSV files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as fn

from workloads.lakehouse import exports
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs import campaigns, pseudonyms, reports
from workloads.ssh_logs.report_checks import place
from workloads.ssh_logs.schemas import (
    ACTIVITY,
    ATTACKERS,
    CAMPAIGNS,
    DAILY,
    EVENTS,
    HOURLY,
    REPORTS,
    SCORES,
    TARGETED_ACCOUNTS,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from workloads.lakehouse.tables import Table

# What stands first in each file.
ORDER = {
    CAMPAIGNS: ("start", "campaign_id"),
    ATTACKERS: ("-failures", "source_address"),
    TARGETED_ACCOUNTS: ("-attacker_successes", "-failures", "user"),
    HOURLY: ("hour",),
    DAILY: ("day",),
}


EXPORTS, hangs_on = tuple(map(place, REPORTS)), pseudonyms.hangs_on


def run(task: TaskContext) -> Counts:
    """Writes the minutes, and each report as a table and a file. Its records are the minutes."""
    names = pseudonyms.Pseudonyms.of(task.parameters["pseudonyms"])
    _write(task, ACTIVITY, reports.activity(task.table(EVENTS)))
    minutes, scores = task.table(ACTIVITY), task.table(SCORES)
    found = campaigns.campaigns(minutes).persist()
    suspects = reports.attackers(minutes, found, scores).persist()
    told = {
        CAMPAIGNS: found,
        ATTACKERS: suspects,
        TARGETED_ACCOUNTS: reports.targeted_accounts(minutes, suspects),
        HOURLY: reports.hourly(minutes, scores),
        DAILY: reports.daily(minutes, scores),
    }
    shown = {table: names.hide(frame).persist() for table, frame in told.items()}

    def publish(table: Table) -> None:
        _write(task, table, shown[table])
        exports.csv(task.lake, place(table), rows(shown[table], table))

    task.side_by_side(publish, REPORTS)
    for frame in (found, suspects, *shown.values()):
        frame.unpersist()
    total = minutes.count()
    return Counts(records_in=total, records_out=total)


def rows(frame: DataFrame, table: Table) -> DataFrame:
    """The rows of a report's file, in order; lists stand with a blank between their items."""
    ordered = frame.orderBy(*(fn.desc(key[1:]) if key.startswith("-") else fn.asc(key) for key in ORDER[table]))
    kinds = dict(frame.dtypes)
    return ordered.select(
        *(fn.array_join(n, " ").alias(n) if kinds[n].startswith("array") else fn.col(n) for n in table.content)
    )


def _write(task: TaskContext, table: Table, frame: DataFrame) -> None:
    task.replace(table, task.marked(frame))
