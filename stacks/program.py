"""The wiring: which components a stack is made of, and what each takes from the others."""

import os
from typing import Any

import pulumi
from pulumi import ResourceOptions
from pulumi.runtime.config import get_config_env
from pulumi_azure_native import authorization

from components.aks_cluster import AksCluster, AksError
from components.data_factory import DataFactory, Pipelines, PipelinesArgs
from components.data_lake import DataLake
from components.databricks_job import DatabricksJobs
from components.databricks_workspace import AccessConnector, DatabricksWorkspace, provider
from components.existing import ExistingError
from components.naming import Names, NamingError
from components.network import Network
from components.resource_group import ResourceGroup
from components.runtimes import UnknownRuntimeError
from components.site import Site, owner
from components.unity_catalog import UnityCatalog
from components.workload_wheel import WorkloadWheel
from stacks import arguments, pods
from stacks.existing import find
from stacks.outputs import Outputs
from stacks.place import Place
from stacks.settings import PROJECT, Settings, SettingsError
from workloads.spec import SpecError, Workload, discover

MISTAKES = (SettingsError, SpecError, NamingError, UnknownRuntimeError, AksError, ExistingError)
EXIT_AFTER_MESSAGE = 32
"""The exit code by which the engine knows that the program has said itself what is wrong."""


def main() -> None:
    """Declares the stack that the engine asks for. A user's mistake is one line, before anything is declared."""
    try:
        settings = Settings.read(get_config_env())
        place = Place.read(os.environ, pulumi.get_stack(), settings)
        outputs = declare(settings, place, discover())
    except MISTAKES as mistake:
        pulumi.log.error(str(mistake))
        os._exit(EXIT_AFTER_MESSAGE)  # at once: an orderly exit would register the stack anew, without its outputs
    for name in Outputs.model_fields:
        pulumi.export(name, outputs[name])


def declare(settings: Settings, place: Place, workloads: tuple[Workload, ...]) -> dict[str, Any]:
    """Declares all resources of a stack and returns its outputs. Raises one of MISTAKES before it declares any."""
    subscription = authorization.get_client_config().subscription_id
    names = Names(PROJECT, place.stack, subscription, settings.names)
    catalog = settings.existing.catalog or f"{PROJECT}_{place.stack}"
    lake_args, job_args = arguments.lake(settings), arguments.job(settings, catalog)
    aks_args, wheel = arguments.aks(settings), arguments.wheel()
    found = find(settings.existing, owner(PROJECT, place.stack))

    tags = arguments.tags(settings, place.stack)
    group_name, protect = names.of("resource_group"), settings.protect
    group = (
        found.group
        or ResourceGroup("group", group_name=group_name, location=settings.location, tags=tags, protect=protect).group
    )
    network = Network(settings.network.isolation, [str(block) for block in settings.network.allowed_addresses])
    site = Site(names, settings.location, tags, network, subscription, group.name, protect)

    lake = found.lake or DataLake("data-lake", site, lake_args).lake
    workspace = found.workspace or DatabricksWorkspace("databricks", site).workspace
    databricks = provider("databricks", workspace, auth_type=place.auth_type)
    inside = ResourceOptions(provider=databricks)
    if settings.existing.catalog is None:
        connector = AccessConnector("access", site, lake)
        unity = UnityCatalog("unity", arguments.catalog(settings, catalog), lake, connector, inside)
        inside = ResourceOptions(provider=databricks, depends_on=[unity.volumes["models"]])
    uploaded = WorkloadWheel("wheel", wheel, folder=f"/Volumes/{catalog}/models/files/wheels", opts=inside)
    jobs: dict[str, pulumi.Output[str]] = {}
    for workload in workloads:
        jobs |= DatabricksJobs(workload, job_args, uploaded.path, inside).ids

    factory = found.factory or DataFactory("data-factory", site, lake, workspace).factory
    pipelines = Pipelines("pipelines", factory, lake, workspace, PipelinesArgs(place.stack, workloads, jobs))
    cluster = found.cluster or AksCluster("aks", site, aks_args).cluster
    running = pods.declare(settings, place.stack, cluster, workloads, databricks_host=workspace.host, catalog=catalog)

    return {
        "cloud": place.cloud,
        "environment": place.stack,
        "resource_group": group.name,
        "lake_account": lake.name,
        "lake_endpoint": lake.endpoint,
        "databricks_host": workspace.host,
        "catalog": catalog,
        "volumes": f"/Volumes/{catalog}",
        "wheel": uploaded.path,
        "jobs": jobs,
        "data_factory": factory.name,
        "pipelines": pipelines.names,
        "aks_cluster": cluster.name,
        **running,
    }
