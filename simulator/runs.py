"""The runs of a simulated workspace: started, repaired, cancelled, queued, and found again after a crash."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from simulator import cluster, deployed, job_rules
from simulator.execution import Execution, conclude, finish, interrupt, now
from simulator.files_api import Files
from simulator.history import Attempt, History, Run, State, TaskRun
from simulator.job_rules import RequestError, invalid

CLUSTER_FOLDERS_KEPT = 5


class Runs:
    """The runs of the jobs deployed to the simulated cloud in `home`. Safe for threads.

    One session at a time carries out runs on a home: it holds the lock of `jobs.lock` as long as any run is active.
    """

    def __init__(self, home: Path, files: Files, session: str | None = None, base: Mapping[str, str] | None = None):
        self._home, self._files, self._session = home, files, session
        self._base = dict(os.environ if base is None else base)
        self.history = History(home)
        self._lock = threading.RLock()
        self._active: dict[int, Execution] = {}
        self._lost: dict[int, str] = {}
        self._claim: TextIO | None = None
        self._stopping = False

    def start(self) -> None:
        """End the runs of sessions that are gone."""
        with self._lock:
            if not self._take():
                return  # another session is at work: its runs are no orphans
            for run in self.history.runs():
                if not run.state.ended:
                    interrupt(self.history, run)
            self._leave()

    def stop(self) -> None:
        """End this session; runs that are still going end as interrupted."""
        with self._lock:
            self._stopping = True
            active = list(self._active.values())
        for execution in active:
            execution.interrupt()
        for execution in active:
            execution.join()
        with self._lock:
            self.start()  # queued runs have nobody to start them
            self.history.close()

    def run_now(
        self, job_id: int, parameters: Mapping[str, Any] | None, only: list[str] | None, token: str | None
    ) -> Run:
        """Start a run. Raises RequestError as the real API does; a known idempotency token gives the run it started."""
        settings = self.job(job_id)
        with self._lock:
            if token and (known := self.history.by_token(token)):
                return known
            job_rules.require_runnable(settings)
            values = job_rules.run_parameters(settings, parameters)
            keys = [task["task_key"] for task in settings["tasks"]]
            if unknown := sorted(set(only or []) - set(keys)):
                raise invalid(f"Job {settings['name']!r} has no task {unknown[0]!r}.")
            keys = [key for key in keys if not only or key in only]
            self._require_claim()
            run = Run(self.history.new_id(), job_id, settings, values, now(), [Attempt(None, now(), keys)])
            self.history.add(run, token or None)
            self._add_tasks(run, None, keys)
            self._admit(run)
            return run

    def repair(
        self,
        run_id: int,
        rerun_tasks: list[str] | None,
        all_failed: bool,
        dependents: bool,
        latest_repair_id: int | None,
        parameters: Mapping[str, Any] | None,
    ) -> int:
        """Run tasks of an ended run again, with the job's present settings; returns the repair's id.

        The run keeps its id, its start time and its parameters. Raises RequestError as the real API does.
        """
        with self._lock:
            run = self.run(run_id)
            if not run.state.ended:
                raise RequestError(400, "INVALID_STATE", f"Run {run_id} is active: it can be repaired once it ended.")
            if run.latest_repair is not None and latest_repair_id != run.latest_repair:
                raise invalid(f"The latest repair of run {run_id} is {run.latest_repair}, not {latest_repair_id}.")
            if bool(rerun_tasks) == all_failed:
                raise invalid("A repair takes one of rerun_tasks and rerun_all_failed_tasks.")
            settings = self.job(run.job_id)
            job_rules.require_runnable(settings)
            keys = self._to_repair(run, settings, rerun_tasks, dependents)
            values = job_rules.run_parameters(settings, run.parameters | dict(parameters or {}))
            self._require_claim()
            repair_id = self.history.new_id()
            run.settings, run.parameters, run.end_time = settings, values, 0
            run.attempts.append(Attempt(repair_id, now(), keys))
            self._add_tasks(run, repair_id, keys)
            self._admit(run)
            return repair_id

    def cancel(self, run_id: int) -> None:
        """Cancel a run; one that has ended is left alone."""
        with self._lock:
            run = self.run(run_id)
            if run_id in self._active:
                self._active[run_id].cancel()
            elif not run.state.ended:
                if not self._take():
                    raise self._taken()
                state = State("TERMINATED", "CANCELED", "Run cancelled.", "USER_CANCELED")
                self._end_unstarted(run, state)

    def job(self, job_id: int) -> dict[str, Any]:
        """The settings of a deployed job. Raises RequestError for an unknown one."""
        found = deployed.jobs(self._home).get(job_id)
        if found is None:
            raise invalid(f"Job {job_id} does not exist.")
        return found

    def run(self, run_id: int) -> Run:
        """A run. Raises RequestError for an unknown one."""
        found = self.history.run(run_id)
        if found is None:
            raise invalid(f"Run {run_id} does not exist.")
        if run_id in self._lost and not found.state.ended:
            found.state = State("INTERNAL_ERROR", "FAILED", self._lost[run_id], "INTERNAL_ERROR")
        return found

    # --- inside ----------------------------------------------------------------------------------------------------

    def _to_repair(
        self, run: Run, settings: Mapping[str, Any], rerun_tasks: list[str] | None, dependents: bool
    ) -> list[str]:
        tasks = settings["tasks"]
        latest = {task.key: task.state.result for task in self.history.tasks(run.run_id)}
        if unknown := sorted(set(rerun_tasks or []) - set(latest)):
            raise invalid(f"Run {run.run_id} has no task {unknown[0]!r}.")
        failed = {key for key, result in latest.items() if result not in job_rules.SUCCESSES}
        keys = set(rerun_tasks or failed)
        if not keys:
            raise invalid(f"Run {run.run_id} has no failed tasks to repair.")
        below = job_rules.downstream(tasks, keys)
        keys |= below if dependents else {key for key in below if latest.get(key) == "EXCLUDED" and not rerun_tasks}
        return [task["task_key"] for task in tasks if task["task_key"] in keys and task["task_key"] in latest]

    def _add_tasks(self, run: Run, repair_id: int | None, keys: list[str]) -> None:
        before = {task.key: task.attempt_number + 1 for task in self.history.tasks(run.run_id)}
        folder = self._home / "clusters" / str(run.run_id)
        for task in run.settings["tasks"]:
            key = task["task_key"]
            if key in keys:
                number = self.history.new_id()
                log = str(folder / f"{number}.log")
                self.history.save_task(TaskRun(number, run.run_id, repair_id, task, before.get(key, 0), log))

    def _admit(self, run: Run) -> None:
        """Start a run, or queue or skip it where its job has as many active runs as it may."""
        allowed = run.settings["max_concurrent_runs"]
        if self._running(run.job_id) < allowed:
            self._begin(run)
            return
        if (run.settings.get("queue") or {}).get("enabled"):
            message = f"Queued: the job has {allowed} active runs, as many as it may."
            run.state = run.attempts[-1].state = State("QUEUED", None, message)
            self.history.save(run)
            return
        state = State(
            "SKIPPED",
            "MAXIMUM_CONCURRENT_RUNS_REACHED",
            f"An active run of job {run.settings['name']!r} exists: it may have {allowed} at a time.",
            "MAX_CONCURRENT_RUNS_EXCEEDED",
        )
        self._end_unstarted(run, state)

    def _end_unstarted(self, run: Run, state: State) -> None:
        for task in self.history.tasks(run.run_id):
            if not task.state.ended:
                finish(self.history, task, state)
        conclude(self.history, run, state)
        self._leave_if_idle()

    def _running(self, job_id: int) -> int:
        return sum(execution.job_run.job_id == job_id for execution in self._active.values())

    def _begin(self, run: Run) -> None:
        self._prune(run.run_id)
        self._lost.pop(run.run_id, None)
        run.state = run.attempts[-1].state = State("PENDING", None, "Waiting for cluster")
        self.history.save(run)
        execution = Execution(
            run, self.history, self._files, self._home, self._base, self._session, self._tidy, self._over
        )
        self._active[run.run_id] = execution
        execution.start()

    def _over(self, execution: Execution) -> None:
        """Called by an execution's thread at its end: the next queued run takes its place."""
        with self._lock:
            run_id = execution.job_run.run_id
            del self._active[run_id]
            if execution.lost:
                self._lost[run_id] = execution.lost
            queued = [run for run in reversed(self.history.runs()) if run.state.life_cycle == "QUEUED"]
            for run in queued:
                if not self._stopping and self._running(run.job_id) < run.settings["max_concurrent_runs"]:
                    self._begin(run)
            self._leave_if_idle()

    def _tidy(self, warehouse: Path) -> None:
        """Before a driver starts: remove what a killed one left, unless another driver is at work there."""
        with self._lock:
            if len(self._active) == 1:
                cluster.remove_unborn_tables(warehouse)

    def _prune(self, coming: int) -> None:
        folders = [folder for folder in self._home.glob("clusters/*") if folder.name.isdigit()]
        old = sorted((folder for folder in folders if int(folder.name) != coming), key=lambda folder: int(folder.name))
        for folder in old[: max(0, len(old) - CLUSTER_FOLDERS_KEPT + 1)]:
            if int(folder.name) not in self._active:
                shutil.rmtree(folder)

    # --- the lock of the session -----------------------------------------------------------------------------------

    def _require_claim(self) -> None:
        if not self._take():
            raise self._taken()

    def _take(self) -> bool:
        """Hold the lock of the home, if nobody else does."""
        if self._claim is not None:
            return True
        file = (self._home / "jobs.lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._claim = file
        return True

    def _leave_if_idle(self) -> None:
        if not self._active:
            self._leave()

    def _leave(self) -> None:
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def _taken(self) -> RequestError:
        active = next((run for run in self.history.runs() if not run.state.ended), None)
        holder = (self._home / "jobs.lock").read_text(encoding="utf-8") or "unknown"
        what = f"run {active.run_id} of {active.settings['name']}" if active else "a run"
        return RequestError(
            409,
            "RESOURCE_CONFLICT",
            f"{what} is in progress in another session (process {holder}): wait for its end, or cancel it there.",
        )
