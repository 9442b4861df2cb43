"""The rules of Databricks Jobs as pure functions: settings as deployed, parameters, references, run_if, final states.

Rules: https://docs.databricks.com/en/jobs/run-if.html and …/jobs/dynamic-value-references.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any

FAILURES = frozenset({"FAILED", "TIMEDOUT", "UPSTREAM_FAILED"})
CANCELLATIONS = frozenset({"CANCELED", "UPSTREAM_CANCELED"})
SUCCESSES = frozenset({"SUCCESS", "EXCLUDED"})
RUN_IF = ("ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED")

# Maps whose keys are the user's own words, not names of properties.
FREE_KEYS = frozenset({"sparkConf", "sparkEnvVars", "customTags", "tags", "namedParameters"})
# Pulumi names lists in the plural where the API does not.
PLURALS = {"dependsOns": "depends_on", "initScripts": "init_scripts"}


class RequestError(Exception):
    """A request that the workspace refuses: HTTP status, the API's error code, one line for people."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code = status, code


def invalid(message: str) -> RequestError:
    """The refusal of a value (400 INVALID_PARAMETER_VALUE)."""
    return RequestError(400, "INVALID_PARAMETER_VALUE", message)


def settings_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The job's settings as the Jobs API writes them, from the properties that Pulumi deployed.

    Only what was declared is in it, but for the API's own defaults of `max_concurrent_runs` and `run_if`.
    """
    settings = _snake(properties)
    settings.setdefault("max_concurrent_runs", 1)
    settings["tasks"] = sorted(settings.get("tasks") or [], key=lambda task: task["task_key"])
    for task in settings["tasks"]:
        task.setdefault("run_if", "ALL_SUCCESS")
    return settings


def require_runnable(settings: Mapping[str, Any]) -> None:
    """Raise RequestError for a job that could not run: a dependency on no task, a cycle, a task without a wheel."""
    graph = {task["task_key"]: set(dependencies(task)) for task in settings["tasks"]}
    if not graph:
        raise invalid(f"Job {settings['name']!r} has no tasks.")
    for key, needs in graph.items():
        if missing := sorted(needs - set(graph)):
            raise invalid(f"Task {key!r} depends on {missing[0]!r}, which is no task of job {settings['name']!r}.")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise invalid(f"The tasks of job {settings['name']!r} depend on each other: {error.args[1]}.") from None
    for task in settings["tasks"]:
        if task["run_if"] not in RUN_IF:
            raise invalid(
                f"Task {task['task_key']!r}: run_if takes one of {', '.join(RUN_IF)}, not {task['run_if']!r}."
            )
        if "python_wheel_task" not in task:
            raise invalid(f"Task {task['task_key']!r}: the simulated cluster runs python_wheel_task only.")


def _snake(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            PLURALS.get(key) or re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower(): dict(item)
            if key in FREE_KEYS and isinstance(item, Mapping)
            else _snake(item)
            for key, item in value.items()
            if item is not None and not key.startswith("__")
        }
    if isinstance(value, list | tuple):
        return [_snake(item) for item in value]
    # Pulumi carries every number as a float.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def dependencies(task: Mapping[str, Any]) -> list[str]:
    """The keys of the tasks that a task depends on."""
    return [item["task_key"] for item in task.get("depends_on") or []]


def downstream(tasks: Iterable[Mapping[str, Any]], keys: Iterable[str]) -> set[str]:
    """The given tasks and all that depend on them, near or far."""
    found = set(keys)
    tasks = list(tasks)
    while True:
        more = {task["task_key"] for task in tasks if found.intersection(dependencies(task))} - found
        if not more:
            return found
        found |= more


def run_parameters(settings: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, str]:
    """The job parameters of a run: the defaults, overridden by what was given. Raises RequestError for unknown ones."""
    values = {item["name"]: str(item["default"]) for item in settings.get("parameters") or []}
    for name, value in (given or {}).items():
        if name not in values:
            known = ", ".join(sorted(values)) or "none"
            raise invalid(f"Job {settings['name']!r} has no parameter {name!r}; its parameters: {known}.")
        if not isinstance(value, str):
            raise RequestError(400, "MALFORMED_REQUEST", f"Job parameter {name!r} must be text, not {value!r}.")
        values[name] = value
    return values


@dataclass(frozen=True)
class Context:
    """What dynamic value references of a task can name. `start_time` is the job run's, in milliseconds since 1970:
    a repaired run keeps that of its first attempt, so that it gives equal rows."""

    job_id: int
    job_name: str
    job_run_id: int
    repair_count: int
    start_time: int
    parameters: Mapping[str, str]
    task_name: str
    task_run_id: int
    execution_count: int
    results: Mapping[str, str]


REFERENCE = re.compile(r"\{\{\s*([A-Za-z_][^{}\s]*)\s*\}\}")
NAMESPACES = ("job", "task", "tasks", "workspace")


def resolve(text: str, context: Context) -> str:
    """A text with its `{{…}}` replaced. Raises RequestError for an unknown name in a known namespace.

    As on Databricks, what is no reference (another namespace, a brace too few) stays as it is; job parameters may hold
    references themselves.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1).replace("`", "")
        if name.split(".")[0] not in NAMESPACES:
            return match.group(0)
        found = _lookup(name, context)
        if found is None:
            raise invalid(f"Task {context.task_name!r}: unknown reference {{{{{name}}}}}.")
        return found

    return REFERENCE.sub(value, text)


