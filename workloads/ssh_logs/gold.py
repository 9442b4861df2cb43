"""Gold: the events in order of time as the CSV file that analysts expect, and what each address did."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from workloads.lakehouse import exports, ordering
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs import pseudonyms
from workloads.ssh_logs.checks import CSV
from workloads.ssh_logs.features import windows
from workloads.ssh_logs.schemas import EVENTS, WINDOWS
from workloads.ssh_logs.silver import exported, listed

# LogHub's columns first (its Component is the host), then ours. Month, day and clock are in the time zone of the log.
CSV_COLUMNS = {
    "Date": "date_format(local_time, 'MMM')",
    "Day": "day(local_time)",
    "Time": "date_format(local_time, 'HH:mm:ss')",
    "Component": "host",
    "Pid": "pid",
    "Content": "message",
    "EventId": "event_id",
    "EventTemplate": "event_template",
    "Host": "host",
    "File": "file",
    "FileLine": "line",
    "Timestamp": "event_time",
    "Process": "process",
    "RepeatCount": "repeat_count",
    "Outcome": "outcome",
    "User": "user",
    "UserValid": "user_valid",
    "SourceAddress": "source_address",
    "AddressCarried": "address_carried",
    "SourcePort": "source_port",
    "Method": "method",
    "KeyFingerprint": "key_fingerprint",
    "Reason": "reason",
}


EXPORTS, hangs_on = (CSV,), pseudonyms.hangs_on


def run(task: TaskContext) -> Counts:
    """Writes the features of address windows, and exports the events as CSV."""
    task.side_by_side(lambda publish: publish(task), (_write_windows, _export))
    rows = task.table(EVENTS).count()
    return Counts(records_in=rows, records_out=rows)


def _write_windows(task: TaskContext) -> None:
    task.replace(WINDOWS, task.marked(windows(task.table(EVENTS))))


def _export(task: TaskContext) -> None:
    exports.csv(task.lake, CSV, csv_rows(exported(task, in_order(listed(task))), task.parameters["time_zone"]))


def in_order(events: DataFrame) -> DataFrame:
    """The events in order of time, those of one moment in order of file and line, numbered by `LineId`."""
    return ordering.in_order(events, "unix_micros(event_time)", "file", "line", number="LineId")


def csv_rows(events: DataFrame, time_zone: str) -> DataFrame:
    """The rows of the CSV file, of events as `in_order` gives them."""
    local = events.withColumn("local_time", fn.from_utc_timestamp("event_time", time_zone))
    return local.select("LineId", *(fn.expr(ours).alias(name) for name, ours in CSV_COLUMNS.items()))
