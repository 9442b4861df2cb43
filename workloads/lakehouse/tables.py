"""The only writer of Delta tables, and how tables are declared.

Every write is one commit: after it the table is as meant, before it as it was. Each can be repeated without harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workloads.lakehouse.effects import effect
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

# Operations that keep the rows.
VACUUM, OPTIMIZE = ("VACUUM START", "VACUUM END"), "OPTIMIZE"
VACUUM_HOURS = 168  # Delta's own least: readers and time travel reach back a week
DAY_HOURS = 24
FEW_COMMITS = 3  # upkeep apart, the last one is what counts
MANY_FILES = 200  # of a table; a day's partition of events has one or a few


@dataclass(frozen=True)
class Column:
    """A column: `type` as Spark SQL writes it. An `audit` column tells of runs, and is no content of the table."""

    name: str
    type: str
    meaning: str
    audit: bool = False


@dataclass(frozen=True)
class Table:
    """A table `<layer>.<table>` with all its columns, in order, and those by whose values its files lie apart.

    `skipping` are the columns of whose values each file keeps least and greatest, so that queries skip files by them;
    none means those that Delta takes by itself, the first 32, which for long texts costs more than it gives.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    partitioned_by: tuple[str, ...] = ()
    skipping: tuple[str, ...] = ()

    @property
    def content(self) -> tuple[str, ...]:
        """The columns by which two states of the table are compared."""
        return tuple(column.name for column in self.columns if not column.audit)


def schema(table: Table) -> StructType:
    """The table's columns as Spark knows them, with their meanings as comments."""
    from pyspark.sql.types import StructType

    ddl = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    parsed = StructType.fromDDL(ddl)
    for field, column in zip(parsed.fields, table.columns, strict=True):
        field.metadata = {"comment": column.meaning}
    return parsed


def exists(spark: SparkSession, lake: Lake, table: Table) -> bool:
    """Whether the table was ever written."""
    return spark.catalog.tableExists(lake.table(table.name))


