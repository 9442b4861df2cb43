"""Bronze: every line of the raw logs becomes a record or goes to quarantine, file by file.

The folder of raw logs as it is now determines the tables, and only files that are new, or read in another way than
before, are read. A file whose bytes are those of another is a copy: its lines count as duplicates. Two equal lines of
one file are two events. The manifest `bronze.ssh_logs_files` keeps, by hash, when a file was first ingested, for that
fixes the year of times that name none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from operator import call
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as fn
from pyspark.sql.types import StructType

from workloads.lakehouse import exports, quarantine, raw_files, raw_source, tables, unchanged
from workloads.lakehouse.batches import Batches
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.raw_files import RawFile
from workloads.lakehouse.tables import Table
from workloads.lakehouse.task import Counts, TaskContext
from workloads.ssh_logs import header, pseudonyms, repeats
from workloads.ssh_logs.checks import PARQUET
from workloads.ssh_logs.days import Days
from workloads.ssh_logs.pseudonyms import Pseudonyms
from workloads.ssh_logs.schemas import FILES, QUARANTINE, RECORDS
from workloads.ssh_logs.spec import WORKLOAD

CLOCKS_DIFFER_BY = timedelta(days=1)
# Raise it when the same bytes shall give other records.
PARSER = 8
FILE_ID = 16  # hexadecimal digits of a file's hash that stand in its records' ids: enough to tell billions apart
# All records of a file were written at once, so that any of them tells its bytes.
OF_FILE = f"left(any_value(record_id), {FILE_ID})"

EXPORTS = (PARQUET,)


def hangs_on(task: TaskContext) -> dict[str, Any] | None:
    """The raw files, and the key of pseudonyms. To rebuild days, or take files away, it runs every time."""
    if task.parameters["rebuild"] or task.parameters["retention_days"]:
        return None
    return {"raw": unchanged.stamps([task.lake.path(WORKLOAD.input_path)]), **pseudonyms.hangs_on(task)}


@dataclass(frozen=True)
class Held:
    """What the tables hold of a file: lines, and the UTC days of the earliest and the latest record."""

    file_id: str
    records: int = 0
    quarantined: int = 0
    first_date: date | None = None
    last_date: date | None = None


@dataclass(frozen=True)
class Ingest:
    """A raw file, when its bytes were first ingested, the file it is a copy of, and how it is read."""

    file: RawFile
    first_ingested_at: datetime
    duplicate_of: str | None
    read_as: str = ""

    @property
    def inputs(self) -> int:
        """Its lines, and one more where it is damaged: the damage is put on record, too."""
        return self.file.lines + (self.file.damage is not None)

    @property
    def file_id(self) -> str:
        """What the ids of its records begin with."""
        return self.file.sha256[:FILE_ID]

    @property
    def key(self) -> tuple[str, str, str, str | None]:
        """What its records hang on."""
        return self.file.name, self.file.sha256, self.read_as, self.duplicate_of


def run(task: TaskContext) -> Counts:
    """Writes records, quarantine and files, and exports the records as Parquet: whatever is not so already.

    The manifest is written last. What it says of a file was done, unless a run was killed since: so the tables are
    asked, too, what they hold.
    """
    zone, year = _time_zone(task.parameters["time_zone"]), _year(task.parameters["year"])
    names, rebuild = Pseudonyms.of(task.parameters["pseudonyms"]), Days.parse(task.parameters["rebuild"])
    manifest = _manifest(task)
    _remove_expired(task, manifest)
    planned = plan(raw_files.survey(task.lake.path(WORKLOAD.input_path)), manifest, task.ingest_time)
    read_as = f"parser {PARSER}, year {year}, {zone}{', text withheld' if names.hashes_users else ''}"
    ingests = [replace(ingest, read_as=read_as) for ingest in planned]
    taken = {ingest.file.name: ingest for ingest in ingests if ingest.duplicate_of is None}

    held = _held(task) if manifest else {}
    noted = {_key(row): _noted(row) for row in manifest}
    done = {
        name
        for name, ingest in taken.items()
        if (of := held.get(name, Held(""))) == noted.get(ingest.key)
        and not (rebuild and rebuild.meets(of.first_date, of.last_date))
    }
    stale = (taken.keys() | held.keys()) - done
    if stale or not manifest:
        new = [ingest for name, ingest in taken.items() if name not in done]
        held = _ingest(task, new, stale, zone, year, names, whole=not done)
        _assert_nothing_lost(taken, held)
    if stale or noted.keys() != {ingest.key for ingest in ingests}:
        task.replace(FILES, task.marked(_manifest_rows(task.spark, ingests, held, year)))
    return Counts(
        records_in=sum(ingest.inputs for ingest in ingests),
        records_out=sum(of.records for of in held.values()),
        quarantined=sum(of.quarantined for of in held.values()),
        duplicates=sum(ingest.inputs for ingest in ingests if ingest.duplicate_of is not None),
    )


def _remove_expired(task: TaskContext, manifest: list[dict]) -> None:
    """Takes away the raw files whose last record is older than `retention_days`; the tables hold what the folder does.

    A file that is not what was ingested under its name stays, and so does one without any record.
    """
    days = task.parameters["retention_days"]
    if days < 0:
        raise TaskError(f"parameter 'retention_days' takes 0 (keep all) or a number of days, not {days}")
    first = task.ingest_time.astimezone(UTC).date() - timedelta(days=days)
    ended = {row["sha256"] for row in manifest if days and row["last_date"] and row["last_date"] < first}
    for row in manifest:
        place = f"{WORKLOAD.input_path}/{row['file']}"
        if row["sha256"] in ended and raw_files.sha256(task.lake.path(place)) == row["sha256"]:
            exports.remove(task.lake, place)


def _ingest(
    task: TaskContext, new: list[Ingest], stale: set[str], zone: str, year: int, names: Pseudonyms, *, whole: bool
) -> dict[str, Held]:
    """Makes the tables hold the records of the new files, nothing else of the stale ones, and the others as they are;
    and exports the records. What the tables hold of each file.
    """

    def put(table: Table, rows: DataFrame) -> None:
        if whole:
            task.replace(table, task.marked(rows))
        else:
            tables.replace_where(task.marked(rows), task.lake, table, tables.among("file", stale))

    def set_aside() -> dict[str, Held]:
        kept = _kept(task)
        # Only files that hold more lines than gave records are read once more for the others.
        short = [ingest for ingest in new if ingest.inputs > kept.get(ingest.file.name, Held("")).records]
        put(QUARANTINE, rejected(task.spark, short, zone, year))
        return _with_quarantined(task, kept)

    def export() -> None:
        exports.parquet(task.lake, PARQUET, names.withhold(task.table(RECORDS)))

    put(RECORDS, records(task.spark, new, zone, year))
    # The export is one file, made by one core: the other looks for what gave no record meanwhile.
    held, _ = task.side_by_side(call, (set_aside, export))
    return held


def _held(task: TaskContext) -> dict[str, Held]:
    """What the tables hold of each file: nothing, where an earlier version of this task wrote them."""
    if not tables.current(task.spark, task.lake, RECORDS):
        return {}
    kept = _kept(task)
    return _with_quarantined(task, kept) if tables.exists(task.spark, task.lake, QUARANTINE) else kept


def _kept(task: TaskContext) -> dict[str, Held]:
    """What the table of records holds of each file."""
    dates = fn.min("event_date"), fn.max("event_date")
    found = task.table(RECORDS).groupBy("file").agg(fn.expr(OF_FILE), fn.count("*"), fn.lit(0), *dates)
    return {name: Held(*values) for name, *values in found.collect()}


def _with_quarantined(task: TaskContext, kept: dict[str, Held]) -> dict[str, Held]:
    """The same with what quarantine holds of each file."""
    found = task.table(QUARANTINE).groupBy("file").agg(fn.expr(OF_FILE), fn.count("*")).collect()
    return kept | {name: replace(kept.get(name, Held(file_id)), quarantined=rows) for name, file_id, rows in found}


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


def records(spark: SparkSession, ingests: list[Ingest], time_zone: str, year: int) -> DataFrame:
    """Lines of these files that break no rule."""
    schema, identified = _content(RECORDS), _identify(ingests)

    def heads(lines: pa.RecordBatch) -> pa.RecordBatch:
        return header.read(identified(lines), time_zone, year)

    def read(lines: Batches, before: Batches) -> Batches:
        for parsed in repeats.written_out(map(heads, lines), map(heads, before)):
            yield parsed.filter(parsed["rule"].is_null()).select(schema.names)

    return raw_source.read(spark, [ingest.file for ingest in ingests], read, schema)


def rejected(spark: SparkSession, ingests: list[Ingest], time_zone: str, year: int) -> DataFrame:
    """Lines of these files that break a rule, and a row for each damaged file."""
    columns = _content(QUARANTINE).names
    if not ingests:
        return spark.createDataFrame([], _content(QUARANTINE))
    schema, identified = f"{raw_source.SCHEMA}, record_id STRING, rule STRING", _identify(ingests)

    def read(lines: Batches, _: Batches) -> Batches:
        for batch in lines:
            parsed = header.read(header.doubtful(identified(batch)), time_zone, year)
            yield parsed.filter(parsed["rule"].is_valid()).select([*raw_source.ARROW.names, "record_id", "rule"])

    broken = raw_source.read(spark, [ingest.file for ingest in ingests], read, schema)
    bytes_kept = broken.withColumn("raw", fn.coalesce("raw", fn.encode("text", "UTF-8")))
    lines = quarantine.explain(bytes_kept, header.RULES).select(*columns)
    damaged = [
        (f"{i.file_id}:damage", "damaged-gzip", f"{header.RULES['damaged-gzip']}: {i.file.damage}", i.file.name)
        for i in ingests
        if i.file.damage is not None
    ]
    whole = spark.createDataFrame(damaged, "record_id STRING, rule STRING, reason STRING, file STRING")
    return lines.unionByName(whole, allowMissingColumns=True)


def _content(table: Table) -> StructType:
    """The columns of a table without those that tell of runs."""
    fields = {field.name: field for field in tables.schema(table)}
    return StructType([fields[name] for name in table.content])


def _identify(ingests: list[Ingest]) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Adds to lines of one file their record id, and what fixes the year of a time that names none."""
    known = {i.file.name: (i.file_id, i.first_ingested_at + CLOCKS_DIFFER_BY) for i in ingests}

    def identified(lines: pa.RecordBatch) -> pa.RecordBatch:
        file_id, not_after = known[lines["file"][0].as_py()]
        ids = pc.binary_join_element_wise(file_id, lines["position"].cast(pa.string()), ":")
        until = pa.repeat(pa.scalar(not_after, pa.timestamp("us", "UTC")), len(ids))
        return lines.append_column("record_id", ids).append_column("not_after", until)

    return identified


