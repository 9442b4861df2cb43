"""A run reads only what is new, and gives what a run from nothing gives."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from workloads.lakehouse import tables
from workloads.lakehouse import task as task_entry
from workloads.lakehouse.errors import TaskError

pytestmark = pytest.mark.spark

INGEST_TIME = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
HEAD = "Dec {day:2} {clock} h sshd[{pid}]: "
WITH_GOLD = ("bronze", "silver", "gold")
PLACE = {"file", "line", "position", "record_id"}


@pytest.fixture
def files() -> dict[str, list[str]]:
    """A log in three files: sessions go on in the next file, one of them after midnight."""

    def line(day: int, clock: str, pid: int, message: str) -> str:
        return HEAD.format(day=day, clock=clock, pid=pid) + message

    return {
        "1.log": [
            line(9, "10:00:00", 7, "Accepted password for anna from 10.0.0.7 port 50000 ssh2"),
            line(9, "23:59:58", 9, "Invalid user bob from 198.51.100.9"),
            "no record",
        ],
        "2.log": [
            line(9, "23:59:58", 9, "pam_unix(sshd:auth): check pass; user unknown"),
            line(10, "00:00:01", 9, "Failed password for invalid user bob from 198.51.100.9 port 50001 ssh2"),
            line(10, "09:59:59", 7, "pam_unix(sshd:session): session closed for user anna"),
        ],
        "3.log": [
            line(10, "10:00:01", 7, "pam_unix(sshd:session): session closed for user anna"),
            line(14, "12:00:00", 11, "Accepted publickey for chen from 2001:db8::11 port 50002 ssh2"),
            "",
        ],
    }


def upload(lake, files: dict[str, list[str]]) -> None:
    folder = lake.path("bronze/raw_logs")
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


def run(context, *, tasks: tuple[str, ...] = ("bronze", "silver"), run_id: str = "", **options) -> None:
    """One run of these tasks: of an id of its own, unless one is given."""
    run_id = run_id or f"run-of-{uuid4()}"
    for key in tasks:
        task_entry.carry_out(context(key, run_id=run_id, **options))


def state(task) -> dict[str, list[str]]:
    """Tables without what tells of runs and of where a line lay."""
    from workloads.ssh_logs.schemas import EVENTS, QUARANTINE, RECORDS, WINDOWS

    found = {}
    for table in (RECORDS, QUARANTINE, EVENTS, WINDOWS):
        if not tables.exists(task.spark, task.lake, table):
            continue
        columns = [name for name in table.content if name not in PLACE]
        found[table.name] = sorted(map(repr, task.table(table).select(*columns).collect()))
    return found


@contextmanager
def written() -> Iterator[list[str]]:
    """What is written meanwhile."""
    names: list[str] = []
    listening = True

    def hear(event: str, arguments: tuple) -> None:
        if listening and event == "medallion.effect" and arguments[0] == "before":
            names.append(arguments[2])

    sys.addaudithook(hear)
    yield names
    listening = False


def test_any_split_into_files_and_runs_gives_what_one_run_gives(context, files) -> None:
    task = context("bronze")
    upload(task.lake, {"all.log": [line for lines in files.values() for line in lines]})
    run(context, tasks=WITH_GOLD)
    expected = state(task)
    assert [len(rows) for rows in expected.values()][:3] == [7, 2, 7]

    task.lake.path("bronze/raw_logs/all.log").unlink()
    for name in ("3.log", "1.log", "2.log"):  # out of order, and a session that goes on in a later run
        upload(task.lake, {name: files[name]})
        run(context)
    run(context, tasks=("gold",))
    assert state(task) == expected


def test_an_address_is_carried_over_its_session_and_no_further(context, files) -> None:
    from workloads.ssh_logs.schemas import EVENTS

    upload(context("bronze").lake, files)
    run(context)
    rows = context("gold").table(EVENTS).orderBy("event_time", "file", "line").collect()
    assert [(row["source_address"], row["address_carried"]) for row in rows] == [
        ("10.0.0.7", False),
        ("198.51.100.9", False),
        ("198.51.100.9", True),
        ("198.51.100.9", False),
        ("10.0.0.7", True),
        (None, False),  # a day and a second after it was named
        ("2001:db8::11", False),
    ]


def test_a_second_run_writes_only_what_is_new(context, files) -> None:
    from workloads.ssh_logs.schemas import EVENTS, RECORDS

    task = context("bronze")
    upload(task.lake, {name: files[name] for name in ("1.log", "2.log")})
    run(context, tasks=WITH_GOLD, run_id="run-1")
    with written() as names:
        run(context, tasks=WITH_GOLD, run_id="run-2")
    assert not {name for name in names if not name.startswith("reports/runs/")}

    upload(task.lake, {"3.log": files["3.log"]})
    run(context, run_id="run-3")

    by_run = {(row["file"], row["run_id"]) for row in task.table(RECORDS).select("file", "run_id").collect()}
    assert by_run == {("1.log", "run-1"), ("2.log", "run-1"), ("3.log", "run-3")}
    events = task.table(EVENTS).selectExpr("cast(event_date AS STRING) AS day", "run_id").distinct().collect()
    assert {row["day"] for row in events} == {"2025-12-09", "2025-12-10", "2025-12-14"}


def test_what_a_killed_run_left_is_put_right(context, files) -> None:
    """Records were written, then the run ended; before the next one its file was taken away."""
    from workloads.ssh_logs import bronze
    from workloads.ssh_logs.schemas import RECORDS

    task = context("bronze")
    upload(task.lake, {"1.log": files["1.log"]})
    run(context)
    expected = state(task)
    upload(task.lake, {"2.log": files["2.log"]})
    kept = bronze._manifest_rows
    try:
        bronze._manifest_rows = None
        with pytest.raises(TypeError):
            bronze.run(context("bronze"))
    finally:
        bronze._manifest_rows = kept
    assert task.table(RECORDS).count() == 5
    task.lake.path("bronze/raw_logs/2.log").unlink()
    run(context)
    assert state(task) == expected


def test_other_parameters_read_everything_anew(context, files) -> None:
    from workloads.ssh_logs.schemas import EVENTS

    upload(context("bronze").lake, files)
    run(context)
    run(context, year=2020)
    years = context("gold").table(EVENTS).selectExpr("year(event_time) AS year").distinct().collect()
    assert [row["year"] for row in years] == [2020]


def test_days_are_rebuilt_on_demand(context, files) -> None:
    from workloads.ssh_logs.schemas import EVENTS

    task = context("silver")
    upload(task.lake, files)
    run(context)
    expected = state(task)
    nothing = task.table(EVENTS).limit(0)
    tables.replace_where(nothing, task.lake, EVENTS, "event_date = DATE'2025-12-10'")
    with pytest.raises(TaskError, match="lost or doubled records: not true that 7 in = 4 out"):
        run(context)
    run(context, rebuild="2025-12-10")
    assert state(task) == expected
    run(context, run_id="run-2", rebuild="2025-12-14..2025-12-31")
    again = task.table(EVENTS).where("run_id = 'run-2'").selectExpr("cast(event_date AS STRING) AS day").distinct()
    assert [row["day"] for row in again.collect()] == ["2025-12-14"]


def test_what_is_past_its_retention_goes_with_its_raw_file(context, files) -> None:
    from workloads.ssh_logs.schemas import EVENTS, FILES, QUARANTINE, RECORDS

    task = context("silver")
    upload(task.lake, files)
    days = (INGEST_TIME.date() - date(2025, 12, 10)).days
    for expected in (["1.log", "2.log", "3.log"], ["2.log", "3.log"]):  # what a file holds is known once it was read
        run(context, retention_days=days)
        assert sorted(path.name for path in task.lake.path("bronze/raw_logs").iterdir()) == expected
        for table in (FILES, RECORDS, EVENTS):
            assert sorted({row["file"] for row in task.table(table).select("file").collect()}) == expected
    assert {row["file"] for row in task.table(QUARANTINE).collect()} == {"3.log"}

    upload(task.lake, {"2.log": [*files["2.log"], "Dec 10 10:00:00 h sshd[7]: it goes on"]})
    run(context, tasks=("bronze",), retention_days=days - 1)
    assert task.lake.path("bronze/raw_logs/2.log").is_file()


def test_a_copy_changes_no_event_but_the_quality_report(context, files) -> None:
    from workloads.ssh_logs import bronze, silver
    from workloads.ssh_logs.schemas import QUALITY

    task = context("silver")
    upload(task.lake, {"1.log": files["1.log"]})
    bronze.run(context("bronze"))
    silver.run(task)
    upload(task.lake, {"copy.log": files["1.log"]})
    bronze.run(context("bronze"))
    with written() as names:
        silver.run(task)
    assert "silver.ssh_logs_events" not in names
    told = {row["file"]: row["duplicates"] for row in task.table(QUALITY).select("file", "duplicates").collect()}
    assert told == {"1.log": 0, "copy.log": 3}


def test_a_lake_of_an_earlier_version_is_read_anew(context, files, spark) -> None:
    from workloads.ssh_logs import bronze
    from workloads.ssh_logs.schemas import FILES, RECORDS

    task = context("bronze")
    upload(task.lake, {"1.log": files["1.log"]})
    bronze.run(task)
    for table, column in ((FILES, "read_as"), (RECORDS, "event_date")):
        rows = task.table(table).drop(column).collect()
        schema = task.table(table).drop(column).schema
        name = task.lake.table(table.name)
        frame = spark.createDataFrame(rows, schema).localCheckpoint()
        # Anew, for a table that is overwritten keeps the properties that name the column.
        spark.sql(f"DROP TABLE {name}")
        frame.write.format("delta").saveAsTable(name)
    assert bronze.run(context("bronze", run_id="run-2")).records_out == 2
    assert task.table(RECORDS).where("event_date IS NULL").count() == 0
