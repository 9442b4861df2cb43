"""The container registry: where our images are.

Owns the registry; not the images, which `az acr build` makes in it (docs/azure.md), so that nobody needs Docker. There
is no admin user and no anonymous pull: identities only. Manifests that no tag names any more go after a while.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_azure_native import containerregistry

from components.existing import look_up
from components.site import Site


@dataclass(frozen=True)
class Registry:
    """A container registry, created or found: name, id, and the address that names of images begin with."""

    name: Output[str]
    id: Output[str]
    login_server: Output[str]


class ContainerRegistry(pulumi.ComponentResource):
    """The container registry of this stack. `retention_days` is for manifests without a tag (tier Premium)."""

    registry: Registry

    def __init__(self, name: str, site: Site, *, retention_days: int, opts: ResourceOptions | None = None) -> None:
        super().__init__("medallion:components:ContainerRegistry", name, None, opts)
        registry = site.network.attach(
            containerregistry.Registry,
            f"{name}-registry",
            registry_name=site.names.of("container_registry"),
            resource_group_name=site.group,
            location=site.location,
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            network_rule_bypass_options="AzureServices",
            policies={"retention_policy": {"days": retention_days, "status": "enabled"}},
            tags=site.tags,
            opts=ResourceOptions(parent=self),
        )
        self.registry = Registry(name=registry.name, id=registry.id, login_server=registry.login_server)
        self.register_outputs({"name": self.registry.name, "login_server": self.registry.login_server})

    @staticmethod
    def existing(name: str, *, group: str, owner: str) -> Registry:
        """The registry of that name. Raises ExistingError."""
        found = look_up(
            "container_registry",
            name,
            owner,
            lambda: containerregistry.get_registry(registry_name=name, resource_group_name=group),
        )
        return Registry(
            name=Output.from_input(found.name),
            id=Output.from_input(found.id),
            login_server=Output.from_input(found.login_server),
        )
