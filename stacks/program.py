"""The program: settings in, resources declared, outputs out."""

import os
from typing import Any

import pulumi
from pulumi import Output
from pulumi.runtime.config import get_config_env, get_config_secret_keys_env

from components.databricks_compute import InteractiveCluster, TaskNotebook
from components.databricks_job import ClusterArgs, DatabricksJobs, JobSite
from components.existing import ExistingError
from components.naming import NamingError
from components.network import NetworkError
from components.pipelines import Notebooks, Pipelines, PipelinesArgs
from components.runtimes import UnknownRuntimeError
from components.schedules import ScheduleError
from components.vm_sizes import AksError
from components.workload_wheel import WorkloadWheel
from stacks import arguments, foundation, handover, pods
from stacks.foundation import Platform
from stacks.outputs import Outputs
from stacks.place import Place
from stacks.settings import PROJECT, Settings, SettingsError
from workloads.spec import SpecError, Workload, discover

MISTAKES = (
    *(SettingsError, SpecError, NamingError, NetworkError),
    *(UnknownRuntimeError, AksError, ExistingError, ScheduleError),
)
EXIT_AFTER_MESSAGE = 32
"""The exit code by which the engine knows that the program has said itself what is wrong."""


def main() -> None:
    """Declares the stack that the engine asks for. A user's mistake is one line, before anything is declared."""
    try:
        settings = Settings.read(get_config_env(), get_config_secret_keys_env())
        place = Place.read(os.environ, pulumi.get_stack(), settings)
        outputs = declare(settings, place, discover())
    except MISTAKES as mistake:
        pulumi.log.error(str(mistake))
        os._exit(EXIT_AFTER_MESSAGE)  # at once: an orderly exit would register the stack anew, without its outputs
    for name in Outputs.model_fields:
        pulumi.export(name, outputs[name])


def declare(settings: Settings, place: Place, workloads: tuple[Workload, ...]) -> dict[str, Any]:
    """Declares all resources of a stack and returns its outputs. Raises one of MISTAKES before it declares any."""
    catalog = settings.existing.catalog or f"{PROJECT}_{place.stack}"
    cluster, wheel = arguments.cluster(settings, catalog), arguments.wheel()
    recurrences = arguments.recurrences(workloads)
    if settings.handover:
        handover.keep()
    of = foundation.declare(settings, place, catalog, workloads)

    uploaded = WorkloadWheel("wheel", wheel, folder=f"/Volumes/{catalog}/models/files/wheels", opts=of.databricks)
    job_site = JobSite(wheel=uploaded.path, policy=of.policy, run_as=of.jobs)
    jobs: dict[str, Output[str]] = {}
    for workload in workloads:
        job_args = arguments.job(settings, cluster.told(of.parts.environment(workload)))
        jobs |= DatabricksJobs(workload, job_args, job_site, of.databricks).ids
    notebooks = _notebooks(settings, place.stack, cluster.told(of.parts.environment(*workloads)), of, uploaded.path)
    args = PipelinesArgs(place.stack, workloads, jobs, recurrences, notebooks)
    pipelines = Pipelines("pipelines", of.factory, of.lake, of.workspace, args)
    running = pods.declare(settings, place.stack, of, workloads, catalog=catalog)
    return {
        "cloud": place.cloud,
        "environment": place.stack,
        "resource_group": of.group,
        "lake_account": of.lake.name,
        "lake_endpoint": of.lake.endpoint,
        "databricks_host": of.workspace.host,
        "catalog": catalog,
        "volumes": f"/Volumes/{catalog}",
        "wheel": uploaded.path,
        "jobs": jobs,
        "job_urls": {name: Output.concat(of.workspace.host, "/jobs/", id_) for name, id_ in jobs.items()},
        "data_factory": of.factory.name,
        "pipelines": pipelines.names,
        "key_vault_uri": of.vault.uri,
        "container_registry": of.registry.login_server,
        "log_workspace": of.logs.name,
        "aks_cluster": of.cluster.name,
        "identities": dict(of.identities),
        **of.parts.outputs(),
        **running,
    }


def _notebooks(settings: Settings, stack: str, on: ClusterArgs, of: Platform, wheel: Output[str]) -> Notebooks | None:
    """What notebook activities run on and with; None where the data factory starts jobs."""
    id_ = settings.existing.interactive_cluster
    if of.policy is not None and settings.databricks.interactive:
        compute = arguments.compute(settings, stack, on)
        id_ = InteractiveCluster("interactive", compute, of.policy, wheel, of.databricks).id
    if settings.data_factory.orchestration != "notebooks" or id_ is None:
        return None
    notebook = TaskNotebook("task-notebook", f"/Shared/{PROJECT}-{stack}", of.databricks)
    return Notebooks(id_, notebook.path, wheel)
