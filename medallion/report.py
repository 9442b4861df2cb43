"""What a run did, from what its tasks reported: the table that `run`, `repair` and `status` show."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medallion.connection import Connection
from medallion.follow import state_of
from simulator.state import lake_root
from toolchain import paths
from workloads.spec import Workload

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import Run, RunTask

COLUMNS = {
    "in": "medallion_task_records_in",
    "out": "medallion_task_records_out",
    "quarantined": "medallion_task_records_quarantined",
    "duplicates": "medallion_task_records_duplicate",
    "seconds": "medallion_task_duration_seconds",
}
MARKS = {"SUCCESS": "[green]✓[/]", "FAILED": "[red]✗[/]", "TIMEDOUT": "[red]✗[/]"}
LEFTOVERS_SHOWN = 20
NOT_RUN = "[dim]·[/]"


def collect(connection: Connection, workload: Workload, run: Run) -> dict[str, Any]:
    """The report of a run: its id, state and message, `tasks` in the order of the job, `model`, where the reports lie,
    and the messages that the catalogue lacks (`leftovers`), where the workload lists them.

    A task that reported nothing has no figures: None, never 0.
    """
    folder = connection.container(f"reports/runs/{workload.name}/{run.run_id}")
    latest = last_attempts(run)
    order = {task.key: i for i, task in enumerate(t for job in workload.jobs for t in job.in_order())}
    tasks = []
    for key in sorted(latest, key=lambda key: order.get(key, len(order))):
        figures = {metric["name"]: metric["value"] for metric in _metrics(connection, f"{folder}/{key}.metrics.json")}
        counted = {name: figures.get(metric) for name, metric in COLUMNS.items()}
        tasks.append({"task": key, "state": state_of(latest[key])} | counted)
    return {
        "run_id": run.run_id,
        "workload": workload.name,
        "state": state_of(run),
        "message": run.state.state_message or "",
        "tasks": tasks,
        "model": _document(connection, f"{folder}/model.json"),
        "leftovers": _document(connection, f"{folder}/leftovers.json"),
        "reports": folder,
    }


def last_attempts(run: Run) -> dict[str, RunTask]:
    """The last attempt at each task of a run, by task."""
    return {task.task_key: task for task in sorted(run.tasks or [], key=lambda task: task.attempt_number or 0)}


def show(report: dict[str, Any], console: Console) -> None:
    """Print the table of tasks, and the model that the run trained."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{report['workload']} · run {report['run_id']} · {report['state']}")
    table.add_column("task")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for task in report["tasks"]:
        table.add_row(f"{MARKS.get(task['state'], NOT_RUN)} {task['task']}", *(_figure(task[name]) for name in COLUMNS))
    console.print(table)
    if model := report["model"]:
        figures = ", ".join(f"{name} {_figure(value)}" for name, value in model["figures"].items())
        console.print(
            f"Model [bold]{escape(model['name'])}[/] version {model['version']}, alias {model['alias']}: {figures}"
        )
        if reason := model.get("reason"):
            console.print(f"      {escape(reason)}")


def leftovers_table(leftovers: dict[str, Any]) -> Table:
    """The messages that the catalogue lacks, sshd's first; text that is withheld shows as a dash."""
    title = f"Leftovers · {leftovers['templates']:,} templates, {leftovers['messages']:,} messages"
    table = Table(box=box.SIMPLE_HEAD, title=f"{title} that the catalogue lacks")
    table.add_column("event id", no_wrap=True)
    table.add_column("of sshd")
    table.add_column("messages", justify="right")
    table.add_column("template")
    for one in leftovers["shown"][:LEFTOVERS_SHOWN]:
        template = escape(one.get("event_template", "–"))
        table.add_row(one["event_id"], "yes" if one["is_sshd"] else "no", _figure(one["count"]), template)
    return table


def outputs_table(connection: Connection) -> Table:
    """The stack's outputs, one a row."""
    simulated = " (simulated: no such address exists)" if connection.outputs.simulated else ""
    table = Table(box=box.SIMPLE_HEAD, title=f"Stack {connection.stack}{simulated}", show_header=False)
    for name, value in connection.outputs.model_dump().items():
        text = ", ".join(f"{key}: {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, escape(text))
    return table


def next_steps(connection: Connection, workload: Workload) -> list[str]:
    """Three lines: where the data lies, how to look at the runs in MLflow, what to do next."""
    if connection.outputs.simulated:
        data = str(lake_root(connection.outputs.lake_account))
        store = f"sqlite:///{paths.home() / 'mlflow' / 'mlflow.db'}"
        ui = shlex.join([str(paths.ROOT / ".venv/bin/mlflow"), "ui", "--backend-store-uri", store])
    else:
        data = f"{connection.outputs.volumes} ({connection.outputs.lake_endpoint})"
        ui = f"{connection.outputs.databricks_host}/ml/experiments"
    return [
        f"Data    {data}",
        f"MLflow  {ui}",
        f"Next    make up INPUT=<your logs> · .venv/bin/medallion status {workload.name} · docs/architecture.md",
    ]


def _metrics(connection: Connection, path: str) -> list[dict[str, Any]]:
    document = _document(connection, path)
    return document["metrics"] if document else []


def _document(connection: Connection, path: str) -> dict[str, Any] | None:
    from databricks.sdk.errors import NotFound

    try:
        with connection.client.files.download(path).contents as stream:
            return json.loads(stream.read())
    except NotFound:
        return None


def _figure(value: float | str | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.3f}" if abs(value) < 1 else f"{value:,.1f}"
    return f"{value:,.0f}" if isinstance(value, float | int) else str(value)
