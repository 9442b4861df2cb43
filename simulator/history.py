"""The history of job runs, in `jobs.sqlite` of the state folder: runs, their repairs, every attempt of every task.

Times are milliseconds since 1970; life-cycle and result states are those of the Jobs API.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS ids (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE IF NOT EXISTS runs (
    run_id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL, token TEXT UNIQUE, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (run_id INTEGER PRIMARY KEY, job_run_id INTEGER NOT NULL, record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS tasks_of_run ON tasks (job_run_id);
"""
ENDED = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})


@dataclass
class State:
    """Where a run, a repair or a task is. `code` is the termination code of the Jobs API."""

    life_cycle: str = "PENDING"
    result: str | None = None
    message: str = ""
    code: str = ""

    @property
    def ended(self) -> bool:
        return self.life_cycle in ENDED


@dataclass
class Attempt:
    """The original attempt at a run (`id` None) or a repair of it; `tasks` are the keys that it carries out."""

    id: int | None
    start_time: int
    tasks: list[str]
    end_time: int = 0
    state: State = field(default_factory=State)


@dataclass
class Run:
    """A run of a job, with the settings that its latest attempt has."""

    run_id: int
    job_id: int
    settings: dict[str, Any]
    parameters: dict[str, str]
    start_time: int
    attempts: list[Attempt]
    end_time: int = 0
    state: State = field(default_factory=State)

    @property
    def latest_repair(self) -> int | None:
        return self.attempts[-1].id

    @property
    def repair_count(self) -> int:
        return len(self.attempts) - 1


@dataclass
class TaskRun:
    """One attempt of one task. `error` is its one line for people, `log` the file of what it printed."""

    run_id: int
    job_run_id: int
    repair_id: int | None
    task: dict[str, Any]
    attempt_number: int
    log: str
    state: State = field(default_factory=lambda: State("BLOCKED"))
    start_time: int = 0
    end_time: int = 0
    error: str | None = None
    error_trace: str | None = None

    @property
    def key(self) -> str:
        return self.task["task_key"]


class History:
    """The runs of a simulated workspace. Safe for threads; every change is committed at once."""

    def __init__(self, home: Path):
        home.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(home / "jobs.sqlite", timeout=60, check_same_thread=False)
        with self._lock, self._database:
            self._database.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def new_id(self) -> int:
        """An id that no run, task or repair had before."""
        with self._lock, self._database:
            return int(self._database.execute("INSERT INTO ids DEFAULT VALUES").lastrowid or 0)

    def add(self, run: Run, token: str | None) -> None:
        """Write a new run."""
        with self._lock, self._database:
            row = (run.run_id, run.job_id, token, json.dumps(asdict(run)))
            self._database.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", row)

    def save(self, run: Run) -> None:
        """Write a run's present state."""
        with self._lock, self._database:
            values = (json.dumps(asdict(run)), run.run_id)
            self._database.execute("UPDATE runs SET record = ? WHERE run_id = ?", values)

    def save_task(self, task: TaskRun) -> None:
        """Write a task's attempt, new or changed."""
        with self._lock, self._database:
            row = (task.run_id, task.job_run_id, json.dumps(asdict(task)))
            self._database.execute("REPLACE INTO tasks VALUES (?, ?, ?)", row)

    def run(self, run_id: int) -> Run | None:
        """The run of that id, or None."""
        return next(iter(self._runs("run_id = ?", run_id)), None)

    def by_token(self, token: str) -> Run | None:
        """The run that was started with that idempotency token, or None."""
        return next(iter(self._runs("token = ?", token)), None)

    def runs(self, job_id: int | None = None) -> list[Run]:
        """All runs, or those of a job, the newest first."""
        if job_id is None:
            return self._runs("TRUE ORDER BY run_id DESC")
        return self._runs("job_id = ? ORDER BY run_id DESC", job_id)

    def tasks(self, run_id: int) -> list[TaskRun]:
        """Every attempt of every task of a run, in the order in which they came to be."""
        return self._tasks("job_run_id = ? ORDER BY run_id", run_id)

    def task(self, run_id: int) -> TaskRun | None:
        """The task attempt of that id, or None."""
        return next(iter(self._tasks("run_id = ?", run_id)), None)

    def _runs(self, where: str, *values: Any) -> list[Run]:
        with self._lock:
            rows = self._database.execute(f"SELECT record FROM runs WHERE {where}", values).fetchall()  # noqa: S608
        return [_run(json.loads(record)) for (record,) in rows]

    def _tasks(self, where: str, *values: Any) -> list[TaskRun]:
        with self._lock:
            rows = self._database.execute(f"SELECT record FROM tasks WHERE {where}", values).fetchall()  # noqa: S608
        return [TaskRun(**record | {"state": State(**record["state"])}) for record in map(_loaded, rows)]


def _loaded(row: tuple[str]) -> dict[str, Any]:
    return json.loads(row[0])


def _run(record: dict[str, Any]) -> Run:
    attempts = [Attempt(**item | {"state": State(**item["state"])}) for item in record["attempts"]]
    return Run(**record | {"attempts": attempts, "state": State(**record["state"])})
