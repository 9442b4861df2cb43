"""Settings turned into the arguments of components, and sources into the wheel. Declares nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

from components.activities import jobs as jobs_of
from components.aks_cluster import AksArgs
from components.aks_node_pools import NodePoolsArgs, PoolArgs
from components.data_lake import LakeArgs
from components.databricks_compute import ComputeArgs, InteractiveArgs
from components.databricks_job import ClusterArgs, JobArgs, environment
from components.identity import Administrator
from components.key_vault import KeyVaultArgs
from components.monitoring import MonitoringArgs
from components.network import NetworkArgs
from components.runtimes import runtime
from components.schedules import Recurrence, recurrence
from components.site import OWNER_TAG, owner
from components.unity_catalog import CatalogArgs
from components.workload_wheel import Wheel, build
from stacks.settings import PROJECT, Settings
from workloads.spec import Workload

ROOT = Path(__file__).resolve().parents[1]


def tags(settings: Settings, stack: str) -> dict[str, str]:
    """The tags of every resource: the settings' own, and ours, which they cannot replace; its owner may change."""
    owned_by = settings.handover or owner(PROJECT, stack)
    return {**settings.tags, "environment": stack, "project": PROJECT, OWNER_TAG: owned_by}


def network(settings: Settings) -> NetworkArgs:
    """The surroundings of all resources. Raises NetworkError."""
    of = settings.network
    return NetworkArgs(isolation=of.isolation, allowed_addresses=of.allowed_addresses, address_space=of.address_space)


def lake(settings: Settings) -> LakeArgs:
    """The data lake."""
    return LakeArgs(**settings.lake.model_dump())


def administrators(settings: Settings) -> dict[str, Administrator]:
    """Who administers the platform."""
    return {name: Administrator(who.object_id, who.type) for name, who in settings.administrators.items()}


def key_vault(settings: Settings, *, recover: bool) -> KeyVaultArgs:
    """The key vault; `recover` takes a deleted one back."""
    return KeyVaultArgs(
        soft_delete_days=settings.key_vault.soft_delete_days,
        administrators=administrators(settings),
        databricks_principal=settings.key_vault.databricks_principal,
        recover=recover,
    )


def monitoring(settings: Settings) -> MonitoringArgs:
    """Alerts and budget."""
    of = settings.monitoring
    return MonitoringArgs(notify=of.notify, budget=of.budget, budget_start=of.budget_start)


def catalog(settings: Settings, name: str, workloads: tuple[Workload, ...]) -> CatalogArgs:
    """The catalog of that name, with the models that workloads register."""
    return CatalogArgs(
        catalog=name,
        protect=settings.protect,
        models=sorted(model for workload in workloads for model in workload.models),
        grants=settings.databricks.grants,
    )


def job(settings: Settings, cluster: ClusterArgs) -> JobArgs:
    """The jobs, on such clusters. Their schedules rest where the data factory's triggers run; continuous jobs do not,
    for pipelines run only jobs that end.
    """
    databricks = settings.databricks
    return JobArgs(
        cluster=cluster,
        schedules=databricks.schedules and not settings.data_factory.triggers,
        continuous=databricks.schedules,
        notify=databricks.notify,
        grants=databricks.grants,
    )


def compute(settings: Settings, stack: str, cluster: ClusterArgs) -> ComputeArgs:
    """The cluster policy and the interactive cluster."""
    interactive = settings.databricks.interactive
    return ComputeArgs(
        name=f"{PROJECT}-{stack}",
        cluster=cluster,
        interactive=interactive and InteractiveArgs(**interactive.model_dump()),
        grants=settings.databricks.grants,
    )


def cluster(settings: Settings, catalog: str) -> ClusterArgs:
    """What clusters are made of. Raises UnknownRuntimeError."""
    databricks = settings.databricks
    return ClusterArgs(
        runtime=runtime(databricks.runtime),
        node_type=databricks.node_type,
        workers=databricks.workers,
        spot=databricks.spot,
        environment=environment(catalog, databricks.pushgateway, databricks.pseudonym_key),
        project=PROJECT,
    )


def recurrences(workloads: tuple[Workload, ...]) -> dict[str, Recurrence]:
    """The hours of each workload's batch jobs, as the data factory has them. Raises ScheduleError."""
    jobs = {
        workload.name: next((job.schedule for job in jobs_of(workload) if job.schedule), None) for workload in workloads
    }
    return {name: recurrence(schedule) for name, schedule in jobs.items() if schedule}


def aks(settings: Settings) -> AksArgs:
    """The Kubernetes cluster. Raises AksError."""
    return AksArgs(
        version=settings.aks.version,
        tier=settings.aks.tier,
        vm_size=settings.aks.vm_size,
        nodes=settings.aks.nodes,
        zones=settings.aks.zones,
        administrators=administrators(settings),
    )


def node_pools(settings: Settings) -> NodePoolsArgs:
    """The pools in which pods run. Raises AksError."""
    aks = settings.aks
    return NodePoolsArgs(
        user=PoolArgs("aks.user.vm_size", **aks.user.model_dump()),
        spot=aks.spot and PoolArgs("aks.spot.vm_size", **aks.spot.model_dump()),
        zones=aks.zones,
    )


def wheel() -> Wheel:
    """The wheel of the workloads, in the version of the project."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return build(ROOT / "workloads", version)
