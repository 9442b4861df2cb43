"""`medallion status`: the last runs of a workload, what the newest did, and where everything is."""

from __future__ import annotations

from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medallion import options, report
from medallion.connection import connect
from medallion.console import emit
from medallion.follow import state_of
from workloads import spec

RUNS_SHOWN = 5


def status(
    workload: options.WorkloadName,
    stack: options.Stack = "local",
    cloud: options.Cloud = "simulated",
    json: options.Json = False,
) -> None:
    """Show the last runs of a workload and the report of the newest."""
    declared = spec.find(workload)
    with connect(stack, cloud) as connection:
        jobs = connection.client.jobs
        runs = []
        for run in jobs.list_runs(job_id=connection.job_id(declared), limit=RUNS_SHOWN):
            start = datetime.fromtimestamp(run.start_time / 1000, UTC).isoformat(timespec="seconds")
            runs.append({"run_id": run.run_id, "state": state_of(run), "start": start})
            if len(runs) == RUNS_SHOWN:
                break
        newest = report.collect(connection, declared, jobs.get_run(runs[0]["run_id"])) if runs else None
        lines = report.next_steps(connection, declared)
        document = {"runs": runs, "newest": newest, "outputs": connection.outputs.model_dump()}

        def render(console: Console) -> None:
            if newest is None:
                console.print(f"{declared.name} has not run yet: medallion run {declared.name}")
            else:
                table = Table(box=box.SIMPLE_HEAD, title="Last runs")
                for column in ("run_id", "state", "start"):
                    table.add_column(column)
                for run in runs:
                    table.add_row(str(run["run_id"]), run["state"], run["start"])
                console.print(table)
                report.show(newest, console)
                if newest["leftovers"]:
                    console.print(report.leftovers_table(newest["leftovers"]))
            console.print(report.outputs_table(connection))
            for line in lines:
                console.print(escape(line))

        emit(document, json, render)
