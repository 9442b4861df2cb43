"""The endpoints of the Jobs API and its wire forms: what `databricks.sdk.service.jobs` reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator import deployed
from simulator.history import Attempt, Run, State, TaskRun
from simulator.job_rules import invalid
from simulator.runs import Runs

LOG_LIMIT = 5 << 20  # as much of a task's log as the real API gives back


# --- wire forms -----------------------------------------------------------------------------------------------------


def job_wire(job_id: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A job as `jobs/get` shows it."""
    return {"job_id": job_id, "settings": settings, "creator_user_name": "simulated"}


def state_wire(state: State) -> dict[str, Any]:
    """`state` and `status` of a run, a repair or a task."""
    old: dict[str, Any] = {"life_cycle_state": state.life_cycle, "state_message": state.message}
    old["user_cancelled_or_timedout"] = state.result in ("CANCELED", "TIMEDOUT")
    if state.result:
        old["result_state"] = state.result
    if not state.ended:
        waiting = {"WAITING_FOR_RETRY": "WAITING"}
        new: dict[str, Any] = {"state": waiting.get(state.life_cycle, state.life_cycle)}
        if state.life_cycle == "QUEUED":
            old["queue_reason"] = state.message
            new["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": state.message}
        return {"state": old, "status": new}
    good = state.code in ("SUCCESS", "SUCCESS_WITH_FAILURES")
    details = {"code": state.code, "type": "SUCCESS" if good else "CLIENT_ERROR", "message": state.message}
    return {"state": old, "status": {"state": "TERMINATED", "termination_details": details}}


def task_wire(task: TaskRun) -> dict[str, Any]:
    """An attempt of a task as it stands in `tasks` of a run."""
    times = {"start_time": task.start_time, "end_time": task.end_time}
    duration = max(0, task.end_time - task.start_time) if task.end_time and task.start_time else 0
    own = {"run_id": task.run_id, "attempt_number": task.attempt_number, "execution_duration": duration}
    return dict(task.task) | own | times | state_wire(task.state)


def attempt_wire(attempt: Attempt, tasks: Iterable[TaskRun]) -> dict[str, Any]:
    """An entry of a run's `repair_history`."""
    kind = {"type": "ORIGINAL"} if attempt.id is None else {"type": "REPAIR", "id": attempt.id}
    ids = [task.run_id for task in tasks if task.repair_id == attempt.id]
    times = {"start_time": attempt.start_time, "end_time": attempt.end_time}
    return kind | times | {"task_run_ids": ids} | state_wire(attempt.state)


def run_wire(run: Run, tasks: list[TaskRun], url: str) -> dict[str, Any]:
    """A run as `runs/get` shows it; `tasks` are all attempts, the latest of a task last."""
    defaults = {item["name"]: str(item["default"]) for item in run.settings.get("parameters") or []}
    return {
        "job_id": run.job_id,
        "run_id": run.run_id,
        "job_run_id": run.run_id,
        "number_in_job": run.run_id,
        "original_attempt_run_id": run.run_id,
        "run_name": run.settings["name"],
        "run_type": "JOB_RUN",
        "trigger": "ONE_TIME",
        "creator_user_name": "simulated",
        "run_page_url": f"{url}/jobs/{run.job_id}/runs/{run.run_id}",
        "start_time": run.start_time,
        "end_time": run.end_time,
        "run_duration": max(0, run.end_time - run.start_time) if run.end_time else 0,
        "job_clusters": run.settings.get("job_clusters") or [],
        "job_parameters": [
            {"name": name, "default": defaults.get(name, ""), "value": value} for name, value in run.parameters.items()
        ],
        "tasks": [task_wire(task) for task in tasks],
    } | state_wire(run.state)


