"""Waits for a run and shows how far it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from medallion.connection import Connection
from medallion.console import err

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import BaseRun, Run, RunTask

ENDED = ("TERMINATED", "INTERNAL_ERROR", "SKIPPED")
SECONDS_BETWEEN_LOOKS = 0.5


def follow(connection: Connection, run_id: int) -> Run:
    """The run once it has ended. An interrupt (Ctrl-C) cancels it: a run started here belongs to this command."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as progress:
        rows: dict[str, int] = {}
        try:
            while True:
                run = connection.client.jobs.get_run(run_id)
                _show(progress, rows, run)
                if ended(run):
                    return run
                time.sleep(SECONDS_BETWEEN_LOOKS)
        except KeyboardInterrupt:
            connection.client.jobs.cancel_run(run_id)
            raise


def _show(progress: Progress, rows: dict[str, int], run: Run) -> None:
    for task in run.tasks or []:
        if task.task_key not in rows:
            rows[task.task_key] = progress.add_task(task.task_key, state="", start=False, total=1)
        row = rows[task.task_key]
        if task.state.life_cycle_state.value == "RUNNING":
            progress.start_task(row)
        progress.update(row, state=state_of(task).lower(), completed=int(ended(task)))


def ended(item: BaseRun | RunTask) -> bool:
    """Whether a run or task has come to its end, whichever."""
    return item.state.life_cycle_state.value in ENDED


def state_of(item: BaseRun | RunTask) -> str:
    """How a run or a task ended, or how far it is while it has not."""
    return (item.state.result_state or item.state.life_cycle_state).value


def succeeded(run: Run) -> bool:
    """Whether every task of the run succeeded."""
    return run.state.result_state is not None and run.state.result_state.value == "SUCCESS"