def _lookup(name: str, context: Context) -> str | None:
    if name.startswith("job.parameters."):
        parameter = context.parameters.get(name.removeprefix("job.parameters."))
        if parameter is None or "{{job.parameters." in parameter:
            return parameter
        return resolve(parameter, context)
    if name.startswith("job.start_time."):
        return start_time(context.start_time).get(name.removeprefix("job.start_time."))
    if name.startswith("tasks.") and name.endswith(".result_state"):
        result = context.results.get(name.removeprefix("tasks.").removesuffix(".result_state"))
        return result.lower() if result else None
    plain = {
        "job.id": context.job_id,
        "job.name": context.job_name,
        "job.run_id": context.job_run_id,
        "job.repair_count": context.repair_count,
        "job.trigger.type": "one_time",
        "task.name": context.task_name,
        "task.run_id": context.task_run_id,
        "task.execution_count": context.execution_count,
    }
    return str(plain[name]) if name in plain else None


def start_time(milliseconds: int) -> dict[str, str]:
    """The forms of a time that `{{job.start_time.<form>}}` can take, in UTC."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return {
        "iso_weekday": str(at.isoweekday()),
        "is_weekday": str(at.isoweekday() <= 5).lower(),
        "iso_date": at.date().isoformat(),
        "iso_datetime": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "year": str(at.year),
        "month": str(at.month),
        "day": str(at.day),
        "hour": str(at.hour),
        "minute": str(at.minute),
        "second": str(at.second),
        "timestamp_ms": str(milliseconds),
    }


def arguments(task: Mapping[str, Any], context: Context) -> list[str]:
    """The command line of a task's entry point, references resolved."""
    wheel = task["python_wheel_task"]
    listed = [resolve(str(value), context) for value in wheel.get("parameters") or []]
    named = [
        f"--{name}={resolve(str(value), context)}" for name, value in (wheel.get("named_parameters") or {}).items()
    ]
    return listed + named


def verdict(run_if: str, results: list[str]) -> str:
    """What becomes of a task whose dependencies ended so: RUN, UPSTREAM_FAILED, UPSTREAM_CANCELED or EXCLUDED.

    An excluded dependency counts as a success; a task all of whose dependencies were excluded is excluded as well.
    """
    if results and all(result == "EXCLUDED" for result in results):
        return "EXCLUDED"
    failed = sum(result in FAILURES for result in results)
    lost = failed + sum(result in CANCELLATIONS for result in results)
    met = {
        "ALL_SUCCESS": lost == 0,
        "NONE_FAILED": lost == 0,
        "ALL_DONE": True,
        "AT_LEAST_ONE_SUCCESS": not results or "SUCCESS" in results,
        "ALL_FAILED": bool(results) and lost == len(results),
        "AT_LEAST_ONE_FAILED": lost > 0,
    }
    if met[run_if]:
        return "RUN"
    if run_if in ("ALL_FAILED", "AT_LEAST_ONE_FAILED"):
        return "EXCLUDED"
    return "UPSTREAM_FAILED" if failed else "UPSTREAM_CANCELED"


def run_result(tasks: Iterable[Mapping[str, Any]], ended: Mapping[str, tuple[str, str]]) -> tuple[str, str, str]:
    """Life-cycle state, result state and message of a run whose tasks ended with (result, message) each.

    The leaves decide: a run some of whose tasks failed but none of the last ones is a success with failures.
    """
    tasks = [task for task in tasks if task["task_key"] in ended]
    needed = {key for task in tasks for key in dependencies(task)}
    results = {key: result for key, (result, _) in ended.items()}
    bad = [key for key, result in results.items() if result not in SUCCESSES]
    if not bad:
        return "TERMINATED", "SUCCESS", ""
    if all(results[key] in SUCCESSES for key in results if key not in needed):
        return "TERMINATED", "SUCCESS_WITH_FAILURES", f"Tasks failed: {', '.join(sorted(bad))}."
    roots = [key for key in bad if not results[key].startswith("UPSTREAM_")]
    first = sorted(roots or bad)[0]
    skipped = " This caused all downstream tasks to get skipped." if len(bad) > len(roots) else ""
    return "INTERNAL_ERROR", "FAILED", f"Task {first} failed with message: {ended[first][1].rstrip('.')}.{skipped}"
