"""The log workspace: where the logs of all resources of a stack come together."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import operationalinsights

from components.existing import look_up
from components.site import Ground


@dataclass(frozen=True)
class Logs:
    """A log workspace, created or found: name and id."""

    name: Output[str]
    id: Output[str]


class LogWorkspace(pulumi.ComponentResource):
    """The log workspace of this stack; logs stay for so many days."""

    logs: Logs

    def __init__(self, name: str, site: Ground, retention_days: int, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:LogWorkspace", name, None, opts)
        workspace = operationalinsights.Workspace(
            f"{name}-workspace",
            workspace_name=site.names.of("log_workspace"),
            resource_group_name=site.group,
            location=site.location,
            sku={"name": "PerGB2018"},
            retention_in_days=retention_days,
            features={"enable_log_access_using_only_resource_permissions": True},
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.logs = Logs(name=workspace.name, id=workspace.id)
        self.register_outputs({"name": self.logs.name})

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Logs:
        """The log workspace of that name. Raises ExistingError."""
        found = look_up(
            "log_workspace",
            name,
            owner,
            lambda: operationalinsights.get_workspace(workspace_name=name, resource_group_name=group),
        )
        return Logs(name=Output.from_input(found.name), id=Output.from_input(found.id))
