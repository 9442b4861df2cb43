"""The simulated Azure's private endpoints, and the private zones of names by which they are found."""

from collections.abc import Mapping
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_databricks import injected
from simulator.azure_network import NAME, NETWORK, SHORT_NAME, SUBNET_TYPE, beside, delegations
from simulator.azure_rules import PLACE, guid, refuse, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

ENDPOINT = NETWORK + "privateEndpoints/{privateEndpointName}"
ZONE = NETWORK + "privateDnsZones/{privateZoneName}"
ZONE_GROUP, ZONE_LINK = "azure-native:network:PrivateDnsZoneGroup", "azure-native:privatedns:VirtualNetworkLink"
MOST_ZONES = 5
CONNECTIONS = ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections")

GROUP_IDS: Mapping[str, tuple[str, ...]] = {
    "Microsoft.Storage/storageAccounts": (
        *("blob", "blob_secondary", "dfs", "dfs_secondary", "file", "queue", "queue_secondary"),
        *("table", "table_secondary", "web", "web_secondary"),
    ),
    "Microsoft.KeyVault/vaults": ("vault",),
    "Microsoft.ContainerRegistry/registries": ("registry",),
    "Microsoft.DataFactory/factories": ("dataFactory", "portal"),
    "Microsoft.Databricks/workspaces": ("databricks_ui_api", "browser_authentication"),
    "Microsoft.ContainerService/managedClusters": ("management",),
    "Microsoft.DocumentDB/databaseAccounts": ("Cassandra", "Gremlin", "MongoDB", "Sql", "SqlDedicated", "Table"),
    "Microsoft.EventHub/namespaces": ("namespace",),
}
"""What of a resource an endpoint may lead to.
Source: https://learn.microsoft.com/azure/private-link/private-endpoint-overview#private-link-resource"""


def target(cloud: Cloud, resource: Resource, property_: str, id_: str, group: str) -> None:
    """Raises CloudError where the resource that an endpoint leads to is not there, or has no such part."""
    found = rules.find(cloud, id_)
    type_ = rules.split(id_)[0]
    known = {each.lower(): groups for each, groups in GROUP_IDS.items()}.get(type_.lower(), ())
    if found is None:
        message = f"the referenced resource {id_ or '(none)'} was not found."
        raise wrong(resource, property_, message, "InvalidResourceReference")
    if group not in known:
        message = (
            f"Call to {type_} failed. Error message: Values for request parameters are invalid: GroupId: {group}."
            f" It has {', '.join(known) or 'none'}."
        )
        raise wrong(resource, property_, message, "InvalidValuesForRequestParameters")
    sku = text(found.inputs, "sku", "name").lower()
    if group in ("registry", "databricks_ui_api", "browser_authentication") and sku != "premium":
        message = f"{found.id} is of SKU '{sku}'; private endpoints need premium."
        raise wrong(resource, property_, message, "PrivateEndpointNotSupportedForSku")
    if found.type == "azure-native:databricks:Workspace" and not injected(found):
        message = f"{found.id} does not stand in a virtual network of its owner's."
        raise wrong(resource, property_, message, "NonVNetInjectedWorkspaceNotSupported")


