"""The entry point of every task on a cluster: `task --workload W --task T --run-id R --ingest-time I --parameter N=V`.

It finds the declaration, gives the parameters their types, runs `workloads/<folder>/<task>.py`, asserts that no record
was lost, and reports: metrics and lineage, into `reports/runs/<workload>/<run id>/`, however the task ends.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any

from workloads import spec
from workloads.lakehouse import exports, lineage, metrics, tables, unchanged
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake
from workloads.lakehouse.tables import Table
from workloads.lakehouse.threads import Answer, Asked, side_by_side

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Counts:
    """Where the records of a task went: every one that came in must be in one of the other three."""

    records_in: int
    records_out: int
    quarantined: int = 0
    duplicates: int = 0

    @property
    def balanced(self) -> bool:
        return self.records_in == self.records_out + self.quarantined + self.duplicates

    def __str__(self) -> str:
        return (
            f"{self.records_in:,} in = {self.records_out:,} out + {self.quarantined:,} quarantined "
            f"+ {self.duplicates:,} duplicates"
        )


@dataclass
class TaskContext:
    """What a task is given, and the ways in which it reads, writes and reports."""

    workload: spec.Workload
    task: spec.Task
    run_id: str
    ingest_time: datetime
    parameters: dict[str, Any]
    lake: Lake
    measured: dict[str, float] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def spark(self) -> SparkSession:
        """The cluster's session."""
        from pyspark.sql import SparkSession

        return SparkSession.builder.getOrCreate()

    @property
    def reports(self) -> str:
        """The place of this run's reports."""
        return f"reports/runs/{self.workload.name}/{self.run_id}"

    def report(self, metric: str, value: float) -> None:
        """States the value of a metric of the catalogue for this task."""
        self.measured[metric] = value

    def publish(self) -> None:
        """Publishes what was measured so far: a task that runs for days does so now and then."""
        _publish_metrics(self)

    def tell(self, name: str, content: Any) -> None:
        """Puts a JSON document of that name among the reports of this run."""
        self.told[name] = content
        exports.as_json(self.lake, f"{self.reports}/{name}.json", content)

    def table(self, table: Table) -> DataFrame:
        """A table as it is now. Raises TaskError where it was never written."""
        return tables.read(self.spark, self.lake, table)

    def replace(self, table: Table, frame: DataFrame) -> None:
        """Makes `frame` the whole content of a table."""
        tables.replace(frame, self.lake, table)

    def marked(self, frame: DataFrame) -> DataFrame:
        """The rows with the audit columns of this run."""
        from pyspark.sql import functions as fn

        return frame.withColumn("ingested_at", fn.lit(self.ingest_time)).withColumn("run_id", fn.lit(self.run_id))

    def side_by_side(self, ask: Callable[[Asked], Answer], asked: Iterable[Asked]) -> list[Answer]:
        """The answers, in order, of questions or steps that need not wait for one another."""
        return side_by_side(self.spark, ask, asked)

    def samples(self) -> list[metrics.Sample]:
        """All that was measured, labelled."""
        labels = {"workload": self.workload.name, "layer": self.task.layer, "task": self.task.key}
        return [metrics.Sample(name, value, labels) for name, value in self.measured.items()]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the task that the arguments name. An error that a person can act on ends it with one line and code 1."""
    try:
        task = context(argv)
        counts = carry_out(task)
    except (TaskError, spec.SpecError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(f"{task.workload.name}/{task.task.key}: {counts}")


def context(argv: Sequence[str] | None = None) -> TaskContext:
    """The context that the arguments and the environment describe. Raises TaskError or SpecError."""
    parser = argparse.ArgumentParser(prog="task", description="Run one task of a workload.")
    for name in ("workload", "task", "run-id", "ingest-time"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args(argv)

    workload = spec.find(given.workload)
    declared = {task.key: task for job in workload.jobs for task in job.tasks}
    if given.task not in declared:
        raise TaskError(f"workload {workload.name!r} has no task {given.task!r}; it has {', '.join(sorted(declared))}")
    if not re.fullmatch(r"[\w.-]+", given.run_id):
        raise TaskError(f"--run-id takes letters, digits, dots and dashes, not {given.run_id!r}")
    return TaskContext(
        workload=workload,
        task=declared[given.task],
        run_id=given.run_id,
        ingest_time=_ingest_time(given.ingest_time),
        parameters=workload.parse_parameters(dict(map(_pair, given.parameter))),
        lake=Lake.from_environment(),
    )


def carry_out(task: TaskContext) -> Counts:
    """Runs the task and reports. Raises what the task raises, and TaskError where records were lost."""
    logging.getLogger("workloads").setLevel(logging.INFO)
    package = importlib.import_module(f"workloads.{task.workload.folder}")
    module = importlib.import_module(f"{package.__name__}.{task.task.key}")
    schemas = _schemas(package.__name__)
    started = time.monotonic()
    events = [_event(task, "START", schemas)]
    _publish_lineage(task, events)
    try:
        counts = _counts(task, module)
    except Exception as error:
        events.append(_event(task, "FAIL", schemas, str(error).splitlines()[0] if str(error) else repr(error)))
        raise
    else:
        events.append(_event(task, "COMPLETE", schemas))
        task.report("medallion_task_success_timestamp_seconds", time.time())
        return counts
    finally:
        task.report("medallion_task_duration_seconds", time.monotonic() - started)
        _publish_metrics(task)
        _publish_lineage(task, events)


def _counts(task: TaskContext, module: ModuleType) -> Counts:
    """What the task gives; where nothing changed, what it gave and reported the last time."""
    # Asked once, before the task reads: what changes while it runs is news to the next one.
    inputs = unchanged.inputs(task, module)
    if found := unchanged.recall(task, module, inputs):
        counts, measured, told = Counts(**found["counts"]), found["measured"], found["told"]
        task.measured |= measured
        for name, content in told.items():
            task.tell(name, content)
        _account(task, counts)
    else:
        counts = module.run(task)
        gave = {"counts": asdict(counts), "measured": dict(task.measured), "told": task.told}
        _account(task, counts)
        unchanged.note(task, module, inputs, gave)
    return counts


def _account(task: TaskContext, counts: Counts) -> None:
    """The balance is a check that every task passes or fails, beside those that it made itself."""
    task.report("medallion_task_records_in", counts.records_in)
    task.report("medallion_task_records_out", counts.records_out)
    task.report("medallion_task_records_quarantined", counts.quarantined)
    task.report("medallion_task_records_duplicate", counts.duplicates)
    own_passed = task.measured.get("medallion_task_checks_passed", 0)
    own_failed = task.measured.get("medallion_task_checks_failed", 0)
    task.report("medallion_task_checks_passed", own_passed + counts.balanced)
    task.report("medallion_task_checks_failed", own_failed + (not counts.balanced))
    if not counts.balanced:
        raise TaskError(f"{task.workload.name}/{task.task.key} lost or doubled records: not true that {counts}")


def _publish_metrics(task: TaskContext) -> None:
    samples = task.samples()
    content = {
        "workload": task.workload.name,
        "task": task.task.key,
        "layer": task.task.layer,
        "run_id": task.run_id,
        "metrics": metrics.as_json(samples),
    }
    exports.as_json(task.lake, f"{task.reports}/{task.task.key}.metrics.json", content)
    exports.text(task.lake, f"{task.reports}/{task.task.key}.prom", metrics.exposition(samples))
    if gateway := metrics.gateway():
        metrics.push(samples, gateway)


def _publish_lineage(task: TaskContext, events: list) -> None:
    exports.text(task.lake, f"{task.reports}/{task.task.key}.lineage.jsonl", lineage.as_lines(events))


def _event(task: TaskContext, state: str, schemas: dict[str, Table], error: str | None = None) -> object:
    return lineage.event(
        state,
        job=f"{task.workload.name}.{task.task.key}",
        run_id=task.run_id,
        reads=task.task.reads,
        writes=task.task.writes,
        catalog=task.lake.catalog,
        schemas=schemas,
        error=error,
    )


def _schemas(package: str) -> dict[str, Table]:
    """The tables that the workload's module `schemas` declares; a workload without tables has no such module."""
    if importlib.util.find_spec(f"{package}.schemas") is None:
        return {}
    return {table.name: table for table in importlib.import_module(f"{package}.schemas").TABLES}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TaskError(f"--parameter takes NAME=VALUE, not {text!r}")
    return name, value


def _ingest_time(text: str) -> datetime:
    """A moment in ISO 8601; Databricks states the start of a run in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TaskError(f"--ingest-time takes a moment in ISO 8601, not {text!r}") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
