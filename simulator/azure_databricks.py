"""The simulated Azure's side of Databricks: workspaces, and the connectors by which they reach storage."""

import uuid
from typing import Any

from simulator import azure_network as network
from simulator import azure_rules as rules
from simulator.azure_rules import GROUP, PLACE, guid, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

SERVICE = "Microsoft.Databricks/workspaces"
SUBNETS = ("customPublicSubnetName", "customPrivateSubnetName")
LONGEST_PREFIX = 26  # https://learn.microsoft.com/azure/databricks/security/network/classic/vnet-inject


def injected(workspace: Resource) -> bool:
    """Whether the clusters of a workspace stand in a virtual network of its owner."""
    return bool(_parameter(workspace, "customVirtualNetworkId"))


def _parameter(workspace: Resource, name: str) -> Any:
    return (text(workspace.inputs, "parameters", name) or {}).get("value")


def _workspace(cloud: Cloud, resource: Resource) -> None:
    sku = text(resource.inputs, "sku", "name").lower()
    if sku == "standard":
        message = "the tier standard has ended; new workspaces are premium."
        raise wrong(resource, "sku", message, "DatabricksStandardSkuNotSupported")
    if injected(resource):
        _own_network(cloud, resource)
    elif any(_parameter(resource, name) for name in SUBNETS):
        raise wrong(resource, "parameters", "subnets are given without a customVirtualNetworkId.")
    _closed(resource)


def _own_network(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/databricks/security/network/classic/vnet-inject"""
    id_ = _parameter(resource, "customVirtualNetworkId")
    type_ = "Microsoft.Network/virtualNetworks"
    site = network.beside(cloud, resource, "parameters.customVirtualNetworkId", id_, type_)
    found = [_own_subnet(cloud, resource, site, name) for name in SUBNETS]
    if found[0].key == found[1].key:
        raise wrong(resource, "parameters", "customPublicSubnetName and customPrivateSubnetName must differ.")


def _own_subnet(cloud: Cloud, resource: Resource, site: Resource, name: str) -> Resource:
    """A subnet that a workspace names. Raises CloudError where the workspace cannot stand in it."""
    property_, wanted = f"parameters.{name}", _parameter(resource, name)
    if not wanted:
        raise wrong(resource, property_, "it is needed beside customVirtualNetworkId.")
    subnet = rules.referenced(cloud, resource, property_, f"{site.id}/subnets/{wanted}", network.SUBNET_TYPE)
    if SERVICE not in network.delegations(subnet):
        raise wrong(resource, property_, f"subnet {subnet.id} is not delegated to {SERVICE}.")
    if not subnet.inputs.get("networkSecurityGroup"):
        raise wrong(resource, property_, f"subnet {subnet.id} has no network security group.")
    if any(range_.prefixlen > LONGEST_PREFIX for range_ in network.ranges(subnet, network.prefixes(subnet))):
        raise wrong(resource, property_, f"subnet {subnet.id} is smaller than /{LONGEST_PREFIX}.")
    others = [user for user in network.users(cloud, subnet) if user != resource.id]
    if others:
        raise wrong(resource, property_, f"subnet {subnet.id} is in use by {others[0]}: a workspace shares none.")
    return subnet


def _closed(resource: Resource) -> None:
    """https://learn.microsoft.com/azure/databricks/security/network/classic/private-link-standard"""
    rules_asked = resource.inputs.get("requiredNsgRules")
    without = rules_asked == "NoAzureDatabricksRules"
    if without and not injected(resource):
        raise wrong(resource, "requiredNsgRules", f"{rules_asked} needs VNet injection: customVirtualNetworkId.")
    if resource.inputs.get("publicNetworkAccess") != "Disabled":
        return
    if not injected(resource) or _parameter(resource, "enableNoPublicIp") is False:
        message = "Disabled needs VNet injection (customVirtualNetworkId) and enableNoPublicIp."
        raise wrong(resource, "publicNetworkAccess", message)
    if not without:
        message = "it must be NoAzureDatabricksRules where publicNetworkAccess is Disabled."
        raise wrong(resource, "requiredNsgRules", message)


# what Azure adds


def _workspace_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    number = uuid.UUID(guid(resource.id)).int % 10**16
    group = (
        f"/subscriptions/{resource.id.split('/')[2]}/resourceGroups/databricks-rg-{resource.inputs['workspaceName']}"
    )
    return {
        **rules.tracked(cloud, resource),
        "workspaceId": f"{number:016}",
        "workspaceUrl": f"adb-{number:016}.{number % 20}.azuredatabricks.net",
        "managedResourceGroupId": resource.inputs.get("managedResourceGroupId") or group,
        "isUcEnabled": True,
    }


def _remove_files(cloud: Cloud, resource: Resource) -> None:
    cloud.remove(rules.workspace_files(cloud, resource))


def _connector(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    outputs = rules.tracked(cloud, resource)
    return {**outputs, "properties": {"provisioningState": outputs.pop("provisioningState")}}


KINDS = (
    Kind(
        "azure-native:databricks:Workspace",
        GROUP + "/providers/Microsoft.Databricks/workspaces/{workspaceName}",
        naming={"workspaceName": r"[-\w]{3,64}"},
        replace=(*PLACE, "workspaceName", "managedResourceGroupId", "computeMode", "parameters"),
        deleted=_remove_files,
        rules=_workspace,
        outputs=_workspace_outputs,
        computed=("managedResourceGroupId",),
    ),
    Kind(
        "azure-native:databricks:AccessConnector",
        GROUP + "/providers/Microsoft.Databricks/accessConnectors/{connectorName}",
        naming={"connectorName": r"[-\w.]{3,64}"},
        replace=(*PLACE, "connectorName"),
        rules=rules.identities_exist,
        outputs=_connector,
        computed=("identity",),
    ),
)
