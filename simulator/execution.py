"""Carries out one attempt at a job run (the original or a repair): which task when, on which driver, how it ends."""

from __future__ import annotations

import contextlib
import queue
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from simulator import cluster, drivers
from simulator.drivers import Driver, SetupError
from simulator.files_api import Files
from simulator.history import History, Run, State, TaskRun
from simulator.job_rules import Context, RequestError, arguments, dependencies, run_result, verdict

WORKLOAD_FAILED = "Workload failed, see run output for details"
INTERRUPTED = "interrupted: the process that held the run ended; repair the run to go on"
GRACE_SECONDS = 10.0  # for a task whose Spark jobs were cancelled to end by itself


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def finish(history: History, task: TaskRun, state: State, error: str | None = None, trace: str | None = None) -> None:
    """Write how a task's attempt ended."""
    task.state, task.error, task.error_trace, task.end_time = state, error, trace, now()
    history.save_task(task)


def conclude(history: History, run: Run, state: State) -> None:
    """Write how a run's latest attempt, and with it the run, ended."""
    run.state = run.attempts[-1].state = state
    run.end_time = run.attempts[-1].end_time = now()
    history.save(run)


def interrupt(history: History, run: Run, message: str = INTERRUPTED) -> None:
    """End a run that nobody carries out any more; it can be repaired."""
    failed = State("INTERNAL_ERROR", "FAILED", message, "INTERNAL_ERROR")
    skipped = State("SKIPPED", "UPSTREAM_FAILED", "An upstream task failed.", "SKIPPED")
    for task in history.tasks(run.run_id):
        if not task.state.ended:
            begun = task.state.life_cycle != "BLOCKED"
            finish(history, task, failed if begun else skipped, message if begun else None)
    conclude(history, run, failed)


