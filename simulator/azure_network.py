"""The simulated Azure's networks: address ranges, what guards them, and what stands in them."""

import ipaddress
import itertools
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from simulator import azure_rules as rules
from simulator.azure_rules import GROUP, PLACE, guid, refuse, text, wrong
from simulator.kinds import Kind
from simulator.state import Cloud, Resource

NETWORK = GROUP + "/providers/Microsoft.Network/"
VNET = NETWORK + "virtualNetworks/{virtualNetworkName}"
SUBNET, SUBNET_TYPE = "azure-native:network:Subnet", "Microsoft.Network/virtualNetworks/subnets"
NAT = "azure-native:network:NatGateway"
WORD, LAST = r"[A-Za-z0-9]", r"[A-Za-z0-9_]"  # what a name begins and ends with
NAME = rf"{WORD}([-\w.]{{0,78}}{LAST})?"
SHORT_NAME = rf"{WORD}[-\w.]{{0,62}}{LAST}"
SMALLEST = 29  # https://learn.microsoft.com/azure/virtual-network/virtual-networks-faq: /29 and larger
PRIORITIES = range(100, 4097)  # https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
STANDING_BESIDE = {  # what a subnet may name, and Azure's type of it
    "networkSecurityGroup": "Microsoft.Network/networkSecurityGroups",
    "natGateway": "Microsoft.Network/natGateways",
    "routeTable": "Microsoft.Network/routeTables",
}

Range = ipaddress.IPv4Network | ipaddress.IPv6Network


# address ranges


def ranges(resource: Resource, prefixes: Iterable[str]) -> list[Range]:
    """The address ranges that a resource asks for. Raises CloudError for what is none."""
    found = []
    for prefix in prefixes:
        try:
            wanted = ipaddress.ip_network(prefix, strict=False)
        except ValueError:
            message = f"Address prefix {prefix} of resource {resource.id} is not in CIDR notation, such as 10.0.0.0/24."
            raise refuse(400, "InvalidAddressPrefixFormat", message) from None
        if str(wanted) != prefix:
            message = (
                f"The address prefix {prefix} in resource {resource.id} has an invalid CIDR notation."
                f" For the given prefix length, the address prefix should be {wanted}."
            )
            raise refuse(400, "InvalidCIDRNotation", message)
        found.append(wanted)
    return found


def space(network: Resource) -> list[Range]:
    """The address ranges of a virtual network."""
    return ranges(network, (network.inputs.get("addressSpace") or {}).get("addressPrefixes") or ())


def prefixes(subnet: Resource) -> list[str]:
    """The address ranges of a subnet as it writes them."""
    return subnet.inputs.get("addressPrefixes") or [p for p in [subnet.inputs.get("addressPrefix")] if p]


def inside(range_: Range, spaces: Iterable[Range]) -> bool:
    """Whether a range lies within one of several."""
    return any(range_.version == each.version and range_.subnet_of(each) for each in spaces)  # type: ignore[arg-type]


def overlap(ours: Iterable[Range], theirs: Iterable[Range]) -> bool:
    """Whether any of our ranges has an address in common with any of theirs."""
    return any(one.version == other.version and one.overlaps(other) for one, other in itertools.product(ours, theirs))


# who stands where


def _places(resource: Resource) -> Iterator[str]:
    """The ids of the subnets in which a resource stands."""
    inputs = resource.inputs
    yield text(inputs, "subnet", "id")
    for pool in (inputs, *(inputs.get("agentPoolProfiles") or ())):
        yield from (pool.get(name) or "" for name in ("vnetSubnetID", "podSubnetID"))
    yield text(inputs, "apiServerAccessProfile", "subnetId")
    parameters = inputs.get("parameters") or {}
    for name in ("customPublicSubnetName", "customPrivateSubnetName"):
        if text(parameters, name, "value"):
            yield f"{text(parameters, 'customVirtualNetworkId', 'value')}/subnets/{text(parameters, name, 'value')}"


