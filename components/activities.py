"""The activities of a workload's pipeline in the data factory: pure.

There are two ways to run a workload: one activity starts the Databricks job, which knows its graph of tasks; or a chain
of notebook activities runs it task by task, as the workload's spec says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import Input

from workloads.spec import Activity, Job, Workload

DAY = 24 * 3600
LONGEST = 7 * DAY
RETRIES = 1
RETRY_INTERVAL_SECONDS = 60


def job_activities(workload: Workload, job_ids: Mapping[str, Input[str]], linked_service: str) -> list[dict]:
    """The activities that start a workload's jobs: one for each that ends, sorted by name.

    `job_ids` maps names of jobs to their ids. The pipeline's parameters go to the job as they are.
    """
    return [
        {
            "name": f"Run_{workload.job_name(job.key).replace('-', '_')}",
            "type": "DatabricksJob",
            "job_id": job_ids[workload.job_name(job.key)],
            "job_parameters": _parameters(workload),
            "linked_service_name": _reference(linked_service),
            "policy": policy(longest_run(job)),
        }
        for job in jobs(workload)
    ]


def notebook_activities(workload: Workload, notebook: Input[str], wheel: Input[str], linked_service: str) -> list[dict]:
    """The chains of activities that run a workload's jobs task by task, each after the one before succeeded.

    All activities of a run share its id and its time, so that a repeated activity writes the same rows. What the
    notebook takes is told there (notebooks/run_task.py).
    """
    activities = []
    for job in jobs(workload):
        previous: Activity | None = None
        for activity in job.chain():
            needs = [{"activity": previous.name, "dependency_conditions": ["Succeeded"]}] if previous else []
            activities.append(
                {
                    "name": activity.name,
                    "type": "DatabricksNotebook",
                    "notebook_path": notebook,
                    "base_parameters": {
                        "workload": workload.name,
                        "job": job.key,
                        "tasks": ",".join(activity.tasks),
                        "run_id": _expression("@pipeline().RunId"),
                        "ingest_time": _expression("@pipeline().TriggerTime"),
                        "parameters": _expression(_as_list(workload)),
                        "wheel": wheel,
                    },
                    "depends_on": needs,
                    "linked_service_name": _reference(linked_service),
                    "policy": policy(_seconds(job, activity.tasks)),
                }
            )
            previous = activity
    return activities


def policy(seconds: int) -> dict[str, Any]:
    """How an activity is carried out: what goes in and out of it stays out of the factory's logs."""
    return {
        "timeout": timespan(seconds),
        "retry": RETRIES,
        "retry_interval_in_seconds": RETRY_INTERVAL_SECONDS,
        "secure_input": True,
        "secure_output": True,
    }


def longest_run(job: Job) -> int:
    """Seconds after which a run has certainly ended: every task timed out in every attempt, one after the other."""
    return _seconds(job, [task.key for task in job.tasks])


def _seconds(job: Job, tasks: Sequence[str]) -> int:
    chosen = (task for task in job.tasks if task.key in tasks)
    return min(LONGEST, sum(task.timeout_seconds * (1 + task.retries) for task in chosen))


def timespan(seconds: int) -> str:
    """A duration as the data factory writes it, `d.hh:mm:ss`."""
    days, rest = divmod(seconds, DAY)
    return f"{days}.{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"


def jobs(workload: Workload) -> list[Job]:
    """The jobs that end, by key."""
    return sorted((job for job in workload.jobs if not job.continuous), key=lambda job: job.key)


def _reference(linked_service: str) -> dict[str, str]:
    return {"reference_name": linked_service, "type": "LinkedServiceReference"}


def _expression(text: str) -> dict[str, str]:
    return {"value": text, "type": "Expression"}


def _parameters(workload: Workload) -> dict[str, Any]:
    """The pipeline's own parameters, handed on under their names."""
    names = sorted(parameter.name for parameter in workload.parameters)
    return {name: _expression(f"@pipeline().parameters.{name}") for name in names}


def _as_list(workload: Workload) -> str:
    """The expression of the pipeline's parameters as a JSON list of `NAME=VALUE`; the factory escapes what it holds."""
    names = sorted(parameter.name for parameter in workload.parameters)
    pairs = (f"concat('{name}=', pipeline().parameters.{name})" for name in names)
    return f"@string(createArray({', '.join(pairs)}))" if names else "[]"
