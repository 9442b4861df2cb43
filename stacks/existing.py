"""What is already there and is used instead of being created: all of it looked up before anything is declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pulumi_databricks

from components.aks_cluster import AksCluster, Cluster
from components.container_registry import ContainerRegistry, Registry
from components.data_factory import DataFactory, Factory
from components.data_lake import DataLake, Lake
from components.databricks_compute import InteractiveCluster
from components.databricks_workspace import DatabricksWorkspace, Workspace, provider
from components.event_stream import EventStream, Stream
from components.existing import MissingError
from components.key_vault import KeyVault, Vault
from components.log_workspace import Logs, LogWorkspace
from components.naming import Names
from components.resource_group import Group, ResourceGroup
from components.serving_store import ServingStore, Store
from components.unity_catalog import UnityCatalog
from stacks.settings import Existing

IN_GROUP: Mapping[str, Callable[..., Any]] = {
    "data_lake": DataLake.existing,
    "key_vault": KeyVault.existing,
    "container_registry": ContainerRegistry.existing,
    "log_workspace": LogWorkspace.existing,
    "workspace": DatabricksWorkspace.existing,
    "data_factory": DataFactory.existing,
    "aks_cluster": AksCluster.existing,
    "serving_store": ServingStore.existing,
    "event_stream": EventStream.existing,
}
"""How each part that lies in the resource group is looked up, by its setting, which is also what names call it."""


@dataclass(frozen=True)
class Found:
    """The existing parts of the platform; None is what this stack creates. `inside` is the workspace's provider."""

    group: Group | None = None
    data_lake: Lake | None = None
    key_vault: Vault | None = None
    container_registry: Registry | None = None
    log_workspace: Logs | None = None
    workspace: Workspace | None = None
    data_factory: Factory | None = None
    aks_cluster: Cluster | None = None
    serving_store: Store | None = None
    event_stream: Stream | None = None
    inside: pulumi_databricks.Provider | None = None


def find(existing: Existing, names: Names, *, owner: str, auth_type: str) -> Found:
    """Looks up all that the settings name.

    Raises ExistingError where it is not there, or where this stack would delete what it created: the very resource, or
    the one that it had in its place so far.
    """
    if existing.resource_group is None:
        return Found()
    group = ResourceGroup.existing(existing.resource_group, owner=owner)
    with suppress(MissingError):
        ResourceGroup.existing(names.of("resource_group"), owner=owner)
    parts, there = {}, {"group": existing.resource_group, "owner": owner}
    for part, look_up in IN_GROUP.items():
        if name := getattr(existing, part):
            parts[part] = look_up(name, **there)
            with suppress(MissingError):
                look_up(names.of(part), **there)
    inside = _look_inside(existing, parts["workspace"], owner, auth_type) if existing.workspace else None
    return Found(group=group, inside=inside, **parts)


def _look_inside(existing: Existing, workspace: Workspace, owner: str, auth_type: str) -> pulumi_databricks.Provider:
    """The provider of an existing workspace. Raises ExistingError where it has not what the settings name in it."""
    inside = provider("databricks", workspace, auth_type=auth_type)
    if existing.catalog:
        UnityCatalog.existing(existing.catalog, inside, owner=owner)
    if existing.interactive_cluster:
        InteractiveCluster.existing(existing.interactive_cluster, inside, owner=owner)
    return inside