def ensure(spark: SparkSession, lake: Lake, table: Table) -> None:
    """Makes the table, empty, where it was never written."""
    if exists(spark, lake, table):
        return
    columns = ", ".join(f"`{c.name}` {c.type} COMMENT {_literal(c.meaning)}" for c in table.columns)
    parts = f" PARTITIONED BY ({', '.join(table.partitioned_by)})" if table.partitioned_by else ""
    skipping = ",".join(table.skipping)
    properties = f" TBLPROPERTIES ('delta.dataSkippingStatsColumns' = '{skipping}')" if skipping else ""
    with effect("table", table.name):
        _ensure_schema(spark, lake, table)
        name = lake.table(table.name)
        spark.sql(f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING DELTA{parts}{properties}")


def current(spark: SparkSession, lake: Lake, table: Table) -> bool:
    """Whether the table was written with the columns that it is declared with now."""
    if not exists(spark, lake, table):
        return False
    return spark.read.table(lake.table(table.name)).columns == [column.name for column in table.columns]


def version(spark: SparkSession, lake: Lake, name: str) -> str | None:
    """What tells this content of the table `<layer>.<table>` from every other: number and moment of the last commit
    that changed rows. None where the table was never written.
    """
    full = lake.table(name)
    if not spark.catalog.tableExists(full):
        return None
    for limit in (f"LIMIT {FEW_COMMITS}", ""):
        for commit in _commits(spark, full, limit):
            if commit.operation not in (*VACUUM, OPTIMIZE):
                return f"{commit.number} of {commit.moment.isoformat()}"
    raise TaskError(f"the history of table {name} no longer holds the commit that wrote its rows")


def read(spark: SparkSession, lake: Lake, table: Table) -> DataFrame:
    """The table as it is now. Raises TaskError where it was never written."""
    if not exists(spark, lake, table):
        raise TaskError(f"there is no table {table.name}: run the task that writes it first")
    return spark.read.table(lake.table(table.name))


def replace(frame: DataFrame, lake: Lake, table: Table) -> None:
    """Makes `frame` the whole content of the table."""
    with effect("table", table.name):
        _write(frame, lake, table, {"overwriteSchema": "true"})


def replace_where(frame: DataFrame, lake: Lake, table: Table, condition: str) -> None:
    """Makes `frame` the content of that part of the table for which `condition` holds; all rows must satisfy it."""
    with effect("table", table.name):
        if exists(frame.sparkSession, lake, table):
            _write(frame, lake, table, {"replaceWhere": condition})
        else:
            _write(frame.where(condition), lake, table, {})


def tend(spark: SparkSession, lake: Lake, table: Table, vacuum_hours: int) -> None:
    """Puts many small files together, and removes those that no version of the last hours needs.

    Only where there is something to do: from MANY_FILES files on, and for files to remove once a day. Rows stay.
    """
    name = lake.table(table.name)
    commits = _commits(spark, name)
    vacuumed = min((commit.hours for commit in commits if commit.operation in VACUUM), default=DAY_HOURS)
    if vacuumed >= DAY_HOURS and commits[-1].hours > vacuum_hours:
        with effect("table", f"vacuum of {table.name}"):
            spark.sql(f"VACUUM {name} RETAIN {vacuum_hours} HOURS")
    if spark.sql(f"DESCRIBE DETAIL {name}").head()["numFiles"] >= MANY_FILES:
        with effect("table", f"compaction of {table.name}"):
            spark.sql(f"OPTIMIZE {name}")


@dataclass(frozen=True)
class Commit:
    """A commit of a table: its number, operation and moment."""

    number: int
    operation: str
    moment: datetime

    @property
    def hours(self) -> float:
        """How long ago it was."""
        return (datetime.now(UTC) - self.moment).total_seconds() / 3600


def _commits(spark: SparkSession, name: str, limit: str = "") -> list[Commit]:
    """The commits of a table, the newest first."""
    # Taken as it comes: a selection of columns would be a query of its own, to be compiled first.
    history = spark.sql(f"DESCRIBE HISTORY {name} {limit}").collect()
    # A timestamp comes to Python without its zone, in that of the machine.
    commits = [Commit(row["version"], row["operation"], row["timestamp"].astimezone(UTC)) for row in history]
    return sorted(commits, key=lambda commit: commit.number, reverse=True)


def among(column: str, values: Iterable[str]) -> str:
    """The condition that a column of text is one of `values`, as SQL."""
    return f"{column} IN ({', '.join(map(_literal, sorted(values)))})"


def _literal(text: str) -> str:
    """Text as a literal of Spark SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def append(frame: DataFrame, lake: Lake, table: Table, writer: str, number: int) -> None:
    """Adds rows, once: what a `writer` adds under a `number` that is not above its last one is there already.

    See https://docs.delta.io/latest/delta-streaming.html#idempotent-table-writes-in-foreachbatch.
    """
    with effect("table", table.name):
        options = {"txnAppId": writer, "txnVersion": str(number)}
        _write(frame, lake, table, options, mode="append")


def merge(
    frame: DataFrame, lake: Lake, table: Table, keys: Iterable[str], *, update: bool = True, delete: bool = False
) -> None:
    """Updates the rows that have the keys of `frame`, which must be unique in it, and inserts the others.

    Without `update`, rows that are there stay as they are; with `delete`, rows whose keys `frame` lacks go.
    """
    from pyspark.sql import functions as fn

    name = lake.table(table.name)
    with effect("table", table.name):
        if not exists(frame.sparkSession, lake, table):
            _write(frame, lake, table, {})
            return
        same = [fn.col(f"new.{key}").eqNullSafe(fn.col(f"{name}.{key}")) for key in keys]
        condition = same[0]
        for one in same[1:]:
            condition &= one
        merging = frame.to(schema(table)).alias("new").mergeInto(name, condition)
        if update:
            merging = merging.whenMatched().updateAll()
        if delete:
            merging = merging.whenNotMatchedBySource().delete()
        merging.whenNotMatched().insertAll().merge()


def _write(frame: DataFrame, lake: Lake, table: Table, options: dict[str, str], mode: str = "overwrite") -> None:
    _ensure_schema(frame.sparkSession, lake, table)
    writer = frame.to(schema(table)).write.format("delta").mode(mode).options(**options)
    if table.skipping:
        writer = writer.option("delta.dataSkippingStatsColumns", ",".join(table.skipping))
    if table.partitioned_by:
        writer = writer.partitionBy(*table.partitioned_by)
    writer.saveAsTable(lake.table(table.name))


def _ensure_schema(spark: SparkSession, lake: Lake, table: Table) -> None:
    layer = table.name.partition(".")[0]
    # The stack declares the schemas; where a catalogue starts empty, the first table makes its own. Asked first,
    # since on Unity Catalog even `IF NOT EXISTS` takes the right to create one.
    if not spark.catalog.databaseExists(lake.table(layer)):
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {lake.table(layer)}")
