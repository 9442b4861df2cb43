"""What must hold of the reports and of the list of leftovers: they agree with the events that they are made of."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from workloads.lakehouse.checks import Check, Outputs
from workloads.ssh_logs.schemas import (
    ACTIVITY,
    ATTACKERS,
    CAMPAIGNS,
    DAILY,
    EVENTS,
    FILES,
    HOURLY,
    LEFTOVERS,
    QUALITY,
    REPORTS,
    SCORES,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from workloads.lakehouse.tables import Table

FOLDER = "gold/business_reports"
TOTALS = ("events", "sshd_events", "tries", "failures", "successes")
OF_EVENTS = (
    "coalesce(sum(repeat_count), 0)",
    "coalesce(sum(if(is_sshd, repeat_count, 0)), 0)",
    "coalesce(sum(if(outcome IS NOT NULL, repeat_count, 0)), 0)",
    "coalesce(sum(if(outcome = 'failure', repeat_count, 0)), 0)",
    "coalesce(sum(if(outcome = 'success', repeat_count, 0)), 0)",
)


def place(table: Table) -> str:
    """The place of a report's file, such as `gold/business_reports/attackers.csv`."""
    return f"{FOLDER}/{table.name.partition('ssh_logs_')[2]}.csv"


def _first(frame: DataFrame, *expressions: str) -> list[int]:
    (row,) = frame.selectExpr(*expressions).collect()
    return [int(value or 0) for value in row]


def _totals_agree(outputs: Outputs) -> int:
    """By how much the sums of minutes, hours and days differ from those of the events."""
    expected = _first(outputs.table(EVENTS), *OF_EVENTS)
    found = [_first(outputs.table(table), *(f"sum({t})" for t in TOTALS)) for table in (ACTIVITY, HOURLY, DAILY)]
    return sum(abs(one - wanted) for sums in found for one, wanted in zip(sums, expected, strict=True))


def _campaigns_possible(outputs: Outputs) -> int:
    """Campaigns that end before they start, name nobody, or count tries that do not add up; and failures too many."""
    wrong = (
        "end < start OR kind IS NULL OR size(addresses) = 0 OR tries <> failures + successes OR unknown_users > users"
    )
    counted, most = (_first(outputs.table(table), "coalesce(sum(failures), 0)")[0] for table in (CAMPAIGNS, ACTIVITY))
    return outputs.table(CAMPAIGNS).where(wrong).count() + max(0, counted - most)


def _flags_agree(outputs: Outputs) -> int:
    """By how much flagged addresses of the report and of the scores differ in number; pseudonyms keep it."""
    flagged = outputs.table(SCORES).where("is_anomaly").select("source_address").distinct().count()
    told = outputs.table(ATTACKERS).selectExpr("count_if(is_flagged)", "count(DISTINCT source_address)", "count(*)")
    (found,) = told.collect()
    return abs(flagged - found[0]) + found[2] - found[1]


def _leftovers_listed(outputs: Outputs) -> int:
    """Messages that the catalogue lacks and that the list does not count, or the other way round."""
    lacking = _first(outputs.table(EVENTS), "sum(if(known, 0, repeat_count))")[0]
    return abs(lacking - _first(outputs.table(LEFTOVERS), "sum(count)")[0])


def _quality_complete(outputs: Outputs) -> int:
    """Files without a row, rows whose figures do not add up, and records by which report and events differ."""
    rows = outputs.table(QUALITY)
    wrong = "lines + if(damage IS NULL, 0, 1) <> records + quarantined + duplicates OR matched + leftovers <> records"
    records = abs(outputs.table(EVENTS).count() - _first(rows, "sum(matched + leftovers)")[0])
    return abs(outputs.table(FILES).count() - rows.count()) + rows.where(wrong).count() + records


def _files_agree(outputs: Outputs) -> int:
    """Rows by which reports' files and tables differ, and headers that are not the table's."""
    wrong = 0
    for table in REPORTS:
        with outputs.file(place(table)).open(newline="", encoding="utf-8") as stream:
            rows = csv.reader(stream, strict=True)
            wrong += tuple(next(rows, ())) != table.content
            wrong += abs(sum(1 for _ in rows) - outputs.table(table).count())
    return wrong


CHECKS = (
    Check("report-totals-agree", "minutes, hours and days add up to the events", "tables", _totals_agree),
    Check(
        "campaigns-possible",
        "campaigns last, name addresses and count no more than there is",
        "tables",
        _campaigns_possible,
    ),
    Check("flags-agree", "the addresses that scores flag are flagged in the attackers' report", "tables", _flags_agree),
    Check("leftovers-listed", "every message that the catalogue lacks is listed", "tables", _leftovers_listed),
    Check("quality-complete", "the quality report accounts for every file and record", "tables", _quality_complete),
    Check("report-files-agree", "the files of the reports hold what the tables hold", "tables", _files_agree),
)
