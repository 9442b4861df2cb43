"""The resource group: owns the group and nothing in it. Deleting it would take all it holds, so it is protected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import resources

from components.existing import look_up


@dataclass(frozen=True)
class Group:
    """A resource group, created or found."""

    name: Output[str]


class ResourceGroup(pulumi.ComponentResource):
    """A resource group of this stack."""

    group: Group

    def __init__(
        self,
        name: str,
        *,
        group_name: str,
        location: str,
        tags: Mapping[str, str],
        protect: bool,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("medallion:components:ResourceGroup", name, None, opts)
        group = resources.ResourceGroup(
            f"{name}-group",
            resource_group_name=group_name,
            location=location,
            tags=tags,
            opts=ResourceOptions(parent=self, protect=protect),
        )
        self.group = Group(name=group.name)
        self.register_outputs({"name": group.name})

    @staticmethod
    def existing(name: str, *, owner: str) -> Group:
        """The group of that name. Raises ExistingError."""
        found = look_up("resource_group", name, owner, lambda: resources.get_resource_group(resource_group_name=name))
        return Group(name=Output.from_input(found.name))
