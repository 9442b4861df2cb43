"""Bronze: nothing lost, file by file."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.raw_files import RawFile

pytestmark = pytest.mark.spark

HEAD = b"Dec 10 06:55:46 LabSZ sshd[24200]: "
LATER = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def upload(lake, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = lake.path(f"bronze/raw_logs/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def rows(task, table, *columns: str) -> list[tuple]:
    return sorted(map(tuple, task.table(table).select(*columns).collect()), key=repr)


def test_a_folder_of_all_sorts_is_accounted_for_file_by_file(context) -> None:
    from workloads.ssh_logs import bronze
    from workloads.ssh_logs.schemas import FILES, QUARANTINE, RECORDS

    task = context("bronze")
    packed = gzip.compress(b"".join(HEAD + b"number %d\n" % n for n in range(2_000)), mtime=0)
    upload(
        task.lake,
        {
            "a/plain.log": HEAD + b"one\n" + HEAD + b"one\n\n" + HEAD + b"no newline at the end",
            "b.log.gz": gzip.compress(HEAD + b"packed\r\n" + HEAD + b"trailing  \n", mtime=0),
            "binary": b"\x7fELF\0\0\n\0\xff\n",
            "broken.gz": packed[:-20],
            "copy.log": HEAD + b"one\n" + HEAD + b"one\n\n" + HEAD + b"no newline at the end",
            "empty.log": b"",
            "empty-too.log": b"",
            "utf8.log": HEAD + b"caf\xe9 and caf\xc3\xa9\nnonsense\n",
        },
    )

    counts = bronze.run(task)

    files = {row[0]: row[1:] for row in rows(task, FILES, "file", "lines", "records", "quarantined", "duplicates")}
    broken = files.pop("broken.gz")
    assert files == {
        "a/plain.log": (4, 3, 1, 0),
        "b.log.gz": (2, 2, 0, 0),
        "binary": (2, 0, 2, 0),
        "copy.log": (4, 0, 0, 4),
        "empty.log": (0, 0, 0, 0),
        "empty-too.log": (0, 0, 0, 0),
        "utf8.log": (2, 1, 1, 0),
    }
    assert broken[0] + 1 == broken[1] + broken[2] > 1_000
    copies = [row for row in rows(task, FILES, "duplicate_of", "file") if row[0]]
    assert copies == [("a/plain.log", "copy.log")]
    assert counts.balanced
    assert counts.records_in == 4 + 2 + 2 + broken[0] + 1 + 4 + 2
    held = {(row[0], row[1]): row[2:] for row in rows(task, QUARANTINE, "file", "line", "rule", "raw")}
    assert held["a/plain.log", 3] == ("blank", b"")
    assert held["binary", 1] == ("binary", b"\x7fELF\0\0")
    assert held["utf8.log", 2] == ("no-header", b"nonsense")
    assert held["broken.gz", None] == ("damaged-gzip", None)
    (damaged,) = task.table(RECORDS).where("file = 'utf8.log'").collect()
    assert (bytes(damaged["raw"]), damaged["damaged_text"]) == (HEAD + b"caf\xe9 and caf\xc3\xa9", True)
    assert damaged["message"] == "caf\\xe9 and café"
    kept = rows(task, RECORDS, "file", "line", "position", "raw", "text", "message")
    assert ("b.log.gz", 1, 0, None, HEAD.decode() + "packed\r", "packed") in kept
    assert ("b.log.gz", 2, len(HEAD) + 8, None, HEAD.decode() + "trailing  ", "trailing") in kept


def test_a_message_that_came_again_counts_as_often_wherever_its_file_is_cut(context, monkeypatch) -> None:
    from workloads.lakehouse import raw_files
    from workloads.ssh_logs import bronze, silver
    from workloads.ssh_logs.schemas import RECORDS

    task = context("bronze")
    monkeypatch.setattr(raw_files, "RANGE_BYTES", len(HEAD))  # each line is a range
    failed = HEAD + b"Failed password for root from 218.188.2.4 port 39996 ssh2\n"
    again = b"Dec 10 06:56:16 LabSZ last message repeated 3 times\n"
    late = b"Dec 10 06:56:16 LabSZ last message repeated 2 times\n"
    upload(task.lake, {"a.log": failed + again + again, "b.log.gz": gzip.compress(failed + again), "c.log": late})

    assert bronze.run(task).balanced

    columns = ("file", "line", "outcome", "user", "source_address", "repeat_count")
    root = ("failure", "root", "218.188.2.4")
    assert sorted(map(tuple, silver.events(task.table(RECORDS)).select(*columns).collect())) == [
        ("a.log", 1, *root, 1),
        ("a.log", 2, *root, 3),
        ("a.log", 3, *root, 3),
        ("b.log.gz", 1, *root, 1),
        ("b.log.gz", 2, *root, 3),
        ("c.log", 1, None, None, None, 1),
    ]
    assert ("a.log", again.decode().strip()) in rows(task, RECORDS, "file", "text")


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(max_size=60)
        | st.binary(max_size=30).map(lambda tail: HEAD + tail)
        | st.text(max_size=30).map(str.encode),
        max_size=60,
    ).map(b"\n".join)
)
def test_whatever_the_bytes_every_line_is_a_record_or_in_quarantine(spark, content: bytes) -> None:
    from pyspark.sql import functions as fn

    from workloads.lakehouse import raw_files, raw_source
    from workloads.ssh_logs import header

    with TemporaryDirectory() as folder:
        Path(folder, "file").write_bytes(content)
        files = raw_files.survey(Path(folder))
        lines = raw_source.read(spark, files).withColumn("not_after", fn.lit(LATER))
        found = (
            header.parse(lines, "UTC", 0)
            .select(
                "line", "position", "rule", "event_time", fn.expr("coalesce(raw, encode(text, 'UTF-8'))").alias("bytes")
            )
            .collect()
        )

    expected = content.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    found.sort(key=lambda row: row["line"])
    assert [bytes(row["bytes"]) for row in found] == expected
    assert [row["line"] for row in found] == list(range(1, files[0].lines + 1))
    assert all(content[row["position"] :].startswith(bytes(row["bytes"])) for row in found)
    assert not [row for row in found if row["rule"] is None and row["event_time"] is None]


def test_run_again_a_folder_gives_the_same_tables_and_keeps_when_files_were_first_seen(context) -> None:
    from workloads.ssh_logs import bronze
    from workloads.ssh_logs.schemas import FILES, RECORDS

    first, again = context("bronze"), context("bronze", LATER + timedelta(days=400), "run-2")
    upload(first.lake, {"b.log": HEAD + b"x\n"})
    bronze.run(first)
    content = rows(first, RECORDS, *RECORDS.content)
    upload(first.lake, {"a.log": HEAD + b"x\n"})

    counts = bronze.run(again)

    assert rows(again, RECORDS, *RECORDS.content) == content
    assert (counts.records_in, counts.records_out, counts.duplicates) == (2, 1, 1)
    first_seen = "date_format(first_ingested_at, 'yyyy-MM-dd HH:mm')"
    files = again.table(FILES).selectExpr("file", "duplicate_of", first_seen).orderBy("file").collect()
    assert list(map(tuple, files)) == [("a.log", "b.log", "2026-11-21 08:00"), ("b.log", None, "2026-11-21 08:00")]


def test_the_folder_as_it_is_determines_the_tables(context) -> None:
    from workloads.ssh_logs import bronze
    from workloads.ssh_logs.schemas import QUARANTINE, RECORDS

    task = context("bronze")
    upload(task.lake, {"a.log": HEAD + b"x\nnonsense\n"})
    bronze.run(task)
    task.lake.path("bronze/raw_logs/a.log").unlink()
    upload(task.lake, {"b.log": HEAD + b"y\n"})
    bronze.run(task)

    assert rows(task, RECORDS, "file", "message") == [("b.log", "y")]
    assert rows(task, QUARANTINE, "file") == []


def test_quarantined_lines_can_be_replayed(context) -> None:
    from pyspark.sql import functions as fn

    from workloads.lakehouse import quarantine
    from workloads.ssh_logs import bronze, header
    from workloads.ssh_logs.schemas import QUARANTINE

    task = context("bronze")
    upload(task.lake, {"a.log": b"Feb 29 06:55:46 h sshd[1]: leap\n"})
    bronze.run(context("bronze", year=2023))
    lines = quarantine.replay(task.table(QUARANTINE)).withColumn("not_after", fn.lit(LATER))

    (row,) = header.parse(lines, "UTC", 2024).collect()

    assert (row["rule"], row["message"], row["line"]) == (None, "leap", 1)


def raw_file(name: str, sha256: str, size: int = 1) -> RawFile:
    return RawFile(name, f"/x/{name}", size, sha256, 1, False, None, ())


def test_where_names_are_hidden_the_export_has_no_text(context, monkeypatch) -> None:
    from workloads.ssh_logs import bronze

    task = context("bronze")
    file = task.lake.path("bronze/raw_logs/a.log")
    file.parent.mkdir(parents=True)
    file.write_text("Dec  9 10:00:00 h sshd[7]: Failed password for hunter2 from 10.0.0.7 port 50000 ssh2\n")
    monkeypatch.setenv("MEDALLION_PSEUDONYM_KEY", "k" * 32)
    for scope, shown in (("off", True), ("users", False), ("off", True)):
        bronze.run(context("bronze", pseudonyms=scope))
        (row,) = pq.read_table(task.lake.path(bronze.PARQUET)).to_pylist()
        assert ("hunter2" in repr(row)) is shown, scope


def test_a_copy_is_a_copy_of_what_was_ingested_before() -> None:
    from workloads.ssh_logs import bronze

    known = [{"file": "z", "sha256": "1", "duplicate_of": None, "first_ingested_at": datetime(2026, 1, 1, tzinfo=UTC)}]
    files = [raw_file("a", "1"), raw_file("b", "2"), raw_file("c", "2"), raw_file("e", "0", 0), raw_file("f", "0", 0)]

    def plan(more: list[RawFile]) -> dict[str, tuple]:
        found = bronze.plan([*files, *more], known, LATER)
        return {
            one.file.name: (one.duplicate_of, one.first_ingested_at.year, one.first_ingested_at.month) for one in found
        }

    with_original = plan([raw_file("z", "1")])
    assert with_original == {
        "a": ("z", 2026, 1), "b": (None, 2026, 11), "c": ("b", 2026, 11),
        "e": (None, 2026, 11), "f": (None, 2026, 11), "z": (None, 2026, 1),
    }  # fmt: skip
    assert plan([])["a"] == (None, 2026, 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"time_zone": "Mars/Base"}, "'time_zone' takes an IANA time zone such as Europe/Berlin, not 'Mars/Base'"),
        ({"year": 12}, "'year' takes 0 or a year from 1970 to 9999, not 12"),
        ({"rebuild": "yesterday"}, "'rebuild' takes a day or FIRST..LAST, such as 2026-01-02, not 'yesterday'"),
        ({"rebuild": "2026-01-02..2026-01-01"}, "'rebuild' takes a day or FIRST..LAST"),
        ({"retention_days": -1}, r"'retention_days' takes 0 \(keep all\) or a number of days, not -1"),
        ({"pseudonyms": "users"}, "pseudonyms=users takes a key of 32 bytes or more in MEDALLION_PSEUDONYM_KEY"),
    ],
)
def test_a_bad_parameter_is_one_clear_error(context, parameters: dict, message: str) -> None:
    from workloads.ssh_logs import bronze

    with pytest.raises(TaskError, match=message):
        bronze.run(context("bronze", **parameters))
