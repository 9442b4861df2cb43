"""Databricks jobs, one for each job of a workload.

Owns the jobs and their clusters; not the code that they run (workload_wheel.py). Clusters are standard access mode
(`USER_ISOLATION`): it is what Unity Catalog and serverless share. Machine-learning runtimes would need dedicated
access; the standard runtime with a few libraries on top does not. Tasks and their dependencies are sorted by key, for
the provider compares them in order and would otherwise see a difference for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pulumi
import pulumi_databricks as databricks
from pulumi import Input, Output, ResourceOptions

from components.runtimes import Runtime
from components.workload_wheel import ENTRY_POINT, PACKAGE
from workloads.spec import Job, Task, Workload

CLUSTER = "main"

LIBRARIES = (
    "cassandra-driver==3.30.1",
    "drain3==0.9.1",
    "mlflow[databricks]==3.17.2",
    "openlineage-python==1.54.0",
    "prometheus-client==0.26.0",
    "skops==0.16.0",
)
"""What workloads import and the standard runtime lacks, in the versions of our lock file."""


@dataclass(frozen=True)
class ClusterArgs:
    """The job clusters: runtime, nodes, and the environment that tells workloads where they are.

    `project` is a tag of every cluster; the policy asks for it.
    """

    runtime: Runtime
    node_type: str
    workers: int
    spot: bool
    environment: Mapping[str, Input[str]]
    project: str

    def told(self, more: Mapping[str, Input[str]]) -> ClusterArgs:
        """The same clusters, with more in their environment."""
        return replace(self, environment={**self.environment, **more})


@dataclass(frozen=True)
class JobArgs:
    """What all jobs share: cluster, whether schedules run, whether continuous jobs do, who is told of a failure (e-mail
    addresses), and the roles of groups (`reader`, `engineer`).
    """

    cluster: ClusterArgs
    schedules: bool
    continuous: bool
    notify: Sequence[str] = ()
    grants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobSite:
    """What jobs find in their workspace: the wheel's path, the cluster policy and who they run as, where it has
    them."""

    wheel: Input[str]
    policy: Input[str] | None = None
    run_as: Input[str] | None = None


JOB_RIGHTS: Mapping[str, str] = {"engineer": "CAN_MANAGE_RUN", "reader": "CAN_VIEW"}


def environment(catalog: str, pushgateway: str | None, pseudonym_key: str | None = None) -> dict[str, str]:
    """The environment of a cluster: all that workloads know of where they run.

    `pseudonym_key` is the scope and key of a secret; Databricks puts its value in when a cluster starts.
    """
    variables = {
        "MEDALLION_CATALOG": catalog,
        "MEDALLION_VOLUMES": f"/Volumes/{catalog}",
        "MEDALLION_EXPERIMENTS": "/Shared/medallion/",
        "MEDALLION_MODELS": f"{catalog}.models.",
        "MLFLOW_REGISTRY_URI": "databricks-uc",
    }
    if pushgateway:
        variables["MEDALLION_PUSHGATEWAY"] = pushgateway
    if pseudonym_key:
        variables["MEDALLION_PSEUDONYM_KEY"] = f"{{{{secrets/{pseudonym_key}}}}}"
    return variables


def job_settings(workload: Workload, job: Job, args: JobArgs, site: JobSite) -> dict[str, Any]:
    """The properties of the Databricks job for a job of a workload."""
    cluster = cluster_settings(args.cluster, site.policy)
    settings: dict[str, Any] = {
        "name": workload.job_name(job.key),
        "description": workload.description,
        "tags": {"job": job.key, "workload": workload.name},
        "job_clusters": [{"job_cluster_key": CLUSTER, "new_cluster": cluster}],
        "tasks": [_task(workload, job, task, site.wheel) for task in sorted(job.tasks, key=lambda task: task.key)],
        "parameters": [
            {"name": parameter.name, "default": parameter.text(parameter.default)}
            for parameter in sorted(workload.parameters, key=lambda parameter: parameter.name)
        ],
        "max_concurrent_runs": 1,
        "queue": {"enabled": True},
    }
    if job.schedule:
        settings["schedule"] = {
            "quartz_cron_expression": job.schedule,
            "timezone_id": "UTC",
            "pause_status": _pause_status(args.schedules),
        }
    if job.continuous:
        settings["continuous"] = {"pause_status": _pause_status(args.continuous)}
    if site.run_as is not None:
        settings["run_as"] = {"service_principal_name": site.run_as}
    if args.notify:
        settings["email_notifications"] = {"on_failures": sorted(args.notify), "no_alert_for_skipped_runs": True}
    return settings


def cluster_settings(args: ClusterArgs, policy: Input[str] | None) -> dict[str, Any]:
    """The properties of a cluster. The driver is never a spot machine: without it, the run is lost."""
    return {
        **({} if policy is None else {"policy_id": policy}),
        "spark_version": args.runtime.key,
        "node_type_id": args.node_type,
        "num_workers": args.workers,
        "data_security_mode": "USER_ISOLATION",
        "azure_attributes": {
            "availability": "SPOT_WITH_FALLBACK_AZURE" if args.spot else "ON_DEMAND_AZURE",
            "first_on_demand": 1,
            "spot_bid_max_price": -1,
        },
        "spark_env_vars": dict(sorted(args.environment.items())),
        "custom_tags": {"project": args.project},
    }


def libraries(wheel: Input[str]) -> list[dict[str, Any]]:
    """What is installed on a cluster."""
    return [{"whl": wheel}, *({"pypi": {"package": library}} for library in LIBRARIES)]


def _pause_status(runs: bool) -> str:
    return "UNPAUSED" if runs else "PAUSED"


def _task(workload: Workload, job: Job, task: Task, wheel: Input[str]) -> dict[str, Any]:
    """The properties of a task. Databricks fills in what stands in double braces.

    Tasks of a continuous job have no retries of their own: Databricks starts the whole job anew, after ever longer
    pauses. Source: https://docs.databricks.com/jobs/continuous.html
    """
    parameters = [
        *("--workload", workload.name, "--task", task.key),
        *("--run-id", "{{job.run_id}}", "--ingest-time", "{{job.start_time.iso_datetime}}"),
    ]
    for parameter in sorted(workload.parameters, key=lambda parameter: parameter.name):
        parameters += ["--parameter", f"{parameter.name}={{{{job.parameters.{parameter.name}}}}}"]
    depends = {"depends_ons": [{"task_key": key} for key in sorted(task.depends_on)]} if task.depends_on else {}
    return {
        "task_key": task.key,
        **depends,
        "run_if": "ALL_SUCCESS",
        "job_cluster_key": CLUSTER,
        "python_wheel_task": {"package_name": PACKAGE, "entry_point": ENTRY_POINT, "parameters": parameters},
        "libraries": libraries(wheel),
        **({} if job.continuous else {"max_retries": task.retries, "min_retry_interval_millis": 5_000}),
        "timeout_seconds": task.timeout_seconds,
    }


class DatabricksJobs(pulumi.ComponentResource):
    """All jobs of a workload. `ids` maps the name of each to its id."""

    ids: dict[str, Output[str]]

    def __init__(self, workload: Workload, args: JobArgs, site: JobSite, opts: ResourceOptions) -> None:
        super().__init__("medallion:components:DatabricksJobs", workload.name, None, opts)
        child = ResourceOptions(parent=self)
        self.ids = {}
        for job in workload.jobs:
            name = workload.job_name(job.key)
            declared = databricks.Job(f"job-{name}", **job_settings(workload, job, args, site), opts=child)
            self.ids[name] = declared.id
            if args.grants:
                databricks.Permissions(
                    f"job-{name}-permissions",
                    job_id=declared.id,
                    access_controls=access(args.grants, JOB_RIGHTS),
                    opts=child,
                )
        self.register_outputs({"ids": self.ids})


def access(grants: Mapping[str, str], rights: Mapping[str, str]) -> list[dict[str, str]]:
    """What groups may do, by their roles, sorted, since the provider compares the list in order."""
    return [{"group_name": group, "permission_level": rights[role]} for group, role in sorted(grants.items())]