def users(cloud: Cloud, subnet: Resource) -> list[str]:
    """The ids of what stands in a subnet: endpoints, workspaces, node pools."""
    types = ("network:PrivateEndpoint", "databricks:Workspace", "containerservice:*")
    found = [resource for type_ in types for resource in cloud.find(f"azure-native:{type_}")]
    return [r.id for r in found if subnet.id.lower() in {place.lower() for place in _places(r)}]


def served(cloud: Cloud, resource: Resource, property_: str, id_: str, service: str) -> None:
    """Raises CloudError where a firewall names a subnet that is not there, or has no endpoint of the service.

    https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoints-overview
    """
    subnet = rules.referenced(cloud, resource, property_, id_, SUBNET_TYPE)
    if service not in {text(endpoint, "service") for endpoint in subnet.inputs.get("serviceEndpoints") or ()}:
        message = f"{subnet.id} has no service endpoint {service}."
        raise wrong(resource, property_, message, "SubnetMissingRequiredServiceEndpoint")


def beside(cloud: Cloud, resource: Resource, property_: str, id_: str, type_: str) -> Resource:
    """What a property names, in the region of the resource itself. Raises CloudError where it is not there."""
    found = rules.referenced(cloud, resource, property_, id_, type_)
    if region(cloud, found) != region(cloud, resource):
        raise wrong(resource, property_, f"{id_} lies in another region.", "InvalidResourceReference")
    return found


def region(cloud: Cloud, resource: Resource) -> str:
    """Where a resource lies; a subnet lies with its network."""
    parent = cloud.get(resource.parent)
    return region(cloud, parent) if resource.type == SUBNET and parent else rules.location(cloud, resource)


def _names(resource: Resource, property_: str) -> list[str]:
    """The ids under a property: of one resource or of several, in small letters."""
    value = resource.inputs.get(property_) or []
    return [text(item, "id").lower() for item in (value if isinstance(value, list) else [value])]


def _held_by(cloud: Cloud, resource: Resource, type_: str, property_: str) -> list[str]:
    """The ids of the resources of a type that name this one under a property."""
    return [other.id for other in cloud.find(type_) if resource.id.lower() in _names(other, property_)]


# what Azure refuses


def _security_group(cloud: Cloud, resource: Resource) -> None:
    seen: dict[tuple[str, int], str] = {}
    for rule in resource.inputs.get("securityRules") or ():
        name, priority = rule.get("name") or "", rule.get("priority")
        if priority not in PRIORITIES:
            message = f"Security rule {name} has invalid Priority. Value provided: {priority} Allowed range 100-4096."
            raise wrong(resource, "securityRules", message, "SecurityRuleInvalidPriority")
        other = seen.setdefault((rule["direction"].lower(), priority), name)
        if other != name:
            message = f"{name} conflicts with rule {other}. Rules cannot have the same Priority and Direction."
            raise wrong(resource, "securityRules", message, "SecurityRuleConflict")


def _security_group_unused(cloud: Cloud, resource: Resource) -> None:
    held = _held_by(cloud, resource, SUBNET, "networkSecurityGroup")
    if held:
        message = (
            f"Network security group {resource.id} cannot be deleted because it is in use by the following resources:"
            f" {', '.join(held)}."
        )
        raise refuse(400, "InUseNetworkSecurityGroupCannotBeDeleted", message)


def _static(cloud: Cloud, resource: Resource) -> None:
    """Basic addresses ended in 2025: https://learn.microsoft.com/azure/virtual-network/ip-services/public-ip-addresses"""
    rules.unchangeable(cloud, resource, "zones")
    sku = text(resource.inputs, "sku", "name") or "Basic"
    if sku == "Basic":
        message = "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription."
        raise wrong(resource, "sku", message, "IPv4BasicSkuPublicIpCountLimitReached")
    if resource.inputs.get("publicIPAllocationMethod") != "Static":
        message, code = f"{sku} sku publicIp must have it set to Static.", "PublicIPAddressesMustBeStatic"
        raise wrong(resource, "publicIPAllocationMethod", message, f"StandardAndStandardV2Sku{code}")


