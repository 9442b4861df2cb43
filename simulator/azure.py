"""The simulated Azure: the azure-native provider's resource types, a row each, a table for each service.

Name rules: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules. What needs a new
resource: the create-only properties of Azure's REST specifications, and what azure-native adds to them (forceNewMap of
https://github.com/pulumi/pulumi-azure-native/blob/master/provider/pkg/gen/replacement.go).
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

from simulator import (
    azure_access,
    azure_cosmos,
    azure_databricks,
    azure_deployments,
    azure_events,
    azure_factory,
    azure_kubernetes,
    azure_monitor,
    azure_network,
    azure_private_link,
    azure_registry,
    azure_storage,
    azure_vault,
)
from simulator import azure_rules as rules
from simulator.azure_kubernetes import kubeconfig
from simulator.azure_rules import DEPLOYER, GROUP, PLACE, SUBSCRIPTION, TENANT, guid, parent_id, refuse
from simulator.kinds import Kind, Package
from simulator.state import Cloud, Resource


def _located(cloud: Cloud, resource: Resource) -> None:
    if not resource.inputs.get("location"):
        raise refuse(400, "LocationRequired", "The location property is required for this definition.")


def _group(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    state = {"provisioningState": "Succeeded"}
    return {**rules.common(cloud, resource), "location": rules.location(cloud, resource), "properties": state}


KINDS = (
    Kind(
        "azure-native:resources:ResourceGroup",
        GROUP,
        naming={"resourceGroupName": r"[-\w.()]{0,89}[-\w()]"},
        replace=PLACE,
        rules=_located,
        outputs=_group,
    ),
    *azure_storage.KINDS,
    *azure_access.KINDS,
    *azure_network.KINDS,
    *azure_private_link.KINDS,
    *azure_databricks.KINDS,
    *azure_factory.KINDS,
    *azure_kubernetes.KINDS,
    *azure_vault.KINDS,
    *azure_registry.KINDS,
    *azure_monitor.KINDS,
    *azure_cosmos.KINDS,
    *azure_events.KINDS,
    *azure_deployments.KINDS,
)


class Azure(Package):
    """The simulated azure-native provider."""

    name = "azure-native"
    kinds = {kind.type: kind for kind in KINDS}  # noqa: RUF012 - a constant table
    # three times, after 20, 60 and 120 seconds (or as Azure says), and its form of Azure's answer:
    # https://github.com/pulumi/pulumi-azure-native/blob/master/provider/pkg/azure/client_azcore.go
    retries = 3
    throttled = 'Status=429 Code="TooManyRequests" Message="The request is being throttled. Please try again later."'

    @property
    def subscription(self) -> str:
        return self.config.get("subscriptionId") or SUBSCRIPTION

    def identify(self, cloud: Cloud, kind: Kind, inputs: Mapping[str, Any]) -> str:
        return kind.identify(inputs, subscription=self.subscription)

    def key(self, scope: str, kind: Kind, id_: str) -> str:
        return id_.lower()

    def parent(self, cloud: Cloud, kind: Kind, resource: Resource) -> str:
        parent = parent_id(resource.id)
        if re.fullmatch(r"/subscriptions/[^/]+", parent) or cloud.get(parent.lower()):
            return parent.lower()
        type_, name = rules.split(parent)
        if type_ == "Microsoft.Resources/resourceGroups":
            raise refuse(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        child = f"resource(s) of type '{rules.split(resource.id)[0].partition('/')[2]}'"
        message = f"Failed to perform 'write' on {child}, because the parent resource '{parent}' could not be found."
        raise refuse(404, "ParentResourceNotFound", message)

    def _write(self, cloud: Cloud, draft: Resource) -> Resource:
        if draft.type != azure_access.LOCK:
            azure_access.locked(cloud, draft.id, "write")
        return super()._write(cloud, draft)

    def delete(self, cloud: Cloud, type_: str, id_: str) -> None:
        if type_ != azure_access.LOCK and self.read(cloud, type_, id_):
            azure_access.locked(cloud, id_, "delete")
        super().delete(cloud, type_, id_)

    def delete_before_replace(self, kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        return True  # as azure-native always does

    def same(self, path: str, old: Any, new: Any) -> bool:
        """Azure writes a location without blanks and capitals."""
        return (
            path == "location" and all(isinstance(v, str) for v in (old, new)) and rules.plain(old) == rules.plain(new)
        )

    def invoke(self, cloud: Cloud, token: str, arguments: dict[str, Any]) -> dict[str, Any]:
        module, _, function = token.rpartition(":")
        if function == "getClientConfig":
            client = {"clientId": guid("client"), "objectId": DEPLOYER}
            return {**client, "subscriptionId": self.subscription, "tenantId": TENANT}
        if function == "listManagedClusterUserCredentials":
            cluster = self._lookup(cloud, "azure-native:containerservice:ManagedCluster", arguments)
            content = base64.b64encode(kubeconfig(cluster).encode()).decode()
            return {"kubeconfigs": [{"name": "clusterUser", "value": content}]}
        if function.startswith("get") and f"{module}:{function[3:]}" in self.kinds:
            found = self._lookup(cloud, f"{module}:{function[3:]}", arguments)
            return {"id": found.id, **found.outputs}
        return super().invoke(cloud, token, arguments)

    def _lookup(self, cloud: Cloud, type_: str, arguments: dict[str, Any]) -> Resource:
        id_ = self.identify(cloud, self.kind(type_), arguments)
        found = self.read(cloud, type_, id_)
        if found:
            return found
        azure_type, name = rules.split(id_)
        if azure_type == "Microsoft.Resources/resourceGroups":
            raise refuse(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        message = f"The Resource '{azure_type}/{name}' under resource group '{id_.split('/')[4]}' was not found."
        raise refuse(404, "ResourceNotFound", message)
