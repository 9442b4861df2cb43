"""`medallion run`: run a workload's job as the stack declared it, from the wheel that the stack uploaded."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from medallion import options, report
from medallion.connection import Connection, connect
from medallion.console import emit, err
from medallion.follow import follow, succeeded
from toolchain.errors import UserError
from workloads import spec

Parameters = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="A job parameter; may be repeated.")
]


def run(
    workload: options.WorkloadName,
    param: Parameters = None,
    job: Annotated[str, typer.Option(help="The job of the workload.")] = "batch",
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Run a workload's job and show what each task did."""
    declared = spec.find(workload)
    declared.job(job)
    texts = parse(param or [])
    declared.parse_parameters(texts)
    with connect(stack, cloud) as connection:
        started = connection.client.jobs.run_now(connection.job_id(declared, job), job_parameters=texts)
        conclude(connection, declared, started.run_id, json)


def conclude(connection: Connection, workload: spec.Workload, run_id: int, as_json: bool) -> None:
    """Follow a run to its end and print its report. Raises UserError where a task failed."""
    ended = follow(connection, run_id)
    result = report.collect(connection, workload, ended)

    def render(console) -> None:
        report.show(result, console)
        if succeeded(ended):
            console.print(report.outputs_table(connection))
            for line in report.next_steps(connection, workload):
                console.print(escape(line))

    emit(result, as_json, render)
    if succeeded(ended):
        return
    for task in report.last_attempts(ended).values():
        if task.state.result_state and task.state.result_state.value == "FAILED":
            output = connection.client.jobs.get_run_output(task.run_id)
            err.print(f"[red]{task.task_key}[/]: {escape(output.error or task.state.state_message or '')}")
    hint = f"put right what failed, then `medallion repair {workload.name}`"
    raise UserError(f"run {run_id} of {workload.name} ended {result['state']}: {hint}")


def parse(pairs: list[str]) -> dict[str, str]:
    """`["year=2024"]` → `{"year": "2024"}`. Raises UserError for what is no pair, and for a name given twice."""
    texts: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise UserError(f"--param takes NAME=VALUE, not {pair!r}")
        if name in texts:
            raise UserError(f"--param {name} is given twice")
        texts[name] = value
    return texts