def _manifest(task: TaskContext) -> list[dict]:
    """The files that the tables hold, by the last run that came to its end."""
    if not tables.exists(task.spark, task.lake, FILES):
        return []
    # A timestamp comes to Python without its zone, in that of the machine; as microseconds it is what it is.
    micros = fn.unix_micros("first_ingested_at").alias("first_ingested_at")
    files = task.table(FILES)
    names = [column.name for column in FILES.columns if column.name != "first_ingested_at"]
    # An earlier version of this task noted less: its files are read anew, but were ingested first when it says.
    columns = [fn.col(name) if name in files.columns else fn.lit(None).alias(name) for name in names]
    rows = [row.asDict() for row in files.select(*columns, micros).collect()]
    return [{**row, "first_ingested_at": _moment(row["first_ingested_at"], task.ingest_time)} for row in rows]


def _key(row: dict) -> tuple[str, str, str, str | None]:
    """`Ingest.key` of a row of the manifest."""
    return row["file"], row["sha256"], row["read_as"], row["duplicate_of"]


def _noted(row: dict) -> Held:
    """What the manifest says that the tables hold of a file."""
    if not row["records"] + row["quarantined"]:
        return Held("")
    dates = row["first_date"], row["last_date"]
    return Held(row["sha256"][:FILE_ID], row["records"], row["quarantined"], *dates)


