# Databricks notebook source
# MAGIC %md
# MAGIC # Tasks of a workload, one after the other
# MAGIC
# MAGIC **Who calls this:** the notebook activities of the data factory's pipelines, where a stack orchestrates by a
# MAGIC chain of activities on the platform's interactive cluster. Each activity runs one task, or several in the order
# MAGIC given. Where a stack orchestrates by the Databricks job, nobody calls it. It is uploaded, never imported.
# MAGIC
# MAGIC It installs nothing: the wheel and what the wheel needs are libraries of the cluster, and the cluster's
# MAGIC environment says where lake and catalog are, as on the job's own cluster. It does what a `python_wheel_task` of
# MAGIC the job does: it calls the wheel's entry point with the same arguments, so that a task cannot tell who runs it.
# MAGIC
# MAGIC All values are the caller's (`baseParameters`); none has a default.
# MAGIC
# MAGIC | widget | what it takes | in the data factory |
# MAGIC | --- | --- | --- |
# MAGIC | `workload`, `job` | name of the workload, key of the job | text |
# MAGIC | `tasks` | keys of tasks in order: `silver` or `bronze,silver` | text |
# MAGIC | `run_id` | letters, digits, dots, dashes; the same for all of a chain | `@pipeline().RunId` |
# MAGIC | `ingest_time` | a moment in ISO 8601; the same for all of a chain | `@pipeline().TriggerTime` |
# MAGIC | `parameters` | a JSON list of `NAME=VALUE`, `[]` for none | `@string(createArray(concat('year=', …)))` |
# MAGIC | `wheel` | path of the wheel that the stack uploaded | text |

# COMMAND ----------

import io
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import TextIO

PACKAGE, ENTRY_POINT = "medallion_workloads", "task"
WIDGETS = {
    "workload": "Workload",
    "job": "Job",
    "tasks": "Tasks, in order",
    "run_id": "Run id",
    "ingest_time": "Ingest time (ISO 8601)",
    "parameters": "Parameters (JSON list of NAME=VALUE)",
    "wheel": "Path of the wheel",
}


class NotebookError(Exception):
    """Why the run failed, in one line."""


class Heard(io.StringIO):
    """Passes on what is written, and remembers it."""

    def __init__(self, to: TextIO) -> None:
        super().__init__()
        self._to = to

    def write(self, text: str) -> int:
        self._to.write(text)
        return super().write(text)

    @property
    def last_line(self) -> str:
        lines = self.getvalue().strip().splitlines()
        return lines[-1] if lines else ""


def require(given: Mapping[str, str]) -> None:
    """Raises NotebookError unless the caller gave everything."""
    if missing := [name for name in WIDGETS if not given[name]]:
        raise NotebookError(f"the caller gave no {', '.join(missing)}: all of {', '.join(WIDGETS)} are needed")


def tasks_of(text: str) -> list[str]:
    """The keys of `bronze,silver`."""
    keys = [key.strip() for key in text.split(",")]
    if "" in keys:
        raise NotebookError(f"tasks takes keys separated by commas, not {text!r}")
    return keys


def parameters_of(text: str) -> list[str]:
    """The texts `NAME=VALUE` of a JSON list."""
    try:
        items = json.loads(text)
    except json.JSONDecodeError:
        items = None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise NotebookError(f"parameters takes a JSON list of texts NAME=VALUE, not {text!r}")
    return items


def arguments(given: Mapping[str, str], task: str) -> list[str]:
    """The command line of a task, as the Databricks job has it."""
    line = ["--workload", given["workload"], "--task", task]
    line += ["--run-id", given["run_id"], "--ingest-time", given["ingest_time"]]
    for parameter in parameters_of(given["parameters"]):
        line += ["--parameter", parameter]
    return line


def entry_point(wheel: str) -> Callable[[list[str]], None]:
    """The function that the wheel runs tasks with.

    Raises NotebookError where the cluster has no such library or another one: a cluster that was running when the
    stack uploaded a new wheel has the old one until it restarts.
    """
    wanted = wheel.rpartition("/")[2].removeprefix(f"{PACKAGE}-").partition("-")[0]
    try:
        installed: Distribution = distribution(PACKAGE)
    except PackageNotFoundError:
        raise NotebookError(f"the cluster has no library {PACKAGE}: {wheel} must be one of its libraries") from None
    if installed.version != wanted:
        raise NotebookError(f"the cluster has {PACKAGE} {installed.version}, not {wanted}: restart it")
    (found,) = installed.entry_points.select(group="console_scripts", name=ENTRY_POINT)
    return found.load()


def run(given: Mapping[str, str]) -> None:
    """Runs the tasks in order. Raises NotebookError at the first that fails; those after it are not run."""
    require(given)
    tasks, main = tasks_of(given["tasks"]), entry_point(given["wheel"])
    lines = [arguments(given, task) for task in tasks]
    for number, (task, line) in enumerate(zip(tasks, lines, strict=True), 1):
        rest = f"; not run: {', '.join(tasks[number:])}" if tasks[number:] else ""
        failed = f"{given['workload']}/{given['job']}/{task} failed"
        heard = Heard(sys.stderr)
        try:
            with redirect_stderr(heard):
                main(line)
        except SystemExit as end:  # in a notebook, it would say neither which task nor why
            if end.code:
                why = end.code if isinstance(end.code, str) else heard.last_line or f"exit code {end.code}"
                raise NotebookError(f"{failed}: {why.removeprefix('error: ')}{rest}") from None
        except Exception as error:
            why = str(error).strip().partition("\n")[0]
            raise NotebookError(f"{failed}: {type(error).__name__}: {why}{rest}") from error


# COMMAND ----------

if __name__ == "__main__":
    for name, label in WIDGETS.items():
        dbutils.widgets.text(name, "", label)  # noqa: F821 - every notebook has dbutils
    run({name: dbutils.widgets.get(name).strip() for name in WIDGETS})  # noqa: F821
