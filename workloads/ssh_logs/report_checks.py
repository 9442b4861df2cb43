"""What must hold of the reports and of the list of leftovers: they agree with the events that they are made of."""

from __future__ import annotations

import csv

from workloads.lakehouse.checks import Check, Outputs
from workloads.lakehouse.tables import Table
from workloads.ssh_logs.figures import TOTALS, figures
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

FOLDER = "gold/business_reports"


def place(table: Table) -> str:
    """The place of a report's file, such as `gold/business_reports/attackers.csv`."""
    return f"{FOLDER}/{table.name.partition('ssh_logs_')[2]}.csv"


def _totals_agree(outputs: Outputs) -> int:
    """By how much the sums of minutes, hours and days differ from those of the events."""
    expected = figures(outputs, EVENTS)
    return sum(
        abs(found[total] - expected[total])
        for found in (figures(outputs, table) for table in (ACTIVITY, HOURLY, DAILY))
        for total in TOTALS
    )


def _campaigns_possible(outputs: Outputs) -> int:
    """Campaigns that end before they start, name nobody, or count tries that do not add up; and failures too many."""
    found, most = figures(outputs, CAMPAIGNS), figures(outputs, ACTIVITY)
    return found["wrong"] + max(0, found["failures"] - most["failures"])


def _flags_agree(outputs: Outputs) -> int:
    """By how much flagged addresses of the report and of the scores differ in number; pseudonyms keep it."""
    scores, told = figures(outputs, SCORES), figures(outputs, ATTACKERS)
    return abs(scores["flagged_addresses"] - told["flagged"]) + told["rows"] - told["addresses"]


def _leftovers_listed(outputs: Outputs) -> int:
    """Messages that the catalogue lacks and that the list does not count, or the other way round."""
    return abs(figures(outputs, EVENTS)["lacking"] - figures(outputs, LEFTOVERS)["messages"])


def _quality_complete(outputs: Outputs) -> int:
    """Files without a row, rows whose figures do not add up, and records by which report and events differ."""
    told = figures(outputs, QUALITY)
    files = abs(figures(outputs, FILES)["rows"] - told["rows"])
    return files + told["wrong"] + abs(figures(outputs, EVENTS)["rows"] - told["records"])


def _files_agree(outputs: Outputs) -> int:
    """Rows by which reports' files and tables differ, and headers that are not the table's."""
    wrong = 0
    for table in REPORTS:
        with outputs.file(place(table)).open(newline="", encoding="utf-8") as stream:
            rows = csv.reader(stream, strict=True)
            wrong += tuple(next(rows, ())) != table.content
            wrong += abs(sum(1 for _ in rows) - figures(outputs, table)["rows"])
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
