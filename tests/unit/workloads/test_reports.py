"""The tasks and effects around reports: tables and files as declared, quality by file, maintenance of tables."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta

import pytest

from workloads.lakehouse.errors import TaskError

pytestmark = pytest.mark.spark

START = datetime(2026, 3, 2, 8, 0)


def rows_of(spark, table, rows: list[dict]):
    """A frame with the columns of a table, null where a row does not say."""
    from workloads.lakehouse import tables

    schema = tables.schema(table)
    return spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema)


def event(n: int, **said) -> dict:
    return {
        "record_id": f"r{n}", "file": "a.log", "line": n, "event_time": START + timedelta(seconds=n), "host": "web-1",
        "event_date": START.date(), "process": "sshd", "is_sshd": True, "message": "m", "event_id": "failed-password",
        "event_template": "Failed password", "known": True, "repeat_count": 1, "outcome": "failure", "user": "root",
        "user_valid": True, "source_address": "198.51.100.1", "address_carried": False, "method": "password",
    } | said  # fmt: skip


SAID = [
    *(event(n) for n in range(1, 7)),
    event(7, repeat_count=3, address_carried=True),
    event(8, file="b.log", host="db-1", process="cron", is_sshd=False, known=False, outcome=None, user=None,
          user_valid=None, source_address=None, method=None, message="ran job of anna", event_id="unknown-1",
          event_template="ran job of <*>"),
]  # fmt: skip


@pytest.fixture
def filled(context, spark):
    """A task's context whose tables of events, scores and files are filled."""
    from workloads.ssh_logs.schemas import EVENTS, FILES, QUARANTINE, RECORDS, SCORES

    def fill(key: str, **parameters):
        task = context(key, **parameters)
        task.replace(EVENTS, rows_of(spark, EVENTS, SAID))
        scored = {"source_address": "198.51.100.1", "window_start": START, "score": 0.9, "is_anomaly": True}
        task.replace(SCORES, rows_of(spark, SCORES, [scored]))
        records = [{"record_id": row["record_id"], "file": row["file"], "damaged_text": False} for row in SAID]
        records[0]["damaged_text"] = True
        task.replace(RECORDS, rows_of(spark, RECORDS, records))
        held = [{"record_id": f"q{n}", "file": "a.log", "rule": rule} for n, rule in enumerate(("x", "y", "x"))]
        task.replace(QUARANTINE, rows_of(spark, QUARANTINE, held))
        files = [
            {"file": "a.log", "lines": 10, "records": 7, "quarantined": 3, "duplicates": 0, "year_basis": "ingest"},
            {"file": "b.log", "lines": 1, "records": 1, "quarantined": 0, "duplicates": 0, "year_basis": "ingest"},
            {"file": "c.log", "lines": 7, "records": 0, "quarantined": 0, "duplicates": 7, "year_basis": "ingest"},
        ]
        task.replace(FILES, rows_of(spark, FILES, files))
        return task

    return fill


def test_reports_are_tables_and_files(filled) -> None:
    from workloads.ssh_logs import report, report_checks
    from workloads.ssh_logs.schemas import ATTACKERS, CAMPAIGNS, HOURLY, REPORTS

    task = filled("report")
    counts = report.run(task)

    assert counts.balanced
    names = sorted(path.name for path in task.lake.path(report_checks.FOLDER).iterdir())
    assert names == [
        "attackers.csv", "campaigns.csv", "daily_summary.csv", "hourly_summary.csv", "targeted_accounts.csv",
    ]  # fmt: skip
    for table in REPORTS:
        with task.lake.path(report_checks.place(table)).open(newline="", encoding="utf-8") as stream:
            written = list(csv.reader(stream))
        assert tuple(written[0]) == table.content
        assert len(written) - 1 == task.table(table).count()
    (campaign,), (attacker,), (hour,) = (task.table(table).collect() for table in (CAMPAIGNS, ATTACKERS, HOURLY))
    assert (campaign["kind"], campaign["failures"], attacker["failures"]) == ("fast-brute-force", 9, 9)
    assert (attacker["is_flagged"], hour["events"], hour["sshd_events"]) == (True, 10, 9)


def test_reports_hold_no_name_where_pseudonyms_are_asked_for(filled, monkeypatch: pytest.MonkeyPatch) -> None:
    from workloads.ssh_logs import report, report_checks
    from workloads.ssh_logs.schemas import REPORTS

    task = filled("report", pseudonyms="users-and-addresses")
    with pytest.raises(TaskError, match="MEDALLION_PSEUDONYM_KEY"):
        report.run(task)
    monkeypatch.setenv("MEDALLION_PSEUDONYM_KEY", "x" * 40)
    report.run(task)

    text = "".join(task.lake.path(report_checks.place(table)).read_text() for table in REPORTS)
    assert "root" not in text
    assert "198.51.100.1" not in text
    assert "user-" in text
    assert "address-" in text


def test_the_quality_report_says_how_each_file_was_understood(filled) -> None:
    from workloads.ssh_logs import leftovers, quality
    from workloads.ssh_logs.schemas import QUALITY

    task = filled("silver")
    quality.publish(task)
    leftovers.write(task)
    leftovers.publish(task)

    first, second, third = task.table(QUALITY).orderBy("file").collect()
    wanted = {
        "lines": 10, "records": 7, "quarantined": 3, "damaged_text": 1, "matched": 7, "leftovers": 0, "repeated": 1,
        "happened": 9, "tries": 9, "carried_addresses": 1, "null_share_user": 0.0, "null_share_pid": 1.0, "hosts": 1,
    }  # fmt: skip
    assert {name: first[name] for name in wanted} == wanted
    assert [tuple(one) for one in first["quarantined_by_rule"]] == [("x", 2), ("y", 1)]
    assert (second["leftovers"], second["sshd_records"], second["null_share_user"]) == (1, 0, 1.0)
    assert (third["duplicates"], third["matched"], third["first_event"]) == (7, 0, None)
    latest = json.loads(task.lake.path(quality.LATEST).read_text())
    assert latest == json.loads(task.lake.path(f"{quality.FOLDER}/{task.run_id}.json").read_text())
    assert latest["total"]["sshd_matched_share"] == 1.0
    assert [file["file"] for file in latest["files"]] == ["a.log", "b.log", "c.log"]
    listed = json.loads(task.lake.path(f"{task.reports}/leftovers.json").read_text())
    assert (listed["templates"], listed["messages"], listed["shown"][0]["example"]) == (1, 1, "ran job of anna")


def test_checks_find_reports_that_do_not_agree(filled) -> None:
    from workloads.lakehouse.checks import Outputs, run
    from workloads.ssh_logs import leftovers, quality, report, report_checks
    from workloads.ssh_logs.schemas import HOURLY

    task = filled("report")
    for step in (quality.publish, leftovers.write, report.run):
        step(task)

    def broken() -> list[str]:
        results = run(report_checks.CHECKS, Outputs(task.lake, task.spark))
        return [result.check.name for result in results if not result.passed]

    assert broken() == []
    task.replace(HOURLY, task.table(HOURLY).where("false"))
    assert broken() == ["report-totals-agree", "report-files-agree"]