# --- endpoints ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """What a caller sent: its query and its JSON body."""

    query: Mapping[str, str]
    body: Mapping[str, Any]

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number of query or body. Raises RequestError where it is missing or none."""
        value = self.body.get(name, self.query.get(name, default))
        if isinstance(value, bool) or not re.fullmatch(r"\d+", str(value)):
            raise invalid(f"{name} must be a whole number, not {value!r}.")
        return int(str(value))

    def flag(self, name: str) -> bool:
        return self.query.get(name) == "true"


class JobsApi:
    """The endpoints of `/api/2.x/jobs`, by method and path below it."""

    def __init__(self, runs: Runs, home: Path, url: str):
        self._runs, self._home, self._url = runs, home, url
        self.endpoints: dict[tuple[str, str], Callable[[Request], dict[str, Any]]] = {
            ("GET", "list"): self.list_jobs,
            ("GET", "get"): self.get,
            ("POST", "run-now"): self.run_now,
            ("GET", "runs/get"): self.get_run,
            ("GET", "runs/list"): self.list_runs,
            ("GET", "runs/get-output"): self.get_output,
            ("POST", "runs/cancel"): self.cancel,
            ("POST", "runs/repair"): self.repair,
        }

    def list_jobs(self, request: Request) -> dict[str, Any]:
        name = request.query.get("name")
        found = [
            job_wire(job_id, settings)
            for job_id, settings in sorted(deployed.jobs(self._home).items(), reverse=True)
            if name is None or settings["name"].lower() == name.lower()
        ]
        page, more = _page(found, request, 20)
        return {"jobs": page} | more

    def get(self, request: Request) -> dict[str, Any]:
        job_id = request.number("job_id")
        return job_wire(job_id, self._runs.job(job_id))

    def run_now(self, request: Request) -> dict[str, Any]:
        body = request.body
        token = body.get("idempotency_token")
        if token and len(token) > 64:
            raise invalid("The idempotency token must have at most 64 characters.")
        run = self._runs.run_now(request.number("job_id"), body.get("job_parameters"), body.get("only"), token)
        return {"run_id": run.run_id, "number_in_job": run.run_id}

    def get_run(self, request: Request) -> dict[str, Any]:
        run_id = request.number("run_id")
        if task := self._runs.history.task(run_id):
            return self._task_as_run(task)
        run = self._runs.run(run_id)
        tasks = self._runs.history.tasks(run_id)
        history = [attempt_wire(attempt, tasks) for attempt in run.attempts]
        return run_wire(run, tasks, self._url) | (
            {"repair_history": history} if request.flag("include_history") else {}
        )

    def list_runs(self, request: Request) -> dict[str, Any]:
        active, completed = request.flag("active_only"), request.flag("completed_only")
        if active and completed:
            raise invalid("active_only and completed_only cannot both be true.")
        job_id = request.number("job_id") if "job_id" in request.query else None
        since, until = request.number("start_time_from", 0), request.number("start_time_to", 2**63)
        found = [
            run
            for run in self._runs.history.runs(job_id)
            if since <= run.start_time <= until
            and not (active and run.state.ended)
            and not (completed and not run.state.ended)
        ]
        page, more = _page(found, request, 20)
        expand = request.flag("expand_tasks")
        return {"runs": [self._listed(run, expand) for run in page], "has_more": bool(more)} | more

    def _listed(self, run: Run, expand: bool) -> dict[str, Any]:
        return run_wire(run, self._runs.history.tasks(run.run_id) if expand else [], self._url)

    def get_output(self, request: Request) -> dict[str, Any]:
        run_id = request.number("run_id")
        task = self._runs.history.task(run_id)
        if task is None:
            self._runs.run(run_id)
            tasks = self._runs.history.tasks(run_id)
            if len(tasks) != 1:
                raise invalid(
                    "Retrieving the output of runs with multiple tasks is not supported. "
                    "Please retrieve the output of each individual task run instead."
                )
            task = tasks[0]
        logs, truncated = _log(Path(task.log))
        output = {"metadata": self._task_as_run(task), "logs": logs, "logs_truncated": truncated}
        if task.error is not None:
            output["error"] = task.error
        if task.error_trace is not None:
            output["error_trace"] = task.error_trace
        return output

    def cancel(self, request: Request) -> dict[str, Any]:
        self._runs.cancel(request.number("run_id"))
        return {}

    def repair(self, request: Request) -> dict[str, Any]:
        body = request.body
        repair_id = self._runs.repair(
            request.number("run_id"),
            body.get("rerun_tasks"),
            bool(body.get("rerun_all_failed_tasks")),
            bool(body.get("rerun_dependent_tasks")),
            body.get("latest_repair_id"),
            body.get("job_parameters"),
        )
        return {"repair_id": repair_id}

    def _task_as_run(self, task: TaskRun) -> dict[str, Any]:
        run = self._runs.run(task.job_run_id)
        return run_wire(run, [task], self._url) | task_wire(task) | {"run_name": task.key}


def _page(found: list[Any], request: Request, default: int) -> tuple[list[Any], dict[str, str]]:
    first = request.number("page_token", request.number("offset", 0))
    last = first + (request.number("limit", default) or default)
    return found[first:last], {"next_page_token": str(last)} if last < len(found) else {}


def _log(path: Path) -> tuple[str, bool]:
    if not path.is_file():
        return "", False
    with path.open("rb") as log:
        text = log.read(LOG_LIMIT + 1)
    return text[:LOG_LIMIT].decode(errors="replace"), len(text) > LOG_LIMIT