class Execution(threading.Thread):
    """One attempt at a run. Its thread alone changes the run; others leave word with `cancel` and `interrupt`."""

    def __init__(
        self,
        run: Run,
        history: History,
        files: Files,
        home: Path,
        base: Mapping[str, str],
        session: str | None,
        tidy: Callable[[Path], None],
        ended: Callable[[Execution], None],
    ):
        super().__init__(name=f"run {run.run_id}", daemon=True)
        self.job_run, self._attempt = run, run.attempts[-1]
        self.lost: str | None = None
        self._history, self._files, self._home, self._base = history, files, home, base
        self._session, self._tidy, self._ended = session, tidy, ended
        self._folder = home / "clusters" / str(run.run_id)
        self._events: queue.Queue[tuple[Driver | None, dict[str, Any]]] = queue.Queue()
        self._driver: Driver | None = None
        self._env: dict[str, str] = {}
        self._broken: SetupError | None = None
        self._outcomes: dict[str, tuple[str, str]] = {}
        self._waiting: dict[str, TaskRun] = {}
        self._not_before: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._running: dict[int, tuple[TaskRun, float]] = {}
        self._lingering: dict[int, tuple[TaskRun, float]] = {}
        self._load()

    # --- what others ask -------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """End the run as cancelled by its user."""
        self._events.put((None, {"event": "cancel"}))

    def interrupt(self) -> None:
        """End the run as interrupted, because the workspace stops."""
        self._events.put((None, {"event": "interrupt"}))

    # --- the thread ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Carry the attempt out."""
        try:
            self._begin()
            state = self._loop()
            if self._driver is not None:
                self._set(self.job_run, State("TERMINATING", None, "Terminating the cluster."))
                self._driver.stop()
            shutil.rmtree(self._folder / "tmp", ignore_errors=True)
            conclude(self._history, self.job_run, state)
        except Exception as error:  # noqa: BLE001 (nobody sees this thread's errors: the run must not look alive)
            self._kill("the run failed")
            self.lost = f"The run could not go on: {cluster.one_line(error, self._home)}"
            with contextlib.suppress(sqlite3.Error):  # with a full disk, not even this can be written
                interrupt(self._history, self.job_run, self.lost)
        finally:
            self._ended(self)

    def _load(self) -> None:
        """The tasks to do, and how those ended that are not done again."""
        latest: dict[str, TaskRun] = {}
        for task in self._history.tasks(self.job_run.run_id):
            latest[task.key] = task
        for key, task in latest.items():
            if task.state.ended:
                self._outcomes[key] = (task.state.result or "FAILED", task.state.message)
            else:
                self._waiting[key] = task
                self._tries[key] = 0

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        timeout = self.job_run.settings.get("timeout_seconds") or 0
        self._deadline = time.monotonic() + timeout if timeout else None
        self._set(self.job_run, State("RUNNING", None, "In run"))
        try:
            settings = self.job_run.settings
            self._spark = drivers.spark_settings(settings, self._home, self._base)
            mine = [task for task in settings["tasks"] if task["task_key"] in self._waiting]
            site = self._folder / "site"
            drivers.install(mine, self._files, site)
            variables = drivers.job_cluster(settings).get("spark_env_vars") or {}
            self._env = drivers.environment(self._base, variables, self._home, site)
        except SetupError as error:
            self._broken = error

    def _set(self, run: Run, state: State) -> None:
        run.state = self._attempt.state = state
        self._history.save(run)

    def _loop(self) -> State:
        while True:
            self._launch()
            if not self._waiting and not self._running:
                break
            try:
                driver, event = self._events.get(timeout=self._patience())
            except queue.Empty:
                driver, event = None, {"event": "time"}
            if driver is not None and driver is not self._driver:
                continue  # the last words of a driver that was replaced
            final = self._handle(event)
            if final is not None:
                return final
        life_cycle, result, message = run_result(self.job_run.settings["tasks"], self._outcomes)
        codes = {"SUCCESS": "SUCCESS", "SUCCESS_WITH_FAILURES": "SUCCESS_WITH_FAILURES"}
        failure = self._broken.code if self._broken else "RUN_EXECUTION_ERROR"
        return State(life_cycle, result, message, codes.get(result, failure))

    def _patience(self) -> float | None:
        moments = [deadline for _, deadline in (*self._running.values(), *self._lingering.values())]
        moments += [self._not_before[key] for key in self._waiting if key in self._not_before]
        moments += [self._deadline] if self._deadline is not None else []
        finite = [moment for moment in moments if moment != float("inf")]
        return max(0.0, min(finite) - time.monotonic()) if finite else None

    def _handle(self, event: dict[str, Any]) -> State | None:
        """React to an event; the run's state where it ends the run."""
        match event["event"]:
            case "cancel":
                return self._abandon("CANCELED", "Run cancelled.", "USER_CANCELED")
            case "interrupt":
                self._kill("interrupted")
                interrupt(self._history, self.job_run)
                return self.job_run.state
            case "ready":
                self._driver.ready = True
            case "failed":
                self._broken = SetupError(f"Cluster did not start: {event['error']}", "CLUSTER_ERROR")
            case "ended":
                self._task_ended(event)
            case "died":
                self._driver_died(event["code"])
        return self._check_times()

    # --- tasks -----------------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        """Skip or start every task whose turn it is."""
        progress = True
        while progress and not self._lingering:
            progress = False
            for key in sorted(self._waiting):
                task = self._waiting[key]
                needs = [need for need in dependencies(task.task) if need in self._outcomes or need in self._waiting]
                needs += [t.key for t, _ in self._running.values() if t.key in dependencies(task.task)]
                if any(need not in self._outcomes for need in needs):
                    continue
                decision = verdict(task.task["run_if"], [self._outcomes[need][0] for need in needs])
                if decision != "RUN":
                    self._skip(task, decision)
                    progress = True
                elif self._not_before.get(key, 0.0) <= time.monotonic():
                    self._not_before.pop(key, None)
                    progress |= self._start(task)

    def _skip(self, task: TaskRun, decision: str) -> None:
        messages = {
            "UPSTREAM_FAILED": "An upstream task failed.",
            "UPSTREAM_CANCELED": "An upstream task was canceled.",
            "EXCLUDED": "The run condition of the task was not met.",
        }
        self._end(task, State("SKIPPED", decision, messages[decision], "SKIPPED"))

    def _start(self, task: TaskRun) -> bool:
        """Start a task, or a driver for it. Whether the task is off the waiting list."""
        try:
            if self._broken:
                raise self._broken
            wheel, line = task.task["python_wheel_task"], arguments(task.task, self._context(task))
        except (SetupError, RequestError) as error:
            code = getattr(error, "code", "INTERNAL_ERROR")
            self._end(task, State("INTERNAL_ERROR", "FAILED", str(error), code), str(error))
            return True
        task.state = State("PENDING", None, "Waiting for cluster")
        self._history.save_task(task)
        if self._driver is None:
            self._start_driver()
        if not self._driver.ready:
            return False
        task.state, task.start_time = State("RUNNING", None, "In run"), now()
        self._history.save_task(task)
        del self._waiting[task.key]
        self._tries[task.key] += 1
        timeout = task.task.get("timeout_seconds") or 0
        self._running[task.run_id] = (task, time.monotonic() + timeout if timeout else float("inf"))
        order = {"order": "run", "id": task.run_id, "task_key": task.key, "log": task.log, "arguments": line}
        names = {"package_name": wheel["package_name"], "entry_point": wheel["entry_point"]}
        self._driver.order(order | names)
        return True

    def _start_driver(self) -> None:
        self._tidy(Path(self._spark["warehouse"]))
        (self._home / "mlflow" / "artifacts").mkdir(parents=True, exist_ok=True)
        settings = {"site": str(self._folder / "site"), "spark": self._spark}
        self._driver = Driver(self._folder, settings, self._env, lambda *event: self._events.put(event), self._session)

    def _context(self, task: TaskRun) -> Context:
        run = self.job_run
        return Context(
            job_id=run.job_id,
            job_name=run.settings["name"],
            job_run_id=run.run_id,
            repair_count=run.repair_count,
            start_time=run.start_time,
            parameters=run.parameters,
            task_name=task.key,
            task_run_id=task.run_id,
            execution_count=task.attempt_number + 1,
            results={key: result for key, (result, _) in self._outcomes.items()},
        )

    def _end(self, task: TaskRun, state: State, error: str | None = None, trace: str | None = None) -> None:
        finish(self._history, task, state, error, trace)
        self._waiting.pop(task.key, None)
        self._running.pop(task.run_id, None)
        self._outcomes[task.key] = (state.result or "FAILED", state.message)

    def _task_ended(self, event: dict[str, Any]) -> None:
        self._lingering.pop(event["id"], None)
        if event["id"] not in self._running:
            return
        task, _ = self._running[event["id"]]
        if event["error"] is None:
            self._end(task, State("TERMINATED", "SUCCESS", "", "SUCCESS"))
            return
        state = State("TERMINATED", "FAILED", WORKLOAD_FAILED, "RUN_EXECUTION_ERROR")
        self._end(task, state, event["error"], event["trace"])
        self._retry(task)

    def _retry(self, task: TaskRun) -> None:
        """Queue another attempt of a task that ended badly, if it may have one."""
        allowed = task.task.get("max_retries") or 0
        if allowed >= 0 and self._tries[task.key] > allowed:
            return
        again = TaskRun(
            run_id=self._history.new_id(),
            job_run_id=task.job_run_id,
            repair_id=task.repair_id,
            task=task.task,
            attempt_number=task.attempt_number + 1,
            log="",
            state=State("WAITING_FOR_RETRY"),
        )
        again.log = str(self._folder / f"{again.run_id}.log")
        self._history.save_task(again)
        del self._outcomes[task.key]
        self._waiting[task.key] = again
        self._not_before[task.key] = time.monotonic() + (task.task.get("min_retry_interval_millis") or 0) / 1000

    # --- time, and drivers that die ----------------------------------------------------------------------------------

    def _check_times(self) -> State | None:
        moment = time.monotonic()
        if self._deadline is not None and moment >= self._deadline:
            return self._abandon("TIMEDOUT", "Run timed out.", "CANCELED")
        for task, deadline in list(self._running.values()):
            if moment >= deadline:
                message = f"Run timed out after {task.task['timeout_seconds']} seconds"
                self._end(task, State("TERMINATED", "TIMEDOUT", message, "CANCELED"), message)
                self._driver.order({"order": "cancel", "id": task.run_id})
                self._lingering[task.run_id] = (task, moment + GRACE_SECONDS)
                if task.task.get("retry_on_timeout"):
                    self._retry(task)
        for task, deadline in list(self._lingering.values()):
            if moment >= deadline:
                self._lingering[task.run_id] = (task, float("inf"))
                self._driver.kill(f"the driver was restarted: task {task.key} did not end after its timeout")
        return None

    def _driver_died(self, code: int) -> None:
        """Fail what ran on the driver. A later attempt gets a new driver, unless this one was killed from outside."""
        driver, self._driver = self._driver, None
        self._lingering.clear()
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        reason = driver.killed_for or f"driver died ({how}), see {self._folder / 'driver.log'}"
        if not self._broken and (not driver.ready or (code == -9 and not driver.killed_for)):
            self._broken = SetupError(reason, "DRIVER_ERROR")
        for task, _ in list(self._running.values()):
            self._end(task, State("INTERNAL_ERROR", "FAILED", reason, "DRIVER_ERROR"), reason)
            if not self._broken:
                self._retry(task)

    def _kill(self, reason: str) -> None:
        if self._driver is not None:
            self._driver.kill(reason)

    def _abandon(self, result: str, message: str, code: str) -> State:
        """End every task that has not ended, and the driver with them."""
        state = State("TERMINATED", result, message, code)
        for task in [task for task, _ in self._running.values()] + list(self._waiting.values()):
            self._end(task, state)
        self._kill(message)
        return state