def _address_unused(cloud: Cloud, resource: Resource) -> None:
    held = _held_by(cloud, resource, NAT, "publicIpAddresses")
    if held:
        message = (
            f"Public IP address {resource.id} can not be deleted since it is still allocated to resource {held[0]}."
            " In order to delete the public IP, disassociate/detach the Public IP address from the resource."
        )
        raise refuse(400, "PublicIPAddressCannotBeDeleted", message)


def _gateway(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/nat-gateway/nat-gateway-resource: addresses are of the gateway's own SKU."""
    rules.unchangeable(cloud, resource, "zones")
    sku = text(resource.inputs, "sku", "name")
    if sku not in ("Standard", "StandardV2"):
        raise wrong(resource, "sku", f"'{sku}' is not Standard or StandardV2.")
    for reference in resource.inputs.get("publicIpAddresses") or ():
        type_ = "Microsoft.Network/publicIPAddresses"
        address = beside(cloud, resource, "publicIpAddresses", text(reference, "id"), type_)
        if text(address.inputs, "sku", "name") != sku:
            raise wrong(resource, "publicIpAddresses", f"{address.id} is not of the gateway's SKU {sku}.")
        others = set(_held_by(cloud, address, NAT, "publicIpAddresses")) - {resource.id}
        if others:
            message = f"{address.id} is already in use by {min(others)}."
            raise wrong(resource, "publicIpAddresses", message, "PublicIPAddressInUse")


def _gateway_unused(cloud: Cloud, resource: Resource) -> None:
    held = _held_by(cloud, resource, SUBNET, "natGateway")
    if held:
        message = f"Nat gateway {resource.id} cannot be deleted because it is in use by {', '.join(held)}."
        raise refuse(400, "InUseNatGatewayCannotBeDeleted", message)


def _network(cloud: Cloud, resource: Resource) -> None:
    if resource.inputs.get("subnets"):
        raise wrong(resource, "subnets", "the simulated cloud takes them as resources of their own.")
    spaces = space(resource)
    if not spaces:
        raise wrong(resource, "addressSpace.addressPrefixes", "there must be one at least.", "InvalidRequestFormat")
    if any(overlap([one], [other]) for one, other in itertools.combinations(spaces, 2)):
        raise wrong(resource, "addressSpace.addressPrefixes", "ranges overlap.", "NetcfgInvalidVirtualNetworkSite")
    for subnet in cloud.children(resource.key):
        if subnet.type == SUBNET:
            _within(resource, subnet, resource, "addressSpace")


def _within(network: Resource, subnet: Resource, asked: Resource, property_: str) -> None:
    """Raises CloudError, for the property that was asked for, where a subnet would lie outside its network."""
    if not all(inside(range_, space(network)) for range_ in ranges(subnet, prefixes(subnet))):
        message = (
            f"Subnet '{subnet.inputs['subnetName']}' is not valid because its IP address range is outside the IP"
            f" address range of virtual network '{network.inputs['virtualNetworkName']}'."
        )
        raise wrong(asked, property_, message, "NetcfgSubnetRangeOutsideVnet")


def _subnet(cloud: Cloud, resource: Resource) -> None:
    name, network = resource.inputs["subnetName"], cloud.get(resource.parent)
    assert network is not None
    site, ours = network.inputs["virtualNetworkName"], ranges(resource, prefixes(resource))
    if not ours or any(range_.prefixlen > SMALLEST for range_ in ours if range_.version == 4):
        message = f"Subnet '{name}' is not valid in virtual network '{site}': it needs /29 or larger."
        raise wrong(resource, "addressPrefix", message, "NetcfgInvalidSubnet")
    _within(network, resource, resource, "addressPrefix")
    for other in cloud.children(network.key):
        if other.type == SUBNET and other.key != resource.key and overlap(ours, ranges(other, prefixes(other))):
            message = (
                f"Subnet '{name}' is not valid because its IP address range overlaps with that of an existing subnet"
                f" in virtual network '{site}': {other.inputs['subnetName']}."
            )
            raise wrong(resource, "addressPrefix", message, "NetcfgSubnetRangesOverlap")
    for property_, type_ in STANDING_BESIDE.items():
        if resource.inputs.get(property_):
            beside(cloud, resource, property_, text(resource.inputs, property_, "id"), type_)
    _in_use_as_it_is(cloud, resource)


def delegations(subnet: Resource) -> list[str]:
    """The services to which a subnet is given."""
    return [text(delegation, "serviceName") for delegation in subnet.inputs.get("delegations") or ()]


def _in_use_as_it_is(cloud: Cloud, resource: Resource) -> None:
    """https://learn.microsoft.com/azure/virtual-network/virtual-network-manage-subnet#change-subnet-settings"""
    old = cloud.get(resource.key)
    held = users(cloud, old) if old else []
    if not old or not held:
        return
    lost = sorted(set(prefixes(old)) - set(prefixes(resource)))
    if lost:
        message = f"IpPrefix {lost[0]} has active allocations and cannot be deleted: {held[0]}."
        raise wrong(resource, "addressPrefix", message, "InUsePrefixCannotBeDeleted")
    if delegations(old) != delegations(resource):
        message = (
            f"they cannot be changed from {delegations(old)} to {delegations(resource)} because the subnet is being"
            f" used by the resource {held[0]}."
        )
        raise wrong(resource, "delegations", message, "SubnetDelegationsCannotChangeWhenSubnetUsedByResource")


def _subnet_unused(cloud: Cloud, resource: Resource) -> None:
    held = users(cloud, resource)
    if held:
        message = (
            f"Subnet {resource.inputs['subnetName']} is in use by {', '.join(held)} and cannot be deleted."
            " In order to delete the subnet, delete all the resources within the subnet."
        )
        raise refuse(400, "InUseSubnetCannotBeDeleted", message)


def _network_unused(cloud: Cloud, resource: Resource) -> None:
    for subnet in cloud.children(resource.key):
        if subnet.type == SUBNET:
            _subnet_unused(cloud, subnet)


# what Azure adds


def _public_address(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    """An address of RFC 5737, which nobody has."""
    number = uuid.UUID(guid(resource.id)).int % 254 + 1
    return {**rules.tracked(cloud, resource), "ipAddress": f"203.0.113.{number}"}


def _subnet_outputs(cloud: Cloud, resource: Resource) -> dict[str, Any]:
    etag = rules.part(cloud, resource)["etag"]
    return {"name": resource.inputs["subnetName"], "provisioningState": "Succeeded", "etag": etag}


KINDS = (
    Kind(
        "azure-native:network:NetworkSecurityGroup",
        NETWORK + "networkSecurityGroups/{networkSecurityGroupName}",
        naming={"networkSecurityGroupName": NAME},
        replace=(*PLACE, "networkSecurityGroupName"),
        rules=_security_group,
        outputs=rules.tracked,
        deletable=_security_group_unused,
    ),
    Kind(
        "azure-native:network:PublicIPAddress",
        NETWORK + "publicIPAddresses/{publicIpAddressName}",
        naming={"publicIpAddressName": NAME},
        replace=(*PLACE, "publicIpAddressName", "publicIPAddressVersion", "publicIPPrefix", "sku"),
        rules=_static,
        outputs=_public_address,
        deletable=_address_unused,
        computed=("ipAddress",),
    ),
    Kind(
        NAT,
        NETWORK + "natGateways/{natGatewayName}",
        naming={"natGatewayName": NAME},
        replace=(*PLACE, "natGatewayName"),
        rules=_gateway,
        outputs=rules.tracked,
        deletable=_gateway_unused,
    ),
    Kind(
        "azure-native:network:VirtualNetwork",
        VNET,
        naming={"virtualNetworkName": SHORT_NAME},
        replace=(*PLACE, "virtualNetworkName"),
        rules=_network,
        outputs=rules.tracked,
        deletable=_network_unused,
    ),
    Kind(
        SUBNET,
        VNET + "/subnets/{subnetName}",
        naming={"subnetName": NAME},
        replace=("resourceGroupName", "virtualNetworkName", "subnetName"),
        rules=_subnet,
        outputs=_subnet_outputs,
        deletable=_subnet_unused,
    ),
)
