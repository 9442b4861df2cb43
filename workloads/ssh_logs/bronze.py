"""Bronze: every line of the raw logs becomes a record or goes to quarantine, file by file.

The folder of raw logs as it is now determines the tables. A file whose bytes are those of another is a copy: its lines
count as duplicates. Two equal lines of one file are two events. The manifest `bronze.ssh_logs_files` keeps, by hash,
when a file was first ingested, for that fixes the year of times that name none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as fn

from workloads.lakehouse import exports, quarantine, raw_files, raw_source, tables
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.raw_files import RawFile
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs import header
from workloads.ssh_logs.checks import PARQUET
from workloads.ssh_logs.schemas import FILES, QUARANTINE, RECORDS
from workloads.ssh_logs.spec import WORKLOAD

CLOCKS_DIFFER_BY = timedelta(days=1)


@dataclass(frozen=True)
class Ingest:
    """A raw file, when its bytes were first ingested, and the file it is a copy of."""

    file: RawFile
    first_ingested_at: datetime
    duplicate_of: str | None

    @property
    def inputs(self) -> int:
        """Its lines, and one more where it is damaged: the damage is put on record, too."""
        return self.file.lines + (self.file.damage is not None)


def run(task: TaskContext) -> Counts:
    """Writes files, records and quarantine, and exports the records as Parquet."""
    zone, year = _time_zone(task.parameters["time_zone"]), _year(task.parameters["year"])
    ingests = plan(raw_files.survey(task.lake.path(WORKLOAD.input_path)), _manifest(task), task.ingest_time)
    taken = [ingest for ingest in ingests if ingest.duplicate_of is None]

    parsed = header.parse(_lines(task.spark, taken), zone, year)
    task.replace(RECORDS, _marked(records(parsed), task))
    kept = _by_file(task.table(RECORDS))

    # Only files that hold more lines than gave records are read once more for the others.
    short = [ingest for ingest in taken if ingest.inputs > kept.get(ingest.file.name, 0)]
    task.replace(QUARANTINE, _marked(rejected(task.spark, short, zone, year), task))
    held = _by_file(task.table(QUARANTINE)) if short else {}

    _assert_nothing_lost(taken, kept, held)
    task.replace(FILES, _marked(_manifest_rows(task.spark, ingests, kept, held, year), task))
    exports.parquet(task.lake, PARQUET, task.table(RECORDS).orderBy("file", "line"))
    return Counts(
        records_in=sum(ingest.inputs for ingest in ingests),
        records_out=sum(kept.values()),
        quarantined=sum(held.values()),
        duplicates=sum(ingest.inputs for ingest in ingests if ingest.duplicate_of is not None),
    )


def plan(files: Iterable[RawFile], manifest: Iterable[dict], ingest_time: datetime) -> list[Ingest]:
    """Which files to take, and which are copies: of the file that was ingested already, else of the first by name."""
    files = list(files)
    names = {(file.sha256, file.name) for file in files}
    seen: dict[str, datetime] = {}
    original: dict[str, str] = {}
    for row in manifest:
        first = seen.get(row["sha256"], row["first_ingested_at"])
        seen[row["sha256"]] = min(first, row["first_ingested_at"])
        if row["duplicate_of"] is None and (row["sha256"], row["file"]) in names:
            original[row["sha256"]] = row["file"]
    ingests = []
    for file in files:
        # Files without a byte are alike, and copies of nothing.
        taken = original.setdefault(file.sha256, file.name) if file.bytes else file.name
        ingests.append(Ingest(file, seen.get(file.sha256, ingest_time), None if taken == file.name else taken))
    return ingests


def records(parsed: DataFrame) -> DataFrame:
    """Parsed lines that break no rule."""
    return parsed.where("rule IS NULL")


def rejected(spark: SparkSession, ingests: list[Ingest], time_zone: str, year: int) -> DataFrame:
    """Lines of these files that break a rule, and a row for each damaged file."""
    if not ingests:
        return spark.createDataFrame([], tables.schema(QUARANTINE)).select(*_held_columns())
    parsed = header.parse(_lines(spark, ingests), time_zone, year).where("rule IS NOT NULL")
    lines = quarantine.explain(parsed, header.RULES).select(*_held_columns())
    damaged = [
        (f"{i.file.sha256}:damage", "damaged-gzip", f"{header.RULES['damaged-gzip']}: {i.file.damage}", i.file.name)
        for i in ingests
        if i.file.damage is not None
    ]
    whole = spark.createDataFrame(damaged, "record_id STRING, rule STRING, reason STRING, file STRING")
    return lines.unionByName(whole, allowMissingColumns=True)


def _held_columns() -> list[str]:
    return [column.name for column in QUARANTINE.columns if not column.audit]


def _lines(spark: SparkSession, ingests: list[Ingest]) -> DataFrame:
    """Raw lines with their record id and the moment that a time without a year is not after."""
    known = spark.createDataFrame(
        [(i.file.name, i.file.sha256, i.first_ingested_at + CLOCKS_DIFFER_BY) for i in ingests],
        "file STRING, sha256 STRING, not_after TIMESTAMP",
    )
    lines = raw_source.read(spark, [ingest.file for ingest in ingests]).join(fn.broadcast(known), "file")
    return lines.withColumn("record_id", fn.concat_ws(":", "sha256", "position")).drop("sha256")


def _marked(frame: DataFrame, task: TaskContext) -> DataFrame:
    return frame.withColumn("ingested_at", fn.lit(task.ingest_time)).withColumn("run_id", fn.lit(task.run_id))


def _by_file(frame: DataFrame) -> dict[str, int]:
    return {row["file"]: row["count"] for row in frame.groupBy("file").count().collect()}


def _manifest(task: TaskContext) -> list[dict]:
    if not tables.exists(task.spark, task.lake, FILES):
        return []
    columns = ("file", "sha256", "duplicate_of", "first_ingested_at")
    # A timestamp comes to Python without its zone, in that of the machine; as text in UTC it is what it is.
    rows = task.table(FILES).select(*columns[:3], fn.unix_micros(columns[3]).alias("first")).collect()
    return [{**row.asDict(), "first_ingested_at": _moment(row["first"], task.ingest_time)} for row in rows]


def _moment(micros: int, like: datetime) -> datetime:
    return datetime.fromtimestamp(0, like.tzinfo) + timedelta(microseconds=micros)


def _manifest_rows(
    spark: SparkSession, ingests: list[Ingest], kept: dict[str, int], held: dict[str, int], year: int
) -> DataFrame:
    rows = []
    for ingest in ingests:
        file, copy = ingest.file, ingest.duplicate_of is not None
        rows.append(
            {
                "file": file.name,
                "sha256": file.sha256,
                "bytes": file.bytes,
                "lines": file.lines,
                "damage": file.damage,
                "records": kept.get(file.name, 0),
                "quarantined": held.get(file.name, 0),
                "duplicates": ingest.inputs if copy else 0,
                "duplicate_of": ingest.duplicate_of,
                "year_basis": "parameter" if year else "ingest",
                "first_ingested_at": ingest.first_ingested_at,
            }
        )
    columns = [column for column in tables.schema(FILES).fields if column.name not in ("ingested_at", "run_id")]
    return spark.createDataFrame(rows, type(tables.schema(FILES))(columns)).coalesce(1)


def _assert_nothing_lost(taken: list[Ingest], kept: dict[str, int], held: dict[str, int]) -> None:
    for ingest in taken:
        name = ingest.file.name
        found = kept.get(name, 0) + held.get(name, 0)
        if found != ingest.inputs:
            raise TaskError(
                f"{name} holds {ingest.inputs:,} lines, of which {found:,} are records or in quarantine: "
                "it changed while it was read; run again"
            )


def _time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise TaskError(f"parameter 'time_zone' takes an IANA time zone such as Europe/Berlin, not {name!r}") from error


def _year(year: int) -> int:
    if year and not 1970 <= year <= 9999:
        raise TaskError(f"parameter 'year' takes 0 or a year from 1970 to 9999, not {year}")
    return year
