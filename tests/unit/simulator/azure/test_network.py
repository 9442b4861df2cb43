"""The simulated Azure's networks: ranges, who stands where, private endpoints and names."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import azure_network
from simulator.azure_rules import SUBSCRIPTION
from simulator.state import CloudError

NETWORK = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Network"
PROVIDERS = NETWORK.removesuffix("/Microsoft.Network")
NO = {"id": f"{NETWORK}/no/no"}
RULE = {"name": "web", "priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp"}
CONNECTION = "privateLinkServiceConnections[0]"


REFUSED = [
    (
        "nsg",
        {"securityRules": [RULE | {"priority": 99}]},
        "securityRules",
        "Value provided: 99 Allowed range 100-4096",
    ),
    ("nsg", {"securityRules": [RULE, RULE | {"name": "ssh"}]}, "securityRules", "ssh conflicts with rule web"),
    ("address", {"sku": None}, "sku", "Cannot create more than 0 IPv4 Basic SKU"),
    ("address", {"publicIPAllocationMethod": "Dynamic"}, "publicIPAllocationMethod", "MustBeStatic.*set to Static"),
    ("address", {"zones": ["2"]}, "zones", "PropertyChangeNotAllowed"),
    ("nat", {"publicIpAddresses": [NO]}, "publicIpAddresses", "InvalidResourceReference.* was not found"),
    ("nat", {"sku.name": "Basic"}, "sku", "'Basic' is not Standard or StandardV2"),
    ("nat", {"sku.name": "StandardV2"}, "publicIpAddresses", "is not of the gateway's SKU StandardV2"),
    ("nat", {"natGatewayName": "other"}, "publicIpAddresses", "is already in use by .*natGateways/nat"),
    ("nat", {"natGatewayName": "far", "location": "eastus"}, "publicIpAddresses", "lies in another region"),
    ("vnet", {"addressSpace": None}, "addressSpace", "there must be one at least"),
    ("vnet", {"addressSpace.addressPrefixes": ["10.1.0.0"]}, "prefix", "InvalidCIDRNotation.*10.1.0.0/32"),
    ("vnet", {"addressSpace.addressPrefixes": ["x"]}, "prefix", "InvalidAddressPrefixFormat.* x of"),
    ("vnet", {"addressSpace.addressPrefixes": ["10.1.0.0/16", "10.1.2.0/24"]}, "addressPrefixes", "overlap"),
    ("vnet", {"addressSpace.addressPrefixes": ["10.1.0.0/23"]}, "addressSpace", "NetcfgSubnetRangeOutsideVnet"),
    ("vnet", {"subnets": [{"name": "s"}]}, "subnets", "resources of their own"),
    ("subnet", {"addressPrefix": None}, "addressPrefix", "NetcfgInvalidSubnet"),
    ("subnet", {"addressPrefix": "10.1.4.0/30", "subnetName": "s"}, "addressPrefix", "/29 or larger"),
    ("subnet", {"addressPrefix": "10.1.9.9/24", "subnetName": "s"}, "prefix", "should be 10.1.9.0/24"),
    ("subnet", {"addressPrefix": "10.2.0.0/24", "subnetName": "s"}, "addressPrefix", "RangeOutsideVnet"),
    ("subnet", {"addressPrefix": "10.1.4.128/25", "subnetName": "s"}, "addressPrefix", "RangesOverlap.*endpoints"),
    ("subnet", {"networkSecurityGroup": NO}, "networkSecurityGroup", "was not found"),
    ("subnet", {"natGateway": NO}, "natGateway", "was not found"),
    ("subnet", {"routeTable": NO}, "routeTable", "was not found"),
    ("subnet", {"addressPrefix": "10.1.5.0/24"}, "prefix", "IpPrefix 10.1.4.0/24 has active allocations"),
    ("public", {"delegations": []}, "delegations", "SubnetDelegationsCannotChangeWhenSubnetUsedByResource.*/dbw"),
    ("endpoint", {"subnet": NO}, "subnet", "was not found"),
    ("endpoint", {"location": "eastus"}, "subnet", "lies in another region"),
    ("endpoint", {"subnet.id": f"{NETWORK}/virtualNetworks/net/subnets/public"}, "subnet", "has a delegation"),
    (
        "endpoint",
        {"privateLinkServiceConnections": []},
        "privateLinkServiceConnections",
        "must be one connection, not 0",
    ),
    ("endpoint", {f"{CONNECTION}.groupIds": ["a", "b"]}, "group Ids", "OnlyOneGroupIdPermitted.*a, b"),
    (
        "endpoint",
        {f"{CONNECTION}.privateLinkServiceId": "/no"},
        "privateLinkServiceId",
        "resource /no was not found",
    ),
    ("endpoint", {f"{CONNECTION}.groupIds": ["blob"]}, "GroupId", "invalid: GroupId: blob. It has vault"),
    ("zone group", {"privateDnsZoneConfigs": []}, "privateDnsZoneConfigs", "must be 1 to 5 zones, not 0"),
    ("zone group", {"privateDnsZoneConfigs[0].privateDnsZoneId": "/no"}, "privateDnsZoneId", "/no .*was not found"),
    ("zone group", {"privateDnsZoneGroupName": "second"}, "zone group", "has the zone group .*/zones already"),
    ("zone", {"location": "westeurope"}, "location", "'westeurope' is not available .*regions for it is 'global'"),
    ("link", {"location": None}, "location", "'' is not available for the type"),
    ("link", {"virtualNetwork.id": "/no"}, "virtualNetwork", "/no .*was not found"),
    ("link", {"virtualNetworkLinkName": "again"}, "virtualNetwork", "overlapping namespaces.*'privatelink.vault"),
]


def test_azure_refuses(azure):
    for name, changes, property_, message in REFUSED:
        azure.refuses(name, changes, property_, message)


TARGETS = {
    "account": ("Microsoft.Storage/storageAccounts/lake", ["blob", "dfs", "table"], "vault"),
    "vault": ("Microsoft.KeyVault/vaults/vault-x", ["vault"], "blob"),
    "registry": ("Microsoft.ContainerRegistry/registries/registryX", ["registry"], "registries"),
    "factory": ("Microsoft.DataFactory/factories/adf-x", ["dataFactory", "portal"], "factory"),
    "databricks": (
        "Microsoft.Databricks/workspaces/dbw",
        ["databricks_ui_api", "browser_authentication"],
        "databricks",
    ),
    "cluster": ("Microsoft.ContainerService/managedClusters/aks", ["management"], "apiserver"),
    "logs": ("Microsoft.OperationalInsights/workspaces/logs", [], "logs"),
}


@pytest.mark.parametrize("target", TARGETS)
def test_an_endpoint_leads_to_parts_that_its_target_has(azure, target):
    id_, groups, unknown = TARGETS[target]
    towards = {"privateEndpointName": "pe", f"{CONNECTION}.privateLinkServiceId": f"{PROVIDERS}/{id_}"}
    with azure.undone() as now:
        for group in groups:
            made = azure.put(now, "endpoint", {**towards, f"{CONNECTION}.groupIds": [group]})
            assert made.computed["networkInterfaces"][0]["id"].startswith(f"{NETWORK}/networkInterfaces/pe.nic.")
    azure.refuses("endpoint", {**towards, f"{CONNECTION}.groupIds": [unknown]}, "GroupId", f"GroupId: {unknown}")


@pytest.mark.parametrize(
    ("target", "changes", "group", "code"),
    [
        ("registry", {"sku.name": "Basic", "publicNetworkAccess": None, "policies": None}, "registry", "ForSku"),
        (
            "databricks",
            {"workspaceName": "open", "parameters": None, "publicNetworkAccess": None, "requiredNsgRules": None},
            "browser_authentication",
            "NonVNetInjectedWorkspaceNotSupported",
        ),
    ],
)
def test_some_targets_have_no_private_endpoints(azure, target, changes, group, code):
    with azure.undone() as now:
        made = azure.put(now, target, changes)
        towards = {f"{CONNECTION}.privateLinkServiceId": made.id, f"{CONNECTION}.groupIds": [group]}
        with pytest.raises(CloudError, match=code):
            azure.put(now, "endpoint", towards)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nsg", "InUseNetworkSecurityGroupCannotBeDeleted.*subnets/private.*subnets/public"),
        ("address", "PublicIPAddressCannotBeDeleted.*still allocated to resource .*natGateways/nat"),
        ("nat", "InUseNatGatewayCannotBeDeleted.*subnets/nodes"),
        ("subnet", "InUseSubnetCannotBeDeleted.* is in use by .*privateEndpoints/pe-vault"),
        ("public", "InUseSubnetCannotBeDeleted.* is in use by .*workspaces/dbw"),
        ("private", "InUseSubnetCannotBeDeleted.* is in use by .*workspaces/dbw"),
        ("nodes", "InUseSubnetCannotBeDeleted.* is in use by .*managedClusters/aks.*agentPools/spot"),
        ("zone", "CannotDeleteResource.*nested resource.*virtualNetworkLinks/net"),
    ],
)
def test_what_is_in_use_stays(azure, name, message):
    azure.keeps(name, message)


def test_a_network_stays_while_something_stands_in_it(azure):
    with azure.undone() as now, pytest.raises(CloudError, match="InUseSubnetCannotBeDeleted"):
        azure.delete(now, "vnet")


def test_what_nothing_uses_any_more_can_be_deleted(azure):
    with azure.undone() as now:
        for name in ("endpoint", "link", "zone", "pool", "cluster", "databricks", "vnet", "nsg", "nat", "address"):
            azure.delete(now, name)
        left = [found.id for found in now.find("azure-native:network:*") + now.find("azure-native:privatedns:*")]
    assert left == []


def test_a_network_may_grow_and_its_parts_may_change(azure):
    with azure.undone() as now:
        azure.put(now, "vnet", {"addressSpace.addressPrefixes": ["10.1.0.0/16", "10.2.0.0/16"]})
        other = azure.put(now, "subnet", {"subnetName": "more", "addressPrefix": "10.2.0.0/24"})
        azure.put(now, "subnet", {"subnetName": "more", "addressPrefix": "10.2.1.0/24"})
        assert azure_network.users(now, other) == []
        azure.delete(now, "subnet", {"subnetName": "more"})


NETWORKS = st.builds(
    lambda number, length: ip_network((0x0A000000 + number, length), strict=False),
    st.integers(0, 2**8 - 1),
    st.integers(27, 32),
)


@given(st.lists(NETWORKS, max_size=4), st.lists(NETWORKS, max_size=4))
def test_ranges_overlap_where_they_share_an_address(ours, theirs):
    addresses = [{address for each in networks for address in each} for networks in (ours, theirs)]
    assert azure_network.overlap(ours, theirs) == bool(addresses[0] & addresses[1])
    for network in ours:
        assert azure_network.inside(network, theirs) == any(set(network) <= set(other) for other in theirs)