def _endpoint(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/private-link/private-endpoint-overview"""
    subnet = beside(cloud, resource, "subnet", text(resource.inputs, "subnet", "id"), SUBNET_TYPE)
    if delegations(subnet):
        raise wrong(resource, "subnet", f"{subnet.id} has a delegation and cannot be used with a private endpoint.")
    connections = [each for name in CONNECTIONS for each in resource.inputs.get(name) or ()]
    if len(connections) != 1:
        raise wrong(resource, CONNECTIONS[0], f"there must be one connection, not {len(connections)}.")
    (connection,) = connections
    groups = connection.get("groupIds") or ()
    if len(groups) != 1:
        message = (
            f"Private link service connection {text(connection, 'name')} has the following group Ids:"
            f" {', '.join(groups)}. Only one group Id is permitted when connecting to a first-party resource."
        )
        raise wrong(resource, "groupIds", message, "OnlyOneGroupIdPermitted")
    target(cloud, resource, "privateLinkServiceId", text(connection, "privateLinkServiceId"), groups[0])


def _zone_group(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/private-link/private-endpoint-dns-integration#private-dns-zone-group"""
    configs = resource.inputs.get("privateDnsZoneConfigs") or ()
    if not 1 <= len(configs) <= MOST_ZONES:
        raise wrong(resource, "privateDnsZoneConfigs", f"there must be 1 to {MOST_ZONES} zones, not {len(configs)}.")
    for config in configs:
        type_ = "Microsoft.Network/privateDnsZones"
        rules.referenced(cloud, resource, "privateDnsZoneId", text(config, "privateDnsZoneId"), type_)
    for other in cloud.children(resource.parent):
        if other.type == ZONE_GROUP and other.key != resource.key:
            message = f"{resource.id}: the private endpoint has the zone group {other.id} already."
            raise refuse(400, "MorePrivateDnsZoneGroupsThanAllowedPerPrivateEndpoint", message)


def _everywhere(cloud: Cloud, resource: Resource) -> None:
    """Private zones and their links lie in no region: https://learn.microsoft.com/azure/dns/private-dns-privatednszone"""
    place = resource.inputs.get("location") or ""
    if place.lower() != "global":
        message = f"'{place}' is not available for the type. List of available regions for it is 'global'."
        raise wrong(resource, "location", message, "LocationNotAvailableForResourceType")


def _link(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/dns/private-dns-virtual-network-links"""
    _everywhere(cloud, resource)
    network = text(resource.inputs, "virtualNetwork", "id")
    rules.referenced(cloud, resource, "virtualNetwork", network, "Microsoft.Network/virtualNetworks")
    zone = resource.inputs["privateZoneName"].lower()
    for other in cloud.find(ZONE_LINK):
        if other.key == resource.key or text(other.inputs, "virtualNetwork", "id").lower() != network.lower():
            continue
        theirs = other.inputs["privateZoneName"].lower()
        if theirs == zone:
            message = (
                "A virtual network cannot be linked to multiple zones with overlapping namespaces. You tried to link"
                f" virtual network {network} with '{zone}' and '{theirs}' zones: {other.id} is there already."
            )
            raise wrong(resource, "virtualNetwork", message)


def _zone_unlinked(cloud: Cloud, resource: Resource) -> None:
    links = [child.id.partition("/providers/")[2] for child in cloud.children(resource.key) if child.type == ZONE_LINK]
    if links:
        message = (
            "Cannot delete resource while nested resources exist. Some existing nested resource IDs include:"
            f" '{', '.join(links)}'. Please delete all nested resources before deleting this resource."
        )
        raise refuse(409, "CannotDeleteResource", message)


# what Azure adds


def _endpoint_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    name = resource.inputs.get("customNetworkInterfaceName")
    name = name or f"{resource.inputs['privateEndpointName']}.nic.{guid(resource.id, 'interface')}"
    interface = f"{resource.id.rpartition('/privateEndpoints/')[0]}/networkInterfaces/{name}"
    return {**rules.tracked(cloud, resource), "networkInterfaces": [{"id": interface}]}


def _zone_group_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    outputs = rules.part(cloud, resource)
    return {"name": outputs["name"], "etag": outputs["etag"], "provisioningState": "Succeeded"}


def _link_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    return {**rules.tracked(cloud, resource), "virtualNetworkLinkState": "Completed"}


KINDS = (
    Kind(
        "azure-native:network:PrivateEndpoint",
        ENDPOINT,
        naming={"privateEndpointName": SHORT_NAME},
        replace=(*PLACE, "privateEndpointName", "subnet"),
        rules=_endpoint,
        outputs=_endpoint_outputs,
    ),
    Kind(
        ZONE_GROUP,
        ENDPOINT + "/privateDnsZoneGroups/{privateDnsZoneGroupName}",
        naming={"privateDnsZoneGroupName": NAME},
        replace=("resourceGroupName", "privateEndpointName", "privateDnsZoneGroupName"),
        rules=_zone_group,
        outputs=_zone_group_outputs,
    ),
    Kind(
        "azure-native:privatedns:PrivateZone",
        ZONE,
        naming={"privateZoneName": r"(?=.{1,253}$)[-\w]{1,63}(\.[-\w]{1,63}){1,33}"},
        replace=(*PLACE, "privateZoneName"),
        rules=_everywhere,
        outputs=rules.tracked,
        deletable=_zone_unlinked,
    ),
    Kind(
        ZONE_LINK,
        ZONE + "/virtualNetworkLinks/{virtualNetworkLinkName}",
        naming={"virtualNetworkLinkName": NAME},
        replace=(*PLACE, "privateZoneName", "virtualNetworkLinkName"),
        rules=_link,
        outputs=_link_outputs,
    ),
)
