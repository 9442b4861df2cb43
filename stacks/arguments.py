"""Settings turned into the arguments of components, and sources into the wheel. Declares nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

from components.aks_cluster import AksArgs
from components.data_lake import LakeArgs
from components.databricks_job import ClusterArgs, JobArgs, environment
from components.runtimes import runtime
from components.site import OWNER_TAG, owner
from components.unity_catalog import CatalogArgs
from components.workload_wheel import Wheel, build
from stacks.settings import PROJECT, Settings

ROOT = Path(__file__).resolve().parents[1]


def tags(settings: Settings, stack: str) -> dict[str, str]:
    """The tags of every resource: the settings' own, and ours, which they cannot replace."""
    return {**settings.tags, "environment": stack, "project": PROJECT, OWNER_TAG: owner(PROJECT, stack)}


def lake(settings: Settings) -> LakeArgs:
    """The data lake."""
    return LakeArgs(redundancy=settings.lake.redundancy, soft_delete_days=settings.lake.soft_delete_days)


def catalog(settings: Settings, name: str) -> CatalogArgs:
    """The catalog of that name."""
    return CatalogArgs(catalog=name, protect=settings.protect, grants=settings.databricks.grants)


def job(settings: Settings, catalog: str) -> JobArgs:
    """The jobs, which work in that catalog. Raises UnknownRuntimeError."""
    databricks = settings.databricks
    cluster = ClusterArgs(
        runtime=runtime(databricks.runtime),
        node_type=databricks.node_type,
        workers=databricks.workers,
        spot=databricks.spot,
        environment=environment(catalog, databricks.pushgateway, databricks.pseudonym_key),
    )
    return JobArgs(cluster=cluster, schedules=databricks.schedules, notify=databricks.notify)


def aks(settings: Settings) -> AksArgs:
    """The Kubernetes cluster. Raises AksError."""
    return AksArgs(
        version=settings.aks.version,
        tier=settings.aks.tier,
        vm_size=settings.aks.vm_size,
        nodes=settings.aks.nodes,
        zones=settings.aks.zones,
        administrators={name: (who.object_id, who.type) for name, who in settings.administrators.items()},
    )


def wheel() -> Wheel:
    """The wheel of the workloads, in the version of the project."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return build(ROOT / "workloads", version)
