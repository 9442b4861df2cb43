"""The Databricks workspace, the connector by which it reaches the lake, and the provider that works inside it.

Owns workspace, access connector, the lake identity and its role. Not what is inside the workspace (unity_catalog.py,
databricks_job.py), and not the metastore: Databricks assigns the region's to a new workspace by itself.

The provider is explicit: it takes address and resource id from the workspace, so it waits for it, and its `auth_type`
keeps it from mixing up the ways of signing in that it finds on a machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_databricks
from pulumi import Output, ResourceOptions
from pulumi_azure_native import databricks

from components.data_lake import Lake
from components.existing import look_up
from components.identity import Identity, grant
from components.site import Site


@dataclass(frozen=True)
class Workspace:
    """A workspace, created or found: id, and address (`https://…`), which is complete once it can be reached."""

    id: Output[str]
    host: Output[str]


class DatabricksWorkspace(pulumi.ComponentResource):
    """A premium workspace of this stack (Unity Catalog needs premium)."""

    workspace: Workspace

    def __init__(self, name: str, site: Site, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:DatabricksWorkspace", name, None, opts)
        managed_group = site.names.of("databricks_resource_group")
        workspace = site.network.attach(
            databricks.Workspace,
            f"{name}-workspace",
            workspace_name=site.names.of("workspace"),
            resource_group_name=site.group,
            location=site.location,
            managed_resource_group_id=f"/subscriptions/{site.subscription}/resourceGroups/{managed_group}",
            compute_mode="Hybrid",
            sku={"name": "premium"},
            tags=site.tags,
            opts=ResourceOptions(parent=self, protect=site.protect),
        )
        ways = [way.id for way in site.network.ways_to(workspace)]
        address = Output.all(workspace.workspace_url, *ways).apply(lambda values: values[0])
        self.workspace = Workspace(id=workspace.id, host=Output.concat("https://", address))
        self.register_outputs({"id": self.workspace.id, "host": self.workspace.host})

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Workspace:
        """The workspace of that name. Raises ExistingError."""
        found = look_up(
            "workspace",
            name,
            owner,
            lambda: databricks.get_workspace(workspace_name=name, resource_group_name=group),
        )
        return Workspace(id=Output.from_input(found.id), host=Output.from_input(f"https://{found.workspace_url}"))


class AccessConnector(pulumi.ComponentResource):
    """Unity Catalog's way to a lake: a connector with a user-assigned identity that may write to it.

    `id` and `identity_id` are complete once the identity has its role; `principal_id` is what roles are given to.
    """

    id: Output[str]
    identity_id: Output[str]
    principal_id: Output[str]

    def __init__(self, name: str, site: Site, lake: Lake, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:AccessConnector", name, None, opts)
        child = ResourceOptions(parent=self)
        identity = Identity(f"{name}-lake", site, "lake_identity", opts=child)
        role = grant(
            site,
            who="lake-identity",
            role="Storage Blob Data Contributor",
            on="data-lake",
            principal_id=identity.principal_id,
            scope=lake.id,
            opts=child,
        )
        connector = databricks.AccessConnector(
            f"{name}-connector",
            connector_name=site.names.of("access_connector"),
            resource_group_name=site.group,
            location=site.location,
            identity={"type": "UserAssigned", "user_assigned_identities": [identity.id]},
            tags=site.tags,
            opts=ResourceOptions(parent=self, depends_on=[role]),
        )
        self.id, self.identity_id, self.principal_id = connector.id, identity.id, identity.principal_id
        self.register_outputs({"id": self.id})


def provider(name: str, workspace: Workspace, *, auth_type: str) -> pulumi_databricks.Provider:
    """The provider that works inside a workspace. `auth_type` is how this machine signs in."""
    return pulumi_databricks.Provider(
        name, host=workspace.host, azure_workspace_resource_id=workspace.id, auth_type=auth_type
    )
