"""`medallion run`: run a workload's job as the stack declared it, from the wheel that the stack uploaded."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from rich.markup import escape

from medallion import options, report, services
from medallion.connection import Connection, connect
from medallion.console import emit, err
from medallion.follow import follow, succeeded
from toolchain.errors import UserError
from workloads import spec

STOP = "stop_after_seconds"  # the parameter of streaming jobs

Parameters = Annotated[
    list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="A job parameter; may be repeated.")
]


def run(
    workload: options.WorkloadName,
    param: Parameters = None,
    job: Annotated[str, typer.Option(help="The job of the workload.")] = "batch",
    task: Annotated[str | None, typer.Option(metavar="KEY", help="Run this task only.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Run the streaming job, until it is interrupted.")] = False,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long to stream: 90s, 2m or 1h.")
    ] = None,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Run a workload's job, one of its tasks, or its stream, and show what each task did."""
    declared = spec.find(workload)
    texts = parse(param or [])
    chosen = choose(declared, job, task, stream)
    if lasting is not None:
        if not stream:
            raise UserError("--for says how long to stream: it goes with --stream")
        if STOP in texts:
            raise UserError(f"--for and --param {STOP} say the same: give one of them")
        texts[STOP] = str(seconds(lasting))
    declared.parse_parameters(texts)
    tasks = [one for one in chosen.tasks if task in (None, one.key)]
    only = [task] if task else None
    with connect(stack, cloud, runs=declared if services.uses_the_store(tasks) else None) as connection:
        job_id = connection.job_id(declared, chosen.key)
        started = connection.client.jobs.run_now(job_id, job_parameters=texts, only=only)
        conclude(connection, declared, started.run_id, json)


def choose(workload: spec.Workload, job: str, task: str | None, stream: bool) -> spec.Job:
    """The job to run: the named one, that of the task, or the one that streams. Raises UserError or SpecError."""
    if stream:
        if task or job != "batch":
            raise UserError("--stream runs the streaming job: it goes with neither --task nor --job")
        streaming = [one for one in workload.jobs if one.continuous]
        if not streaming:
            raise UserError(f"workload {workload.name!r} has no streaming job")
        return streaming[0]
    found = workload.job(job)
    if task is None:
        return found
    for one in (found, *workload.jobs):
        if task in (declared.key for declared in one.tasks):
            return one
    there = ", ".join(one.key for declared in workload.jobs for one in declared.in_order())
    raise UserError(f"workload {workload.name!r} has no task {task!r}; it has {there}")


def seconds(text: str) -> int:
    """`90`, `90s`, `2m`, `1h` → seconds. Raises UserError for anything else, and for nothing."""
    found = re.fullmatch(r"(\d{1,6})(s|m|h)?", text)
    if found is None or int(found[1]) == 0:
        raise UserError(f"--for takes a time such as 90s, 2m or 1h, not {text!r}")
    return int(found[1]) * {None: 1, "s": 1, "m": 60, "h": 3600}[found[2]]


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
