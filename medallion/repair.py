"""`medallion repair`: run again what failed or was lost in a run, with the run's own parameters and time."""

from __future__ import annotations

from typing import Annotated

import typer

from medallion import options
from medallion.connection import connect
from medallion.follow import ended, succeeded
from medallion.run import conclude
from toolchain.errors import UserError
from workloads import spec


def repair(
    workload: options.WorkloadName,
    run_id: Annotated[int | None, typer.Option(help="The run to repair; without it, the newest.")] = None,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Run the failed tasks of a run again, and those that depend on them."""
    declared = spec.find(workload)
    with connect(stack, cloud, runs=declared) as connection:
        jobs = connection.client.jobs
        if run_id is None:
            newest = next(iter(jobs.list_runs(job_id=connection.job_id(declared), limit=1)), None)
            if newest is None:
                raise UserError(f"{workload} has no run yet: `medallion run {workload}`")
            run_id = newest.run_id
        run = jobs.get_run(run_id, include_history=True)
        if not ended(run):
            raise UserError(f"run {run_id} of {workload} is still going: `medallion status {workload}`")
        if not succeeded(run):
            repairs = [item.id for item in run.repair_history or [] if item.id]
            latest = {"latest_repair_id": repairs[-1]} if repairs else {}
            jobs.repair_run(run_id, rerun_all_failed_tasks=True, rerun_dependent_tasks=True, **latest)
        conclude(connection, declared, run_id, json)
