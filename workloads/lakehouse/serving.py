"""The only writer and reader of the serving store: publishes versions of marts, and answers the declared questions.

A version is published in four steps, each of which can be repeated: the speed layer's rows beside the version; the
batch layer's rows, tagged with it; the batch layer's rows of other versions, deleted; the version that is shown.
`serving_view` says what a reader sees meanwhile. Rows are written from the executors.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from workloads.lakehouse import serving_cql as cql
from workloads.lakehouse import serving_store as stores
from workloads.lakehouse.effects import effect
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.serving_store import Store, from_environment, unavailable
from workloads.lakehouse.serving_view import view
from workloads.lakehouse.threads import side_by_side
from workloads.spec import SERVING_VERSIONS, Query, StoredTable, Workload

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyspark.sql import DataFrame, SparkSession

    from workloads.lakehouse.batches import Batches
    from workloads.lakehouse.task import TaskContext

__all__ = ["Store", "from_environment", "publish", "publish_speed", "query", "unavailable"]

RANGES = 8  # of tokens, in which a table is swept
QUERY_BUDGET_SECONDS = 30
RESULT = "one bigint, other bigint, problem string"


@dataclass(frozen=True)
class Work:
    """What each executor needs to know; `token` tells this publishing from every other."""

    store: Store
    budget: float
    moment: int
    token: str


def publish(
    task: TaskContext,
    version: int,
    batch: Mapping[str, DataFrame],
    speed: Mapping[str, DataFrame],
    read_at: datetime,
) -> dict[str, int]:
    """Publishes a version of the marts and makes it the one that is shown; the rows written, by stored table.

    `batch` and `speed` have rows by the name of the served table, with its columns, those of `speed` beside `version`.
    `read_at` is a moment before any of them was read: what the stream publishes later stays. Raises TaskError where
    the store refuses, is not to be reached within the parameter `serving_budget_seconds`, or holds other rows after it.
    """
    work = _work(task, read_at)
    served = {table.name: table for table in task.workload.serving}
    stores.ensure(work.store, task.workload.stored, work.budget)
    twins = [(served[name].speed_schema(), frame) for name, frame in speed.items()]
    marts = [(served[name].batch_schema(), frame) for name, frame in batch.items()]
    counts = _write_all(task.spark, work, version, twins) | _write_all(task.spark, work, version, marts)
    _sweep_all(task.spark, work, version, {table: counts[table.name] for table, _ in marts})
    _show(work, version, sorted(batch), read_at)
    return counts


def publish_speed(task: TaskContext, version: int, speed: Mapping[str, DataFrame]) -> dict[str, int]:
    """Puts rows of the speed layer beside a version, or that of their own column; the rows written, by stored table.

    To be called once they are committed to the lake, with the rows of the keys that changed. Raises TaskError as
    `publish` does.
    """
    work = _work(task, datetime.now(UTC))
    served = {table.name: table for table in task.workload.serving}
    _ensure_once(work.store, task.workload, work.budget)
    frames = [(served[name].speed_schema(), frame) for name, frame in speed.items()]
    return _write_all(task.spark, work, version, frames)


def query(
    store: Store,
    workload: Workload,
    question: Query,
    values: Mapping[str, Any],
    budget: float = QUERY_BUDGET_SECONDS,
) -> list[dict[str, Any]]:
    """The rows that answer a declared question. Raises TaskError where there is no answer to be had."""
    (table,) = [table for table in workload.serving if table.name == question.table]
    what = f"query {question.name!r}"

    def ask(statement: str, asked: list) -> list[dict[str, Any]]:
        return stores.fetch_all(store, what, statement, asked, budget)

    # In this order: a key that moves into the batch layer meanwhile is seen at least there, and never twice.
    shown = ask(cql.select_version(store.keyspace), [table.name])
    if not shown:
        raise TaskError(f"{table.name} was not published yet: `medallion run {workload.name}` does that")
    version = shown[0]["version"]
    batch = ask(
        cql.select(store.keyspace, table, question, speed=False), cql.select_values(table, question, values, None)
    )
    speed: list[dict[str, Any]] = []
    if table.speed:
        statement = cql.select(store.keyspace, table, question, speed=True)
        for beside in sorted({version, *(row["version"] for row in batch)}):
            speed += ask(statement, cql.select_values(table, question, values, beside))
    return view(table, batch, speed, version)


# --- on the driver -----------------------------------------------------------------------------------------------


def _work(task: TaskContext, moment: datetime) -> Work:
    budget = task.parameters["serving_budget_seconds"]
    return Work(from_environment(), budget, int(moment.timestamp() * 1_000_000), uuid.uuid4().hex)


@cache
def _ensure_once(store: Store, workload: Workload, budget: float) -> None:
    """Makes the tables once for this process, which may publish every few seconds."""
    stores.ensure(store, workload.stored, budget)


def _write_all(
    spark: SparkSession, work: Work, version: int, frames: list[tuple[StoredTable, DataFrame]]
) -> dict[str, int]:
    """Writes the rows of several tables; how many, by table."""

    def write(one: tuple[StoredTable, DataFrame]) -> int:
        table, frame = one
        with effect("table", f"serving of {table.name}"):
            return _counted(_rows(table, frame, version), _writer(work, table))[0]

    counts = side_by_side(spark, write, frames)
    return {table.name: count for (table, _), count in zip(frames, counts, strict=True)}


def _rows(table: StoredTable, frame: DataFrame, version: int) -> DataFrame:
    """The columns of a stored table in order; rows that say of which version they are keep it. Raises TaskError where
    the frame lacks a column."""
    from pyspark.sql import functions as fn

    if "version" not in frame.columns:
        frame = frame.withColumn("version", fn.lit(version).cast("bigint"))
    names = [column.name for column in table.columns]
    if lacking := [name for name in names if name not in frame.columns]:
        raise TaskError(f"the rows for {table.name} of the serving store have no column {lacking[0]!r}")
    return frame.select(*names)


def _sweep_all(spark: SparkSession, work: Work, version: int, written: Mapping[StoredTable, int]) -> None:
    """Deletes the rows of other versions, and checks that as many of this one are there as were written."""

    def sweep(table: StoredTable) -> tuple[int, int]:
        with effect("table", f"serving of {table.name}, other versions"):
            return _counted(spark.range(RANGES), _sweeper(work, table, version))

    for table, (kept, _) in zip(written, side_by_side(spark, sweep, written), strict=True):
        if kept != written[table]:
            raise TaskError(
                f"{table.name} of the serving store at {work.store.place} holds {kept:,} rows of version {version}, "
                f"and {written[table]:,} were written: two rows of the mart have the same key, or a clock was set back"
            )


def _show(work: Work, version: int, views: list[str], moment: datetime) -> None:
    """Makes a version the one that is shown."""
    statement = cql.insert(work.store.keyspace, SERVING_VERSIONS)
    rows = [(name, version, moment, work.moment) for name in views]
    with effect("table", "serving of the shown version"):
        stores.execute_all(work.store, "the shown version", statement, rows, itemgetter(0), work.budget)


def _counted(frame: DataFrame, do: Callable[[Batches], Iterator[RecordBatch]]) -> tuple[int, int]:
    """The sums of what the executors count as they `do` something with a frame. Raises TaskError with what one met."""
    from workloads.lakehouse.batches import mapped

    rows = mapped(frame, do, RESULT).collect()
    for row in rows:
        if row["problem"]:
            raise TaskError(row["problem"])
    return sum(row["one"] for row in rows), sum(row["other"] for row in rows)


# --- on the executors --------------------------------------------------------------------------------------------

# What each process met, by publishing: the store is not waited for again by every part of the same one.
_met: dict[str, str] = {}


def _writer(work: Work, table: StoredTable) -> Callable[[Batches], Iterator[RecordBatch]]:
    """Writes the rows of a part; counts them. A null is written, too: a value may stand there of another version."""
    statement = cql.insert(work.store.keyspace, table)
    near = itemgetter(*(i for i, column in enumerate(table.columns) if column.name in table.partition_key))

    def write(batches: Batches) -> Iterator[RecordBatch]:
        rows = ((*row.values(), work.moment) for batch in batches for row in batch.to_pylist())
        what = f"the rows of {table.name}"
        yield _told(work, lambda: (stores.execute_all(work.store, what, statement, rows, near, work.budget), 0))
        for _ in batches:  # Spark wants to be rid of what it has begun to send
            continue

    return write


def _sweeper(work: Work, table: StoredTable, version: int) -> Callable[[Batches], Iterator[RecordBatch]]:
    """Deletes the rows of other versions in the ranges of a part; counts those of this version, and the deleted."""
    keyspace, key = work.store.keyspace, (*table.partition_key, *table.clustering)
    keys, delete = cql.keys_of_a_range(keyspace, table), cql.delete(keyspace, table)
    what = f"the other versions of {table.name}"
    near = itemgetter(*range(1, 1 + len(table.partition_key)))  # after the moment

    def sweep(batches: Batches) -> Iterator[RecordBatch]:
        def delete_others() -> tuple[int, int]:
            kept = deleted = 0
            for number in [number for batch in batches for number in batch.column(0).to_pylist()]:
                found = stores.fetch_all(work.store, what, keys, cql.ranges(RANGES)[number], work.budget)
                others = [(work.moment, *(row[name] for name in key)) for row in found if row["version"] != version]
                deleted += stores.execute_all(work.store, what, delete, others, near, work.budget)
                kept += sum(row["version"] == version for row in found)
            return kept, deleted

        yield _told(work, delete_others)

    return sweep


def _told(work: Work, do: Callable[[], tuple[int, int]]) -> RecordBatch:
    """What came of the work, as the one row that a part gives back."""
    import pyarrow

    one, other, problem = 0, 0, _met.get(work.token)
    if problem is None:
        try:
            one, other = do()
        except TaskError as error:
            problem = _met[work.token] = str(error)
    row = {"one": one, "other": other, "problem": problem}
    types = [("one", pyarrow.int64()), ("other", pyarrow.int64()), ("problem", pyarrow.string())]
    return pyarrow.RecordBatch.from_pylist([row], pyarrow.schema(types))
