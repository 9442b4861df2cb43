"""The data factory of a stack, and what its identity may do.

Owns the factory; not what runs in it (pipelines.py). It signs in as its managed identity everywhere. Databricks lets
such an identity in by the role Contributor on the workspace only, which makes it an administrator there: so it needs no
permission on single jobs and clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi_azure_native import datafactory

from components.data_lake import Lake
from components.databricks_workspace import Workspace
from components.existing import look_up
from components.identity import grant
from components.site import Site


@dataclass(frozen=True)
class Factory:
    """A data factory, created or found: its name and id, and the group that holds it.

    `runtime` is what its linked services go through, where they reach resources without a public address.
    """

    name: Output[str]
    id: Output[str]
    group: Input[str]
    runtime: Output[str] | None = None


class DataFactory(pulumi.ComponentResource):
    """The data factory of this stack, and what its identity may do."""

    factory: Factory

    def __init__(
        self, name: str, site: Site, lake: Lake, workspace: Workspace, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("medallion:components:DataFactory", name, None, opts)
        child = ResourceOptions(parent=self)
        factory = site.network.attach(
            datafactory.Factory,
            f"{name}-factory",
            factory_name=site.names.of("data_factory"),
            resource_group_name=site.group,
            location=site.location,
            identity={"type": "SystemAssigned"},
            tags=site.tags,
            opts=child,
        )
        principal = factory.identity.principal_id
        rights = (
            ("Contributor", "workspace", workspace.id),
            ("Storage Blob Data Reader", "data-lake", lake.id),
        )
        for role, on, scope in rights:
            grant(site, who="data-factory", role=role, on=on, principal_id=principal, scope=scope, opts=child)
        targets = {"lake": (lake.id, "dfs"), "databricks": (workspace.id, "databricks_ui_api")}
        runtime = site.network.let_reach(f"{name}-inside", factory, targets, child)
        self.factory = Factory(name=factory.name, id=factory.id, group=site.group, runtime=runtime)
        self.register_outputs({"name": factory.name})

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Factory:
        """The factory of that name. Raises ExistingError."""
        found = look_up(
            "data_factory", name, owner, lambda: datafactory.get_factory(factory_name=name, resource_group_name=group)
        )
        return Factory(name=Output.from_input(found.name), id=Output.from_input(found.id), group=group)