def _moment(micros: int, like: datetime) -> datetime:
    return datetime.fromtimestamp(0, like.tzinfo) + timedelta(microseconds=micros)


def _manifest_rows(spark: SparkSession, ingests: list[Ingest], held: dict[str, Held], year: int) -> DataFrame:
    rows = []
    for ingest in ingests:
        file, copy = ingest.file, ingest.duplicate_of is not None
        of = Held("") if copy else held.get(file.name, Held(""))
        rows.append(
            {
                "file": file.name,
                "sha256": file.sha256,
                "bytes": file.bytes,
                "lines": file.lines,
                "damage": file.damage,
                "records": of.records,
                "first_date": of.first_date,
                "last_date": of.last_date,
                "quarantined": of.quarantined,
                "duplicates": ingest.inputs if copy else 0,
                "duplicate_of": ingest.duplicate_of,
                "year_basis": "parameter" if year else "ingest",
                "read_as": ingest.read_as,
                "first_ingested_at": ingest.first_ingested_at,
            }
        )
    columns = [column for column in tables.schema(FILES).fields if column.name not in ("ingested_at", "run_id")]
    return spark.createDataFrame(rows, type(tables.schema(FILES))(columns)).coalesce(1)


def _assert_nothing_lost(taken: dict[str, Ingest], held: dict[str, Held]) -> None:
    for name, ingest in taken.items():
        of = held.get(name, Held(""))
        if of.records + of.quarantined != ingest.inputs:
            raise TaskError(
                f"{name} holds {ingest.inputs:,} lines, of which {of.records + of.quarantined:,} are records "
                "or in quarantine: it changed while it was read; run again"
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
