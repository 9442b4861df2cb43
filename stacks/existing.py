"""What is already there and is used instead of being created: all of it looked up before anything is declared."""

from __future__ import annotations

from dataclasses import dataclass

from components.aks_cluster import AksCluster, Cluster
from components.container_registry import ContainerRegistry, Registry
from components.data_factory import DataFactory, Factory
from components.data_lake import DataLake, Lake
from components.databricks_workspace import DatabricksWorkspace, Workspace
from components.key_vault import KeyVault, Vault
from components.log_workspace import Logs, LogWorkspace
from components.resource_group import Group, ResourceGroup
from stacks.settings import Existing


@dataclass(frozen=True)
class Found:
    """The existing parts of the platform; None is what this stack creates."""

    group: Group | None
    lake: Lake | None
    vault: Vault | None
    registry: Registry | None
    logs: Logs | None
    workspace: Workspace | None
    factory: Factory | None
    cluster: Cluster | None


def find(existing: Existing, owner: str) -> Found:
    """Looks up all that the settings name. Raises ExistingError where it is not there, or is this stack's own."""
    group = existing.resource_group or ""
    inside = {"group": group, "owner": owner}
    return Found(
        group=ResourceGroup.existing(group, owner=owner) if group else None,
        lake=DataLake.existing(existing.data_lake, **inside) if existing.data_lake else None,
        vault=KeyVault.existing(existing.key_vault, **inside) if existing.key_vault else None,
        registry=ContainerRegistry.existing(existing.container_registry, **inside)
        if existing.container_registry
        else None,
        logs=LogWorkspace.existing(existing.log_workspace, **inside) if existing.log_workspace else None,
        workspace=DatabricksWorkspace.existing(existing.workspace, **inside) if existing.workspace else None,
        factory=DataFactory.existing(existing.data_factory, **inside) if existing.data_factory else None,
        cluster=AksCluster.existing(existing.aks_cluster, **inside) if existing.aks_cluster else None,
    )
