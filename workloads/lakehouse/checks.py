"""What must hold of a workload's outputs, and looking whether it does.

A workload lists its checks in its `checks.py`. The same list serves the validate task, the validation pod and the
command: those who have no Spark run the checks of files only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from workloads.lakehouse import tables
from workloads.lakehouse.errors import TaskError
from workloads.lakehouse.lake import Lake
from workloads.lakehouse.tables import Table
from workloads.lakehouse.threads import side_by_side

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from workloads.lakehouse.task import TaskContext


@dataclass(frozen=True)
class Outputs:
    """Tables and files of a workload as a check sees them."""

    lake: Lake
    spark: SparkSession | None = None
    opened: dict[str, DataFrame] = field(default_factory=dict)
    opening: Lock = field(default_factory=Lock)
    asked: dict[tuple[Any, ...], tuple[Lock, dict[str, Any]]] = field(default_factory=dict)

    def table(self, table: Table) -> DataFrame:
        """A table, for all checks as it was when the first of them asked."""
        if self.spark is None:
            raise TaskError(f"checking table {table.name} takes Spark")
        with self.opening:
            if table.name not in self.opened:
                self.opened[table.name] = tables.read(self.spark, self.lake, table)
            return self.opened[table.name]

    def figures(self, table: Table, expressions: Mapping[str, str]) -> Mapping[str, Any]:
        """What SQL expressions over all rows of a table come to, by name, null as 0.

        All checks that want the same of a table share one query.
        """
        with self.opening:
            asking, found = self.asked.setdefault((table.name, *expressions.items()), (Lock(), {}))
        with asking:
            if not found:
                (row,) = (
                    self.table(table).selectExpr(*(f"{text} AS {name}" for name, text in expressions.items())).collect()
                )
                found |= {name: value or 0 for name, value in row.asDict().items()}
            return found

    def file(self, place: str) -> Path:
        """The path of an export. Raises TaskError where there is none."""
        path = self.lake.path(place)
        if not path.is_file():
            raise TaskError(f"there is no file {place}")
        return path


@dataclass(frozen=True)
class Check:
    """A rule over outputs: `violations` counts what breaks it. `on` says what it looks at; tables take Spark."""

    name: str
    meaning: str
    on: Literal["tables", "files"]
    violations: Callable[[Outputs], int]


@dataclass(frozen=True)
class Result:
    """What a check found; `problem` where it could not even be asked."""

    check: Check
    violations: int
    problem: str | None = None

    @property
    def passed(self) -> bool:
        return self.violations == 0 and self.problem is None

    def __str__(self) -> str:
        found = self.problem or f"{self.violations:,} violations of: {self.check.meaning}"
        return f"check {self.check.name}: {'holds' if self.passed else found}"


def run(checks: Iterable[Check], outputs: Outputs) -> list[Result]:
    """The results of all checks that `outputs` can answer: those of tables only where there is Spark."""
    answerable = [check for check in checks if check.on == "files" or outputs.spark is not None]
    return side_by_side(outputs.spark, lambda check: _run(check, outputs), answerable)


def require(checks: Iterable[Check], task: TaskContext) -> Outputs:
    """Looks whether all checks hold of the outputs of a task's workload, and reports how many do.

    Raises TaskError, naming those that do not.
    """
    outputs = Outputs(task.lake, task.spark)
    results = run(checks, outputs)
    failed = [result for result in results if not result.passed]
    task.report("medallion_task_checks_passed", len(results) - len(failed))
    task.report("medallion_task_checks_failed", len(failed))
    if failed:
        raise TaskError("; ".join(map(str, failed)))
    return outputs


def _run(check: Check, outputs: Outputs) -> Result:
    try:
        return Result(check, check.violations(outputs))
    except TaskError as error:
        return Result(check, 0, str(error))
